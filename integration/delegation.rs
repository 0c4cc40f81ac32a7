//! An ordinary user with a cgroup v2 subtree of their own (cgroups(7), "delegating a hierarchy to a less privileged
//! user"): containers with limits, in cgroups that the user's own container sees.

use crate::harness::delegated::Delegated;
use crate::harness::prelude::*;

cases!("delegation", root: [
    a_memory_limit_of_an_ordinary_user_holds,
    a_limit_of_processes_of_an_ordinary_user_holds,
    a_cpu_limit_of_an_ordinary_user_holds,
    all_limits_of_an_ordinary_user_are_set_below_an_absolute_path,
    a_relative_path_of_an_ordinary_user_is_beside_the_caller,
    without_a_path_the_cgroup_of_an_ordinary_user_is_beside_the_caller,
    a_container_of_an_ordinary_user_lives_and_ends_in_its_cgroup,
    an_executed_program_of_an_ordinary_user_is_in_the_cgroup,
    delete_by_force_ends_all_processes_in_a_delegated_cgroup,
    two_containers_of_an_ordinary_user_have_limits_of_their_own,
    from_the_top_of_the_delegated_part_a_container_without_limits_is_below,
    the_container_of_an_ordinary_user_has_a_cgroup_tree_of_its_own,
    a_limit_of_an_ordinary_user_cannot_be_raised_from_inside,
    groups_that_the_container_closed_are_removed_with_it,
    the_cgroups_of_the_host_are_read_only_behind_a_bound_sys,
    without_a_cgroup_namespace_only_the_own_cgroup_is_mounted,
]);

const MIB: u64 = 1 << 20;

/// The v2 cgroup of the container's init.
fn cgroup_of(container: &Container) -> String {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroup");
    text.trim().trim_start_matches("0::").to_string()
}

fn sleeper(t: &Case) -> Bundle {
    t.bundle().args(&["/bin/sleep", "300"])
}

fn at(bundle: Bundle, path: &str) -> Bundle {
    bundle.set("/linux/cgroupsPath", json!(path))
}

fn a_memory_limit_of_an_ordinary_user_holds(t: &Case) {
    t.needs_controller("memory");
    let user = Delegated::new(t);
    let limit = json!({"limit": 32 * MIB, "swap": 32 * MIB});
    let bundle = at(t.bundle(), &format!("{}/box", user.path)).set("/linux/resources/memory", limit);
    let dd = |size| ["/bin/dd", "if=/dev/zero", "of=/dev/null", size, "count=1"];
    t.run(&bundle.clone().args(&dd("bs=200M"))).exits(137);
    t.run(&bundle.args(&dd("bs=2M"))).ok();
    t.assert_nothing_but(&user);
}

const FORK: &str = "(for i in $(seq 40); do sleep 300 & done; echo unlimited) 2>/dev/null || echo limited";

fn a_limit_of_processes_of_an_ordinary_user_holds(t: &Case) {
    t.needs_controller("pids");
    let user = Delegated::new(t);
    let bundle = at(t.bundle().sh(FORK), &format!("{}/box", user.path));
    t.run(&bundle.clone().set("/linux/resources", json!({"pids": {"limit": 20}}))).ok().prints("limited");
    t.run(&bundle.set("/linux/resources", json!({"pids": {"limit": 200}}))).ok().prints("unlimited");
    t.assert_nothing_but(&user);
}

fn a_cpu_limit_of_an_ordinary_user_holds(t: &Case) {
    t.needs_controller("cpu");
    let user = Delegated::new(t);
    let bundle = at(t.bundle().sh("while :; do :; done"), &format!("{}/box", user.path));
    let container = t.launch(&bundle.set("/linux/resources/cpu", json!({"quota": 5000, "period": 100_000})));
    let stat = user.dir.join("box/cpu.stat");
    eventually("the kernel has held it back", || {
        let text = fs::read_to_string(&stat).unwrap_or_default();
        text.lines().any(|line| line.starts_with("nr_throttled ") && line != "nr_throttled 0")
    });
    container.delete_by_force().ok();
}

fn all_limits_of_an_ordinary_user_are_set_below_an_absolute_path(t: &Case) {
    let user = Delegated::new(t);
    let resources = json!({"memory": {"limit": 64 * MIB, "reservation": 32 * MIB}, "pids": {"limit": 77},
        "cpu": {"quota": 40000, "period": 80000}, "unified": {"pids.max": "66"}});
    let path = format!("{}/deep/er/box", user.path);
    let container = t.launch(&at(sleeper(t), &path).set("/linux/resources", resources));
    assert_eq!(cgroup_of(&container), path);
    let dir = user.dir.join("deep/er/box");
    for (file, value) in [
        ("memory.max", (64 * MIB).to_string()),
        ("memory.low", (32 * MIB).to_string()),
        ("pids.max", "66".into()),
        ("cpu.max", "40000 80000".into()),
    ] {
        assert_eq!(fs::read_to_string(dir.join(file)).expect(file).trim(), value, "{file}");
    }
    container.delete_by_force().ok();
    assert!(!dir.exists(), "the cgroup is left");
    // Whether they are removed with the container is for the runtime to decide.
    let _ = (fs::remove_dir(user.dir.join("deep/er")), fs::remove_dir(user.dir.join("deep")));
}

fn a_relative_path_of_an_ordinary_user_is_beside_the_caller(t: &Case) {
    let user = Delegated::new(t);
    let bundle = at(t.bundle(), "some/box").set("/linux/resources", json!({"pids": {"limit": 20}}));
    let container = t.launch(&bundle.clone().args(&["/bin/sleep", "300"]));
    assert_eq!(cgroup_of(&container), format!("{}/some/box", user.path));
    container.delete_by_force().ok();
    assert!(!user.dir.join("some/box").exists(), "the cgroup is left");
    t.run(&bundle.sh(FORK)).ok().prints("limited");
    let _ = fs::remove_dir(user.dir.join("some"));
}

fn without_a_path_the_cgroup_of_an_ordinary_user_is_beside_the_caller(t: &Case) {
    let user = Delegated::new(t);
    let limited = |bundle: Bundle| bundle.set("/linux/resources", json!({"pids": {"limit": 20}}));
    for bundle in [sleeper(t), limited(sleeper(t))] {
        let container = t.launch(&bundle);
        let path = cgroup_of(&container);
        assert_eq!(Path::new(&path).parent(), Some(Path::new(&user.path)), "{path}");
        assert!(path.contains(&container.id), "{path}");
        container.delete_by_force().ok();
        t.assert_nothing_but(&user);
    }
    t.run(&limited(t.bundle()).sh(FORK)).ok().prints("limited");
}

fn a_container_of_an_ordinary_user_lives_and_ends_in_its_cgroup(t: &Case) {
    let user = Delegated::new(t);
    let bundle = t.bundle().sh("sleep 300 & echo started; wait");
    let bundle = bundle.set("/linux/resources", json!({"pids": {"limit": 20}}));
    let container = t.create(&bundle);
    let dir = user.dir.join(Path::new(&cgroup_of(&container)).file_name().expect("a name"));
    let pids = || fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines().count();
    assert_eq!(pids(), 1);
    container.start().ok();
    container.wait_for("started");
    assert_eq!(pids(), 2);
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_nothing_but(&user);
    t.assert_no_states();
}

fn an_executed_program_of_an_ordinary_user_is_in_the_cgroup(t: &Case) {
    let user = Delegated::new(t);
    let bundle = t.bundle().without_namespace("cgroup").args(&["/bin/sleep", "300"]);
    let container = t.launch(&bundle.set("/linux/resources", json!({"pids": {"limit": 20}})));
    let exec = || t.runtime(&["exec", &container.id, "/bin/cat", "/proc/self/cgroup"]);
    exec().run().ok().prints(&format!("0::{}", cgroup_of(&container)));
    // Another cgroup of the same user.
    t.call_from(&user.group("other"));
    exec().run().ok().prints(&format!("0::{}", cgroup_of(&container)));
    container.delete_by_force().ok();
}

fn delete_by_force_ends_all_processes_in_a_delegated_cgroup(t: &Case) {
    let user = Delegated::new(t);
    let script = "setsid sleep 300 & setsid sleep 300 & echo ready; wait";
    let proc = json!({"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]});
    let bundle = t.bundle().without_namespace("pid").set("/mounts/0", proc).sh(script);
    let container = t.launch(&at(bundle, &format!("{}/box", user.path)));
    container.wait_for("ready");
    let procs = user.dir.join("box/cgroup.procs");
    assert_eq!(fs::read_to_string(procs).expect("its processes").lines().count(), 3);
    container.delete_by_force().ok();
    t.assert_nothing_but(&user);
}

fn two_containers_of_an_ordinary_user_have_limits_of_their_own(t: &Case) {
    let user = Delegated::new(t);
    let limited = |limit: u32| sleeper(t).set("/linux/resources", json!({"pids": {"limit": limit}}));
    let both = [(t.launch(&limited(20)), "20"), (t.launch(&limited(30)), "30")];
    for (container, limit) in &both {
        let dir = user.dir.join(Path::new(&cgroup_of(container)).file_name().expect("a name"));
        assert_eq!(fs::read_to_string(dir.join("pids.max")).expect("pids.max").trim(), *limit);
    }
    for (container, _) in &both {
        container.delete_by_force().ok();
    }
    t.assert_nothing_but(&user);
}

fn from_the_top_of_the_delegated_part_a_container_without_limits_is_below(t: &Case) {
    let user = Delegated::with_controllers(t, None);
    t.call_from(&user.dir);
    for bundle in [sleeper(t), at(sleeper(t), "box"), at(sleeper(t), &format!("{}/box", user.path))] {
        let container = t.launch(&bundle);
        let path = cgroup_of(&container);
        assert!(path.strip_prefix(&user.path).is_some_and(|rest| rest.len() > 1), "{path}");
        t.runtime(&["exec", &container.id, "/bin/true"]).run().ok();
        container.delete_by_force().ok();
    }
    // The kernel would let it pass pids on, and from then on no process could be in the groups below.
    assert_eq!(fs::read_to_string(user.dir.join("cgroup.type")).expect("its type"), "domain\n");
    t.assert_nothing_but(&user);
}

/// A mount of the container's cgroups.
fn mounted(bundle: Bundle, option: &str) -> Bundle {
    bundle.mount(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", option]}))
}

fn the_container_of_an_ordinary_user_has_a_cgroup_tree_of_its_own(t: &Case) {
    let user = Delegated::new(t);
    // As an init system does it in a container.
    let script = "set -e; cd /sys/fs/cgroup; mkdir init payload; echo 0 >init/cgroup.procs; \
                  echo +memory +pids >cgroup.subtree_control; echo 9 >payload/pids.max; \
                  cat /proc/self/cgroup payload/pids.max; ls -d *.procs; sleep 300";
    let bundle = mounted(at(t.bundle(), &format!("{}/box", user.path)), "rw").sh(script);
    let container = t.launch(&bundle.set("/linux/resources", json!({"pids": {"limit": 20}})));
    container.wait_for("0::/init\n9\ncgroup.procs\n");
    assert_eq!(fs::read_to_string(user.dir.join("box/payload/pids.max")).expect("pids.max"), "9\n");
    container.delete_by_force().ok();
    t.assert_nothing_but(&user);
    let script = "mkdir /sys/fs/cgroup/x 2>/dev/null && echo made || echo refused";
    t.run(&mounted(t.bundle(), "ro").sh(script)).ok().prints("refused");
}

fn a_limit_of_an_ordinary_user_cannot_be_raised_from_inside(t: &Case) {
    if !fs::read_to_string("/proc/mounts").is_ok_and(|text| text.contains("nsdelegate")) {
        t.skip("needs a cgroup filesystem that is mounted with nsdelegate");
    }
    let _user = Delegated::new(t);
    let script = "for f in memory.max pids.max; do (echo max >/sys/fs/cgroup/$f) 2>/dev/null && echo raised; done; \
                  cat /sys/fs/cgroup/pids.max";
    let resources = json!({"pids": {"limit": 20}, "memory": {"limit": 64 * MIB}});
    t.run(&mounted(t.bundle(), "rw").sh(script).set("/linux/resources", resources)).ok().prints("20");
}

fn groups_that_the_container_closed_are_removed_with_it(t: &Case) {
    let user = Delegated::new(t);
    let script = "cd /sys/fs/cgroup && mkdir -p a/b/c && (echo 0 >a/b/c/cgroup.procs; exec sleep 300) & \
                  cd /sys/fs/cgroup; until grep -q . a/b/c/cgroup.procs; do :; done 2>/dev/null; \
                  chmod 0 a/b/c/cgroup.procs a/b/c a/b a . && echo closed";
    let bundle = mounted(at(t.bundle(), &format!("{}/box", user.path)), "rw").sh(script);
    t.run(&bundle).ok().prints("closed");
    t.assert_nothing_but(&user);
}

/// CVE-2023-25809: what is mounted below a read-only bind of /sys stays writable.
fn the_cgroups_of_the_host_are_read_only_behind_a_bound_sys(t: &Case) {
    let user = Delegated::new(t);
    let dir = user.dir.display();
    let script = format!(
        "test -d {dir}/caller || echo nothing to see; mkdir {dir}/x 2>/dev/null && echo made; \
         (echo 0 >{dir}/caller/cgroup.procs) 2>/dev/null && echo moved; (echo 1 >{dir}/caller/cgroup.kill) 2>/dev/null && echo killed; \
         echo done"
    );
    for bundle in [t.bundle(), t.bundle().without_namespace("cgroup")] {
        t.run(&bundle.sh(&script)).ok().prints("done");
    }
}

fn without_a_cgroup_namespace_only_the_own_cgroup_is_mounted(t: &Case) {
    let user = Delegated::new(t);
    let script = "cd /sys/fs/cgroup; read first <cgroup.procs; echo $first; mkdir x 2>/dev/null && rmdir x && echo made || echo refused";
    let bundle = t.bundle().without_namespace("cgroup").sh(script);
    for resources in [json!({}), json!({"pids": {"limit": 20}})] {
        let bundle = bundle.clone().set("/linux/resources", resources);
        t.run(&mounted(bundle.clone(), "ro")).ok().prints("1\nrefused");
        t.run(&mounted(bundle, "rw")).ok().prints("1\nmade");
    }
    t.assert_nothing_but(&user);
    // Without a cgroup of its own it sees that of the caller.
    t.call_from(&user.group("other"));
    user.take_files_back();
    t.run(&mounted(bundle, "ro").sh("test -f /sys/fs/cgroup/cgroup.procs && mkdir /sys/fs/cgroup/x"))
        .exits(1);
}
