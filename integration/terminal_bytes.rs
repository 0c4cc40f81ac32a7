//! What goes through a terminal arrives whole and unharmed, in both directions.

use crate::harness::executed::{idle, line};
use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("terminal_bytes", root: [
    ten_megabytes_of_output_arrive,
    ten_megabytes_of_the_output_of_an_executed_program_arrive,
    output_of_all_bytes_arrives,
    a_large_paste_of_all_bytes_reaches_the_program,
    the_last_words_of_a_program_are_not_lost,
    a_console_that_was_closed_by_all_can_be_opened_again,
    an_editor_draws_its_screen,
    the_end_of_the_input_is_that_of_the_terminal,
]);

/// `run` on a terminal which is the controlling one of a session of its own.
fn run_on<'c>(t: &'c Case, pty: &Pty, bundle: &Bundle) -> Running<'c> {
    let bundle = bundle.clone().set("/process/terminal", json!(true));
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).spawn()
}

const MUCH: usize = 10 << 20;
const PRINT_MUCH: &str = "stty -opost; yes 0123456789abcde | head -c 10485760";

/// However slow the machine is, as long as there is more to come.
#[track_caller]
fn assert_much(pty: &Pty, running: Running) {
    let mut had = 0;
    while had < MUCH {
        eventually("more of the output", || pty.count() > had);
        had = pty.count();
    }
    running.wait().ok();
    let bytes = pty.bytes();
    assert_eq!(bytes.len(), MUCH);
    let wrong = bytes.chunks(16).position(|line| line != b"0123456789abcde\n");
    assert_eq!(wrong, None, "the first line that is not as it was written");
}

fn ten_megabytes_of_output_arrive(t: &Case) {
    let pty = Pty::new(t, 24, 80);
    let running = run_on(t, &pty, &t.bundle().sh(PRINT_MUCH));
    assert_much(&pty, running);
}

fn ten_megabytes_of_the_output_of_an_executed_program_arrive(t: &Case) {
    let container = idle(t, &t.bundle());
    let pty = Pty::new(t, 24, 80);
    let line = line(&container, &["-t"], &["/bin/sh", "-c", PRINT_MUCH]);
    let running = t.runtime(&line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).spawn();
    assert_much(&pty, running);
}

/// Every byte, often.
fn all_bytes() -> Vec<u8> {
    (0..=255u8).cycle().take(256 * 400).collect()
}

fn output_of_all_bytes_arrives(t: &Case) {
    let bundle = t.bundle().sh("stty -opost; cat /opt/bytes");
    fs::write(bundle.in_rootfs("/opt/bytes"), all_bytes()).expect("write");
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, &bundle).wait().ok();
    eventually("all of the output", || pty.bytes().len() >= all_bytes().len());
    assert!(pty.bytes() == all_bytes(), "it is another");
}

fn a_large_paste_of_all_bytes_reaches_the_program(t: &Case) {
    let script =
        "stty raw -echo; echo ready; head -c 102400 >/dev/shm/got; cmp /dev/shm/got /opt/bytes && echo same";
    let bundle = t.bundle().sh(script);
    fs::write(bundle.in_rootfs("/opt/bytes"), all_bytes()).expect("write");
    let pty = Pty::new(t, 24, 80);
    let running = run_on(t, &pty, &bundle);
    pty.wait_for("ready");
    pty.type_bytes(&all_bytes());
    running.wait().ok();
    pty.wait_for("same");
}

fn the_last_words_of_a_program_are_not_lost(t: &Case) {
    for _ in 0..5 {
        let pty = Pty::new(t, 24, 80);
        run_on(t, &pty, &t.bundle().sh("seq 1 5000; echo last words")).wait().ok();
        pty.wait_for("last words");
        assert!(pty.printed().contains("\n4999\n5000\nlast words\n"));
    }
}

/// For a moment nobody has the terminal open.
fn a_console_that_was_closed_by_all_can_be_opened_again(t: &Case) {
    let script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo from the console >/dev/console; sleep 0.2";
    let pty = Pty::new(t, 24, 80);
    run_on(t, &pty, &t.bundle().sh(script)).wait().ok();
    pty.wait_for("from the console");
}

fn an_editor_draws_its_screen(t: &Case) {
    let bundle = t.bundle().args(&["/bin/vi", "/opt/text"]).writable();
    fs::write(bundle.in_rootfs("/opt/text"), "first line\n").expect("write");
    let pty = Pty::new(t, 10, 60);
    let running = run_on(t, &pty, &bundle);
    pty.wait_for("first line");
    // The cursor goes to the last of ten rows, for the status line.
    pty.wait_for("\x1b[10;1H");
    assert!(
        pty.printed().matches("\n~").count() + pty.printed().matches("H~").count() >= 5,
        "{:?}",
        pty.printed()
    );
    pty.type_text("ccsecond line");
    pty.wait_for("second line");
    pty.type_text("\x1b");
    // What follows this key at once would belong to it.
    pty.wait_for("- /opt/text [Modified]");
    pty.type_text(":wq\n");
    running.wait().ok();
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/text")).expect("read"), "second line\n");
}

fn the_end_of_the_input_is_that_of_the_terminal(t: &Case) {
    let bundle = t.bundle().set("/process/terminal", json!(true)).sh("cat; echo the end");
    let line = t.command_line("run", &bundle, &[], &t.id());
    let input = t.file("input", "typed\n");
    let output = t.runtime(&line).stdin(&input).run();
    assert!(output.ok().stdout.contains("the end"), "{:?}", output.stdout);
}
