//! The cgroup namespace, what a container makes of its own cgroup, and that all of it goes with the container.

use crate::harness::mountinfo;
use crate::harness::place::{Frozen, Place};
use crate::harness::prelude::*;

cases!("nested_cgroups", root: [
    the_cgroup_namespace_begins_at_the_own_cgroup,
    init_makes_cgroups_and_enters_one,
    exec_follows_init_into_the_cgroup_that_it_has_entered,
    exec_does_not_follow_init_out_of_the_cgroup_of_the_container,
    a_limit_cannot_be_raised_from_inside,
    a_process_cannot_leave_the_cgroup_from_inside,
    the_mount_options_of_the_host_stay,
    delete_removes_cgroups_with_processes_in_all_of_them,
    delete_by_force_ends_processes_in_cgroups_of_a_container_without_init,
    delete_removes_threaded_cgroups,
    delete_removes_cgroups_whose_path_is_too_long,
    delete_removes_very_many_cgroups,
    run_removes_what_the_program_has_made,
    kill_all_reaches_processes_in_cgroups_below,
    kill_all_ends_a_program_that_never_stops_forking,
    another_signal_to_all_ends_a_program_that_never_stops_forking,
    delete_by_force_ends_a_program_that_never_stops_forking,
    delete_by_force_ends_a_frozen_container,
    a_frozen_container_can_be_killed,
]);

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// A bundle in a cgroup namespace, with its cgroups mounted to be written to.
fn writable(t: &Case) -> Bundle {
    let bundle = t.bundle().namespace("cgroup", None);
    let index = bundle.config["mounts"].as_array().expect("mounts").len() - 1;
    bundle.set(&format!("/mounts/{index}/options"), json!(["nosuid", "noexec", "nodev", "rw"]))
}

/// The same where it is cgroup v2 that the container sees.
fn unified(t: &Case) -> Bundle {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
    writable(t)
}

/// What a script does to be in one of the hierarchies that its container sees.
const ENTER: &str = "cd /sys/fs/cgroup; test -d pids && cd pids;";

fn exec(t: &Case, container: &Container, script: &str) -> Output {
    t.runtime(&["exec", &container.id, "/bin/sh", "-c", script]).run()
}

fn the_cgroup_namespace_begins_at_the_own_cgroup(t: &Case) {
    let bundle = unified(t);
    let script = "cat /proc/self/cgroup; cd /sys/fs/cgroup; cat cgroup.procs; cat cgroup.type; ls -d tierce-it-* 2>/dev/null; \
                  cd ..; test -e cgroup.procs || echo outside";
    let container = t.launch(&bundle.clone().sh(&format!("{script}; sleep 300")));
    container.wait_for("outside");
    let lines = container.stdout();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..2], ["0::/", "1"], "{lines:?}");
    assert!(lines[lines.len() - 2..] == ["domain", "outside"], "{lines:?}");
    exec(t, &container, "cat /proc/self/cgroup").ok().prints("0::/");
    // Without the namespace the path is the whole one, and what is mounted is the same.
    let id = t.id();
    let line = t.command_line("run", &bundle.without_namespace("cgroup").sh(script), &[], &id);
    let output = t.runtime(&line).run();
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert_eq!(lines[..2], [format!("0::{}", t.cgroup_path(&id)).as_str(), "1"], "{lines:?}");
}

/// A container like one of systemd: its processes are in a cgroup below, and controllers are passed on.
fn with_services<'c>(t: &'c Case) -> Container<'c> {
    t.needs_v2_controller("pids");
    t.needs_v2_controller("memory");
    let script = "cd /sys/fs/cgroup && mkdir -p init.scope/sub service && echo $$ >init.scope/cgroup.procs && \
                  echo +pids +memory >cgroup.subtree_control && echo 3 >service/pids.max && cat /proc/self/cgroup && \
                  echo ready; sleep 300";
    let container = t.launch(&unified(t).sh(script));
    container.wait_for("ready");
    assert_eq!(container.stdout(), "0::/init.scope\nready\n");
    container
}

fn init_makes_cgroups_and_enters_one(t: &Case) {
    let container = with_services(t);
    let dir = t.unified_dir(&container.cgroup_path());
    assert_eq!(read(&dir.join("cgroup.procs")), "");
    assert!(read(&dir.join("init.scope/cgroup.procs")).lines().any(|pid| pid == container.pid().to_string()));
    assert_eq!(read(&dir.join("service/pids.max")), "3\n");
    container.delete_by_force().ok();
    assert!(!dir.exists());
}

/// The container's own cgroup passes controllers on: no process may enter it any more.
fn exec_follows_init_into_the_cgroup_that_it_has_entered(t: &Case) {
    let container = with_services(t);
    exec(t, &container, "cat /proc/self/cgroup").ok().prints("0::/init.scope");
    // Into a cgroup with a limit, to see that the program is held by it.
    let script =
        "echo 0 >/sys/fs/cgroup/service/cgroup.procs; for i in 1 2 3 4; do sleep 300 & done; echo not here";
    exec(t, &container, script).fails().says("can't fork");
    assert_eq!(container.status(), "running");
}

/// Somebody outside has moved init to another place: its limits and devices are not the container's.
fn exec_does_not_follow_init_out_of_the_cgroup_of_the_container(t: &Case) {
    let place = Place::new(t, "elsewhere");
    let container = with_services(t);
    let dir = t.unified_dir(&container.cgroup_path());
    let pids = read(&dir.join("init.scope/cgroup.procs"));
    for pid in pids.lines() {
        write(&place.unified().join("cgroup.procs"), pid);
    }
    exec(t, &container, "echo ran").fails().says(&container.cgroup_path()).prints("");
    container.delete_by_force().ok();
    eventually("its processes are gone", || read(&place.unified().join("cgroup.procs")).is_empty());
}

/// Where the machine mounts cgroup v2 with nsdelegate, as systemd does; it counts where the namespace begins.
fn a_limit_cannot_be_raised_from_inside(t: &Case) {
    let bundle = unified(t).set("/linux/resources/pids", json!({"limit": 20}));
    let mounts = mountinfo::of("self").expect("mountinfo");
    if !mounts.iter().any(|mount| mount.fs_type == "cgroup2" && mount.has("nsdelegate")) {
        t.skip("needs cgroup v2 mounted with nsdelegate");
    }
    let script = "cd /sys/fs/cgroup; for file in pids.max memory.max cgroup.freeze cgroup.type cgroup.max.depth; do \
                  (echo max >$file) 2>/dev/null && echo wrote $file; done; cat pids.max";
    t.run(&bundle.sh(script)).ok().prints("20");
}

fn a_process_cannot_leave_the_cgroup_from_inside(t: &Case) {
    let bundle = unified(t).capabilities(&["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE"]);
    // By a mount of its own, too: the namespace is the one of the container.
    let script = "mkdir /dev/shm/all && mount -t cgroup2 none /dev/shm/all && cd /dev/shm/all && cat cgroup.procs && \
                  ls -d tierce-it-* 2>/dev/null; cat /proc/self/cgroup";
    let output = t.run(&bundle.sh(script));
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(lines[0] == "1" && lines[lines.len() - 1] == "0::/", "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("tierce-it-")), "{lines:?}");
}

/// A mount of cgroup2 in the first cgroup namespace sets the options of the one that all mounts share.
fn the_mount_options_of_the_host_stay(t: &Case) {
    let options = || {
        let mounts = mountinfo::of("self").expect("mountinfo").into_iter();
        let found: Vec<_> = mounts.filter(|m| m.fs_type == "cgroup2").map(|m| m.super_options).collect();
        found.first().cloned().unwrap_or_else(|| t.skip("needs cgroup v2"))
    };
    let before = options();
    let bundles =
        [writable(t), writable(t).without_namespace("cgroup"), t.bundle().without_namespace("cgroup")];
    for bundle in &bundles {
        t.run(bundle).ok();
        assert_eq!(options(), before);
    }
    if !t.is(crate::harness::host::Kind::Runc) {
        for bundle in &bundles {
            let bundle = bundle.clone().unset("/linux/resources").without_cgroups_path();
            let line = t.command_line("run", &bundle, &[], &t.id());
            let _ = t.runtime(&line).global(&["--cgroup-manager", "disabled"]).run();
            assert_eq!(options(), before);
        }
    }
}

/// Spreads sleeping processes over the cgroup that it is in and those that it makes.
const SPREAD: &str = "for dir in a a/b a/b/c d e e/f; do mkdir -p $dir; \
                      for cpuset in cpus mems; do cat cpuset.$cpuset >$dir/cpuset.$cpuset; done 2>/dev/null; \
                      (echo 0 >$dir/cgroup.procs; exec sleep 300) & done; \
                      for dir in a a/b a/b/c d e e/f; do until read pid <$dir/cgroup.procs; do :; done; done; \
                      echo ready; sleep 300";

fn delete_removes_cgroups_with_processes_in_all_of_them(t: &Case) {
    for pid_namespace in [true, false] {
        for force in [true, false] {
            let bundle = writable(t).sh(&format!("{ENTER} {SPREAD}"));
            let bundle = if pid_namespace { bundle } else { bundle.without_namespace("pid") };
            let container = t.launch(&bundle);
            container.wait_for("ready");
            if force {
                container.delete_by_force().ok();
            } else {
                t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
                container.wait_until_stopped();
                container.delete().ok();
            }
            t.assert_no_side_effects();
        }
    }
}

fn delete_by_force_ends_processes_in_cgroups_of_a_container_without_init(t: &Case) {
    let bundle = writable(t).without_namespace("pid");
    let container = t.launch(&bundle.sh(&format!("{ENTER} {}", SPREAD.replace("; sleep 300", ""))));
    container.wait_until_stopped();
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn delete_removes_threaded_cgroups(t: &Case) {
    let script = "cd /sys/fs/cgroup; mkdir -p a/b/c; echo 0 >a/cgroup.procs; echo threaded >a/b/cgroup.type; \
                  echo threaded >a/b/c/cgroup.type; echo 0 >a/b/c/cgroup.threads; cat /proc/self/cgroup; sleep 300";
    for pid_namespace in [true, false] {
        let bundle = unified(t).sh(script);
        let bundle = if pid_namespace { bundle } else { bundle.without_namespace("pid") };
        for force in [true, false] {
            let container = t.launch(&bundle);
            container.wait_for("0::/a/b/c\n");
            if force {
                container.delete_by_force().ok();
            } else {
                t.runtime(&["kill", "--all", &container.id, "TERM"]).run().ok();
                t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
                container.wait_until_stopped();
                container.delete().ok();
            }
            t.assert_no_side_effects();
        }
    }
}

/// Each name is short enough, all of them together are longer than PATH_MAX.
fn delete_removes_cgroups_whose_path_is_too_long(t: &Case) {
    let script = "name=$(printf 'x%.0s' $(seq 200)); \
                  for i in $(seq 40); do mkdir $name && cd -P $name || break; done; \
                  (echo 0 >cgroup.procs; trap 'echo got it.' TERM; echo made $i; while :; do sleep 0.05; done) & \
                  exec sleep 300";
    for force in [true, false] {
        let container = t.launch(&writable(t).sh(&format!("{ENTER} {script}")));
        container.wait_for("made 40");
        if force {
            container.delete_by_force().ok();
        } else {
            t.runtime(&["kill", "--all", &container.id, "TERM"]).run().ok();
            container.wait_for("got it.");
            container.kill("KILL").ok();
            container.wait_until_stopped();
            container.delete().ok();
        }
        t.assert_no_side_effects();
    }
}

/// Deeper than there may be open files, and many in one.
fn delete_removes_very_many_cgroups(t: &Case) {
    let script = "mkdir wide deep && cd wide && mkdir $(seq 100) && for i in $(seq 10); do mkdir $i/in; done; \
                  cd ../deep && for i in $(seq 60); do mkdir d && cd -P d || break; done; echo made $i";
    let container = t.launch(&writable(t).sh(&format!("{ENTER} {script}; sleep 300")));
    container.wait_for("made 60");
    let line = ["delete", "--force", &container.id];
    t.runtime(&line).through_shell("ulimit -n 40; exec \"$@\"").run().ok();
    t.assert_no_side_effects();
}

fn run_removes_what_the_program_has_made(t: &Case) {
    let script = SPREAD.replace("echo ready; sleep 300", "echo ready");
    t.run(&writable(t).sh(&format!("{ENTER} {script}"))).ok().prints("ready");
    t.assert_no_side_effects();
}

fn kill_all_reaches_processes_in_cgroups_below(t: &Case) {
    let script = "mkdir -p a/b; for cpuset in cpus mems; do for dir in a a/b; do \
                  cat cpuset.$cpuset >$dir/cpuset.$cpuset; done; done 2>/dev/null; \
                  (echo 0 >a/b/cgroup.procs; trap 'echo got it.' USR1; echo ready; while :; do sleep 0.05; done) & \
                  trap '' USR1; wait; wait; sleep 300";
    let container = t.launch(&writable(t).sh(&format!("{ENTER} {script}")));
    container.wait_for("ready");
    t.runtime(&["kill", "--all", &container.id, "USR1"]).run().ok();
    container.wait_for("got it.");
}

/// Processes each of which starts the next one and ends: who kills them one by one is always late.
fn forking<'c>(t: &'c Case, pid_namespace: bool) -> Container<'c> {
    t.needs_controller("pids");
    let bundle = t.bundle().set("/linux/resources/pids", json!({"limit": 10000}));
    let bundle = if pid_namespace { bundle } else { bundle.without_namespace("pid") };
    let script = "next='sh -c \"$0\" \"$0\" &'; for i in 1 2 3 4; do sh -c \"$next\" \"$next\" & done; \
                  sleep 300 & while :; do wait; done";
    let container = t.launch(&bundle.sh(script));
    let procs = t.cgroup_dir("pids", &container.cgroup_path()).join("cgroup.procs");
    let count = || read(&procs).lines().count();
    eventually("they are there", || count() > 4);
    let before: Vec<String> = read(&procs).lines().map(str::to_string).collect();
    let new = || read(&procs).lines().filter(|pid| !before.iter().any(|b| b == pid)).count();
    eventually("they are others", || new() > 3);
    container
}

fn kill_all_ends_a_program_that_never_stops_forking(t: &Case) {
    for pid_namespace in [true, false] {
        let container = forking(t, pid_namespace);
        let procs = t.cgroup_dir("pids", &container.cgroup_path()).join("cgroup.procs");
        t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
        eventually("nobody is left", || read(&procs).is_empty());
        container.delete().ok();
    }
}

/// Once: nobody may be forked meanwhile and be left out.
fn another_signal_to_all_ends_a_program_that_never_stops_forking(t: &Case) {
    let container = forking(t, false);
    t.runtime(&["kill", "--all", &container.id, "TERM"]).run().ok();
    eventually("nobody is left", || container.processes().is_empty());
    container.delete().ok();
}

fn delete_by_force_ends_a_program_that_never_stops_forking(t: &Case) {
    for pid_namespace in [true, false] {
        forking(t, pid_namespace).delete_by_force().ok();
        t.assert_no_side_effects();
    }
}

/// A container that somebody has frozen.
fn frozen<'c>(t: &'c Case, pid_namespace: bool) -> (Container<'c>, Frozen) {
    let bundle = t.bundle().sh("sleep 300 & echo ready; wait");
    let bundle = if pid_namespace { bundle } else { bundle.without_namespace("pid") };
    let container = t.launch(&bundle);
    container.wait_for("ready");
    let frozen = Frozen::new(t, &container.cgroup_path());
    (container, frozen)
}

fn delete_by_force_ends_a_frozen_container(t: &Case) {
    for pid_namespace in [true, false] {
        let (container, _frozen) = frozen(t, pid_namespace);
        container.delete_by_force().ok();
        t.assert_no_side_effects();
    }
}

fn a_frozen_container_can_be_killed(t: &Case) {
    for pid_namespace in [true, false] {
        let (container, _frozen) = frozen(t, pid_namespace);
        container.kill("KILL").ok();
        container.wait_until_stopped();
        container.delete_by_force().ok();
        let (container, _frozen) = frozen(t, pid_namespace);
        t.runtime(&["kill", "--all", &container.id, "KILL"]).run().ok();
        container.wait_until_stopped();
        container.delete_by_force().ok();
    }
}
