//! An ordinary user whose cgroups do not allow what a configuration asks for: told by name, before anything is made;
//! what asks for no limit goes without.

use crate::harness::delegated::Delegated;
use crate::harness::prelude::*;

cases!("delegation_refused", root: [
    limits_for_a_user_without_a_delegated_cgroup_are_named_and_refused,
    a_plan_says_that_limits_are_not_to_be_had,
    a_user_without_a_delegated_cgroup_stays_in_that_of_the_caller,
    a_path_that_is_not_delegated_is_a_warning_without_limits,
    limits_in_a_delegated_cgroup_that_is_called_from_outside_are_refused,
    without_limits_a_delegated_cgroup_is_not_needed_from_outside,
    a_container_in_a_delegated_cgroup_is_ended_from_outside,
    exec_from_outside_does_not_leave_the_limits,
    exec_from_outside_works_where_there_is_no_limit,
    limits_in_a_directory_alone_are_refused,
    a_controller_that_is_not_delegated_is_named,
]);

const LIMITS: &str = r#"{"memory": {"limit": 67108864}, "pids": {"limit": 20}}"#;

fn limits() -> Value {
    serde_json::from_str(LIMITS).expect("JSON")
}

fn limited(t: &Case) -> Bundle {
    t.bundle().set("/linux/resources", limits())
}

/// The delegated part, and a group of the same machine that is not in it, which the runtime is called from.
fn outside(t: &Case) -> Delegated<'_> {
    let user = Delegated::new(t);
    t.call_from_here();
    user
}

fn limits_for_a_user_without_a_delegated_cgroup_are_named_and_refused(t: &Case) {
    t.become_ordinary_user();
    for path in [None, Some("box".to_string()), Some(t.cgroup_path("box"))] {
        let bundle = path.iter().fold(limited(t), |b, path| b.set("/linux/cgroupsPath", json!(path)));
        let (_, output) = t.try_create(&bundle, &[]);
        output.fails().says("EACCES permission denied").says("cgroup").says("hint");
        output.says("linux.resources.pids.limit");
        // On v1 they have a group each.
        if t.host.cgroups.is_v2_only() {
            output.says("linux.resources.memory.limit").says("systemd-run --user --scope");
        }
        t.assert_no_side_effects();
    }
}

fn a_plan_says_that_limits_are_not_to_be_had(t: &Case) {
    t.become_ordinary_user();
    let bundle = limited(t);
    t.command_line("plan", &bundle, &[], "");
    let line = ["plan", "--bundle", &bundle.dir.display().to_string()];
    t.runtime(&line).run().fails().says("linux.resources.pids.limit").says("EACCES");
}

fn a_user_without_a_delegated_cgroup_stays_in_that_of_the_caller(t: &Case) {
    t.become_ordinary_user();
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let of = |pid: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroups");
        t.host.cgroups.paths(&text)
    };
    assert_eq!(of(&container.pid().to_string()), of("self"));
    t.runtime(&["exec", &container.id, "/bin/true"]).run().ok();
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn a_path_that_is_not_delegated_is_a_warning_without_limits(t: &Case) {
    t.become_ordinary_user();
    let bundle = t.bundle().sh("echo here");
    let plain = t.run(&bundle);
    assert_eq!(plain.ok().prints("here").stderr, "");
    let output = t.run(&bundle.set("/linux/cgroupsPath", json!(t.cgroup_path("box"))));
    output
        .ok()
        .prints("here")
        .says("linux.cgroupsPath")
        .says("EACCES")
        .says("stays in the cgroup of the caller");
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    t.assert_no_side_effects();
}

fn limits_in_a_delegated_cgroup_that_is_called_from_outside_are_refused(t: &Case) {
    let user = outside(t);
    let bundle = limited(t).set("/linux/cgroupsPath", json!(format!("{}/box", user.path)));
    let (_, output) = t.try_create(&bundle, &[]);
    output.fails().says("linux.resources.memory.limit, linux.resources.pids.limit");
    output.says("cgroup.procs").says("EACCES permission denied").says("systemd-run --user --scope");
    t.assert_nothing_but(&user);
    t.assert_no_states();
    t.call_from(&user.dir.join("caller"));
    t.run(&bundle).ok();
}

fn without_limits_a_delegated_cgroup_is_not_needed_from_outside(t: &Case) {
    let user = outside(t);
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(format!("{}/box", user.path)));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroup");
    assert_eq!(text, fs::read_to_string("/proc/self/cgroup").expect("our cgroup"));
    // A group without the container in it would be taken for the container's.
    t.assert_nothing_but(&user);
    container.delete_by_force().ok();
}

fn a_container_in_a_delegated_cgroup_is_ended_from_outside(t: &Case) {
    let user = Delegated::new(t);
    let launch = || t.launch(&limited(t).args(&["/bin/sleep", "300"]));
    let (one, other) = (launch(), launch());
    t.call_from_here();
    assert_eq!(one.status(), "running");
    one.kill("KILL").ok();
    one.wait_until_stopped();
    one.delete().ok();
    other.delete_by_force().ok();
    t.assert_nothing_but(&user);
    t.assert_no_states();
}

fn exec_from_outside_does_not_leave_the_limits(t: &Case) {
    let user = Delegated::new(t);
    let container = t.launch(&limited(t).args(&["/bin/sleep", "300"]));
    t.call_from_here();
    let exec = || t.runtime(&["exec", &container.id, "/bin/echo", "inside"]).run();
    exec().fails().says("cgroup.procs").says(&user.path).says("EACCES permission denied").says("hint");
    t.call_from(&user.dir.join("caller"));
    exec().ok().prints("inside");
    container.delete_by_force().ok();
}

fn exec_from_outside_works_where_there_is_no_limit(t: &Case) {
    let _user = Delegated::new(t);
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    t.call_from_here();
    let output = t.runtime(&["exec", &container.id, "/bin/echo", "inside"]).run();
    output.ok().prints("inside").says("warning").says("cgroup.procs");
    container.delete_by_force().ok();
}

/// Groups can be made in it, but no process can go there.
fn limits_in_a_directory_alone_are_refused(t: &Case) {
    let user = Delegated::new(t);
    user.take_files_back();
    let output = t.run(&limited(t).set("/linux/cgroupsPath", json!(format!("{}/box", user.path))));
    output.fails().says("linux.resources.pids.limit").says("cgroup.procs").says("EACCES permission denied");
    t.assert_nothing_but(&user);
    t.run(&t.bundle()).ok();
    t.assert_nothing_but(&user);
}

fn a_controller_that_is_not_delegated_is_named(t: &Case) {
    t.needs_controller("cpu");
    let user = Delegated::with_controllers(t, Some(&["pids", "memory"]));
    t.call_from(&user.group("caller"));
    let bundle = limited(t).set("/linux/resources/cpu", json!({"shares": 512, "quota": 50_000}));
    let output = t.run(&bundle);
    output.fails().says("linux.resources.cpu.shares, linux.resources.cpu.quota");
    output.says("the controller cpu is not delegated").says("memory pids").says("hint");
    t.assert_nothing_but(&user);
    t.run(&limited(t)).ok();
}
