"""What a container may use: read from its cgroup, and held by the kernel."""

from manager import check, equal, eventually

SHORT = {"the_memory_limit_holds", "the_number_of_processes_is_limited", "limits_are_changed_while_running"}
FOREVER = ["sleep", "1000"]
MIB = 1 << 20
# Podman adds a limit of processes that needs CAP_SYS_RESOURCE, unless one is given.
LIMITS = ["nofile=100:200", "nproc=1000:1000"]


def the_memory_limit_is_set(m):
    equal(m.machine.limit(m.pid(m.start(FOREVER, memory="64m")), "memory"), str(64 * MIB))


def the_memory_limit_holds(m):
    m.run(["tail", "/dev/zero"], memory="32m").exits(137)


def out_of_memory_is_reported(m):
    container = m.start(["tail", "/dev/zero"], memory="32m")
    equal(m.wait(container), 137)
    check(m.oom_killed(container), "OOMKilled is false")


def the_memory_reservation_is_set(m):
    pid = m.pid(m.start(FOREVER, memory="64m", memory_reservation="32m"))
    equal(m.machine.limit(pid, "reservation"), str(32 * MIB))


def the_cpu_quota_holds(m):
    pid = m.pid(m.start(["sh", "-c", "while :; do :; done"], cpus="0.1"))
    eventually("throttling", lambda: "nr_throttled 0\n" not in m.machine.limit(pid, "throttled") + "\n")


def the_cpu_shares_are_set(m):
    pid = m.pid(m.start(FOREVER, cpu_shares="512"))
    equal(m.machine.limit(pid, "shares"), "512" if m.machine.v1 else "20")


def the_cpus_are_restricted(m):
    equal(m.sh("grep Cpus_allowed_list /proc/self/status | cut -f 2", cpuset_cpus="0"), "0")


def the_number_of_processes_is_limited(m):
    script = "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; wait"
    m.run(["sh", "-c", script], pids_limit="10").fails().says("can't fork")


def limits_are_changed_while_running(m):
    container = m.start(FOREVER, memory="64m", memory_swap="64m")
    m.update(container, memory="96m", memory_swap="96m")
    pid = m.pid(container)
    equal(m.machine.limit(pid, "memory"), str(96 * MIB))
    m.exec(container, ["tail", "/dev/zero"]).exits(137)


def the_cpu_quota_is_changed_while_running(m):
    container = m.start(FOREVER)
    m.update(container, cpus="0.5")
    equal(m.machine.limit(m.pid(container), "quota").split()[0], "50000")


def the_cpus_are_changed_while_running(m):
    container = m.start(FOREVER)
    m.update(container, cpuset_cpus="0")
    equal(m.exec(container, ["grep", "Cpus_allowed_list", "/proc/1/status"]).ok().text.split()[-1], "0")


def resource_limits_are_set(m):
    equal(m.sh("ulimit -Sn; ulimit -Hn", ulimit=LIMITS), "100\n200")


def exec_has_the_resource_limits(m):
    container = m.start(FOREVER, ulimit=LIMITS)
    m.exec(container, ["sh", "-c", "ulimit -Sn; ulimit -Hn"]).ok().prints("100\n200")


def the_out_of_memory_score_is_set(m):
    equal(m.sh("cat /proc/self/oom_score_adj", oom_score_adj="500"), "500")


def the_cgroup_is_below_the_parent_that_was_named(m):
    pid = m.pid(m.start(FOREVER, cgroup_parent="/casks"))
    path = str(m.machine.cgroup_of(pid, "pids"))
    check("/casks/" in path, path)


def the_container_sees_its_own_limits(m):
    # Below /sys/fs/cgroup is the container's own cgroup, read-only.
    files = "/sys/fs/cgroup/pids/pids.max" if m.machine.v1 else "/sys/fs/cgroup/pids.max"
    equal(m.sh(f"cat {files}", pids_limit="33"), "33")
    m.run(["sh", "-c", f"echo 99 >{files}"], pids_limit="33").fails()


def without_a_cgroup(m):
    pid = m.pid(m.start(FOREVER, cgroups="disabled"))
    check("libpod" not in str(m.machine.cgroup_of(pid, "pids")), "it has a cgroup")
