//! An ordinary user whose cgroups do not allow what a configuration asks for: limits are refused before anything is
//! made; what asks for no limit goes without a cgroup.

use crate::harness::delegated::Delegated;
use crate::harness::prelude::*;

cases!("delegation_refused", root: [
    limits_for_a_user_without_a_delegated_cgroup_are_refused,
    a_user_without_a_delegated_cgroup_stays_in_that_of_the_caller,
    a_path_that_is_not_delegated_is_a_warning_without_limits,
    limits_in_a_delegated_cgroup_that_is_called_from_outside_are_refused,
    without_limits_a_delegated_cgroup_is_not_needed_from_outside,
    a_container_in_a_delegated_cgroup_is_ended_from_outside,
    exec_from_outside_does_not_leave_the_limits,
    exec_from_outside_works_where_there_is_no_limit,
    limits_in_a_directory_alone_are_refused,
    without_limits_a_directory_alone_does_not_matter,
    a_controller_that_is_not_delegated_is_refused,
    limits_below_a_group_with_processes_are_refused,
    after_the_shell_has_moved_the_limits_are_set,
    a_limit_that_cannot_be_had_is_named_with_the_reason_and_the_remedy,
    a_plan_says_that_limits_are_not_to_be_had,
]);

fn limits() -> Value {
    json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}})
}

fn limited(t: &Case) -> Bundle {
    t.bundle().set("/linux/resources", limits())
}

fn at(bundle: Bundle, path: &str) -> Bundle {
    bundle.set("/linux/cgroupsPath", json!(path))
}

fn sleeper(bundle: Bundle) -> Bundle {
    bundle.args(&["/bin/sleep", "300"])
}

/// The delegated part; the runtime is called from a group of the same machine that is not in it.
fn outside(t: &Case) -> Delegated<'_> {
    let user = Delegated::new(t);
    t.call_from_here();
    user
}

/// The delegated part; the runtime is called from its top.
fn top(t: &Case) -> Delegated<'_> {
    let user = Delegated::with_controllers(t, None);
    t.call_from(&user.dir);
    user
}

/// A part without the controller cpu.
fn without_cpu(t: &Case) -> Delegated<'_> {
    t.needs_controller("cpu");
    let user = Delegated::with_controllers(t, Some(&["pids", "memory"]));
    t.call_from(&user.group("caller"));
    user
}

fn limits_for_a_user_without_a_delegated_cgroup_are_refused(t: &Case) {
    t.become_ordinary_user();
    for path in [None, Some("box".to_string()), Some(t.cgroup_path("box"))] {
        let bundle = path.iter().fold(limited(t), |bundle, path| at(bundle, path));
        let (_, output) = t.try_create(&bundle, &[]);
        output.fails().says("permission denied").says("cgroup");
        t.assert_no_side_effects();
    }
}

fn a_user_without_a_delegated_cgroup_stays_in_that_of_the_caller(t: &Case) {
    t.become_ordinary_user();
    let container = t.launch(&sleeper(t.bundle()));
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
    plain.ok().prints("here");
    let output = t.run(&at(bundle, &t.cgroup_path("box")));
    output.ok().prints("here").says("linux.cgroupsPath").says("permission denied");
    assert_eq!(output.stderr.lines().count(), plain.stderr.lines().count() + 1, "{}", output.stderr);
    t.assert_no_side_effects();
}

fn limits_in_a_delegated_cgroup_that_is_called_from_outside_are_refused(t: &Case) {
    let user = outside(t);
    let bundle = at(limited(t), &format!("{}/box", user.path));
    let (_, output) = t.try_create(&bundle, &[]);
    output.fails().says("cgroup.procs").says("permission denied");
    t.assert_nothing_but(&user);
    t.assert_no_states();
    t.call_from(&user.dir.join("caller"));
    t.run(&bundle).ok();
}

fn without_limits_a_delegated_cgroup_is_not_needed_from_outside(t: &Case) {
    let user = outside(t);
    let container = t.launch(&sleeper(at(t.bundle(), &format!("{}/box", user.path))));
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroup");
    assert_eq!(text, fs::read_to_string("/proc/self/cgroup").expect("our cgroup"));
    // A group without the container in it would be taken for the container's.
    t.assert_nothing_but(&user);
    container.delete_by_force().ok();
}

fn a_container_in_a_delegated_cgroup_is_ended_from_outside(t: &Case) {
    let user = Delegated::new(t);
    let launch = || t.launch(&sleeper(limited(t)));
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
    let container = t.launch(&sleeper(at(limited(t), &format!("{}/box", user.path))));
    t.call_from_here();
    let exec = || t.runtime(&["exec", &container.id, "/bin/echo", "inside"]).run();
    exec().fails().says("cgroup.procs").says("permission denied");
    t.call_from(&user.dir.join("caller"));
    exec().ok().prints("inside");
    container.delete_by_force().ok();
}

fn exec_from_outside_works_where_there_is_no_limit(t: &Case) {
    let user = Delegated::new(t);
    let container = t.launch(&sleeper(at(t.bundle(), &format!("{}/box", user.path))));
    t.call_from_here();
    t.runtime(&["exec", &container.id, "/bin/echo", "inside"]).run().ok().prints("inside");
    container.delete_by_force().ok();
}

/// Groups can be made in it, but no process can go there.
fn limits_in_a_directory_alone_are_refused(t: &Case) {
    let user = Delegated::new(t);
    user.take_files_back();
    t.run(&at(limited(t), &format!("{}/box", user.path))).fails().says("permission denied");
    t.assert_nothing_but(&user);
}

fn without_limits_a_directory_alone_does_not_matter(t: &Case) {
    let user = Delegated::new(t);
    user.take_files_back();
    t.run(&t.bundle()).ok();
    t.assert_nothing_but(&user);
}

fn a_controller_that_is_not_delegated_is_refused(t: &Case) {
    let user = without_cpu(t);
    let path = format!("{}/box", user.path);
    t.run(&at(limited(t), &path).set("/linux/resources/cpu", json!({"quota": 50_000}))).fails().says("cpu");
    t.assert_nothing_but(&user);
    t.run(&at(limited(t), &path)).ok();
}

fn limits_below_a_group_with_processes_are_refused(t: &Case) {
    let user = top(t);
    for resources in [json!({"memory": {"limit": 64 << 20}}), json!({"pids": {"limit": 20}})] {
        for path in [None, Some("box".to_string()), Some(format!("{}/box", user.path))] {
            let bundle = path.iter().fold(t.bundle(), |bundle, path| at(bundle, path));
            t.run(&bundle.set("/linux/resources", resources.clone())).fails();
            // The kernel would let it pass pids on, and from then on no process could be in the groups below.
            assert_eq!(fs::read_to_string(user.dir.join("cgroup.type")).expect("its type"), "domain\n");
        }
    }
    t.assert_nothing_but(&user);
    t.assert_no_states();
}

fn after_the_shell_has_moved_the_limits_are_set(t: &Case) {
    let user = top(t);
    let bundle = at(limited(t), &format!("{}/box", user.path)).sh("(sleep 0 & wait) && echo here");
    t.run(&bundle).fails();
    // As the hint says.
    t.call_from(&user.group("leaf"));
    t.run(&bundle).ok().prints("here");
    t.assert_nothing_but(&user);
}

const BOTH: &str = "linux.resources.memory.limit, linux.resources.pids.limit: ";

fn a_limit_that_cannot_be_had_is_named_with_the_reason_and_the_remedy(t: &Case) {
    let user = Delegated::new(t);
    let inside = at(limited(t), &format!("{}/box", user.path));
    t.call_from_here();
    let refused = "cgroup.procs of /: EACCES permission denied\nhint: processes move only inside";
    t.run(&inside).fails().says(&format!("{BOTH}enter cgroup {}/box in ", user.path)).says(refused);
    let output = t.run(&limited(t));
    output.fails().says(&format!("{BOTH}make cgroup /")).says("EACCES permission denied\nhint: `systemd-run");
    t.call_from(&user.dir);
    let output = t.run(&inside);
    output
        .fails()
        .says(&format!("{BOTH}cgroup {}/box in ", user.path))
        .says("hint: choose a cgroupsPath beside");
    t.call_from(&user.dir.join("caller"));
    let container = t.launch(&sleeper(inside.clone()));
    t.call_from_here();
    let output = t.runtime(&["exec", &container.id, "/bin/true"]).run();
    output.fails().says(&format!("enter cgroup {}/box in ", user.path)).says(refused);
    container.delete_by_force().ok();
    t.call_from(&user.dir.join("caller"));
    user.take_files_back();
    t.run(&inside).fails().says(BOTH).says(&format!("cgroup.procs of {}: EACCES", user.path));
    drop(user);
    let user = without_cpu(t);
    let cpu = json!({"shares": 512, "quota": 50_000});
    let output = t.run(&limited(t).set("/linux/resources/cpu", cpu));
    output
        .fails()
        .says("linux.resources.cpu.shares, linux.resources.cpu.quota: the controller cpu is not delegated");
    output.says(&format!("{} has memory pids\nhint: root delegates more", user.dir.display()));
}

fn a_plan_says_that_limits_are_not_to_be_had(t: &Case) {
    t.become_ordinary_user();
    let bundle = limited(t);
    t.command_line("plan", &bundle, &[], "");
    let line = ["plan", "--bundle", &bundle.dir.display().to_string()];
    t.runtime(&line).run().fails().says("linux.resources.pids.limit").says("EACCES");
}
