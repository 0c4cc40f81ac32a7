"""What a container's program may do, and as whom."""

import json

from manager import check, equal

SHORT = {"a_read_only_root", "capabilities_are_dropped", "privileged_has_all_capabilities", "a_seccomp_profile_is_obeyed"}
FOREVER = ["sleep", "1000"]
EFFECTIVE = "grep CapEff /proc/self/status | cut -f 2"


def the_user_is_set(m):
    equal(m.sh("id -u; id -g", user="1000:1000"), "1000\n1000")


def the_user_is_found_by_name(m):
    equal(m.sh("id -un; id -gn; id -Gn", user="worker"), "worker\nworker\nworker audio")


def groups_are_added(m):
    check("4242" in m.sh("id -G", group_add="4242").split(), "no such group")


def the_working_directory_is_set(m):
    equal(m.sh("pwd", workdir="/home"), "/home")


def a_working_directory_is_made(m):
    equal(m.sh("pwd", workdir="/not/there/yet"), "/not/there/yet")


def variables_are_set(m):
    equal(m.sh("echo $CASK $BARREL", env=["CASK=oak", "BARREL=wine cellar"]), "oak wine cellar")


def the_entrypoint_is_replaced(m):
    m.run(["one", "two"], entrypoint="echo").ok().prints("one two")


def the_host_name_is_set(m):
    equal(m.sh("hostname", hostname="barrel"), "barrel")


def a_read_only_root(m):
    m.run(["touch", "/file"], read_only=True).fails().says("read-only file system")


def the_root_is_writable_otherwise(m):
    m.run(["sh", "-c", "echo word >/file && cat /file"]).ok().prints("word")


def a_capability_is_dropped(m):
    equal(int(m.sh(EFFECTIVE, cap_drop="CHOWN"), 16) & 1, 0)
    m.run(["chown", "1000", "/tmp"], cap_drop="CHOWN").fails()


def capabilities_are_dropped(m):
    equal(int(m.sh(EFFECTIVE, cap_drop="ALL"), 16), 0)
    m.run(["chown", "1000", "/tmp"], cap_drop="ALL").fails()


def a_capability_is_added(m):
    m.run(["mount", "-t", "tmpfs", "none", "/tmp"]).fails()
    equal(int(m.sh(EFFECTIVE, cap_drop="ALL", cap_add="SYS_ADMIN"), 16), 1 << 21)


def a_user_has_no_capabilities(m):
    equal(int(m.sh(EFFECTIVE, user="1000"), 16), 0)


def privileged_has_all_capabilities(m):
    with open("/proc/self/status") as file:
        bounding = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    seen = int(m.sh(EFFECTIVE, privileged=True), 16)
    # Docker 20.10 knows the first 38.
    wanted = int(bounding, 16) & (1 << 38) - 1
    check(seen & wanted == wanted, f"{seen:x} instead of {wanted:x}")
    m.sh("mount -t tmpfs none /tmp", privileged=True)


def privileged_sees_the_devices_of_the_host(m):
    m.sh("head -c 1 /dev/kmsg >/dev/null || test -c /dev/kmsg", privileged=True)


def the_default_devices_are_there(m):
    m.sh("for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null; head -c 1 /dev/zero")
    names = m.sh("ls -d /dev/fd /dev/stdin /dev/shm /dev/mqueue /dev/pts /dev/ptmx").split()
    equal(len(names), 6)


def a_device_is_given(m):
    m.sh("test -c /dev/fuse && : <>/dev/fuse", device="/dev/fuse")


def a_device_by_another_name(m):
    m.sh("test -c /dev/cask && head -c 4 /dev/cask | wc -c | grep 4", device="/dev/zero:/dev/cask")


def a_device_without_leave_to_write(m):
    m.sh(": </dev/cask", device="/dev/fuse:/dev/cask:r")
    m.run(["sh", "-c", ": >/dev/cask"], device="/dev/fuse:/dev/cask:r").fails().says("operation not permitted")


def a_device_that_was_not_given_cannot_be_opened(m):
    m.run(["sh", "-c", "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem"]).fails().says("operation not permitted")


def a_seccomp_profile_is_obeyed(m):
    profile = m.directory / "seccomp.json"
    calls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}))
    m.run(["mkdir", "/tmp/x"], security_opt=f"seccomp={profile}").fails().says("no space left on device")


def the_default_seccomp_profile_is_loaded(m):
    equal(m.sh("grep Seccomp: /proc/self/status | cut -f 2", **m.default_security()), "2")


def without_seccomp(m):
    equal(m.sh("grep Seccomp: /proc/self/status | cut -f 2", security_opt="seccomp=unconfined"), "0")


def no_new_privileges(m):
    script = "grep NoNewPrivs /proc/self/status | cut -f 2"
    equal(m.sh(script, security_opt="no-new-privileges"), "1")


def exec_is_confined_as_the_container(m):
    container = m.start(FOREVER, cap_drop="CHOWN", security_opt="no-new-privileges")
    wanted = m.exec(container, ["grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/1/status"]).ok().text
    m.exec(container, ["grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"]).ok().prints(wanted)


def kernel_files_are_masked(m):
    masked = "/proc/kcore /proc/keys /proc/timer_list /proc/acpi /sys/firmware"
    equal(m.sh(f"for p in {masked}; do cat $p $p/* 2>/dev/null; done | wc -c"), "0")
    m.run(["sh", "-c", "echo 1 >/proc/sys/kernel/core_pattern"]).fails().says("read-only file system")


def a_sysctl_is_set(m):
    equal(m.sh("cat /proc/sys/kernel/msgmax", sysctl="kernel.msgmax=4321"), "4321")


def a_sysctl_of_the_network_is_set(m):
    equal(m.sh("cat /proc/sys/net/ipv4/ip_default_ttl", sysctl="net.ipv4.ip_default_ttl=33"), "33")


def the_personality_is_set(m):
    equal(m.sh("uname -m", personality="LINUX32"), "i686")
