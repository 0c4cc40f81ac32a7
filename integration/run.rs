//! `run`: streams, exit status, signals, detaching, what a container inherits.

use nix::sys::signal::Signal;

use crate::harness::prelude::*;

cases!("run", root: [
    the_output_of_the_program_reaches_the_caller_on_both_streams,
    standard_input_reaches_the_program,
    the_exit_status_of_the_program_is_returned,
    a_program_killed_by_a_signal_gives_128_and_the_signal,
    a_missing_program_gives_127,
    a_missing_name_in_path_gives_127_and_says_so,
    a_program_that_is_not_executable_gives_126,
    a_directory_as_program_gives_126,
    an_error_of_the_runtime_itself_gives_1,
    run_deletes_the_container_at_its_end,
    run_keeps_the_container_if_told,
    run_forwards_terminating_signals_to_the_program,
    run_forwards_user_signals_to_the_program,
    run_reaps_orphans_as_a_subreaper,
    run_without_subreaper_leaves_orphans_alone,
    a_detached_run_returns_while_the_container_lives,
    a_detached_run_of_a_missing_program_fails,
    a_container_outlives_the_sudden_death_of_its_runtime_and_can_be_deleted,
    an_open_file_of_the_caller_is_not_inherited,
    a_preserved_file_is_inherited,
    a_file_above_the_preserved_ones_is_not_inherited,
    the_environment_of_the_caller_is_not_inherited,
    the_working_directory_of_the_caller_is_not_inherited,
    the_program_starts_with_no_signal_blocked_or_ignored,
    the_program_is_the_first_process_and_leads_a_session,
    nothing_of_the_runtime_is_left_in_the_container,
]);

fn the_output_of_the_program_reaches_the_caller_on_both_streams(t: &Case) {
    let output = t.run(&t.bundle().sh("echo to stdout; echo to stderr >&2"));
    output.ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("to stdout\n", "to stderr\n"));
}

fn standard_input_reaches_the_program(t: &Case) {
    let input = t.file("input", "one\ntwo\n");
    let bundle = t.bundle().args(&["/bin/cat"]);
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).stdin(&input).run().ok().prints("one\ntwo");
}

fn the_exit_status_of_the_program_is_returned(t: &Case) {
    for status in [0, 1, 42, 255] {
        t.run(&t.bundle().sh(&format!("exit {status}"))).exits(status);
    }
}

fn a_program_killed_by_a_signal_gives_128_and_the_signal(t: &Case) {
    // The first process of a pid namespace cannot kill itself, so it shares the host's.
    let bundle = t.bundle().without_namespace("pid");
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11)] {
        t.run(&bundle.clone().sh(&format!("kill -{name} $$; sleep 5"))).exits(128 + number);
    }
}

fn a_missing_program_gives_127(t: &Case) {
    t.run(&t.bundle().args(&["/no/such/program"])).exits(127).says("no such file or directory");
}

fn a_missing_name_in_path_gives_127_and_says_so(t: &Case) {
    let output = t.run(&t.bundle().args(&["no-such-program"]));
    output.exits(127).says("executable file not found in $PATH").says("no-such-program");
}

fn a_program_that_is_not_executable_gives_126(t: &Case) {
    t.run(&t.bundle().args(&["/etc/passwd"])).exits(126).says("permission denied").says("/etc/passwd");
}

fn a_directory_as_program_gives_126(t: &Case) {
    t.run(&t.bundle().args(&["/etc"])).exits(126).says("/etc");
}

fn an_error_of_the_runtime_itself_gives_1(t: &Case) {
    t.run(&t.bundle().bind("/no/such/source", "/mnt", &["bind"])).exits(1);
    t.runtime(&["state", &t.id()]).run().exits(1);
}

fn run_deletes_the_container_at_its_end(t: &Case) {
    t.run(&t.bundle()).ok();
    t.assert_no_side_effects();
}

fn run_keeps_the_container_if_told(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().sh("exit 3");
    t.runtime(&t.command_line("run", &bundle, &["--keep"], &id)).run().exits(3);
    let state = t.runtime(&["state", &id]).run().ok().json();
    assert_eq!(state["status"], "stopped");
    t.runtime(&["delete", &id]).run().ok();
    t.assert_no_side_effects();
}

/// Runs a program that exits with `status` on `signal`, and sends that to the runtime.
fn forwards(t: &Case, signal: Signal, status: i32) {
    let name = signal.as_str().trim_start_matches("SIG");
    let script = format!("trap 'exit {status}' {name}; echo ready; while :; do sleep 0.1; done");
    let line = t.command_line("run", &t.bundle().sh(&script), &[], &t.id());
    let running = t.runtime(&line).spawn();
    running.wait_for("ready");
    running.signal(signal);
    running.wait().exits(status);
}

fn run_forwards_terminating_signals_to_the_program(t: &Case) {
    forwards(t, Signal::SIGTERM, 21);
    forwards(t, Signal::SIGINT, 22);
    forwards(t, Signal::SIGHUP, 23);
}

fn run_forwards_user_signals_to_the_program(t: &Case) {
    forwards(t, Signal::SIGUSR1, 31);
    forwards(t, Signal::SIGUSR2, 32);
}

/// Runs a program with an orphan, in the pid namespace of the host; gives the runtime and the orphan.
fn with_an_orphan<'c>(t: &'c Case, flags: &[&str]) -> (Running<'c>, i32) {
    let script = "trap 'exit 0' TERM; sh -c 'sleep 300 & echo orphan $!.'; \
                  while :; do sleep 0.1; done";
    let bundle = t.bundle().without_namespace("pid").sh(script);
    let running = t.runtime(&t.command_line("run", &bundle, flags, &t.id())).spawn();
    running.wait_for(".");
    let text = running.stdout();
    let pid = text.trim().trim_start_matches("orphan ").trim_end_matches('.');
    (running, pid.parse().expect("the pid of the orphan"))
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn run_reaps_orphans_as_a_subreaper(t: &Case) {
    let (running, orphan) = with_an_orphan(t, &[]);
    eventually("the runtime is the parent of the orphan", || parent(orphan) == Some(running.pid()));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(orphan), Signal::SIGKILL).expect("kill the orphan");
    eventually("the orphan is reaped", || !Path::new(&format!("/proc/{orphan}")).exists());
    running.signal(Signal::SIGTERM);
    running.wait().ok();
}

fn run_without_subreaper_leaves_orphans_alone(t: &Case) {
    let (running, orphan) = with_an_orphan(t, &["--no-subreaper"]);
    eventually("the orphan has got another parent", || {
        let shell = parent(orphan).and_then(parent);
        shell.is_some() && shell != Some(running.pid())
    });
    assert_ne!(parent(orphan), Some(running.pid()));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(orphan), Signal::SIGKILL).expect("kill the orphan");
    running.signal(Signal::SIGTERM);
    running.wait().ok();
}

fn a_detached_run_returns_while_the_container_lives(t: &Case) {
    for flag in ["--detach", "-d"] {
        let bundle = t.bundle().sh("echo alive; sleep 300");
        let id = t.id();
        t.runtime(&t.command_line("run", &bundle, &[flag], &id)).run().ok();
        let state = t.runtime(&["state", &id]).run().ok().json();
        assert_eq!(state["status"], "running");
    }
}

fn a_detached_run_of_a_missing_program_fails(t: &Case) {
    let line = t.command_line("run", &t.bundle().args(&["/no/such/program"]), &["--detach"], &t.id());
    t.runtime(&line).run().fails().says("/no/such/program");
}

fn a_container_outlives_the_sudden_death_of_its_runtime_and_can_be_deleted(t: &Case) {
    let id = t.id();
    let line = t.command_line("run", &t.bundle().sh("echo ready; sleep 300"), &[], &id);
    let running = t.runtime(&line).spawn();
    running.wait_for("ready");
    running.signal(Signal::SIGKILL);
    let _ = running.wait();
    let state = t.runtime(&["state", &id]).run().ok().json();
    assert_eq!(state["status"], "running");
    t.runtime(&["delete", "--force", &id]).run().ok();
    t.assert_no_side_effects();
}

/// The open files of a program whose runtime was called with `redirections`.
fn open_files(t: &Case, redirections: &str, flags: &[&str]) -> String {
    let leak = t.file("leak", "leaked");
    let bundle = t.bundle().sh("cd /proc/self/fd && for fd in *; do echo $fd=$(readlink $fd); done");
    let line = t.command_line("run", &bundle, flags, &t.id());
    let script = format!("exec {}; exec \"$@\"", redirections.replace("FILE", &leak.display().to_string()));
    let output = t.runtime(&line).through_shell(&script).run();
    output
        .ok()
        .stdout
        .lines()
        .filter(|line| line.contains("/leak"))
        .map(|l| l.split('=').next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join(" ")
}

fn an_open_file_of_the_caller_is_not_inherited(t: &Case) {
    assert_eq!(open_files(t, "3<FILE 9<FILE 20<FILE", &[]), "");
}

fn a_preserved_file_is_inherited(t: &Case) {
    assert_eq!(open_files(t, "3<FILE 4<FILE", &["--preserve-fds", "2"]), "3 4");
    assert_eq!(open_files(t, "3<FILE 4<FILE", &["--preserve-fds=1"]), "3");
}

fn a_file_above_the_preserved_ones_is_not_inherited(t: &Case) {
    assert_eq!(open_files(t, "3<FILE 4<FILE 20<FILE", &["--preserve-fds", "1"]), "3");
}

fn the_environment_of_the_caller_is_not_inherited(t: &Case) {
    let bundle = t.bundle().args(&["/bin/env"]).env("MINE=yes");
    let line = t.command_line("run", &bundle, &[], &t.id());
    let output = t.runtime(&line).env("SECRET_OF_THE_CALLER", "1").env("LISTEN_PID", "7").run();
    let names: Vec<&str> = output.ok().stdout.lines().filter_map(|l| l.split('=').next()).collect();
    for name in ["PATH", "TERM", "MINE", "HOME"] {
        assert!(names.contains(&name), "no {name}: {names:?}");
    }
    assert_eq!(names.len(), 4, "{names:?}");
}

fn the_working_directory_of_the_caller_is_not_inherited(t: &Case) {
    let line = t.command_line("run", &t.bundle().sh("pwd; ls -d /proc/self/cwd/bin"), &[], &t.id());
    let output = t.runtime(&line).cwd(Path::new("/usr")).run();
    output.ok().prints("/\n/proc/self/cwd/bin");
}

fn the_program_starts_with_no_signal_blocked_or_ignored(t: &Case) {
    let bundle = t.bundle().args(&["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]);
    let line = || t.command_line("run", &bundle, &[], &t.id());
    let plain = t.runtime(&line()).run();
    let ignoring = t.runtime(&line()).through_shell("trap '' USR1 USR2 HUP; exec \"$@\"").run();
    for output in [plain, ignoring] {
        let masks: Vec<u64> = output
            .ok()
            .stdout
            .lines()
            .map(|line| {
                u64::from_str_radix(line.split_whitespace().last().unwrap_or(""), 16).expect("a mask")
            })
            .collect();
        // 32 and 33 belong to the threads library of whoever called us.
        let ordinary: Vec<u64> = masks.iter().map(|mask| mask & 0x7fff_ffff).collect();
        assert_eq!(ordinary, [0, 0], "{:?}", output.stdout);
    }
}

fn the_program_is_the_first_process_and_leads_a_session(t: &Case) {
    let output = t.run(&t.bundle().sh("echo $$; cut -d' ' -f1,5,6 /proc/1/stat"));
    output.ok().prints("1\n1 1 1");
}

fn nothing_of_the_runtime_is_left_in_the_container(t: &Case) {
    let script = "ls /proc | grep -c '^[0-9]'; cat /proc/1/comm; readlink /proc/1/exe; \
                  tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f1";
    let output = t.run(&t.bundle().sh(script));
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(lines[0].parse::<u32>().expect("a number") <= 3, "more processes than the shell's: {lines:?}");
    assert_eq!(lines[1..], ["sh", "/bin/busybox", "/bin/sh"]);
}
