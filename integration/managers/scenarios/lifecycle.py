"""Containers and the processes in them, from the start to the end."""

from manager import check, equal, eventually

SHORT = {"run_in_the_foreground", "run_with_a_terminal", "exec_runs_in_the_container", "pause_and_unpause",
         "exit_status_of_a_program_that_is_not_there", "signals_reach_the_program"}
FOREVER = ["sleep", "1000"]


def run_in_the_foreground(m):
    result = m.run(["sh", "-c", "echo to stdout; echo to stderr >&2; exit 7"]).exits(7)
    equal(result.text, "to stdout")
    result.says("to stderr")


def run_reads_standard_input(m):
    m.run(["wc", "-c"], stdin="x" * 100_000).ok().prints("100000")


def run_with_a_terminal(m):
    result = m.run_with_terminal(["sh", "-c", "stty size; tty; echo ready; read word; echo got $word; exit 3"], typed="cask\n")
    result.exits(3).says("/dev/").says("got cask")


def a_terminal_has_the_size_of_the_outer_one(m):
    result = m.run_with_terminal(["sh", "-c", "until stty size | grep -q 123; do :; done; stty size"])
    result.ok().says("40 123")


def run_detached(m):
    container = m.start(FOREVER)
    pid = m.pid(container)
    check("sleep 1000" in _command_line(pid), f"process {pid} is not the program")
    equal(m.status(container), "running")


def exec_runs_in_the_container(m):
    container = m.start(FOREVER)
    result = m.exec(container, ["sh", "-c", "readlink /proc/1/ns/pid; readlink /proc/self/ns/pid; echo err >&2; exit 9"]).exits(9)
    check(len(set(result.lines)) == 1, "another pid namespace", result)
    result.says("err")


def exec_reads_standard_input(m):
    m.exec(m.start(FOREVER), ["wc", "-c"], stdin="x" * 100_000).ok().prints("100000")


def exec_with_a_terminal(m):
    result = m.exec_with_terminal(m.start(FOREVER), ["sh", "-c", "tty; echo ready; read w; echo got $w; exit 4"], typed="cask\n")
    result.exits(4).says("/dev/").says("got cask")


def exec_detached(m):
    container = m.start(FOREVER)
    m.exec_detached(container, ["sh", "-c", "echo here >/tmp/file; sleep 1000"])
    eventually("the file", lambda: m.exec(container, ["cat", "/tmp/file"]).text == "here")


def exec_as_a_user(m):
    container = m.start(FOREVER)
    m.exec(container, ["id", "-u"], user="1000:1000").ok().prints("1000")


def exec_in_a_directory(m):
    m.exec(m.start(FOREVER), ["pwd"], workdir="/home").ok().prints("/home")


def exec_with_a_variable(m):
    m.exec(m.start(FOREVER), ["sh", "-c", "echo $CASK"], env="CASK=oak").ok().prints("oak")


def exec_has_the_limits_of_the_container(m):
    container = m.start(FOREVER, pids_limit=50)
    group = m.exec(container, ["sh", "-c", "grep -E '(^0:|pids)' /proc/self/cgroup; grep -E '(^0:|pids)' /proc/1/cgroup"])
    check(len(set(group.ok().lines)) == len(group.lines) / 2, "another cgroup", group)


def exec_privileged(m):
    container = m.start(FOREVER)
    script = "grep -E 'Cap(Eff|Bnd)' /proc/self/status | cut -f 2"
    plain, privileged = (m.exec(container, ["sh", "-c", script], **o).ok().lines for o in ({}, {"privileged": True}))
    check(int(privileged[0], 16) > int(plain[0], 16), f"{privileged} is not more than {plain}")


def logs_of_both_streams(m):
    container = m.start(["sh", "-c", "echo one; echo two >&2"])
    m.wait(container)
    logs = m.logs(container)
    equal((logs.text, logs.err.strip()), ("one", "two"))


def processes_are_shown(m):
    container = m.start(["sh", "-c", "sleep 1111 & sleep 2222"])
    eventually("both", lambda: all(word in m.processes(container) for word in ("sleep 1111", "sleep 2222")))


def memory_in_use_is_shown(m):
    # A file in a tmpfs counts.
    container = m.start(["sh", "-c", "head -c 30000000 /dev/zero >/dev/shm/file && sleep 1000"], shm_size="64m")
    eventually("30 MB", lambda: 25e6 < m.used_memory(container) < 60e6)


def pause_and_unpause(m):
    container = m.start(["sh", "-c", "while :; do :; done"])
    m.pause(container)
    equal(m.status(container), "paused")
    pid = m.pid(container)
    before = _cpu_time(pid)
    state = m.machine.limit(pid, "frozen")
    check("FROZEN" in state or "frozen 1" in state, state)
    equal(_cpu_time(pid), before)
    m.unpause(container)
    eventually("more CPU time", lambda: _cpu_time(pid) > before)
    equal(m.status(container), "running")


def signals_reach_the_program(m):
    container = m.start(["sh", "-c", "trap 'echo got it' USR1; trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"])
    eventually("the traps", lambda: "ready" in m.logs(container).out)
    m.kill(container, "USR1")
    eventually("the signal", lambda: "got it" in m.logs(container).out)
    m.kill(container, "TERM")
    equal(m.wait(container), 5)


def kill_by_number(m):
    container = m.start(FOREVER)
    m.kill(container, "9")
    equal(m.wait(container), 137)


def stop_sends_the_stop_signal(m):
    container = m.start(["sh", "-c", "trap 'exit 6' INT; echo ready; while :; do sleep 0.1; done"], stop_signal="INT")
    eventually("the trap", lambda: "ready" in m.logs(container).out)
    m.stop(container)
    equal(m.inspect(container, "State", "ExitCode"), 6)


def stop_kills_what_does_not_end(m):
    container = m.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    eventually("the trap", lambda: "ready" in m.logs(container).out)
    m.stop(container, 1)
    equal(m.inspect(container, "State", "ExitCode"), 137)


def restart_makes_a_new_process(m):
    container = m.start(FOREVER)
    before = m.pid(container)
    m.restart(container)
    check(m.pid(container) not in (0, before), "the same process")


def a_stopped_container_starts_again(m):
    container = m.start(["sh", "-c", "echo line >>/tmp/file; wc -l </tmp/file; sleep 1000"])
    eventually("the first", lambda: m.logs(container).lines == ["1"])
    m.stop(container, 0)
    m.cli("start", container).ok()
    eventually("the second", lambda: m.logs(container).lines == ["1", "2"])


def the_restart_policy_is_followed(m):
    container = m.start(["sh", "-c", "exit 1"], restart="on-failure:2")
    eventually("two restarts", lambda: m.restart_count(container) == 2 and m.status(container) == "exited")
    equal(m.inspect(container, "State", "ExitCode"), 1)


def create_attach_and_start(m):
    name = m.name_for()
    m.cli("create", "--name", name, *m.words({}), "localhost/bb:1", "sh", "-c", "echo late; exit 8").ok()
    equal(m.status(name), "created")
    m.cli("start", "--attach", name).exits(8).prints("late")


def init_reaps(m):
    container = m.start(["sh", "-c", "(sleep 0.1 &) ; exec sleep 1000"], init=True)
    comm = m.exec(container, ["cat", "/proc/1/comm"]).ok().text
    check(comm != "sleep", f"process 1 is {comm}")
    zombies = ["sh", "-c", "cat /proc/[0-9]*/stat | awk '$2 == \"(sleep)\"' | wc -l"]
    eventually("only one sleep", lambda: m.exec(container, zombies).text == "1")


def a_failed_program_leaves_no_container(m):
    m.run(["/no/such/program"]).fails()
    equal(m.containers(), [])


def exit_status_of_a_program_that_is_not_there(m):
    m.run(["no-such-program"]).exits(127)
    m.run(["/no/such/program"]).exits(127)


def exit_status_of_a_program_that_cannot_be_executed(m):
    m.run(["/etc/not-executable"]).exits(126)
    m.run(["/etc"]).exits(126)


def exit_status_of_a_mistake_of_the_caller(m):
    m.run(["true"], sysctl="no.such.sysctl=1").exits(125)


def exit_status_of_exec_of_a_program_that_is_not_there(m):
    container = m.start(FOREVER)
    m.exec(container, ["no-such-program"]).exits(127)
    m.exec(container, ["/no/such/program"]).exits(127)


def exit_status_of_exec_of_a_program_that_cannot_be_executed(m):
    m.exec(m.start(FOREVER), ["/etc/not-executable"]).exits(126)


def exit_status_of_a_signal(m):
    m.run(["sh", "-c", "kill -KILL $$"], init=True).exits(137)


def the_runtime_is_named(m):
    name, version = m.runtime_in_info()
    equal(name, m.runtime)
    check(m.runtime in version and any(letter.isdigit() for letter in version), version)


def _command_line(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read().replace("\0", " ")


def _cpu_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
