//! `linux.cgroupsPath` and the life of a cgroup.

use crate::harness::mountinfo;
use crate::harness::prelude::*;

cases!("cgroups", root: [
    the_program_is_in_its_cgroup_in_every_hierarchy,
    the_cgroup_is_there_before_start_and_gone_after_delete,
    the_runtime_is_not_in_the_cgroup_of_the_container,
    a_cgroups_path_of_several_levels_is_made,
    without_a_cgroups_path_the_container_has_a_cgroup_of_its_own,
    a_relative_cgroups_path_is_below_one_of_the_runtime,
    the_parent_of_the_cgroup_is_left_alone,
    the_mounted_cgroups_are_those_of_the_container,
    the_mounted_cgroups_are_read_only,
    the_mounted_cgroups_are_writable_if_told,
    the_mounted_cgroup_is_the_root_of_its_namespace,
    a_cgroup_with_processes_is_refused,
    a_child_of_the_program_is_in_its_cgroup,
    two_containers_have_two_cgroups,
    a_cgroup_that_exists_but_is_empty_is_used,
    many_containers_leave_no_cgroup_behind,
]);

/// The directories of a container's cgroup, in the hierarchies that this host has.
fn existing(t: &Case, path: &str) -> Vec<PathBuf> {
    t.host.cgroups.directories(path).into_iter().filter(|dir| dir.is_dir()).collect()
}

fn pids(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn the_program_is_in_its_cgroup_in_every_hierarchy(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let pid = container.pid();
    for dir in t.host.cgroups.directories(&container.cgroup_path()) {
        assert!(pids(&dir).contains(&pid), "{pid} is not in {}", dir.display());
    }
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroups");
    for path in t.host.cgroups.paths(&text) {
        assert_eq!(path, container.cgroup_path());
    }
}

fn the_cgroup_is_there_before_start_and_gone_after_delete(t: &Case) {
    let container = t.create(&t.bundle());
    let all = t.host.cgroups.hierarchies.len();
    assert_eq!(existing(t, &container.cgroup_path()).len(), all);
    assert!(existing(t, &container.cgroup_path()).iter().all(|dir| pids(dir) == [container.pid()]));
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    assert_eq!(existing(t, &container.cgroup_path()), [] as [PathBuf; 0]);
}

fn the_runtime_is_not_in_the_cgroup_of_the_container(t: &Case) {
    let id = t.id();
    let line = t.command_line("run", &t.bundle().sh("echo ready; sleep 300"), &[], &id);
    let running = t.runtime(&line).spawn();
    running.wait_for("ready");
    for dir in existing(t, &t.cgroup_path(&id)) {
        assert!(!pids(&dir).contains(&running.pid()), "the runtime is in {}", dir.display());
    }
    t.runtime(&["kill", &id, "KILL"]).run().ok();
    running.wait().exits(137);
}

fn a_cgroups_path_of_several_levels_is_made(t: &Case) {
    let id = t.id();
    let path = format!("{}/deep/er", t.cgroup_path(&id));
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(path)).args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    assert_eq!(existing(t, &path).len(), t.host.cgroups.hierarchies.len());
    t.runtime(&["delete", "--force", &id]).run().ok();
    assert_eq!(existing(t, &path), [] as [PathBuf; 0]);
    for dir in existing(t, &format!("{}/deep", t.cgroup_path(&id))) {
        fs::remove_dir(&dir).expect("the parents are ours");
        fs::remove_dir(dir.parent().expect("a parent")).expect("the parents are ours");
    }
}

fn without_a_cgroups_path_the_container_has_a_cgroup_of_its_own(t: &Case) {
    let bundle = t.bundle().without_cgroups_path().args(&["/bin/sleep", "300"]);
    let (one, other) = (t.launch(&bundle), t.launch(&bundle));
    let cgroups = |container: &Container| {
        fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("read")
    };
    assert_ne!(cgroups(&one), cgroups(&other));
    for path in t.host.cgroups.paths(&cgroups(&one)) {
        assert!(path.contains(&one.id), "{path}");
    }
    one.delete_by_force().ok();
    assert_eq!(t.host.cgroups.named(&one.id), [] as [PathBuf; 0]);
}

fn a_relative_cgroups_path_is_below_one_of_the_runtime(t: &Case) {
    let id = t.id();
    let parent = crate::harness::case::parent_cgroup();
    let bundle =
        t.bundle().set("/linux/cgroupsPath", json!(format!("{parent}/{id}"))).args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    assert!(!t.host.cgroups.named(&id).is_empty());
    t.runtime(&["delete", "--force", &id]).run().ok();
    assert_eq!(t.host.cgroups.named(&id), [] as [PathBuf; 0]);
}

fn the_parent_of_the_cgroup_is_left_alone(t: &Case) {
    let id = t.id();
    let parent = format!("{}-parent", t.cgroup_path(&id));
    for dir in t.host.cgroups.directories(&parent) {
        fs::create_dir_all(dir).expect("make a cgroup");
    }
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(format!("{parent}/{id}")));
    t.runtime(&t.command_line("run", &bundle, &[], &id)).run().ok();
    for dir in t.host.cgroups.directories(&parent) {
        fs::remove_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    }
}

fn the_mounted_cgroups_are_those_of_the_container(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().without_namespace("cgroup").args(&["/bin/cat", "/proc/self/mountinfo"]);
    let output = t.runtime(&t.command_line("run", &bundle, &[], &id)).run();
    let mounts = mountinfo::parse(&output.ok().stdout);
    let cgroups: Vec<_> = mounts.iter().filter(|m| m.fs_type.starts_with("cgroup")).collect();
    assert!(!cgroups.is_empty());
    for mount in cgroups {
        assert!(mount.root == t.cgroup_path(&id), "{mount:?}");
        assert!(mount.target.starts_with("/sys/fs/cgroup"), "{mount:?}");
    }
}

fn a_cgroup_mount(t: &Case, writable: bool) -> Bundle {
    let bundle = t.bundle().capabilities(&["CAP_SYS_ADMIN"]);
    let option = if writable { "rw" } else { "ro" };
    let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", option]});
    let index = bundle.config["mounts"].as_array().expect("mounts").len() - 1;
    bundle.set(&format!("/mounts/{index}"), mount)
}

/// In a hierarchy that the container has a mount of.
const MAKE_A_CGROUP: &str = "cd /sys/fs/cgroup; test -d pids && cd pids; \
                             mkdir child 2>/dev/null && rmdir child && echo made || echo refused";

fn the_mounted_cgroups_are_read_only(t: &Case) {
    t.run(&a_cgroup_mount(t, false).sh(MAKE_A_CGROUP)).ok().prints("refused");
}

fn the_mounted_cgroups_are_writable_if_told(t: &Case) {
    t.run(&a_cgroup_mount(t, true).sh(MAKE_A_CGROUP)).ok().prints("made");
}

fn the_mounted_cgroup_is_the_root_of_its_namespace(t: &Case) {
    let bundle = t.bundle().namespace("cgroup", None).args(&["/bin/cat", "/proc/self/mountinfo"]);
    let mounts = mountinfo::parse(&t.run(&bundle).ok().stdout);
    let cgroups: Vec<_> = mounts.iter().filter(|m| m.fs_type.starts_with("cgroup")).collect();
    assert!(!cgroups.is_empty());
    assert!(cgroups.iter().all(|mount| mount.root == "/"), "{cgroups:#?}");
}

fn a_cgroup_with_processes_is_refused(t: &Case) {
    let first = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(first.cgroup_path()));
    let (second, output) = t.try_create(&bundle, &[]);
    output.fails().says(&first.cgroup_path());
    second.delete_by_force();
    assert_eq!(first.status(), "running");
}

fn a_child_of_the_program_is_in_its_cgroup(t: &Case) {
    let container = t.launch(&t.bundle().sh("sleep 300 & echo ready; wait"));
    container.wait_for("ready");
    for dir in existing(t, &container.cgroup_path()) {
        assert_eq!(pids(&dir).len(), 2, "{}", dir.display());
    }
}

fn two_containers_have_two_cgroups(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let (one, other) = (t.launch(&bundle), t.launch(&bundle));
    for container in [&one, &other] {
        for dir in existing(t, &container.cgroup_path()) {
            assert_eq!(pids(&dir), [container.pid()]);
        }
    }
}

fn a_cgroup_that_exists_but_is_empty_is_used(t: &Case) {
    let id = t.id();
    for dir in t.host.cgroups.directories(&t.cgroup_path(&id)) {
        fs::create_dir(dir).expect("make a cgroup");
    }
    t.runtime(&t.command_line("run", &t.bundle().sh("echo here"), &[], &id)).run().ok().prints("here");
    for dir in existing(t, &t.cgroup_path(&id)) {
        fs::remove_dir(dir).expect("remove the cgroup");
    }
}

fn many_containers_leave_no_cgroup_behind(t: &Case) {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 9}, "cpu": {"quota": 50_000}});
    let bundle = t.bundle().set("/linux/resources", limits).args(&["/bin/true"]);
    for _ in 0..40 {
        t.run(&bundle).ok();
        let created = t.create(&bundle);
        created.delete_by_force().ok();
    }
    assert_eq!(t.host.cgroups.named(&t.id_prefix), [] as [PathBuf; 0]);
}
