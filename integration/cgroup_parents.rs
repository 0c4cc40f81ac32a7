//! Where in the hierarchy a container's cgroup is: its parents, what they pass on, and how init comes to be in it.

use std::os::unix::fs::MetadataExt;

use crate::harness::place::{Frozen, Place};
use crate::harness::prelude::*;

cases!("cgroup_parents", root: [
    init_is_born_in_its_cgroup,
    an_executed_program_is_born_in_the_cgroup,
    the_cgroup_below_a_frozen_one_is_refused,
    a_frozen_cgroup_is_refused,
    a_cgroup_below_a_threaded_one_is_refused,
    a_threaded_cgroup_is_refused,
    a_cgroup_below_one_with_processes_is_used,
    a_limit_below_a_cgroup_with_processes_is_refused_with_the_reason,
    a_cgroup_that_passes_controllers_on_is_refused,
    controllers_reach_a_cgroup_of_several_levels,
    a_controller_that_is_taken_away_meanwhile_is_enabled_again,
    the_cgroup_of_a_container_passes_nothing_on,
    a_refused_limit_leaves_no_parent_behind,
    a_parent_that_others_use_stays,
    a_parent_with_a_limit_keeps_it,
    a_cgroup_of_another_pid_namespace_is_not_empty,
    the_cgroup_is_not_for_everybody_to_write,
    a_cgroups_path_through_a_file_is_refused,
    a_cgroup_that_may_not_be_made_is_refused_with_the_reason,
    many_at_once_below_a_new_parent,
    a_runtime_in_a_cgroup_namespace_makes_its_cgroups_there,
]);

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// A bundle whose cgroup is `path`.
fn placed(t: &Case, path: &str) -> Bundle {
    t.bundle().set("/linux/cgroupsPath", json!(path))
}

/// A container there, that waits.
fn idle<'c>(t: &'c Case, path: &str) -> Container<'c> {
    t.launch(&placed(t, path).args(&["/bin/sleep", "300"]))
}

/// A cgroup for the caller alone: where one process is the limit, a fork fails, but not one into another cgroup.
fn lonely<'c>(t: &'c Case) -> (Place<'c>, String) {
    t.needs_v2_controller("pids");
    let place = Place::new(t, "lonely");
    place.enable("pids");
    write(&place.unified().join("pids.max"), "1");
    let script = place.enter_and("");
    // The shell cannot.
    t.runtime(&["--version"]).through_shell(&place.enter_and("(true)")).run().fails().says("fork");
    (place, script)
}

fn init_is_born_in_its_cgroup(t: &Case) {
    let (place, script) = lonely(t);
    let limited = |bundle: Bundle| bundle.set("/linux/resources/pids", json!({"limit": 5}));
    let plain = t.bundle().sh("true & wait; echo here");
    let mapped = plain.clone().user_namespace(100_000);
    for bundle in [plain.clone(), limited(plain), mapped] {
        let line = t.command_line("run", &bundle, &[], &t.id());
        t.runtime(&line).through_shell(&script).run().ok().prints("here");
    }
    let line = t.command_line("create", &t.bundle(), &[], &t.id());
    t.runtime(&line).through_shell(&script).run().ok();
    assert_eq!(read(&place.unified().join("cgroup.procs")), "");
}

fn an_executed_program_is_born_in_the_cgroup(t: &Case) {
    let (_place, script) = lonely(t);
    let plain = t.bundle().args(&["/bin/sleep", "300"]);
    for bundle in [plain.clone(), plain.user_namespace(100_000)] {
        let container = t.launch(&bundle);
        let line = ["exec", &container.id, "/bin/sh", "-c", "true & wait; exit 42"];
        t.runtime(&line).through_shell(&script).run().exits(42);
    }
}

fn the_cgroup_below_a_frozen_one_is_refused(t: &Case) {
    let place = Place::new(t, "parent");
    let _frozen = Frozen::new(t, &place.path);
    for below in ["box", "deep/er/box"] {
        t.run(&placed(t, &format!("{}/{below}", place.path))).fails().says("frozen");
    }
    let inside = t.host.cgroups.directories(&place.path);
    assert!(
        inside.iter().all(|dir| fs::metadata(dir).expect("the parent").nlink() == 2),
        "something is left"
    );
}

fn a_frozen_cgroup_is_refused(t: &Case) {
    let place = Place::new(t, "box");
    let _frozen = Frozen::new(t, &place.path);
    t.run(&placed(t, &place.path)).fails().says("frozen");
}

/// A v2 cgroup with a threaded child, and the child.
fn with_threaded_child<'c>(t: &'c Case) -> (Place<'c>, PathBuf) {
    let place = Place::new(t, "parent");
    let child = place.unified().join("threads");
    fs::create_dir(&child).expect("make a cgroup");
    write(&child.join("cgroup.type"), "threaded");
    (place, child)
}

fn a_cgroup_below_a_threaded_one_is_refused(t: &Case) {
    let (place, child) = with_threaded_child(t);
    for below in ["box", "threads/box", "deep/er/box"] {
        let path = format!("{}/{below}", place.path);
        let output = t.run(&placed(t, &path));
        output.fails().says(&path).says("threaded");
    }
    if t.host.cgroups.unified().is_some_and(|h| h.controllers.iter().any(|c| c == "pids")) {
        let limited = placed(t, &format!("{}/box", place.path));
        let resources = json!({"pids": {"limit": 9}, "memory": {"limit": 64 << 20}});
        t.run(&limited.set("/linux/resources", resources)).fails().says("threaded");
    }
    fs::remove_dir(child).expect("nothing is in it");
    assert!(!place.unified().join("box").exists() && !place.unified().join("deep").exists());
}

fn a_threaded_cgroup_is_refused(t: &Case) {
    let (place, child) = with_threaded_child(t);
    t.run(&placed(t, &format!("{}/threads", place.path))).fails().says("threaded");
    assert!(child.exists());
    fs::remove_dir(child).expect("nothing is in it");
}

fn a_cgroup_below_one_with_processes_is_used(t: &Case) {
    let place = Place::new(t, "parent");
    let neighbour = place.process();
    for below in ["box", "deep/er/box"] {
        let path = format!("{}/{below}", place.path);
        let container = idle(t, &path);
        let own = t.unified_dir(&path);
        assert_eq!(read(&own.join("cgroup.procs")).trim(), container.pid().to_string());
        assert_eq!(read(&own.join("cgroup.type")).trim(), "domain");
        assert_eq!(read(&place.unified().join("cgroup.type")).trim(), "domain", "of the parent");
        t.runtime(&["exec", &container.id, "/bin/true"]).run().ok();
        container.delete_by_force().ok();
    }
    assert!(neighbour.status().is_none(), "the process in the parent is not ours to end");
}

fn a_limit_below_a_cgroup_with_processes_is_refused_with_the_reason(t: &Case) {
    t.needs_v2_controller("pids");
    let place = Place::new(t, "parent");
    let _neighbour = place.process();
    for (controller, resources) in
        [("pids", json!({"pids": {"limit": 9}})), ("memory", json!({"memory": {"limit": 64 << 20}}))]
    {
        t.needs_v2_controller(controller);
        let bundle = placed(t, &format!("{}/box", place.path)).set("/linux/resources", resources);
        t.run(&bundle).fails().says(&format!("+{controller}")).says(&place.path).says("processes");
    }
    assert_eq!(read(&place.unified().join("cgroup.subtree_control")).trim(), "");
    assert_eq!(read(&place.unified().join("cgroup.type")).trim(), "domain");
}

fn a_cgroup_that_passes_controllers_on_is_refused(t: &Case) {
    t.needs_v2_controller("memory");
    let place = Place::new(t, "box");
    place.enable("memory");
    write(&place.unified().join("cgroup.subtree_control"), "+memory");
    t.run(&placed(t, &place.path)).fails().says(&place.path).says("controllers");
}

fn controllers_reach_a_cgroup_of_several_levels(t: &Case) {
    t.needs_controller("pids");
    let place = Place::new(t, "parent");
    let path = format!("{}/deep/er/box", place.path);
    let bundle = placed(t, &path).set("/linux/resources/pids", json!({"limit": 77}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(read(&t.cgroup_dir("pids", &path).join("pids.max")).trim(), "77");
    container.delete_by_force().ok();
    for dir in t.host.cgroups.directories(&place.path) {
        // Whether they are removed with the container is for the runtime to decide.
        let _ = (fs::remove_dir(dir.join("deep/er")), fs::remove_dir(dir.join("deep")));
    }
}

/// As systemd does with controllers that none of its units asks for.
fn a_controller_that_is_taken_away_meanwhile_is_enabled_again(t: &Case) {
    t.needs_v2_controller("pids");
    let place = Place::new(t, "box");
    place.enable("pids");
    let bundle =
        placed(t, &format!("{}/inner", place.path)).set("/linux/resources/pids", json!({"limit": 77}));
    let file = place.unified().join("inner/pids.max");
    let creating = t.runtime(&t.command_line("create", &bundle, &[], &t.id())).slow_after("write").spawn();
    eventually("the controller is there", || file.exists());
    write(&place.unified().join("cgroup.subtree_control"), "-pids");
    eventually("the limit is there", || fs::read_to_string(&file).is_ok_and(|text| text.trim() == "77"));
    t.runtime(&["delete", "--force", &t.state_entries()[0]]).run().ok();
    creating.wait().ok();
}

fn the_cgroup_of_a_container_passes_nothing_on(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let file = t.unified_dir(&container.cgroup_path()).join("cgroup.subtree_control");
    assert_eq!(read(&file).trim(), "");
    // On a hybrid machine nothing asks for them either.
    if t.host.cgroups.is_hybrid() {
        let parent = t.unified_dir(&format!("/{}", crate::harness::case::parent_cgroup()));
        assert_eq!(read(&parent.join("cgroup.subtree_control")).trim(), "");
    }
}

fn a_refused_limit_leaves_no_parent_behind(t: &Case) {
    let place = Place::new(t, "parent");
    // The kernel's word comes after the cgroups were made.
    let (controller, resources) = match t.host.cgroups.is_v2_only() {
        true => ("pids", json!({"unified": {"pids.max": "many"}})),
        false => ("cpuset", json!({"cpu": {"cpus": "4095"}})),
    };
    t.needs_controller(controller);
    let bundle = placed(t, &format!("{}/deep/er/box", place.path)).set("/linux/resources", resources);
    t.run(&bundle).fails().says(controller);
    for dir in t.host.cgroups.directories(&place.path) {
        assert!(!dir.join("deep").exists(), "{} is left", dir.join("deep").display());
    }
}

fn a_parent_that_others_use_stays(t: &Case) {
    let place = Place::new(t, "parent");
    let common = format!("{}/common", place.path);
    let one = idle(t, &format!("{common}/one"));
    let other = idle(t, &format!("{common}/deep/other"));
    one.delete_by_force().ok();
    assert_eq!(other.status(), "running");
    for dir in t.host.cgroups.directories(&common) {
        assert!(!dir.join("one").exists() && dir.join("deep/other").exists(), "{}", dir.display());
    }
    other.delete_by_force().ok();
    for dir in t.host.cgroups.directories(&common) {
        assert!(!dir.join("deep/other").exists(), "{}", dir.display());
        let _ = (fs::remove_dir(dir.join("deep")), fs::remove_dir(&dir));
    }
}

fn a_parent_with_a_limit_keeps_it(t: &Case) {
    t.needs_v2_controller("pids");
    let place = Place::new(t, "parent");
    place.enable("pids");
    write(&place.unified().join("pids.max"), "3");
    let bundle = placed(t, &format!("{}/box", place.path)).set("/linux/resources/pids", json!({"limit": 50}));
    let script = "for i in 1 2 3 4 5; do sleep 300 & done 2>/dev/null; echo survived";
    let container = t.launch(&bundle.sh(script));
    eventually("the kernel has refused a process", || {
        let events = fs::read_to_string(place.unified().join("pids.events")).unwrap_or_default();
        let own = fs::read_to_string(place.unified().join("box/pids.events")).unwrap_or_default();
        [events, own].iter().any(|text| text.lines().any(|line| line.starts_with("max ") && line != "max 0"))
    });
    assert_eq!(read(&place.unified().join("pids.max")).trim(), "3");
    container.delete_by_force().ok();
}

/// Seen from a pid namespace below, all processes of the machine have the number 0.
fn a_cgroup_of_another_pid_namespace_is_not_empty(t: &Case) {
    let place = Place::new(t, "box");
    let _owner = place.process();
    let bundle = placed(t, &place.path);
    let id = t.id();
    let line = t.command_line("create", &bundle, &[], &id);
    let call = t.runtime(&line).through_busybox(&["unshare", "--pid", "--fork", "--mount-proc"]);
    call.run().fails().says(&place.path).says("not empty");
}

fn the_cgroup_is_not_for_everybody_to_write(t: &Case) {
    let place = Place::new(t, "parent");
    let path = format!("{}/deep/box", place.path);
    let line = t.command_line("create", &placed(t, &path), &[], &t.id());
    t.runtime(&line).through_shell("umask 0; exec \"$@\"").run().ok();
    for path in [path.clone(), format!("{}/deep", place.path)] {
        for dir in t.host.cgroups.directories(&path) {
            let mode = fs::metadata(&dir).expect("the cgroup").mode() & 0o7777;
            assert_eq!(mode & 0o022, 0, "{}: {mode:o}", dir.display());
        }
    }
    for id in t.state_entries() {
        t.runtime(&["delete", "--force", &id]).run().ok();
    }
    for dir in t.host.cgroups.directories(&place.path) {
        let _ = fs::remove_dir(dir.join("deep"));
    }
}

fn a_cgroups_path_through_a_file_is_refused(t: &Case) {
    let place = Place::new(t, "parent");
    for below in ["cgroup.procs", "cgroup.procs/box"] {
        t.run(&placed(t, &format!("{}/{below}", place.path))).fails().says("cgroup.procs");
        t.assert_no_side_effects_but(&place);
    }
}

fn a_cgroup_that_may_not_be_made_is_refused_with_the_reason(t: &Case) {
    let place = Place::new(t, "parent");
    write(&place.unified().join("cgroup.max.depth"), "1");
    t.run(&placed(t, &format!("{}/box", place.path))).ok();
    t.run(&placed(t, &format!("{}/deep/box", place.path))).fails().says("cgroup.max.depth");
    t.assert_no_side_effects_but(&place);
}

fn many_at_once_below_a_new_parent(t: &Case) {
    let place = Place::new(t, "parent");
    for _ in 0..5 {
        let start = |number: usize| {
            let bundle = placed(t, &format!("{}/deep/er/box{number}", place.path));
            // Each has a configuration of its own.
            let bundle =
                bundle.moved_to(t.directory(&t.id())).set("/root/path", json!(t.dir.join("bundle1/rootfs")));
            let bundle = bundle.set("/linux/resources/cpu", json!({"shares": 100 + number}));
            t.runtime(&t.command_line("run", &bundle.sh("exit 7"), &[], &t.id())).spawn()
        };
        let calls: Vec<Running> = (0..8).map(start).collect();
        for call in calls {
            call.wait().exits(7);
        }
    }
    for dir in t.host.cgroups.directories(&place.path) {
        let _ = (fs::remove_dir(dir.join("deep/er")), fs::remove_dir(dir.join("deep")));
    }
}

/// As in a container that runs containers: the root that it sees has processes, and is not the root of all.
fn a_runtime_in_a_cgroup_namespace_makes_its_cgroups_there(t: &Case) {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
    let place = Place::new(t, "outer");
    // Not busybox's, which has no cgroup namespaces.
    let unshare = Path::new("/usr/bin/unshare");
    if !unshare.exists() {
        t.skip("needs unshare of util-linux");
    }
    let inside = "mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let then = format!("exec {} --cgroup --mount sh -c '{inside}' sh \"$@\"", unshare.display());
    let script = place.enter_and(&then);
    let bundle = t.bundle().without_cgroups_path().sh("echo here; cat /proc/self/cgroup");
    let call = |bundle: &Bundle| {
        t.runtime(&t.command_line("run", bundle, &[], &t.id())).through_shell(&script).run()
    };
    call(&bundle).ok().prints("here\n0::/");
    let limited = bundle.set("/linux/resources/pids", json!({"limit": 9}));
    call(&limited).fails().says("+pids").says("processes");
    t.assert_no_side_effects_but(&place);
    assert_eq!(read(&place.unified().join("cgroup.type")).trim(), "domain");
}
