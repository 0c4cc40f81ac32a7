//! `--systemd-cgroup` where it does not work: what is said, and that nothing is left.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::host::Kind;
use crate::harness::prelude::*;
use crate::harness::units::Whose;

cases!("systemd_refused", root: [
    without_systemd_it_is_said_what_was_tried,
    a_path_of_another_form_is_refused,
    a_unit_that_is_there_already_is_refused,
    what_is_left_of_a_failed_unit_is_no_hindrance,
    a_property_that_systemd_does_not_take_is_named,
    a_unit_that_does_not_start_is_refused,
    a_limit_that_the_kernel_does_not_take_leaves_no_unit,
    a_program_that_is_missing_leaves_no_unit,
    a_runtime_that_is_killed_leaves_no_unit,
    a_runtime_that_is_killed_at_any_moment_leaves_no_unit,
], anyone: [
    an_annotation_that_is_no_property_is_a_mistake,
]);

fn scope(id: &str) -> String {
    format!("it-{id}.scope")
}

/// In the scope [`scope`] of system.slice.
fn bundle(t: &Case, id: &str) -> Bundle {
    t.bundle().set("/linux/cgroupsPath", json!(format!("system.slice:it:{id}"))).args(&["/bin/sleep", "300"])
}

fn run(t: &Case, id: &str, bundle: &Bundle) -> Output {
    t.runtime(&t.command_line("run", bundle, &["--detach"], id)).run()
}

#[track_caller]
fn nothing_is_left(t: &Case, id: &str) {
    t.forgotten(Whose::System, &scope(id));
    t.assert_no_side_effects();
}

fn property(name: &str, value: &str) -> Value {
    let mut annotations = json!({});
    annotations[format!("org.systemd.property.{name}")] = json!(value);
    annotations
}

fn without_systemd_it_is_said_what_was_tried(t: &Case) {
    if Path::new("/run/systemd/system").exists() || Path::new("/run/dbus/system_bus_socket").exists() {
        t.skip("needs a machine without systemd");
    }
    for flags in [&["--systemd-cgroup"][..], &["--cgroup-manager", "systemd"]] {
        if flags.len() == 2 && t.is(Kind::Runc) {
            continue;
        }
        t.call_with(flags);
        let id = t.id();
        let output = run(t, &id, &bundle(t, &id));
        output.fails();
        if t.is(Kind::Tierce) {
            output.says("--systemd-cgroup: no systemd to ask for a cgroup: tried ");
            output.says(
                "/run/dbus/system_bus_socket: ENOENT no such file or directory, /run/systemd/private: ENOENT",
            );
        }
        t.assert_no_side_effects();
    }
}

fn an_annotation_that_is_no_property_is_a_mistake(t: &Case) {
    if t.is(Kind::Crun) || t.is(Kind::Runc) {
        t.skip("runc and crun look at these annotations only when they ask systemd");
    }
    for (name, value, text) in [
        ("CollectMode", "inactive", "\"inactive\" is not a value; strings are in quotes"),
        ("TasksMax", "uint64 x", "\"x\" is not a uint64"),
        ("After", "[]", "empty list without a type"),
        ("TimeoutStopSec", "'1s'", "is not a number of seconds"),
        ("a-b", "1", "\"a-b\" is not the name of a property"),
    ] {
        let id = t.id();
        let output = t.runtime(&t.command_line(
            "run",
            &t.bundle().set("/annotations", property(name, value)),
            &[],
            &id,
        ));
        let output = output.run();
        output.fails();
        if t.is(Kind::Tierce) {
            output.says(&format!("annotations[\"org.systemd.property.{name}\"]")).says(text);
        }
        t.assert_no_side_effects();
    }
}

fn a_path_of_another_form_is_refused(t: &Case) {
    t.needs_systemd();
    for (path, text) in [
        ("/a/b", "is not slice:prefix:name"),
        ("a:b", "is not slice:prefix:name"),
        ("a:b:c", "the slice \"a\" does not end in .slice"),
        ("a/b.slice:p:n", "has a slash"),
        ("a--b.slice:p:n", "has a dash with nothing before or after it"),
        ("system.slice:p:a b", "has a ' '"),
    ] {
        let id = t.id();
        let output = run(t, &id, &bundle(t, &id).set("/linux/cgroupsPath", json!(path)));
        output.fails();
        if t.is(Kind::Tierce) {
            output.says("linux.cgroupsPath").says(text);
        }
        nothing_is_left(t, &id);
    }
}

fn a_unit_that_is_there_already_is_refused(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    run(t, &id, &bundle(t, &id)).ok();
    let other = t.id();
    let output = run(t, &other, &bundle(t, &id));
    output.fails();
    if t.is(Kind::Tierce) {
        output.says("linux.cgroupsPath").says(&scope(&id)).says("there is a unit of this name already");
    }
    // It did nothing to the one that was there.
    assert_eq!(t.runtime(&["state", &id]).run().ok().json()["status"], "running");
    assert_eq!(Whose::System.show(&scope(&id), "ActiveState"), "active");
    t.runtime(&["delete", "--force", &id]).run().ok();
    nothing_is_left(t, &id);
}

fn what_is_left_of_a_failed_unit_is_no_hindrance(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let unit = scope(&id);
    let flags = ["--scope", "--quiet", "--unit", &unit, "--property", "RuntimeMaxSec=1ms", "sleep", "300"];
    let command = ["-c", "systemd-run \"$@\"; :", "sh"].iter().chain(&flags).copied().collect::<Vec<_>>();
    Whose::System.must("sh", &command);
    eventually("it has failed", || Whose::System.show(&unit, "ActiveState") == "failed");
    run(t, &id, &bundle(t, &id)).ok();
    assert_eq!(Whose::System.show(&unit, "ActiveState"), "active");
    t.runtime(&["delete", "--force", &id]).run().ok();
    nothing_is_left(t, &id);
}

fn a_property_that_systemd_does_not_take_is_named(t: &Case) {
    t.needs_systemd();
    for (name, value, text) in [
        ("NoSuchThing", "5", "NoSuchThing"),
        ("TasksMax", "'x'", "TasksMax (s)"),
        ("Requires", "['tierce-no-such-unit.service']", "tierce-no-such-unit.service"),
    ] {
        let id = t.id();
        let output = run(t, &id, &bundle(t, &id).set("/annotations", property(name, value)));
        output.fails();
        if t.is(Kind::Tierce) {
            output.says(text);
        }
        nothing_is_left(t, &id);
    }
}

/// What it needs does not start.
fn a_unit_that_does_not_start_is_refused(t: &Case) {
    t.needs_systemd();
    let needed = format!("{}-needed.service", t.id_prefix);
    let file = PathBuf::from("/run/systemd/system").join(&needed);
    fs::write(&file, "[Service]\nType=oneshot\nExecStart=/bin/false\n").expect("write a unit");
    Whose::System.systemctl(&["daemon-reload"]);
    let id = t.id();
    let mut annotations = property("Requires", &format!("['{needed}']"));
    annotations["org.systemd.property.After"] = json!(format!("['{needed}']"));
    let output = run(t, &id, &bundle(t, &id).set("/annotations", annotations));
    fs::remove_file(&file).expect("remove the unit");
    Whose::System.systemctl(&["reset-failed", &needed]);
    Whose::System.systemctl(&["daemon-reload"]);
    output.fails();
    if t.is(Kind::Tierce) {
        output.says(&scope(&id)).says("\"dependency\"").says("journalctl --unit");
    }
    nothing_is_left(t, &id);
}

fn a_limit_that_the_kernel_does_not_take_leaves_no_unit(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let output =
        run(t, &id, &bundle(t, &id).set("/linux/resources/unified", json!({"memory.high": "a lot"})));
    output.fails().says("memory.high");
    nothing_is_left(t, &id);
}

fn a_program_that_is_missing_leaves_no_unit(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    run(t, &id, &bundle(t, &id).args(&["/none"])).fails();
    nothing_is_left(t, &id);
}

/// In the middle of a creation: a hook kills the runtime, which is its parent.
fn a_runtime_that_is_killed_leaves_no_unit(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let bundle = bundle(t, &id).hook("createRuntime", "kill -9 $PPID; sleep 300");
    let create = t.runtime(&t.command_line("create", &bundle, &[], &id)).run();
    assert!(create.status.code().is_none(), "{:?}", create.status);
    t.forgotten(Whose::System, &scope(&id));
    t.runtime(&["delete", "--force", &id]).run().ok();
    nothing_is_left(t, &id);
}

fn a_runtime_that_is_killed_at_any_moment_leaves_no_unit(t: &Case) {
    t.needs_systemd();
    for round in 0..25 {
        let id = t.id();
        let create = t.runtime(&t.command_line("create", &bundle(t, &id), &[], &id)).spawn();
        // Not to wait for anything: some moment or other.
        std::thread::sleep(Duration::from_millis(2 * round));
        create.signal(Signal::SIGKILL);
        let _ = create.wait();
        t.runtime(&["delete", "--force", &id]).run().ok();
        nothing_is_left(t, &id);
    }
}
