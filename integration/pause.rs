//! `pause` and `resume`: nothing in the container runs, and then it goes on where it was.

use crate::harness::delegated::Delegated;
use crate::harness::prelude::*;

cases!("pause", root: [
    a_counter_stops_while_paused_and_goes_on_after,
    the_status_is_paused_in_state_and_list,
    every_process_of_a_container_stops,
    processes_in_groups_below_stop_too,
    a_container_that_forks_can_be_paused,
    a_paused_container_can_be_killed,
    all_processes_of_a_paused_container_can_be_killed,
    a_paused_container_is_deleted_by_force_only,
    a_signal_to_a_paused_container_arrives_when_it_goes_on,
    a_signal_to_all_leaves_a_paused_container_paused,
    exec_in_a_paused_container_is_refused,
    exec_that_ignores_the_pause_waits_for_its_end,
    a_signal_ends_an_exec_that_waits_for_the_end_of_the_pause,
    a_created_container_can_be_paused_and_started_later,
    only_a_running_container_can_be_paused,
    only_a_paused_container_can_be_resumed,
    run_in_the_foreground_outlasts_a_pause,
    a_container_of_an_ordinary_user_in_a_delegated_part_can_be_paused,
    a_container_of_an_ordinary_user_without_a_cgroup_cannot_be_paused,
]);

/// Prints as long as it runs.
fn counter(t: &Case) -> Bundle {
    t.bundle().sh("i=0; while :; do i=$((i + 1)); echo $i; done")
}

fn pause(container: &Container, t: &Case) -> Output {
    t.runtime(&["pause", &container.id]).run()
}

fn resume(container: &Container, t: &Case) -> Output {
    t.runtime(&["resume", &container.id]).run()
}

#[track_caller]
fn wait_for_more(container: &Container) {
    let before = container.stdout().len();
    eventually("it prints more", || container.stdout().len() > before);
}

/// Two looks with calls of the runtime between them, in which what runs would have printed.
#[track_caller]
fn assert_stands_still(container: &Container) {
    let before = container.stdout().len();
    for _ in 0..3 {
        assert_eq!(container.status(), "paused");
    }
    assert_eq!(container.stdout().len(), before, "it prints while it is paused");
}

fn a_counter_stops_while_paused_and_goes_on_after(t: &Case) {
    let container = t.launch(&counter(t));
    container.wait_for("10\n");
    for _ in 0..3 {
        pause(&container, t).ok();
        assert_stands_still(&container);
        resume(&container, t).ok();
        wait_for_more(&container);
    }
    assert_eq!(container.status(), "running");
}

fn the_status_is_paused_in_state_and_list(t: &Case) {
    let container = t.launch(&counter(t));
    let pid = container.pid();
    pause(&container, t).ok();
    let state = container.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("paused"), &json!(pid)));
    let list = t.runtime(&["list", "--format", "json"]).run().ok().json();
    let entry = list.as_array().and_then(|all| all.iter().find(|e| e["id"] == container.id.as_str()));
    assert_eq!(entry.map(|e| (&e["status"], &e["pid"])), Some((&json!("paused"), &json!(pid))));
    resume(&container, t).ok();
    assert_eq!(container.status(), "running");
}

/// Two programs that write as fast as they can, each to a file of its own.
fn two_counters(t: &Case) -> Bundle {
    let script = "count() { i=0; while :; do i=$((i + 1)); echo $i; done; }; count >/out/a & count >/out/b";
    let out = t.directory("out");
    t.bundle().bind(&out, "/out", &["bind"]).sh(script)
}

fn lengths(t: &Case) -> [u64; 2] {
    ["out/a", "out/b"].map(|file| fs::metadata(t.path(file)).map_or(0, |m| m.len()))
}

fn every_process_of_a_container_stops(t: &Case) {
    let container = t.launch(&two_counters(t));
    eventually("both write", || lengths(t).iter().all(|n| *n > 0));
    pause(&container, t).ok();
    let before = lengths(t);
    assert_stands_still(&container);
    assert_eq!(lengths(t), before);
    resume(&container, t).ok();
    eventually("both go on", || lengths(t).iter().zip(before).all(|(now, before)| *now > before));
}

fn processes_in_groups_below_stop_too(t: &Case) {
    let container = t.launch(&two_counters(t));
    eventually("both write", || lengths(t).iter().all(|n| *n > 0));
    let below = container.move_into_groups_below(container.last_process());
    pause(&container, t).ok();
    let before = lengths(t);
    assert_stands_still(&container);
    assert_eq!(lengths(t), before);
    container.delete_by_force().ok();
    assert!(below.iter().all(|dir| !dir.exists()));
}

fn a_container_that_forks_can_be_paused(t: &Case) {
    t.needs_controller("pids");
    let script = "echo ready; while :; do (:) & (:) & (:) & wait; done";
    let container = t.launch(&t.bundle().sh(script).set("/linux/resources/pids", json!({"limit": 100})));
    container.wait_for("ready");
    for _ in 0..10 {
        pause(&container, t).ok();
        let before = container.processes();
        assert_eq!(container.status(), "paused");
        assert_eq!(container.processes(), before);
        resume(&container, t).ok();
    }
}

fn a_paused_container_can_be_killed(t: &Case) {
    let container = t.launch(&counter(t));
    pause(&container, t).ok();
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}

fn all_processes_of_a_paused_container_can_be_killed(t: &Case) {
    let container = t.launch(&two_counters(t).without_namespace("pid"));
    eventually("both write", || lengths(t).iter().all(|n| *n > 0));
    pause(&container, t).ok();
    t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
    eventually("all are gone", || container.processes().is_empty());
}

fn a_paused_container_is_deleted_by_force_only(t: &Case) {
    let container = t.launch(&counter(t));
    pause(&container, t).ok();
    container.delete().fails().says("stopped");
    assert_stands_still(&container);
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn a_signal_to_a_paused_container_arrives_when_it_goes_on(t: &Case) {
    let script = "trap 'echo got it.' USR1; echo ready; while :; do sleep 0.05; done";
    let container = t.launch(&t.bundle().sh(script));
    container.wait_for("ready");
    pause(&container, t).ok();
    container.kill("USR1").ok();
    assert_stands_still(&container);
    resume(&container, t).ok();
    container.wait_for("got it.");
}

fn a_signal_to_all_leaves_a_paused_container_paused(t: &Case) {
    let script = "trap 'echo got it.' USR1; echo ready; while :; do sleep 0.05; done";
    let container = t.launch(&t.bundle().sh(script));
    container.wait_for("ready");
    pause(&container, t).ok();
    t.runtime(&["kill", "--all", &container.id, "USR1"]).run().ok();
    assert_stands_still(&container);
    resume(&container, t).ok();
    container.wait_for("got it.");
}

fn exec_in_a_paused_container_is_refused(t: &Case) {
    let container = t.launch(&counter(t));
    pause(&container, t).ok();
    t.runtime(&["exec", &container.id, "/bin/true"]).run().fails().says("paused container");
    resume(&container, t).ok();
    t.runtime(&["exec", &container.id, "/bin/true"]).run().ok();
}

fn exec_that_ignores_the_pause_waits_for_its_end(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    pause(&container, t).ok();
    let args = ["exec", "--ignore-paused", &container.id, "/bin/sh", "-c", "echo ran; exit 7"];
    let call = t.runtime(&args).spawn();
    eventually("its process is in the container", || container.processes().len() == 2);
    assert_eq!(call.stdout(), "");
    resume(&container, t).ok();
    call.wait().exits(7).prints("ran");
}

fn a_signal_ends_an_exec_that_waits_for_the_end_of_the_pause(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    pause(&container, t).ok();
    let call = t.runtime(&["exec", "--ignore-paused", &container.id, "/bin/touch", "/dev/shm/ran"]).spawn();
    eventually("its process is in the container", || container.processes().len() == 2);
    call.signal(nix::sys::signal::Signal::SIGTERM);
    call.wait().exits(143);
    resume(&container, t).ok();
    eventually("its process has gone", || container.processes().len() == 1);
    t.runtime(&["exec", &container.id, "/bin/ls", "/dev/shm/ran"]).run().fails();
}

fn a_created_container_can_be_paused_and_started_later(t: &Case) {
    let container = t.create(&t.bundle().sh("echo started; sleep 300"));
    pause(&container, t).ok();
    assert_eq!(container.status(), "paused");
    container.start().fails().says("paused");
    resume(&container, t).ok();
    assert_eq!(container.status(), "created");
    container.start().ok();
    container.wait_for("started");
}

fn only_a_running_container_can_be_paused(t: &Case) {
    let container = t.launch(&counter(t));
    pause(&container, t).ok();
    pause(&container, t).fails().says("container not running");
    container.kill("KILL").ok();
    container.wait_until_stopped();
    pause(&container, t).fails().says("container not running");
    t.runtime(&["pause", "no-such-container"]).run().fails().says("does not exist");
}

fn only_a_paused_container_can_be_resumed(t: &Case) {
    let container = t.launch(&counter(t));
    resume(&container, t).fails().says("not paused");
    pause(&container, t).ok();
    resume(&container, t).ok();
    resume(&container, t).fails().says("not paused");
    container.kill("KILL").ok();
    container.wait_until_stopped();
    resume(&container, t).fails().says("not paused");
}

fn run_in_the_foreground_outlasts_a_pause(t: &Case) {
    let id = t.id();
    let script = "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done";
    let call = t.runtime(&t.command_line("run", &t.bundle().sh(script), &[], &id)).spawn();
    call.wait_for("ready");
    t.runtime(&["pause", &id]).run().ok();
    t.runtime(&["kill", &id, "USR1"]).run().ok();
    t.runtime(&["resume", &id]).run().ok();
    call.wait().exits(5);
    t.assert_no_side_effects();
}

fn a_container_of_an_ordinary_user_in_a_delegated_part_can_be_paused(t: &Case) {
    let user = Delegated::new(t);
    let path = format!("{}/box", user.path);
    let container = t.launch(&counter(t).set("/linux/cgroupsPath", json!(path)));
    container.wait_for("10\n");
    pause(&container, t).ok();
    assert_stands_still(&container);
    resume(&container, t).ok();
    wait_for_more(&container);
    pause(&container, t).ok();
    container.delete_by_force().ok();
    t.assert_nothing_but(&user);
}

fn a_container_of_an_ordinary_user_without_a_cgroup_cannot_be_paused(t: &Case) {
    t.become_ordinary_user();
    let container = t.launch(&counter(t));
    container.wait_for("10\n");
    pause(&container, t).fails().says("cgroup");
    wait_for_more(&container);
}
