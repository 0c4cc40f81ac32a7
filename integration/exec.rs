//! `exec`: another program in a container that is there, held by all that holds the first one.

use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;

use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("exec", root: [
    the_exit_status_of_an_executed_program_is_returned,
    an_executed_program_killed_by_a_signal_gives_128_and_the_signal,
    exec_of_a_missing_program_gives_127,
    exec_of_a_missing_name_in_path_gives_127,
    exec_of_a_program_that_is_not_executable_gives_126,
    a_failed_exec_leaves_the_container_as_it_was,
    the_output_of_an_executed_program_reaches_the_caller_on_both_streams,
    standard_input_reaches_an_executed_program,
    exec_forwards_terminating_signals_to_the_program,
    an_executed_program_has_the_environment_of_the_configuration,
    exec_adds_and_replaces_environment_variables,
    exec_starts_in_the_directory_of_the_configuration,
    exec_starts_in_the_directory_of_the_flag,
    exec_starts_as_the_user_of_the_configuration,
    exec_starts_as_the_user_of_the_flag,
    exec_adds_groups,
    exec_takes_the_process_from_a_file,
    a_detached_exec_returns_while_the_program_lives,
    exec_gives_a_terminal,
    the_exit_status_of_exec_comes_through_a_terminal,
    exec_without_the_flag_gives_no_terminal,
    a_detached_exec_with_a_terminal_needs_a_console_socket,
    an_executed_program_is_in_all_namespaces_of_the_container,
    an_executed_program_is_in_all_cgroups_of_the_container,
    an_executed_program_has_the_capabilities_of_the_configuration,
    exec_adds_a_capability_to_those_of_the_configuration,
    a_capability_of_exec_is_not_inheritable,
    exec_keeps_no_new_privileges,
    exec_can_set_no_new_privileges,
    an_executed_program_is_under_the_seccomp_filter_of_the_container,
    an_executed_program_has_the_resource_limits_of_the_configuration,
    an_executed_program_cannot_write_to_a_readonly_root,
    a_working_directory_behind_a_descriptor_of_the_runtime_never_leads_out,
    a_working_directory_behind_a_descriptor_of_the_caller_never_leads_out,
    an_open_file_of_the_caller_is_not_inherited_over_exec,
    exec_in_a_stopped_container_is_an_error,
    exec_in_a_created_container_works_and_does_not_start_it,
    exec_in_a_user_namespace_runs_as_its_root,
    twenty_execs_at_the_same_time_return_each_its_own_status,
], anyone: [
    an_ordinary_user_executes_a_program_in_its_container,
]);

/// A container that waits.
fn idle<'c>(t: &'c Case, bundle: &Bundle) -> Container<'c> {
    t.launch(&bundle.clone().args(&["/bin/sleep", "300"]))
}

/// The command line `exec FLAGS ID ARGS`.
fn line<'a>(container: &'a Container, flags: &[&'a str], args: &[&'a str]) -> Vec<&'a str> {
    [&["exec"], flags, &[container.id.as_str()], args].concat()
}

fn exec(t: &Case, container: &Container, flags: &[&str], args: &[&str]) -> Output {
    t.runtime(&line(container, flags, args)).run()
}

/// Executes a shell with this script.
fn shell(t: &Case, container: &Container, flags: &[&str], script: &str) -> Output {
    exec(t, container, flags, &["/bin/sh", "-c", script])
}

/// Executes a program that lives on; gives its pid on the host.
fn detached(t: &Case, container: &Container) -> i32 {
    let file = t.path(&format!("pid-{}", container.id));
    let path = file.display().to_string();
    exec(t, container, &["--detach", "--pid-file", &path], &["/bin/sleep", "299"]).ok();
    let text = fs::read_to_string(&file).expect("the file with the pid");
    text.trim().parse().unwrap_or_else(|e| panic!("the pid {text:?}: {e}"))
}

fn proc_file(pid: i32, name: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{name}")).expect("a file of the process")
}

fn the_exit_status_of_an_executed_program_is_returned(t: &Case) {
    let container = idle(t, &t.bundle());
    for status in [0, 1, 42, 255] {
        shell(t, &container, &[], &format!("exit {status}")).exits(status);
    }
    assert_eq!(container.status(), "running");
}

fn an_executed_program_killed_by_a_signal_gives_128_and_the_signal(t: &Case) {
    let container = idle(t, &t.bundle());
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11)] {
        shell(t, &container, &[], &format!("kill -{name} $$; sleep 5")).exits(128 + number);
    }
}

fn exec_of_a_missing_program_gives_127(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &[], &["/no/such/program"]).exits(127).says("no such file or directory");
}

fn exec_of_a_missing_name_in_path_gives_127(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &[], &["no-such-program"]).exits(127).says("no-such-program");
}

fn exec_of_a_program_that_is_not_executable_gives_126(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &[], &["/etc/passwd"]).exits(126).says("permission denied");
    exec(t, &container, &[], &["/etc"]).exits(126);
}

fn a_failed_exec_leaves_the_container_as_it_was(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &[], &["/no/such/program"]).fails();
    exec(t, &container, &["--detach"], &["/no/such/program"]).fails();
    exec(t, &container, &["--cwd", "/no/such/directory"], &["/bin/true"]).fails();
    assert_eq!(container.status(), "running");
    let script = "for p in /proc/[0-9]*; do test $p = /proc/$$ || echo $p; done";
    shell(t, &container, &[], script).ok().prints("/proc/1");
}

fn the_output_of_an_executed_program_reaches_the_caller_on_both_streams(t: &Case) {
    let container = idle(t, &t.bundle());
    let output = shell(t, &container, &[], "echo to stdout; echo to stderr >&2");
    output.ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("to stdout\n", "to stderr\n"));
}

fn standard_input_reaches_an_executed_program(t: &Case) {
    let container = idle(t, &t.bundle());
    let input = t.file("input", "one\ntwo\n");
    t.runtime(&line(&container, &[], &["/bin/cat"])).stdin(&input).run().ok().prints("one\ntwo");
}

fn exec_forwards_terminating_signals_to_the_program(t: &Case) {
    let container = idle(t, &t.bundle());
    for (signal, name, status) in [(Signal::SIGTERM, "TERM", 21), (Signal::SIGINT, "INT", 22)] {
        let script = format!("trap 'exit {status}' {name}; echo ready; while :; do sleep 0.1; done");
        let running = t.runtime(&line(&container, &[], &["/bin/sh", "-c", &script])).spawn();
        running.wait_for("ready");
        running.signal(signal);
        running.wait().exits(status);
    }
    assert_eq!(container.status(), "running");
}

fn an_executed_program_has_the_environment_of_the_configuration(t: &Case) {
    let container = idle(t, &t.bundle().env("MINE=yes"));
    let call = t.runtime(&line(&container, &[], &["env"])).env("SECRET_OF_THE_CALLER", "1");
    let output = call.env("LISTEN_PID", "7").run();
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(lines.contains(&"MINE=yes") && lines.contains(&"TERM=xterm"), "{lines:?}");
    assert!(!output.stdout.contains("SECRET_OF") && !output.stdout.contains("LISTEN_PID"), "{lines:?}");
}

fn exec_adds_and_replaces_environment_variables(t: &Case) {
    let container = idle(t, &t.bundle().env("MINE=of the configuration"));
    for flag in ["--env", "-e"] {
        let flags = [flag, "MINE=of the flag", flag, "MORE=a=b", flag, "EMPTY="];
        let output = exec(t, &container, &flags, &["/bin/env"]);
        let lines: Vec<&str> = output.ok().stdout.lines().collect();
        for expected in ["MORE=a=b", "EMPTY=", "TERM=xterm"] {
            assert!(lines.contains(&expected), "no {expected}: {lines:?}");
        }
        // getenv(3) finds the first of two, a shell the last: there must be one.
        let mine: Vec<_> = lines.iter().filter(|line| line.starts_with("MINE=")).collect();
        assert_eq!(mine, [&"MINE=of the flag"]);
    }
}

fn exec_starts_in_the_directory_of_the_configuration(t: &Case) {
    let container = idle(t, &t.bundle().set("/process/cwd", json!("/home/alice")));
    let call = t.runtime(&line(&container, &[], &["/bin/pwd"])).cwd(Path::new("/usr"));
    call.run().ok().prints("/home/alice");
}

fn exec_starts_in_the_directory_of_the_flag(t: &Case) {
    let container = idle(t, &t.bundle().set("/process/cwd", json!("/home/alice")));
    exec(t, &container, &["--cwd", "/tmp"], &["/bin/pwd"]).ok().prints("/tmp");
}

const USER_AND_GROUP: &str = "echo $(id -u) $(id -g)";

fn exec_starts_as_the_user_of_the_configuration(t: &Case) {
    let container = idle(t, &t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1001})));
    shell(t, &container, &[], USER_AND_GROUP).ok().prints("1000 1001");
}

fn exec_starts_as_the_user_of_the_flag(t: &Case) {
    let container = idle(t, &t.bundle());
    shell(t, &container, &[], USER_AND_GROUP).ok().prints("0 0");
    shell(t, &container, &["--user", "1000"], USER_AND_GROUP).ok().prints("1000 0");
    shell(t, &container, &["--user", "1000:2000"], USER_AND_GROUP).ok().prints("1000 2000");
    shell(t, &container, &["-u", "4000:0"], USER_AND_GROUP).ok().prints("4000 0");
    let alice = idle(t, &t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1001})));
    shell(t, &alice, &["--user", "0:0"], USER_AND_GROUP).ok().prints("0 0");
}

fn exec_adds_groups(t: &Case) {
    let user = json!({"uid": 0, "gid": 0, "additionalGids": [2000]});
    let container = idle(t, &t.bundle().set("/process/user", user));
    let groups = ["grep", "Groups:", "/proc/self/status"];
    exec(t, &container, &[], &groups).ok().prints("Groups:\t2000");
    for flag in ["--additional-gids", "-g"] {
        let flags = [flag, "3000", flag, "4000"];
        exec(t, &container, &flags, &groups).ok().prints("Groups:\t2000 3000 4000");
    }
}

fn exec_takes_the_process_from_a_file(t: &Case) {
    let container = idle(t, &t.bundle().env("MINE=of the configuration"));
    let process = json!({
        "user": {"uid": 1000, "gid": 2000, "additionalGids": [3000]},
        "args": ["/bin/sh", "-c", "echo $(id -u) $(id -g) $PWD $MINE/$WHENCE; grep -E 'Groups|NoNew' /proc/self/status"],
        "env": ["PATH=/bin", "WHENCE=file"],
        "cwd": "/tmp",
        "noNewPrivileges": true,
    });
    let file = t.file("process.json", &process.to_string()).display().to_string();
    for flag in ["--process", "-p"] {
        let output = exec(t, &container, &[flag, &file], &[]);
        output.ok().prints("1000 2000 /tmp /file\nGroups:\t3000 \nNoNewPrivs:\t1");
    }
}

fn a_detached_exec_returns_while_the_program_lives(t: &Case) {
    let container = idle(t, &t.bundle());
    let pid = detached(t, &container);
    assert_eq!(proc_file(pid, "cmdline"), "/bin/sleep\x00299\x00");
    assert_ne!(pid, container.pid());
    shell(t, &container, &["-d"], "echo $$ >/dev/shm/started; sleep 300").ok();
    eventually("the program runs", || shell(t, &container, &[], "cat /dev/shm/started").status.success());
    container.delete_by_force().ok();
    eventually("the program ends with its container", || !Path::new(&format!("/proc/{pid}")).exists());
}

/// `exec --tty` on a terminal which is the controlling one of a session of its own.
fn exec_on<'c>(t: &'c Case, pty: &Pty, container: &Container, script: &str) -> Running<'c> {
    let line = line(container, &["--tty"], &["/bin/sh", "-c", script]);
    t.runtime(&line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).spawn()
}

fn exec_gives_a_terminal(t: &Case) {
    let container = idle(t, &t.bundle());
    let pty = Pty::new(t, 24, 80);
    let script = "test -t 0 && test -t 1 && test -t 2 && echo its $(tty) >/dev/tty; \
                  read word; echo \"got <$word>\"";
    let running = exec_on(t, &pty, &container, script);
    pty.wait_for("its /dev/pts/0");
    pty.type_text("cask\n");
    running.wait().ok();
    pty.wait_for("got <cask>");
    assert!(pty.is_cooked(), "afterwards");
}

fn the_exit_status_of_exec_comes_through_a_terminal(t: &Case) {
    let container = idle(t, &t.bundle());
    exec_on(t, &Pty::new(t, 24, 80), &container, "exit 42").wait().exits(42);
}

fn exec_without_the_flag_gives_no_terminal(t: &Case) {
    let container = idle(t, &t.bundle());
    let script = "test -t 0 || test -t 1 || test -t 2 || echo none; true >/dev/tty";
    shell(t, &container, &[], script).fails().prints("none");
}

fn a_detached_exec_with_a_terminal_needs_a_console_socket(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &["--tty", "--detach"], &["/bin/true"]).fails().says("console");
}

fn an_executed_program_is_in_all_namespaces_of_the_container(t: &Case) {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let plain = t.bundle().namespace("cgroup", None);
    let mapped = plain.clone().user_namespace(100_000);
    for (bundle, with_user) in [(plain, false), (mapped, true)] {
        let container = idle(t, &bundle);
        let init = container.pid();
        for kind in kinds {
            let its = fs::read_link(format!("/proc/{init}/ns/{kind}")).expect("a namespace of init");
            let own = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace of ours");
            assert_eq!(its != own, kind != "user" || with_user, "{kind} of init");
            let path = format!("/proc/self/ns/{kind}");
            exec(t, &container, &[], &["readlink", &path]).ok().prints(&its.display().to_string());
        }
        let output = exec(t, &container, &[], &["cat", "/proc/1/cmdline"]);
        output.ok().prints("/bin/sleep\x00300\x00");
    }
}

fn an_executed_program_is_in_all_cgroups_of_the_container(t: &Case) {
    let limited = t.bundle().set("/linux/resources/pids", json!({"limit": 20}));
    for bundle in [t.bundle(), limited] {
        let container = idle(t, &bundle);
        let pid = detached(t, &container);
        assert_eq!(proc_file(pid, "cgroup"), proc_file(container.pid(), "cgroup"));
        assert!(proc_file(pid, "cgroup").contains(&container.id));
    }
}

const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

/// Inheritable, permitted, effective, bounding, ambient.
fn sets(t: &Case, container: &Container, flags: &[&str]) -> [u64; 5] {
    let output = exec(t, container, flags, &["/bin/grep", "Cap", "/proc/self/status"]);
    let words = output.ok().stdout.lines().map(|line| line.split_whitespace().last().unwrap_or(""));
    let masks: Vec<u64> = words.map(|word| u64::from_str_radix(word, 16).expect("a mask")).collect();
    masks.try_into().expect("five sets")
}

fn an_executed_program_has_the_capabilities_of_the_configuration(t: &Case) {
    let few = json!(["CAP_KILL"]);
    let capabilities = json!({"bounding": ["CAP_KILL", "CAP_SYS_ADMIN"], "permitted": few,
        "effective": few, "inheritable": few, "ambient": few});
    let bundle = t.bundle().set("/process/capabilities", capabilities);
    let container = idle(t, &bundle);
    let user = ["--user", "1000:1000"];
    assert_eq!(sets(t, &container, &user), [KILL, KILL, KILL, KILL | SYS_ADMIN, KILL]);
    let none = idle(t, &bundle.unset("/process/capabilities"));
    assert_eq!(sets(t, &none, &[]), [0; 5]);
}

/// A container whose programs have CAP_KILL only.
fn with_few_capabilities(t: &Case) -> Container<'_> {
    let few = json!(["CAP_KILL"]);
    let capabilities = json!({"bounding": few, "permitted": few, "effective": few});
    idle(t, &t.bundle().set("/process/capabilities", capabilities))
}

fn exec_adds_a_capability_to_those_of_the_configuration(t: &Case) {
    let container = with_few_capabilities(t);
    assert_eq!(sets(t, &container, &[])[1..4], [KILL; 3]);
    assert_eq!(sets(t, &container, &["--cap", "CAP_NET_RAW"])[1..4], [KILL | NET_RAW; 3]);
}

/// CVE-2022-29162: what is inheritable, files of the image could gain.
fn a_capability_of_exec_is_not_inheritable(t: &Case) {
    let container = with_few_capabilities(t);
    let [inheritable, permitted, _, _, ambient] = sets(t, &container, &["--cap", "CAP_NET_RAW"]);
    assert_eq!((inheritable, ambient), (0, 0));
    assert_eq!(permitted & NET_RAW, NET_RAW);
}

/// What /proc says of a program in a container with this configuration.
fn no_new_privileges(t: &Case, configured: bool, flags: &[&str]) -> Output {
    let container = idle(t, &t.bundle().set("/process/noNewPrivileges", json!(configured)));
    exec(t, &container, flags, &["grep", "NoNewPrivs", "/proc/self/status"])
}

fn exec_keeps_no_new_privileges(t: &Case) {
    no_new_privileges(t, true, &[]).ok().prints("NoNewPrivs:\t1");
    no_new_privileges(t, false, &[]).ok().prints("NoNewPrivs:\t0");
}

fn exec_can_set_no_new_privileges(t: &Case) {
    no_new_privileges(t, false, &["--no-new-privs"]).ok().prints("NoNewPrivs:\t1");
    no_new_privileges(t, true, &["--no-new-privs"]).ok().prints("NoNewPrivs:\t1");
}

fn an_executed_program_is_under_the_seccomp_filter_of_the_container(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV});
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let script = "mkdir /dev/shm/d; echo done with $?; grep Seccomp: /proc/self/status";
    let bundle = t.bundle().set("/linux/seccomp", seccomp);
    for no_new_privileges in [true, false] {
        let bundle = bundle.clone().set("/process/noNewPrivileges", json!(no_new_privileges));
        let output = shell(t, &idle(t, &bundle), &[], script);
        output.ok().says("Invalid cross-device link").prints("done with 1\nSeccomp:\t2");
    }
    shell(t, &idle(t, &t.bundle()), &[], script).ok().prints("done with 0\nSeccomp:\t0");
}

fn an_executed_program_has_the_resource_limits_of_the_configuration(t: &Case) {
    let limits = json!([{"type": "RLIMIT_CORE", "hard": 8192, "soft": 4096}]);
    let container = idle(t, &t.bundle().set("/process/rlimits", limits));
    let output = exec(t, &container, &[], &["grep", "Max core", "/proc/self/limits"]);
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words[4..6], ["4096", "8192"], "{words:?}");
}

fn an_executed_program_cannot_write_to_a_readonly_root(t: &Case) {
    let bundle = t.bundle();
    let script = "touch /opt/f 2>/dev/null || echo refused";
    shell(t, &idle(t, &bundle), &[], script).ok().prints("refused");
    assert!(!bundle.in_rootfs("/opt/f").exists());
    let bundle = bundle.writable();
    shell(t, &idle(t, &bundle), &[], script).ok().prints("");
    assert!(bundle.in_rootfs("/opt/f").exists());
}

/// Starts in `/proc/self/fd/N`, the runtime having been called by the shell script `caller`: the
/// program must be inside or not be run.
fn never_leads_out(t: &Case, caller: &str) {
    let container = idle(t, &t.bundle());
    let marker = t.file("marker", "").display().to_string();
    let script = format!("test -e ../../../../../../../../../..{marker} && echo outside || echo inside");
    for fd in 3..=20 {
        let cwd = format!("/proc/self/fd/{fd}");
        let line = line(&container, &["--cwd", &cwd], &["/bin/sh", "-c", &script]);
        let output = t.runtime(&line).through_shell(caller).run();
        match output.status.success() {
            true => output.prints("inside"),
            false => output.fails().prints(""),
        };
    }
}

/// CVE-2024-21626.
fn a_working_directory_behind_a_descriptor_of_the_runtime_never_leads_out(t: &Case) {
    never_leads_out(t, "exec \"$@\"");
}

fn a_working_directory_behind_a_descriptor_of_the_caller_never_leads_out(t: &Case) {
    let roots: String = (3..=20).map(|fd| format!("{fd}</ ")).collect();
    never_leads_out(t, &format!("exec {roots}; exec \"$@\""));
}

fn an_open_file_of_the_caller_is_not_inherited_over_exec(t: &Case) {
    let container = idle(t, &t.bundle());
    let leak = t.file("leak", "leaked").display().to_string();
    let list = "cd /proc/self/fd && for fd in *; do echo $fd=$(readlink $fd); done";
    let script = format!("exec 3<{leak} 9<{leak} 20<{leak}; exec \"$@\"");
    let open = |flags: &[&str]| {
        let line = line(&container, flags, &["/bin/sh", "-c", list]);
        let output = t.runtime(&line).through_shell(&script).run();
        let leaked = output.ok().stdout.lines().filter(|line| line.contains("/leak"));
        leaked.filter_map(|line| line.split('=').next()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(open(&[]), "");
    assert_eq!(open(&["--preserve-fds", "1"]), "3");
}

fn exec_in_a_stopped_container_is_an_error(t: &Case) {
    let container = idle(t, &t.bundle());
    container.kill_init_from_outside();
    exec(t, &container, &[], &["/bin/echo", "ran"]).fails().prints("");
    assert_eq!(container.status(), "stopped");
}

fn exec_in_a_created_container_works_and_does_not_start_it(t: &Case) {
    let container = t.create(&t.bundle().sh("echo started; sleep 300"));
    shell(t, &container, &[], "hostname; test -e /etc/passwd && exit 42").exits(42).prints("cask");
    assert_eq!((container.status().as_str(), container.stdout().as_str()), ("created", ""));
    container.start().ok();
    container.wait_for("started");
}

fn exec_in_a_user_namespace_runs_as_its_root(t: &Case) {
    let container = idle(t, &t.bundle().user_namespace(100_000));
    let script = "echo $(id -u) $(id -g) $(cat /proc/self/uid_map)";
    shell(t, &container, &[], script).ok().prints("0 0 0 100000 65536");
    shell(t, &container, &["--user", "1000:1000"], USER_AND_GROUP).ok().prints("1000 1000");
    let owner = fs::metadata(format!("/proc/{}", detached(t, &container))).expect("the program");
    assert_eq!((owner.uid(), owner.gid()), (100_000, 100_000));
}

fn twenty_execs_at_the_same_time_return_each_its_own_status(t: &Case) {
    let container = idle(t, &t.bundle());
    let scripts: Vec<String> = (0..20).map(|i| format!("echo number {i}; exit {i}")).collect();
    let start = |script: &String| t.runtime(&line(&container, &[], &["/bin/sh", "-c", script])).spawn();
    let calls: Vec<Running> = scripts.iter().map(start).collect();
    for (i, call) in calls.into_iter().enumerate() {
        call.wait().exits(i as i32).prints(&format!("number {i}"));
    }
}

fn an_ordinary_user_executes_a_program_in_its_container(t: &Case) {
    t.become_ordinary_user();
    let container = idle(t, &t.bundle());
    let init = container.pid();
    let output = shell(t, &container, &[], "echo $(id -u) $(id -g); readlink /proc/self/ns/user; exit 42");
    let its = fs::read_link(format!("/proc/{init}/ns/user")).expect("the namespace of init");
    output.exits(42).prints(&format!("0 0\n{}", its.display()));
    let owner = fs::metadata(format!("/proc/{}", detached(t, &container))).expect("the program");
    assert_eq!(owner.uid(), t.caller().0);
}
