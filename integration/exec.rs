//! `exec`: another program in a container that is there.

use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;

use crate::harness::executed::{detached, exec, idle, line, proc_file, shell};
use crate::harness::prelude::*;

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
    exec_in_a_stopped_container_is_an_error,
    exec_in_a_container_that_is_ending_is_an_error_that_says_so,
    a_user_is_what_was_written_or_an_error,
    exec_in_a_created_container_works_and_does_not_start_it,
    two_hundred_execs_at_the_same_time_return_each_its_own_status,
], anyone: [
    an_ordinary_user_executes_a_program_in_its_container,
    an_ordinary_user_is_told_what_keeps_it_out_of_a_created_container,
]);

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
    let pid = detached(t, &container, &[]);
    assert_eq!(proc_file(pid, "cmdline"), "/bin/sleep\x00299\x00");
    assert_ne!(pid, container.pid());
    shell(t, &container, &["-d"], "echo $$ >/dev/shm/started; sleep 300").ok();
    eventually("the program runs", || shell(t, &container, &[], "cat /dev/shm/started").status.success());
    container.delete_by_force().ok();
    eventually("the program ends with its container", || !Path::new(&format!("/proc/{pid}")).exists());
}

fn exec_in_a_stopped_container_is_an_error(t: &Case) {
    let container = idle(t, &t.bundle());
    container.kill_init_from_outside();
    exec(t, &container, &[], &["/bin/echo", "ran"]).fails().prints("");
    assert_eq!(container.status(), "stopped");
}

fn exec_in_a_container_that_is_ending_is_an_error_that_says_so(t: &Case) {
    for _ in 0..10 {
        let container = idle(t, &t.bundle());
        let calls: Vec<Running> =
            (0..4).map(|_| t.runtime(&line(&container, &[], &["/bin/sleep", "300"])).spawn()).collect();
        container.kill("KILL").ok();
        for call in calls {
            let output = call.wait();
            // It ran, and ended with the container; or it could not begin.
            if output.status.code() != Some(128 + 9) {
                output.exits(1).says("container not running");
            }
        }
    }
}

/// CVE-2026-30892: what is not understood must not become user 0.
fn a_user_is_what_was_written_or_an_error(t: &Case) {
    let container = idle(t, &t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1001})));
    for (user, expected) in
        [("1", "1 1001"), ("1:2", "1 2"), ("0:0", "0 0"), ("4294967294:7", "4294967294 7")]
    {
        shell(t, &container, &["-u", user], USER_AND_GROUP).ok().prints(expected);
    }
    let wrong = [
        "1:",
        ":1",
        "1:2:3",
        "0x1",
        "01",
        " 1",
        "1 ",
        "1a",
        "-1",
        "+1",
        "4294967295",
        "4294967296",
        "root",
        "",
    ];
    for user in wrong {
        exec(t, &container, &["--user", user], &["/bin/echo", "ran"]).fails().prints("");
    }
}

fn exec_in_a_created_container_works_and_does_not_start_it(t: &Case) {
    let container = t.create(&t.bundle().sh("echo started; sleep 300"));
    shell(t, &container, &[], "hostname; test -e /etc/passwd && exit 42").exits(42).prints("cask");
    assert_eq!((container.status().as_str(), container.stdout().as_str()), ("created", ""));
    container.start().ok();
    container.wait_for("started");
}

fn two_hundred_execs_at_the_same_time_return_each_its_own_status(t: &Case) {
    let container = idle(t, &t.bundle());
    let scripts: Vec<String> = (0..200).map(|i| format!("echo number {i}; exit {i}")).collect();
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
    let owner = fs::metadata(format!("/proc/{}", detached(t, &container, &[]))).expect("the program");
    assert_eq!(owner.uid(), t.caller().0);
}

fn an_ordinary_user_is_told_what_keeps_it_out_of_a_created_container(t: &Case) {
    t.become_ordinary_user();
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    exec(t, &container, &[], &["/bin/true"]).fails().says("init has not executed its program yet");
    container.start().ok();
    exec(t, &container, &[], &["/bin/true"]).ok();
}
