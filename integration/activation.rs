//! Socket activation: sockets that somebody else listens on (sd_listen_fds(3)).

use crate::harness::executed::{idle, line};
use crate::harness::prelude::*;

cases!("activation", root: [
    sockets_of_the_caller_are_handed_on_with_the_pid_of_the_program,
    the_pid_is_right_without_a_pid_namespace,
    sockets_are_handed_on_to_an_executed_program,
    the_names_of_the_sockets_are_handed_on,
    preserved_files_follow_the_sockets,
    sockets_that_are_meant_for_somebody_else_stay_with_the_caller,
    sockets_without_a_pid_stay_with_the_caller,
    sockets_that_are_not_there_are_an_error,
    the_configuration_does_not_choose_the_sockets,
    sockets_are_handed_on_by_create,
]);

const SHOW: &str = "echo $LISTEN_FDS $((LISTEN_PID == $$)) $LISTEN_FDNAMES; cd /proc/self/fd; \
                    for fd in *; do case $(readlink $fd) in */leak*) echo $fd;; esac; done";

/// Calls the runtime with open files from fd 3 on, and these variables.
fn call(t: &Case, line: &[impl AsRef<std::ffi::OsStr>], fds: &str, variables: &str) -> Output {
    let leak = t.file(&format!("leak{}", t.next_number()), "").display().to_string();
    let script = format!("exec {}; {variables} exec \"$@\"", fds.replace("FILE", &leak));
    t.runtime(line).through_shell(&script).run()
}

fn run(t: &Case, bundle: &Bundle, flags: &[&str], fds: &str, variables: &str) -> Output {
    call(t, &t.command_line("run", bundle, flags, &t.id()), fds, variables)
}

const TWO: &str = "3<FILE 4<FILE 9<FILE";
const OURS: &str = "export LISTEN_FDS=2 LISTEN_PID=$$;";

fn sockets_of_the_caller_are_handed_on_with_the_pid_of_the_program(t: &Case) {
    run(t, &t.bundle().sh(SHOW), &[], TWO, OURS).ok().prints("2 1\n3\n4");
    let mapped = t.bundle().user_namespace(100_000).sh(SHOW);
    run(t, &mapped, &[], TWO, OURS).ok().prints("2 1\n3\n4");
}

fn the_pid_is_right_without_a_pid_namespace(t: &Case) {
    let bundle = t.bundle().without_namespace("pid").sh(SHOW);
    run(t, &bundle, &[], TWO, OURS).ok().prints("2 1\n3\n4");
}

fn sockets_are_handed_on_to_an_executed_program(t: &Case) {
    for bundle in [t.bundle(), t.bundle().user_namespace(100_000)] {
        let container = idle(t, &bundle);
        let line = line(&container, &[], &["/bin/sh", "-c", SHOW]);
        call(t, &line, TWO, OURS).ok().prints("2 1\n3\n4");
    }
}

fn the_names_of_the_sockets_are_handed_on(t: &Case) {
    let named = format!("{OURS} export LISTEN_FDNAMES=web:admin;");
    run(t, &t.bundle().sh(SHOW), &[], TWO, &named).ok().prints("2 1 web:admin\n3\n4");
}

fn preserved_files_follow_the_sockets(t: &Case) {
    let three = "3<FILE 4<FILE 5<FILE 6<FILE";
    let flags = ["--preserve-fds", "1"];
    run(t, &t.bundle().sh(SHOW), &flags, three, OURS).ok().prints("2 1\n3\n4\n5");
}

fn sockets_that_are_meant_for_somebody_else_stay_with_the_caller(t: &Case) {
    let script =
        format!("echo ${{LISTEN_FDS-none}} ${{LISTEN_PID-none}}; {}", &SHOW[SHOW.find("cd").unwrap_or(0)..]);
    let other = "export LISTEN_FDS=2 LISTEN_PID=1;";
    run(t, &t.bundle().sh(&script), &[], TWO, other).ok().prints("none none");
}

fn sockets_without_a_pid_stay_with_the_caller(t: &Case) {
    let script = "echo ${LISTEN_FDS-none} ${LISTEN_PID-none}";
    run(t, &t.bundle().sh(script), &[], TWO, "export LISTEN_FDS=2;").ok().prints("none none");
}

fn sockets_that_are_not_there_are_an_error(t: &Case) {
    let too_many = "export LISTEN_FDS=3 LISTEN_PID=$$;";
    run(t, &t.bundle().sh("echo ran"), &[], "3<FILE 4<FILE", too_many).fails().prints("").says("LISTEN_FDS");
    t.assert_no_side_effects();
}

fn the_configuration_does_not_choose_the_sockets(t: &Case) {
    let bundle = t.bundle().env("LISTEN_FDS=7").env("LISTEN_PID=7").sh(SHOW);
    run(t, &bundle, &[], TWO, OURS).ok().prints("2 1\n3\n4");
}

fn sockets_are_handed_on_by_create(t: &Case) {
    let bundle = t.bundle().sh(&format!("{SHOW}; sleep 300"));
    let id = t.id();
    let output = call(t, &t.command_line("create", &bundle, &[], &id), TWO, OURS);
    output.ok();
    t.runtime(&["start", &id]).run().ok();
    let printed = || fs::read_to_string(&output.stdout_path).unwrap_or_default();
    eventually("its output", || printed() == "2 1\n3\n4\n");
}
