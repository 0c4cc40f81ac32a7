//! Terminals of `exec`.

use crate::harness::executed::{exec, idle, line, shell};
use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("exec_terminal", root: [
    exec_gives_a_terminal,
    the_exit_status_of_exec_comes_through_a_terminal,
    exec_without_the_flag_gives_no_terminal,
    a_detached_exec_with_a_terminal_needs_a_console_socket,
]);

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
