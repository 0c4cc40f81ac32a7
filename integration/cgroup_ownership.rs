//! Whose the container's cgroup is (config-linux.md, "Cgroup ownership"): that of the program's user, if the container
//! has a cgroup namespace of its own and writes to the mounted cgroups.

use std::os::unix::fs::MetadataExt;

use crate::harness::cgroups::join;
use crate::harness::prelude::*;

cases!("cgroup_ownership", root: [
    a_writable_cgroup_belongs_to_the_root_of_the_user_namespace,
    a_writable_cgroup_belongs_to_the_user_of_the_program,
    a_read_only_cgroup_stays_roots,
    a_cgroup_without_a_namespace_of_its_own_stays_roots,
    a_cgroup_that_is_not_mounted_stays_roots,
    the_owner_of_a_cgroup_makes_groups_but_does_not_raise_its_limits,
    groups_of_the_owner_are_removed_with_the_container,
]);

/// The host uid of the container's root.
const BASE: u32 = 100_000;

const MOUNT: &str = "/sys/fs/cgroup";

fn needs_v2_alone(t: &Case) {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
}

/// With a cgroup namespace and a mount of the cgroups.
fn mounted(bundle: Bundle, option: &str) -> Bundle {
    let mut bundle = bundle.namespace("cgroup", None);
    bundle.list("/mounts").retain(|mount| mount["destination"] != MOUNT);
    bundle.mount(json!({"destination": MOUNT, "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", option]}))
}

fn mapped(t: &Case) -> Bundle {
    t.bundle().user_namespace(BASE).args(&["/bin/sleep", "300"])
}

/// The owners of the directory, of the files that may be delegated, and of the others.
fn owners(t: &Case, container: &Container) -> [Vec<u32>; 3] {
    let dir = join(&t.host.cgroups.hierarchies[0].mount, &container.cgroup_path());
    let list = fs::read_to_string("/sys/kernel/cgroup/delegate").expect("what may be delegated");
    let mut owners = [vec![fs::metadata(&dir).expect("the cgroup").uid()], Vec::new(), Vec::new()];
    for entry in fs::read_dir(&dir).expect("the cgroup").flatten().filter(|e| e.path().is_file()) {
        let delegated = list.lines().any(|name| *name == *entry.file_name());
        owners[if delegated { 1 } else { 2 }].push(entry.metadata().expect("a file").uid());
    }
    assert!(owners[1].len() >= 3 && owners[2].len() >= 3, "{owners:?}");
    owners.iter_mut().for_each(|list| list.dedup());
    owners
}

#[track_caller]
fn belongs_to(t: &Case, bundle: &Bundle, uid: u32) {
    let container = t.create(bundle);
    assert_eq!(owners(t, &container), [vec![uid], vec![uid], vec![0]]);
    container.delete_by_force().ok();
}

fn a_writable_cgroup_belongs_to_the_root_of_the_user_namespace(t: &Case) {
    needs_v2_alone(t);
    belongs_to(t, &mounted(mapped(t), "rw"), BASE);
}

fn a_writable_cgroup_belongs_to_the_user_of_the_program(t: &Case) {
    needs_v2_alone(t);
    let user = json!({"uid": 1000, "gid": 1000});
    belongs_to(t, &mounted(mapped(t), "rw").set("/process/user", user.clone()), BASE + 1000);
    belongs_to(t, &mounted(t.bundle(), "rw").set("/process/user", user), 1000);
    belongs_to(t, &mounted(t.bundle(), "rw"), 0);
}

fn a_read_only_cgroup_stays_roots(t: &Case) {
    needs_v2_alone(t);
    belongs_to(t, &mounted(mapped(t), "ro"), 0);
}

fn a_cgroup_without_a_namespace_of_its_own_stays_roots(t: &Case) {
    needs_v2_alone(t);
    belongs_to(t, &mounted(mapped(t), "rw").without_namespace("cgroup"), 0);
}

fn a_cgroup_that_is_not_mounted_stays_roots(t: &Case) {
    needs_v2_alone(t);
    let mut bundle = mapped(t);
    bundle.list("/mounts").retain(|mount| mount["destination"] != MOUNT);
    belongs_to(t, &bundle, 0);
}

fn the_owner_of_a_cgroup_makes_groups_but_does_not_raise_its_limits(t: &Case) {
    needs_v2_alone(t);
    let script = "set -e; cd /sys/fs/cgroup; mkdir init; echo 0 >init/cgroup.procs; echo +pids >cgroup.subtree_control; \
                  echo 5 >init/pids.max; cat /proc/self/cgroup init/pids.max; \
                  (echo max >pids.max) 2>/dev/null && echo raised || cat pids.max";
    let bundle = mounted(t.bundle().user_namespace(BASE), "rw").sh(script);
    t.run(&bundle.set("/linux/resources/pids", json!({"limit": 20}))).ok().prints("0::/init\n5\n20");
}

fn groups_of_the_owner_are_removed_with_the_container(t: &Case) {
    needs_v2_alone(t);
    let script = "cd /sys/fs/cgroup && mkdir -p a/b/c d && chmod 0 a/b a && echo made";
    t.run(&mounted(t.bundle().user_namespace(BASE), "rw").sh(script)).ok().prints("made");
    t.assert_no_side_effects();
}
