//! `kill`: which signal to whom.

use crate::harness::prelude::*;

cases!("kill", root: [
    kill_sends_term_unless_told,
    a_signal_is_known_by_number_and_by_every_spelling_of_its_name,
    an_unknown_signal_is_refused_and_not_sent,
    kill_ends_a_created_container,
    kill_of_a_stopped_container_is_an_error_that_says_so,
    kill_returns_before_the_program_reacts,
    kill_reaches_the_init_process_only,
    kill_all_reaches_every_process,
    kill_all_is_understood_in_both_spellings,
    kill_all_reaches_processes_that_share_the_pid_namespace_of_the_host,
    kill_all_without_a_cgroup_reaches_every_process,
    a_real_time_signal_arrives,
    a_stopped_process_can_be_continued,
    kill_of_a_container_whose_init_is_gone_is_an_error,
    kill_signal_zero_tells_whether_it_runs,
]);

/// A program that prints the name of each of these signals when it comes.
fn reporter(t: &Case, signals: &[&str]) -> Bundle {
    let traps: String = signals.iter().map(|s| format!("trap 'echo got {s}.' {s}; ")).collect();
    t.bundle().sh(&format!("{traps} echo ready; while :; do sleep 0.05; done"))
}

fn kill_sends_term_unless_told(t: &Case) {
    let container = t.launch(&reporter(t, &["TERM"]));
    container.wait_for("ready");
    t.runtime(&["kill", &container.id]).run().ok();
    container.wait_for("got TERM.");
}

fn a_signal_is_known_by_number_and_by_every_spelling_of_its_name(t: &Case) {
    let container = t.launch(&reporter(t, &["HUP", "USR1", "USR2", "TERM"]));
    container.wait_for("ready");
    let calls = [
        ("1", "HUP"),
        ("SIGHUP", "HUP"),
        ("hup", "HUP"),
        ("USR1", "USR1"),
        ("sigusr1", "USR1"),
        ("12", "USR2"),
        ("SigUsr2", "USR2"),
        ("15", "TERM"),
        ("TERM", "TERM"),
        ("sigterm", "TERM"),
    ];
    for (i, (spelling, name)) in calls.iter().enumerate() {
        let before = container.stdout().matches(&format!("got {name}.")).count();
        container.kill(spelling).ok();
        eventually(&format!("{spelling} (call {i}) arrives as {name}"), || {
            container.stdout().matches(&format!("got {name}.")).count() == before + 1
        });
    }
}

fn an_unknown_signal_is_refused_and_not_sent(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    for signal in ["NOSUCH", "SIGNOSUCH", "999", "9x", "SIG"] {
        container.kill(signal).fails();
    }
    t.runtime(&["kill", &container.id, "--", "-9"]).run().fails();
    assert_eq!(container.status(), "running");
}

fn kill_ends_a_created_container(t: &Case) {
    let container = t.create(&t.bundle());
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}

fn kill_of_a_stopped_container_is_an_error_that_says_so(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    container.kill("KILL").fails().says("container not running");
    container.kill("TERM").fails().says("container not running");
    assert_eq!(container.status(), "stopped");
}

fn kill_returns_before_the_program_reacts(t: &Case) {
    let container = t.launch(&t.bundle().sh("trap '' TERM; echo ready; while :; do sleep 0.1; done"));
    container.wait_for("ready");
    container.kill("TERM").ok();
    assert_eq!(container.status(), "running");
}

/// A program with a child that both print what they get.
fn parent_and_child(t: &Case) -> Bundle {
    t.bundle().sh("(trap 'echo child got it.' USR1; echo child is ready.; while :; do sleep 0.05; done) &
         trap 'echo parent got it.' USR1; echo parent is ready.; while :; do sleep 0.05; done")
}

fn kill_reaches_the_init_process_only(t: &Case) {
    let container = t.launch(&parent_and_child(t));
    container.wait_for("child is ready.");
    container.wait_for("parent is ready.");
    container.kill("USR1").ok();
    container.wait_for("parent got it.");
    container.kill("USR1").ok();
    eventually("the second signal", || container.stdout().matches("parent got it.").count() == 2);
    assert!(!container.stdout().contains("child got it."), "{}", container.stdout());
}

fn kill_all_reaches_every_process(t: &Case) {
    let container = t.launch(&parent_and_child(t));
    container.wait_for("child is ready.");
    container.wait_for("parent is ready.");
    t.runtime(&["kill", "--all", &container.id, "USR1"]).run().ok();
    container.wait_for("parent got it.");
    container.wait_for("child got it.");
}

fn kill_all_is_understood_in_both_spellings(t: &Case) {
    for flag in ["-a", "--all"] {
        let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
        t.runtime(&["kill", flag, &container.id, "9"]).run().ok();
        container.wait_until_stopped();
    }
}

fn kill_all_reaches_processes_that_share_the_pid_namespace_of_the_host(t: &Case) {
    let bundle = t.bundle().without_namespace("pid").sh("sleep 300 & sleep 300 & echo ready; wait");
    let container = t.launch(&bundle);
    container.wait_for("ready");
    let processes = || {
        let pids = t.host.cgroups.directories(&container.cgroup_path());
        let lists = pids.iter().filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok());
        lists.map(|list| list.lines().count()).max().unwrap_or(0)
    };
    assert_eq!(processes(), 3, "the shell and two sleeps");
    t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
    eventually("all are gone", || processes() == 0);
}

fn kill_all_without_a_cgroup_reaches_every_process(t: &Case) {
    let (id, bundle) = (t.id(), parent_and_child(t));
    let mut line = t.command_line("run", &bundle, &[], &id);
    line.splice(0..0, ["--cgroup-manager".to_string(), "disabled".to_string()]);
    let call = t.runtime(&line).spawn();
    call.wait_for("child is ready.");
    call.wait_for("parent is ready.");
    t.runtime(&["kill", "--all", &id, "USR1"]).run().ok();
    call.wait_for("parent got it.");
    call.wait_for("child got it.");
    t.runtime(&["kill", "--all", &id, "KILL"]).run().ok();
    call.wait().exits(137);
}

fn a_real_time_signal_arrives(t: &Case) {
    let container =
        t.launch(&t.bundle().sh("trap 'echo got it.' 40; echo ready; while :; do sleep 0.05; done"));
    container.wait_for("ready");
    container.kill("40").ok();
    container.wait_for("got it.");
}

fn a_stopped_process_can_be_continued(t: &Case) {
    let container = t.launch(&t.bundle().without_namespace("pid").sh("echo ready; sleep 300"));
    container.wait_for("ready");
    let letter = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", container.pid())).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
    };
    container.kill("STOP").ok();
    eventually("the process is stopped", || letter() == 'T');
    assert_eq!(container.status(), "running");
    container.kill("CONT").ok();
    eventually("the process goes on", || letter() != 'T');
}

fn kill_of_a_container_whose_init_is_gone_is_an_error(t: &Case) {
    let container = t.create(&t.bundle());
    container.kill_init_from_outside();
    container.kill("TERM").fails().says("container not running");
}

fn kill_signal_zero_tells_whether_it_runs(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    container.kill("0").ok();
    assert_eq!(container.status(), "running");
    container.kill_init_from_outside();
    container.kill("0").fails();
}
