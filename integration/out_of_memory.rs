//! A program that was killed for lack of memory: whoever waits for it is told.

use crate::harness::prelude::*;

cases!("out_of_memory", root: [
    run_tells_that_the_program_was_killed_for_lack_of_memory,
    run_tells_it_in_the_log_too,
    exec_tells_that_the_program_was_killed_for_lack_of_memory,
    state_tells_it_after_the_end,
    a_child_that_was_killed_is_told_in_a_warning,
    who_is_killed_otherwise_is_not_told_so,
]);

const MIB: u64 = 1 << 20;

/// More than the limit, at once.
const TOO_MUCH: &str = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";

fn limited(t: &Case) -> Bundle {
    t.needs_controller("memory");
    t.bundle().set("/linux/resources/memory", json!({"limit": 64 * MIB, "swap": 64 * MIB}))
}

fn run_tells_that_the_program_was_killed_for_lack_of_memory(t: &Case) {
    let output = t.run(&limited(t).sh(&format!("exec {TOO_MUCH}")));
    output.exits(137).says("killed: out of memory (limit 64 MiB)");
    t.assert_no_side_effects();
}

fn run_tells_it_in_the_log_too(t: &Case) {
    let line = t.command_line("run", &limited(t).sh(&format!("exec {TOO_MUCH}")), &[], &t.id());
    let output = t.runtime(&line).log("json").run();
    let last: Value =
        output.exits(137).log.lines().last().and_then(|l| serde_json::from_str(l).ok()).expect("a line");
    assert_eq!(last["level"], "error");
    assert!(
        last["msg"].as_str().is_some_and(|m| m.ends_with("killed: out of memory (limit 64 MiB)")),
        "{last}"
    );
}

fn exec_tells_that_the_program_was_killed_for_lack_of_memory(t: &Case) {
    let container = t.launch(&limited(t).args(&["/bin/sleep", "300"]));
    let exec = |script: &str| t.runtime(&["exec", &container.id, "/bin/sh", "-c", script]).run();
    exec(&format!("exec {TOO_MUCH}")).exits(137).says("killed: out of memory (limit 64 MiB)");
    // It was another that was killed for it.
    let output = exec("kill -9 $$");
    output.exits(137);
    assert_eq!(output.stderr, "");
    assert_eq!(container.status(), "running");
}

fn state_tells_it_after_the_end(t: &Case) {
    let container = t.create(&limited(t).sh(&format!("exec {TOO_MUCH}")));
    assert!(container.state().get("oom").is_none());
    container.start().ok();
    container.wait_until_stopped();
    let oom = container.state()["oom"].clone();
    assert_eq!(oom, json!({"kills": 1, "cgroup": container.cgroup_path(), "limit": 64 * MIB}));
}

fn a_child_that_was_killed_is_told_in_a_warning(t: &Case) {
    let output = t.run(&limited(t).sh(&format!("{TOO_MUCH}; exit 3")));
    output.exits(3).says("a process was killed: out of memory (limit 64 MiB)");
}

fn who_is_killed_otherwise_is_not_told_so(t: &Case) {
    let output = t.run(&limited(t).without_namespace("pid").sh("kill -9 $$"));
    output.exits(137);
    assert_eq!(output.stderr, "");
}
