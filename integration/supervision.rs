//! Supervision by somebody who is not the parent: `wait`, pid files, containers that outlive their caller.

use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use crate::harness::executed::{exec, idle, pid_in};
use crate::harness::host::kernel_is_at_least;
use crate::harness::prelude::*;

cases!("supervision", root: [
    wait_prints_the_exit_status_of_the_program,
    wait_prints_128_and_the_number_of_a_signal,
    what_one_wait_has_seen_is_known_to_later_ones,
    many_wait_for_one_container,
    wait_for_a_created_container_lasts_until_it_has_run,
    wait_sees_the_status_of_a_container_that_nobody_has_reaped,
    run_with_keep_records_the_exit_status,
    a_status_that_nobody_saw_is_not_invented,
    wait_for_a_container_that_does_not_exist_is_an_error,
    wait_goes_on_while_the_container_is_deleted,
    a_pid_file_is_whole_whenever_it_is_there,
    a_pid_file_replaces_a_link_and_writes_through_none,
    a_detached_container_outlives_the_session_of_its_caller,
], anyone: [
    an_ordinary_user_waits_for_its_container,
]);

/// Starts a `wait` that is there before the container ends.
fn waiting<'c>(t: &'c Case, id: &str) -> Running<'c> {
    if !kernel_is_at_least(6, 15) {
        t.skip("needs a kernel that tells the exit status by a pidfd (Linux 6.15)");
    }
    let running = t.runtime(&["wait", id]).spawn();
    eventually("it has a pidfd", || {
        let fds = fs::read_dir(format!("/proc/{}/fd", running.pid())).into_iter().flatten().flatten();
        let mut targets = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        targets.any(|target| target.to_string_lossy().contains("pidfd"))
    });
    running
}

fn wait_prints_the_exit_status_of_the_program(t: &Case) {
    for status in [0, 1, 42, 255] {
        let script = format!("trap 'exit {status}' TERM; echo ready; while :; do sleep 0.05; done");
        let container = t.launch(&t.bundle().sh(&script));
        container.wait_for("ready");
        let waiting = waiting(t, &container.id);
        container.kill("TERM").ok();
        waiting.wait().ok().prints(&status.to_string());
    }
}

fn wait_prints_128_and_the_number_of_a_signal(t: &Case) {
    let container = idle(t, &t.bundle());
    let waiting = waiting(t, &container.id);
    container.kill("KILL").ok();
    waiting.wait().ok().prints("137");
}

fn what_one_wait_has_seen_is_known_to_later_ones(t: &Case) {
    let container = idle(t, &t.bundle());
    let waiting = waiting(t, &container.id);
    container.kill("KILL").ok();
    waiting.wait().ok().prints("137");
    container.wait_until_stopped();
    for _ in 0..2 {
        t.runtime(&["wait", &container.id]).run().ok().prints("137");
    }
    container.delete().ok();
}

fn many_wait_for_one_container(t: &Case) {
    let container = idle(t, &t.bundle());
    let all: Vec<Running> = (0..10).map(|_| waiting(t, &container.id)).collect();
    container.kill("KILL").ok();
    for waiting in all {
        waiting.wait().ok().prints("137");
    }
}

fn wait_for_a_created_container_lasts_until_it_has_run(t: &Case) {
    let container = t.create(&t.bundle().sh("exit 7"));
    let waiting = waiting(t, &container.id);
    container.start().ok();
    waiting.wait().ok().prints("7");
}

/// `run` in the foreground is the parent; stopped, it takes no status. Known on all kernels.
fn wait_sees_the_status_of_a_container_that_nobody_has_reaped(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().sh("echo ready; while :; do sleep 0.05; done");
    let parent = t.runtime(&t.command_line("run", &bundle, &["--keep"], &id)).spawn();
    parent.wait_for("ready");
    parent.signal(Signal::SIGSTOP);
    t.runtime(&["kill", &id, "KILL"]).run().ok();
    t.runtime(&["wait", &id]).run().ok().prints("137");
    t.runtime(&["wait", &id]).run().ok().prints("137");
    parent.signal(Signal::SIGCONT);
    parent.wait().exits(137);
}

fn run_with_keep_records_the_exit_status(t: &Case) {
    let id = t.id();
    t.runtime(&t.command_line("run", &t.bundle().sh("exit 42"), &["--keep"], &id)).run().exits(42);
    t.runtime(&["wait", &id]).run().ok().prints("42");
    t.runtime(&["delete", &id]).run().ok();
}

fn a_status_that_nobody_saw_is_not_invented(t: &Case) {
    let container = idle(t, &t.bundle());
    container.kill_init_from_outside();
    let gone = || !Path::new(&format!("/proc/{}", container.state()["pid"])).exists();
    eventually("the suite has reaped it", || container.status() == "stopped" && gone());
    let output = t.runtime(&["wait", &container.id]).run();
    output.exits(1).says("exit status is not known").prints("");
}

fn wait_for_a_container_that_does_not_exist_is_an_error(t: &Case) {
    t.runtime(&["wait", "no-such-container"]).run().exits(1).says("does not exist").prints("");
}

fn wait_goes_on_while_the_container_is_deleted(t: &Case) {
    let container = idle(t, &t.bundle());
    let waiting = waiting(t, &container.id);
    container.delete_by_force().ok();
    waiting.wait().ok().prints("137");
}

/// What managers see who look for the file all the time.
fn a_pid_file_is_whole_whenever_it_is_there(t: &Case) {
    let container = idle(t, &t.bundle());
    let file = t.path("pid");
    let path = file.display().to_string();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read_to_string(&file).unwrap_or("1".to_string());
                assert!(text.parse::<u32>().is_ok_and(|pid| pid > 0), "{text:?}");
            }
        });
        for _ in 0..20 {
            exec(t, &container, &["--pid-file", &path], &["/bin/true"]).ok();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        watcher.join().expect("whole at any moment");
    });
}

fn a_pid_file_replaces_a_link_and_writes_through_none(t: &Case) {
    let victim = t.file("victim", "untouched");
    let file = t.path("pid");
    symlink(&victim, &file).expect("make a link");
    symlink(&victim, t.path(".pid")).expect("make a link");
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let (container, output) = t.try_create(&bundle, &["--pid-file", &file.display().to_string()]);
    output.ok();
    assert_eq!(pid_in(&file), container.pid());
    assert_eq!(fs::read_to_string(victim).expect("read"), "untouched");
}

/// The shell that called `run --detach` leads a session with a terminal; both go away.
fn a_detached_container_outlives_the_session_of_its_caller(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().sh("trap 'echo hung up' HUP; echo ready; while :; do sleep 0.05; done");
    let line = t.command_line("run", &bundle, &["--detach"], &id);
    let pty = crate::harness::pty::Pty::new(t, 24, 80);
    let busybox = t.host.busybox.display().to_string();
    let script =
        "\"$@\" </dev/null >OUT 2>&1; echo status $?".replace("OUT", &t.path("out").display().to_string());
    let caller = t.runtime(&line).through_busybox(&["setsid", "-c", &busybox, "sh", "-c", &script, "sh"]);
    let caller = caller.terminal(pty.slave()).spawn();
    pty.wait_for("status 0");
    caller.wait().ok();
    drop(pty);
    let state = || t.runtime(&["state", &id]).run().json();
    assert_eq!(state()["status"], "running");
    let output = || fs::read_to_string(t.path("out")).unwrap_or_default();
    eventually("it is ready", || output().contains("ready"));
    assert!(!output().contains("hung up"));
}

fn an_ordinary_user_waits_for_its_container(t: &Case) {
    t.become_ordinary_user();
    let container = idle(t, &t.bundle());
    let waiting = waiting(t, &container.id);
    container.kill("KILL").ok();
    waiting.wait().ok().prints("137");
}
