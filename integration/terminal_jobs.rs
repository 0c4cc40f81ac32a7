//! Job control: keys that stop and go, inside the container and outside of it.

use nix::sys::signal::Signal;

use crate::harness::executed::{idle, line, proc_file};
use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("terminal_jobs", root: [
    keys_stop_and_interrupt_the_jobs_of_a_shell,
    keys_stop_and_interrupt_the_jobs_of_an_executed_shell,
    a_signal_that_ends_the_program_restores_the_terminal,
    signals_work_though_nobody_reads_the_terminal,
    a_signal_beside_the_end_of_the_program_is_for_its_caller,
    a_killed_container_restores_the_terminal,
    a_program_that_is_missing_restores_the_terminal,
    a_call_that_was_stopped_takes_the_terminal_again,
    a_call_in_the_background_leaves_the_terminal_alone,
    a_resize_reaches_an_executed_program,
]);

fn on<'c>(t: &'c Case, pty: &Pty, line: &[String], prefix: &[&str]) -> Running<'c> {
    t.runtime(line).through_busybox(&[&["setsid", "-c"], prefix].concat()).terminal(pty.slave()).spawn()
}

fn run_line(t: &Case, script: &str) -> Vec<String> {
    let bundle = t.bundle().set("/process/terminal", json!(true)).sh(script);
    t.command_line("run", &bundle, &[], &t.id())
}

/// Types what a person does at a shell. The job itself says that it has the terminal, or a key could come
/// before that and meet the shell.
fn use_jobs(pty: &Pty, running: Running) {
    pty.wait_for("# ");
    pty.type_text("sh -c 'echo rea\"\"dy; while read word; do echo \"got $word\"; done'\n");
    pty.wait_for("ready");
    pty.type_text("\x1a");
    pty.wait_for("Stopped");
    pty.type_text("echo sto''pped; fg\n");
    pty.wait_for("stopped\nsh -c");
    pty.type_text("cask\n");
    pty.wait_for("got cask");
    pty.type_text("\x03");
    eventually("the shell asks again", || pty.printed().matches("\n# ").count() == 3);
    pty.type_text("echo status $?; exit 7\n");
    pty.wait_for("status 130");
    running.wait().exits(7);
    assert!(pty.is_cooked(), "afterwards");
}

fn keys_stop_and_interrupt_the_jobs_of_a_shell(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running = on(t, &pty, &run_line(t, "PS1='# ' exec sh -i"), &[]);
    use_jobs(&pty, running);
}

fn keys_stop_and_interrupt_the_jobs_of_an_executed_shell(t: &Case) {
    let container = idle(t, &t.bundle());
    let pty = Pty::new(t, 24, 80);
    let line = line(&container, &["-t", "-e", "PS1=# "], &["/bin/sh", "-i"]);
    let line: Vec<String> = line.iter().map(ToString::to_string).collect();
    use_jobs(&pty, on(t, &pty, &line, &[]));
}

const WAIT: &str = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";

fn a_signal_that_ends_the_program_restores_the_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running = on(t, &pty, &run_line(t, WAIT), &[]);
    pty.wait_for("ready");
    assert!(!pty.is_cooked(), "meanwhile");
    running.signal(Signal::SIGTERM);
    running.wait().exits(3);
    assert!(pty.is_cooked(), "afterwards");
}

/// How many bytes it has written.
fn written_by(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

/// A program that fills a terminal which nobody reads, and the id of its container.
fn fill<'c>(t: &'c Case, pty: &Pty) -> (Running<'c>, String) {
    let line = run_line(t, "trap 'exit 3' TERM; yes & while :; do sleep 0.05; done");
    let running = on(t, pty, &line, &[]);
    let id = line.last().expect("the id").clone();
    let list = ["ps", "--format", "json", &id];
    let processes = || serde_json::from_str(&t.runtime(&list).run().stdout).unwrap_or_else(|_| Vec::new());
    // Full is what has taken nothing for many looks: a slow machine may be slow between two of them.
    let (mut before, mut looks) = (0, 0);
    eventually("the terminal is full", || {
        let now = processes().iter().map(|pid| written_by(*pid)).sum();
        looks = if std::mem::replace(&mut before, now) == now { looks + 1 } else { 0 };
        now > 16384 && looks > 20
    });
    (running, id)
}

fn until_stopped(t: &Case, id: &str) {
    eventually("the program has ended", || {
        t.runtime(&["state", id]).run().ok().json()["status"] == "stopped"
    });
}

/// It reaches the program while there is one; then there is nothing to wait for any more.
fn signals_work_though_nobody_reads_the_terminal(t: &Case) {
    let pty = Pty::unread(t, 24, 80);
    let (running, id) = fill(t, &pty);
    running.signal(Signal::SIGTERM);
    until_stopped(t, &id);
    running.signal(Signal::SIGTERM);
    running.wait().exits(3);
    assert!(pty.is_cooked(), "afterwards");
}

/// Both are there when it looks, and the end came first.
fn a_signal_beside_the_end_of_the_program_is_for_its_caller(t: &Case) {
    let pty = Pty::unread(t, 24, 80);
    let (running, id) = fill(t, &pty);
    running.signal(Signal::SIGSTOP);
    eventually("it is stopped", || state_of(running.pid()) == "T");
    t.runtime(&["kill", &id, "KILL"]).run().ok();
    until_stopped(t, &id);
    running.signal(Signal::SIGTERM);
    running.signal(Signal::SIGCONT);
    running.wait().exits(137);
    assert!(pty.is_cooked(), "afterwards");
}

fn a_killed_container_restores_the_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let line = run_line(t, WAIT);
    let running = on(t, &pty, &line, &[]);
    pty.wait_for("ready");
    t.runtime(&["kill", line.last().expect("the id"), "KILL"]).run().ok();
    running.wait().exits(137);
    assert!(pty.is_cooked(), "afterwards");
}

fn a_program_that_is_missing_restores_the_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let bundle = t.bundle().set("/process/terminal", json!(true)).args(&["/no/such/program"]);
    on(t, &pty, &t.command_line("run", &bundle, &[], &t.id()), &[]).wait().fails();
    assert!(pty.is_cooked(), "afterwards");
}

/// The letter of /proc/PID/stat.
fn state_of(pid: i32) -> String {
    let stat = proc_file(pid, "stat");
    stat[stat.rfind(')').expect("a name") + 2..].chars().take(1).collect()
}

fn a_call_that_was_stopped_takes_the_terminal_again(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running = on(t, &pty, &run_line(t, "echo ready; read word; echo \"got <$word>\""), &[]);
    pty.wait_for("ready");
    running.signal(Signal::SIGSTOP);
    eventually("it is stopped", || state_of(running.pid()) == "T");
    pty.cook(t);
    assert!(pty.is_cooked());
    running.signal(Signal::SIGCONT);
    eventually("the terminal is raw again", || !pty.is_cooked());
    pty.type_text("cask\n");
    running.wait().ok();
    pty.wait_for("got <cask>");
    assert!(pty.is_cooked(), "afterwards");
}

/// A shell with job control starts it in the background, and gives it the terminal later.
fn a_call_in_the_background_leaves_the_terminal_alone(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let line = run_line(t, "echo rea''dy; read word; echo \"got <$word>\"; exit 5");
    let busybox = t.host.busybox.display().to_string();
    let script = "set -m; \"$@\" & echo pid=$!.; read key; fg >/dev/null; echo status $?";
    let shell = on(t, &pty, &line, &[&busybox, "sh", "-c", script, "sh"]);
    pty.wait_for("pid=");
    let printed = || pty.printed();
    eventually("its pid", || printed().contains('.'));
    let text = printed();
    let pid = text.split("pid=").nth(1).and_then(|rest| rest.split('.').next()).expect("the pid");
    let pid = pid.parse().expect("a number");
    eventually("it stops, as all do that want the terminal", || state_of(pid) == "T");
    assert!(pty.is_cooked(), "in the background");
    pty.type_text("\n");
    pty.wait_for("ready");
    eventually("the terminal is raw", || !pty.is_cooked());
    pty.type_text("cask\n");
    pty.wait_for("got <cask>");
    pty.wait_for("status 5");
    shell.wait().ok();
    assert!(pty.is_cooked(), "afterwards");
}

fn a_resize_reaches_an_executed_program(t: &Case) {
    let container = idle(t, &t.bundle());
    let pty = Pty::new(t, 30, 90);
    let script =
        "trap 'echo now $(stty size); exit' WINCH; echo size $(stty size); while :; do sleep 0.05; done";
    let line = line(&container, &["-t"], &["/bin/sh", "-c", script]);
    let line: Vec<String> = line.iter().map(ToString::to_string).collect();
    let running = on(t, &pty, &line, &[]);
    pty.wait_for("size 30 90");
    pty.resize(t, 50, 150);
    pty.wait_for("now 50 150");
    running.wait().ok();
}
