//! A user who is logged in, with a service manager of their own (systemd.user(5)): it delegates cgroups.

use crate::harness::caller::runtime_dir;
use crate::harness::cgroups::join;
use crate::harness::prelude::*;

cases!("user_session", root: [
    the_service_manager_of_the_user_answers,
    limits_hold_in_a_scope_of_the_user,
    limits_hold_in_a_scope_with_delegation,
    a_cpu_limit_outlives_the_call_that_set_it,
    a_cpu_limit_beside_a_scope_is_a_warning,
    the_cgroup_is_beside_the_scope_and_gone_afterwards,
    a_service_of_the_user_runs_a_container_in_its_own_cgroup,
    a_service_of_the_system_runs_a_container_of_its_user_in_its_own_cgroup,
    limits_below_the_scope_of_a_shell_are_refused_with_the_remedy,
    limits_outside_of_the_users_services_are_refused_with_the_remedy,
    a_controller_that_the_user_does_not_have_is_named,
    the_state_of_a_user_in_a_session_is_in_the_runtime_directory,
    a_container_of_a_scope_outlives_it_and_is_ended_later,
    a_container_of_a_scope_can_be_paused_and_tells_what_it_uses,
]);

/// Where systemd puts the user's services.
const SLICE: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice";

/// A shell that does not become the runtime but calls it.
const NOT_ALONE: &str = "\"$@\"; exit $?";

const MIB: u64 = 1 << 20;

/// From here on in a scope of the user, as a shell of a terminal window is.
fn in_scope(t: &Case) {
    t.call_from_session(&["--scope", "--collect"]);
}

fn limited(t: &Case) -> Bundle {
    t.bundle().set(
        "/linux/resources",
        json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}, "pids": {"limit": 20}}),
    )
}

/// All of them, measured.
fn limits_hold(t: &Case) {
    let dd = |size| ["/bin/dd", "if=/dev/zero", "of=/dev/null", size, "count=1"];
    t.run(&limited(t).args(&dd("bs=200M"))).exits(137);
    t.run(&limited(t).args(&dd("bs=2M"))).ok();
    let script = "(for i in $(seq 40); do sleep 300 & done; echo unlimited) 2>/dev/null || echo limited";
    t.run(&limited(t).sh(script)).ok().prints("limited");
    t.assert_no_side_effects();
}

fn cgroup_of(container: &Container) -> String {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroup");
    text.trim().trim_start_matches("0::").to_string()
}

/// A command of the user who is logged in; what it prints.
fn of_the_user(t: &Case, line: &[&str]) -> String {
    // The harness calls nothing but the runtime, so it is called through this.
    let script = format!("{{ {}; }} >&2; exec \"$@\"", line.join(" "));
    t.runtime(&["--version"]).through_shell(&script).run().ok().stderr.clone()
}

fn the_service_manager_of_the_user_answers(t: &Case) {
    in_scope(t);
    let state = of_the_user(t, &["systemctl", "--user", "is-system-running", "||", "true"]);
    assert!(["running", "degraded", "starting"].contains(&state.trim()), "{state:?}");
    let group = of_the_user(t, &["systemctl", "--user", "show", "--property", "ControlGroup"]);
    assert_eq!(group, "ControlGroup=/user.slice/user-1000.slice/user@1000.service\n");
    let bus = [
        "busctl",
        "--user",
        "call",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.DBus.Peer",
        "Ping",
    ];
    of_the_user(t, &bus);
}

fn limits_hold_in_a_scope_of_the_user(t: &Case) {
    in_scope(t);
    limits_hold(t);
}

fn limits_hold_in_a_scope_with_delegation(t: &Case) {
    t.call_from_session(&["--scope", "--collect", "--property", "Delegate=yes"]);
    limits_hold(t);
}

fn v2(t: &Case) -> &Path {
    &t.host.cgroups.hierarchies[0].mount
}

/// systemd takes the controller back from the slice when the last unit that asked for it has ended.
fn a_cpu_limit_outlives_the_call_that_set_it(t: &Case) {
    let unit = format!("{}.scope", t.id_prefix);
    t.call_from_session(&["--scope", "--collect", "--property", "Delegate=yes", "--unit", &unit]);
    let bundle = limited(t).set("/linux/resources/cpu", json!({"quota": 5000, "period": 100_000}));
    let id = t.id();
    let bundle = bundle.sh("while :; do :; done");
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    t.call_from_session(&["--scope", "--collect", "--property", "Delegate=yes"]);
    let state = t.runtime(&["state", &id]).run().ok().json();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", state["pid"])).expect("its cgroup");
    let path = text.trim().trim_start_matches("0::").to_string();
    let dir = join(v2(t), &path);
    assert_eq!(fs::read_to_string(dir.join("cpu.max")).expect("the limit"), "5000 100000\n");
    eventually("the kernel has held it back", || {
        let text = fs::read_to_string(dir.join("cpu.stat")).unwrap_or_default();
        text.lines().any(|line| line.starts_with("nr_throttled ") && line != "nr_throttled 0")
    });
    t.runtime(&["delete", "--force", &id]).run().ok();
    eventually("the scope has ended", || !join(v2(t), &format!("{SLICE}/{unit}")).exists());
}

/// A shell that is in the scope too keeps the cgroup from being in there.
fn a_cpu_limit_beside_a_scope_is_a_warning(t: &Case) {
    in_scope(t);
    let run = |bundle: Bundle| {
        let line = t.command_line("run", &bundle, &[], &t.id());
        t.runtime(&line).through_shell(NOT_ALONE).run()
    };
    let output = run(t.bundle().set("/linux/resources/cpu", json!({"quota": 50_000, "period": 100_000})));
    output
        .ok()
        .says("linux.resources.cpu.quota")
        .says("controller cpu")
        .says("app.slice")
        .says("Delegate=yes");
    assert_eq!(run(limited(t)).ok().stderr, "");
}

fn the_cgroup_is_beside_the_scope_and_gone_afterwards(t: &Case) {
    in_scope(t);
    let container = t.launch(&limited(t).args(&["/bin/sleep", "300"]));
    let path = cgroup_of(&container);
    assert!(path.starts_with(&format!("{SLICE}/")) && path.contains(&container.id), "{path}");
    container.delete_by_force().ok();
    t.assert_no_side_effects();
    let id = t.id();
    let named =
        limited(t).set("/linux/cgroupsPath", json!(format!("{SLICE}/{id}"))).args(&["/bin/sleep", "300"]);
    let container = t.launch(&named);
    assert_eq!(cgroup_of(&container), format!("{SLICE}/{id}"));
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

/// As a unit file would say it; systemd.resource-control(5), DelegateSubgroup=.
fn a_service_of_the_user_runs_a_container_in_its_own_cgroup(t: &Case) {
    let unit = format!("{}.service", t.id_prefix);
    let properties = ["--property", "Delegate=yes", "--property", "DelegateSubgroup=runtime"];
    let flags = ["--wait", "--pipe", "--collect", "--unit", &unit];
    t.call_from_session(&[&flags[..], &properties].concat());
    let container = t.id();
    let bundle = limited(t).without_namespace("cgroup").args(&["/bin/cat", "/proc/self/cgroup"]);
    let output = t.runtime(&t.command_line("run", &bundle, &[], &container)).run();
    let path = output.ok().text();
    assert!(path.starts_with(&format!("0::{SLICE}/{unit}/")) && path.contains(&container), "{path}");
}

/// `User=` and `Delegate=yes`: what is beside belongs to root.
fn a_service_of_the_system_runs_a_container_of_its_user_in_its_own_cgroup(t: &Case) {
    let unit = format!("{}.service", t.id_prefix);
    t.call_from_service(&["--property", "Delegate=yes", "--unit", &unit]);
    let id = t.id();
    let bundle = limited(t).without_namespace("cgroup").args(&["/bin/cat", "/proc/self/cgroup"]);
    let output = t.runtime(&t.command_line("run", &bundle, &[], &id)).run();
    let path = output.ok().text();
    assert!(path.starts_with(&format!("0::/system.slice/{unit}/")) && path.contains(&id), "{path}");
    limits_hold(t);
    // In the delegated part, but no controller was asked for.
    t.run(&t.bundle()).ok();
    t.call_from_service(&["--unit", &unit]);
    t.run(&limited(t)).fails().says("permission denied");
    t.run(&t.bundle()).ok();
}

fn limits_below_the_scope_of_a_shell_are_refused_with_the_remedy(t: &Case) {
    let unit = format!("{}.scope", t.id_prefix);
    t.call_from_session(&["--scope", "--collect", "--property", "Delegate=yes", "--unit", &unit]);
    let run = |path: &str| {
        let bundle = limited(t).set("/linux/cgroupsPath", json!(path));
        let line = t.command_line("run", &bundle, &[], &t.id());
        t.runtime(&line).through_shell(NOT_ALONE).run()
    };
    let output = run(&format!("{SLICE}/{unit}/box"));
    output
        .fails()
        .says("linux.resources.memory.limit, linux.resources.memory.swap, linux.resources.pids.limit");
    output.says("processes").says("hint: choose a cgroupsPath beside");
    run(&format!("{SLICE}/{}", t.id())).ok();
    t.assert_no_side_effects();
}

fn limits_outside_of_the_users_services_are_refused_with_the_remedy(t: &Case) {
    in_scope(t);
    t.call_from_here();
    let there = format!("{SLICE}/{}", t.id());
    for (bundle, reason) in
        [(limited(t), "make cgroup"), (limited(t).set("/linux/cgroupsPath", json!(there)), "enter cgroup")]
    {
        t.run(&bundle).fails().says(reason).says("EACCES").says("systemd-run --user --scope");
        t.assert_no_side_effects();
    }
    t.run(&t.bundle()).ok();
}

fn a_controller_that_the_user_does_not_have_is_named(t: &Case) {
    t.needs_controller("cpuset");
    in_scope(t);
    let output = t.run(&t.bundle().set("/linux/resources/cpu", json!({"cpus": "0"})));
    output.fails().says("linux.resources.cpu.cpus").says("the controller cpuset is not delegated");
    output.says("user@1000.service").says("Delegate=");
    t.assert_no_side_effects();
}

fn the_state_of_a_user_in_a_session_is_in_the_runtime_directory(t: &Case) {
    in_scope(t);
    let id = t.id();
    let line = t.command_line("create", &t.bundle(), &[], &id);
    t.runtime(&line).globals::<&str>(&[]).run().ok();
    let states = runtime_dir().join(t.host.kind.name());
    assert!(states.join(&id).is_dir(), "no state in {}", states.display());
    t.runtime(&["delete", "--force", &id]).globals::<&str>(&[]).run().ok();
    assert!(!states.join(&id).exists());
}

fn a_container_of_a_scope_outlives_it_and_is_ended_later(t: &Case) {
    in_scope(t);
    let id = t.id();
    let bundle = limited(t).args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    // Each call is a scope of its own.
    t.runtime(&["exec", &id, "/bin/true"]).run().ok();
    assert_eq!(t.runtime(&["state", &id]).run().ok().json()["status"], "running");
    t.call_from_here();
    t.runtime(&["delete", "--force", &id]).run().ok();
    t.assert_no_side_effects();
}

fn a_container_of_a_scope_can_be_paused_and_tells_what_it_uses(t: &Case) {
    in_scope(t);
    let container = t.launch(&limited(t).sh("i=0; while :; do i=$((i + 1)); echo $i; done"));
    container.wait_for("10\n");
    let call = |verb: &str, flags: &[&str]| {
        let line: Vec<&str> = [verb].iter().chain(flags).copied().chain([container.id.as_str()]).collect();
        t.runtime(&line).run()
    };
    call("pause", &[]).ok();
    let before = container.stdout().len();
    assert_eq!(container.status(), "paused");
    let data = call("events", &["--stats"]).ok().json()["data"].clone();
    assert_eq!((&data["memory"]["usage"]["limit"], &data["pids"]["limit"]), (&json!(32 * MIB), &json!(20)));
    assert_eq!(call("ps", &["--format", "json"]).ok().json(), json!([container.pid()]));
    assert_eq!(container.stdout().len(), before, "it prints while it is paused");
    call("resume", &[]).ok();
    eventually("it goes on", || container.stdout().len() > before);
}
