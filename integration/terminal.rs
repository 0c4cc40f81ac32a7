//! `terminal: true` of a `run` in the foreground.

use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("terminal", root: [
    the_program_has_a_terminal,
    the_program_has_a_controlling_terminal,
    the_terminal_has_the_size_of_the_callers,
    the_console_is_the_terminal,
    the_terminal_belongs_to_the_devpts_of_the_container,
    what_is_typed_reaches_the_program,
    control_c_interrupts_the_program,
    the_terminal_of_the_caller_is_restored,
    the_exit_status_comes_through_a_terminal,
    a_resize_reaches_the_program,
    a_detached_run_with_a_terminal_needs_a_console_socket,
    a_create_with_a_terminal_needs_a_console_socket,
    a_terminal_of_a_user_belongs_to_the_user,
]);

/// `run` on a terminal which is the controlling one of a session of its own.
fn run_on<'c>(t: &'c Case, pty: &Pty, script: &str) -> Running<'c> {
    let bundle = t.bundle().set("/process/terminal", json!(true)).sh(script);
    start_on(t, pty, &bundle)
}

fn start_on<'c>(t: &'c Case, pty: &Pty, bundle: &Bundle) -> Running<'c> {
    let line = t.command_line("run", bundle, &[], &t.id());
    t.runtime(&line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).spawn()
}

fn the_program_has_a_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, "test -t 0 && test -t 1 && test -t 2 && echo all three").wait().ok();
    pty.wait_for("all three");
}

fn the_program_has_a_controlling_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, "echo through the tty >/dev/tty").wait().ok();
    pty.wait_for("through the tty");
}

fn the_terminal_has_the_size_of_the_callers(t: &Case) {
    let pty = Pty::new(t, 33, 101);
    run_on(t, &pty, "echo size $(stty size)").wait().ok();
    pty.wait_for("size 33 101");
}

fn the_console_is_the_terminal(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, "test -c /dev/console && echo through the console >/dev/console").wait().ok();
    pty.wait_for("through the console");
}

fn the_terminal_belongs_to_the_devpts_of_the_container(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, "echo its $(tty) of $(ls /dev/pts | tr '\\n' ' ')").wait().ok();
    pty.wait_for("its /dev/");
    let text = pty.printed();
    let line = text.lines().find(|line| line.contains("its /dev/")).expect("the line");
    assert!(line.contains("its /dev/pts/0 of 0 ptmx"), "{line:?}");
}

fn what_is_typed_reaches_the_program(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running = run_on(t, &pty, "echo ready; read word; echo \"got <$word>\"");
    pty.wait_for("ready");
    pty.type_text("cask\n");
    running.wait().ok();
    pty.wait_for("got <cask>");
}

fn control_c_interrupts_the_program(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running =
        run_on(t, &pty, "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done");
    pty.wait_for("ready");
    pty.type_text("\x03");
    running.wait().exits(9);
    pty.wait_for("interrupted");
}

fn the_terminal_of_the_caller_is_restored(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    assert!(pty.is_cooked(), "before");
    let running = run_on(t, &pty, "echo ready; read word");
    pty.wait_for("ready");
    assert!(!pty.is_cooked(), "a terminal that passes keys on has to be raw");
    pty.type_text("\n");
    running.wait().ok();
    assert!(pty.is_cooked(), "afterwards");
}

fn the_exit_status_comes_through_a_terminal(t: &Case) {
    run_on(t, &Pty::new(t, 24, 80), "exit 42").wait().exits(42);
}

fn a_resize_reaches_the_program(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running =
        run_on(t, &pty, "trap 'echo now $(stty size)' WINCH; echo ready; while :; do sleep 0.1; done");
    pty.wait_for("ready");
    pty.resize(t, 50, 150);
    pty.wait_for("now 50 150");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    drop(running);
}

fn a_detached_run_with_a_terminal_needs_a_console_socket(t: &Case) {
    let bundle = t.bundle().set("/process/terminal", json!(true));
    t.run_with(&bundle, &["--detach"]).fails().says("console");
    t.assert_no_side_effects();
}

fn a_create_with_a_terminal_needs_a_console_socket(t: &Case) {
    let bundle = t.bundle().set("/process/terminal", json!(true));
    t.try_create(&bundle, &[]).1.fails().says("console");
    t.assert_no_side_effects();
}

fn a_terminal_of_a_user_belongs_to_the_user(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let bundle = t.bundle().set("/process/terminal", json!(true));
    let bundle = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    start_on(t, &pty, &bundle.sh("echo owner $(stat -c %u $(tty)); echo again >/dev/pts/0")).wait().ok();
    pty.wait_for("owner 1000");
    pty.wait_for("again");
}
