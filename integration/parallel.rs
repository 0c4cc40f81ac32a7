//! Many at once.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::prelude::*;

cases!("parallel", root: [
    of_many_creates_of_one_id_exactly_one_wins,
    of_many_starts_of_one_container_exactly_one_wins,
    twenty_containers_run_at_the_same_time,
    create_and_delete_by_force_of_one_id_at_the_same_time_leave_nothing,
    a_create_that_is_killed_at_any_moment_is_cleaned_up_by_force,
    containers_of_one_bundle_do_not_disturb_each_other,
    a_thousand_containers_leave_nothing_behind,
]);

fn of_many_creates_of_one_id_exactly_one_wins(t: &Case) {
    let bundle = t.bundle();
    for round in 0..20 {
        let id = t.id();
        let line = t.command_line("create", &bundle, &[], &id);
        let calls: Vec<Running> = (0..8).map(|_| t.runtime(&line).spawn()).collect();
        let outputs: Vec<Output> = calls.into_iter().map(Running::wait).collect();
        let winners = outputs.iter().filter(|output| output.status.success()).count();
        assert_eq!(winners, 1, "of eight creates, in round {round}");
        let state = t.runtime(&["state", &id]).run().ok().json();
        assert_eq!(state["status"], "created", "in round {round}");
        t.runtime(&["start", &id]).run().ok();
        t.runtime(&["delete", "--force", &id]).run().ok();
    }
}

fn of_many_starts_of_one_container_exactly_one_wins(t: &Case) {
    for round in 0..5 {
        let bundle = t.bundle().writable().sh("echo x >>/opt/runs; sleep 300");
        let container = t.create(&bundle);
        let calls: Vec<Running> = (0..6).map(|_| t.runtime(&["start", &container.id]).spawn()).collect();
        let outputs: Vec<Output> = calls.into_iter().map(Running::wait).collect();
        let winners = outputs.iter().filter(|output| output.status.success()).count();
        assert_eq!(winners, 1, "of six starts, in round {round}");
        let runs = || fs::read_to_string(bundle.in_rootfs("/opt/runs")).unwrap_or_default();
        eventually("the program runs", || !runs().is_empty());
        assert_eq!(runs(), "x\n");
        container.delete_by_force().ok();
    }
}

fn twenty_containers_run_at_the_same_time(t: &Case) {
    let bundle = t.bundle();
    let mut calls = Vec::new();
    for i in 0..20 {
        let bundle = bundle.clone().moved_to(t.directory(&format!("own{i}")));
        let rootfs = json!(t.dir.join("bundle1/rootfs"));
        let bundle = bundle.set("/root/path", rootfs).sh(&format!("hostname; echo number {i}; exit {i}"));
        let bundle = bundle.set("/hostname", json!(format!("host{i}")));
        calls.push(t.runtime(&t.command_line("run", &bundle, &[], &t.id())).spawn());
    }
    for (i, call) in calls.into_iter().enumerate() {
        call.wait().exits(i as i32).prints(&format!("host{i}\nnumber {i}"));
    }
    t.assert_no_side_effects();
}

fn create_and_delete_by_force_of_one_id_at_the_same_time_leave_nothing(t: &Case) {
    let bundle = t.bundle();
    for _ in 0..10 {
        let id = t.id();
        let create = t.runtime(&t.command_line("create", &bundle, &[], &id)).spawn();
        let delete = t.runtime(&["delete", "--force", &id]).spawn();
        let _ = (create.wait(), delete.wait());
        t.runtime(&["delete", "--force", &id]).run().ok();
        t.assert_no_side_effects();
    }
}

fn a_create_that_is_killed_at_any_moment_is_cleaned_up_by_force(t: &Case) {
    let bundle = t.bundle();
    for round in 0..40 {
        let id = t.id();
        let create = t.runtime(&t.command_line("create", &bundle, &[], &id)).spawn();
        std::thread::sleep(Duration::from_micros(250 * round));
        create.signal(Signal::SIGKILL);
        let _ = create.wait();
        t.runtime(&["delete", "--force", &id]).run().ok();
        t.assert_no_side_effects();
    }
}

fn containers_of_one_bundle_do_not_disturb_each_other(t: &Case) {
    let bundle = t.bundle().sh("touch /dev/shm/mine && ls /dev/shm; hostname changed 2>/dev/null; sleep 300");
    let containers: Vec<Container> = (0..4).map(|_| t.launch(&bundle)).collect();
    for container in &containers {
        container.wait_for("mine");
        assert_eq!(container.stdout(), "mine\n");
    }
    containers[0].kill("KILL").ok();
    containers[0].wait_until_stopped();
    assert!(containers[1..].iter().all(|container| container.status() == "running"));
}

/// Four at a time, created and deleted by force; two of them have run.
fn a_thousand_containers_leave_nothing_behind(t: &Case) {
    if is_emulated() {
        t.skip("needs a machine that is not emulated: a thousand containers take minutes there");
    }
    let limited = |bundle: Bundle| bundle.set("/linux/resources/memory", json!({"limit": 64 << 20}));
    let bundles: Vec<_> = (0..4).map(|_| limited(t.bundle()).args(&["/bin/sleep", "300"])).collect();
    for _ in 0..250 {
        let ids: Vec<String> = (0..4).map(|_| t.id()).collect();
        let create = |(bundle, id): (&Bundle, &String)| t.command_line("create", bundle, &[], id);
        all_succeed(t, bundles.iter().zip(&ids).map(create).collect());
        let on = |verb: &[&str], ids: &[String]| {
            ids.iter().map(|id| [verb, &[id]].concat().into_iter().map(String::from).collect()).collect()
        };
        all_succeed(t, on(&["start"], &ids[..2]));
        all_succeed(t, on(&["delete", "--force"], &ids));
    }
    t.assert_no_side_effects();
}

fn all_succeed(t: &Case, lines: Vec<Vec<String>>) {
    let calls: Vec<Running> = lines.iter().map(|line| t.runtime(line).spawn()).collect();
    for call in calls {
        call.wait().ok();
    }
}

/// By QEMU without help of the processor, or by user-mode Linux.
fn is_emulated() -> bool {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.contains("User Mode Linux") || cpu.contains("TCG")
}
