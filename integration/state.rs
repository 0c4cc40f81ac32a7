//! `state`: the document of runtime.md.

use std::process::Command;

use crate::harness::child_process::ChildProcess;
use crate::harness::prelude::*;

cases!("state", root: [
    the_state_has_the_fields_of_the_schema,
    the_state_is_created_then_running_then_stopped,
    the_pid_is_that_of_the_program,
    a_stopped_container_has_no_pid,
    annotations_are_in_the_state,
    the_bundle_is_absolute_even_if_given_relative,
    a_container_is_being_created_while_its_first_hooks_run,
    a_killed_init_is_seen_as_stopped,
    the_pid_of_another_process_is_not_taken_for_the_container,
    state_can_be_asked_by_many_at_once,
]);

fn the_state_has_the_fields_of_the_schema(t: &Case) {
    let bundle = t.bundle();
    let container = t.create(&bundle);
    let state = container.state();
    assert!(state["ociVersion"].as_str().is_some_and(|v| v.starts_with("1.")), "{state}");
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["status"], "created");
    assert!(state["pid"].as_u64().is_some_and(|pid| pid > 1), "{state}");
    assert_eq!(state["bundle"], bundle.dir.display().to_string());
}

fn the_state_is_created_then_running_then_stopped(t: &Case) {
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.wait_until_stopped();
    for key in ["ociVersion", "id", "status", "bundle"] {
        assert!(container.state()[key].is_string(), "no {key} when stopped");
    }
}

fn the_pid_is_that_of_the_program(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    eventually("the process is the program", || {
        let cmdline = fs::read(format!("/proc/{}/cmdline", container.pid())).unwrap_or_default();
        cmdline == b"/bin/sleep\x00300\x00"
    });
}

fn a_stopped_container_has_no_pid(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    let pid = container.state()["pid"].as_u64();
    assert!(pid.is_none_or(|pid| pid == 0), "pid {pid:?} of a stopped container");
}

fn annotations_are_in_the_state(t: &Case) {
    let annotations = json!({"org.example.colour": "blue", "empty": ""});
    let container = t.create(&t.bundle().set("/annotations", annotations.clone()));
    assert_eq!(container.state()["annotations"], annotations);
    container.kill("KILL").ok();
    container.wait_until_stopped();
    assert_eq!(container.state()["annotations"], annotations);
}

fn the_bundle_is_absolute_even_if_given_relative(t: &Case) {
    let bundle = t.bundle();
    let id = t.id();
    t.command_line("create", &bundle, &[], &id);
    t.runtime(&["create", "--bundle", ".", &id]).cwd(&bundle.dir).run().ok();
    let state = t.runtime(&["state", &id]).run().ok().json();
    assert_eq!(state["bundle"], bundle.dir.display().to_string());
}

fn a_container_is_being_created_while_its_first_hooks_run(t: &Case) {
    let path = t.dir.join("hook-state");
    let script = format!("cat >{}", path.display());
    let hook = json!({"path": t.host.busybox, "args": ["busybox", "sh", "-c", script]});
    let bundle = t.bundle().set("/hooks/createRuntime", json!([hook]));
    let container = t.create(&bundle);
    let text = fs::read_to_string(path).expect("the hook has run");
    let state: Value = serde_json::from_str(&text).expect("JSON on the standard input of the hook");
    assert_eq!(state["status"], "creating", "{state}");
    assert_eq!(state["id"], container.id.as_str(), "{state}");
    assert_eq!(state["pid"], container.pid(), "{state}");
}

fn a_killed_init_is_seen_as_stopped(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    container.kill_init_from_outside();
    assert_eq!(container.status(), "stopped");
}

/// Starts `sleep` until it gets this pid, by ns_last_pid, see pid_namespaces(7).
fn process_with_pid(t: &Case, pid: i32) -> Option<ChildProcess> {
    for _ in 0..200 {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let child = ChildProcess::spawn(Command::new(&t.host.busybox).args(["sleep", "300"])).expect("sleep");
        if child.pid() == pid {
            return Some(child);
        }
    }
    None
}

fn the_pid_of_another_process_is_not_taken_for_the_container(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let pid = container.pid();
    container.kill_init_from_outside();
    eventually("the init process is reaped", || !Path::new(&format!("/proc/{pid}")).exists());
    let Some(other) = process_with_pid(t, pid) else {
        t.skip("needs a kernel that lets root choose the next pid (ns_last_pid)")
    };
    assert_eq!(container.status(), "stopped");
    container.kill("KILL").fails();
    container.delete().ok();
    assert!(other.status().is_none(), "an unrelated process was killed");
}

fn state_can_be_asked_by_many_at_once(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let calls: Vec<Running> = (0..8).map(|_| t.runtime(&["state", &container.id]).spawn()).collect();
    for call in calls {
        assert_eq!(call.wait().ok().json()["status"], "running");
    }
}
