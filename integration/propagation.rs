//! Which mounts host and container see of each other.

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::harness::mountinfo::{self, at};
use crate::harness::prelude::*;

cases!("propagation", root: [
    a_slave_bind_mount_sees_new_mounts_of_the_host,
    a_slave_bind_mount_needs_no_propagation_of_the_rootfs,
    a_slave_bind_mount_keeps_its_own_mounts_to_itself,
    a_shared_bind_mount_shows_its_mounts_to_the_host,
    a_private_bind_mount_sees_no_new_mounts_of_the_host,
    an_unbindable_bind_mount_says_so,
    a_bind_mount_without_propagation_is_private,
    a_slave_rootfs_sees_new_mounts_of_the_host,
    a_shared_rootfs_is_a_peer_group_of_its_own,
    a_private_rootfs_is_private,
    the_host_sees_no_mount_of_a_container_by_default,
    a_shared_mount_of_the_host_does_not_stop_the_pivot,
]);

/// A directory of the host that is a shared mount; unmounted with all below it at the end.
struct Shared(PathBuf);

impl Shared {
    fn tmpfs(t: &Case) -> Shared {
        let dir = t.directory("shared");
        mount(Some("none"), &dir, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        Shared::share(dir)
    }

    fn bind(dir: &Path) -> Shared {
        mount(Some(dir), dir, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("bind");
        Shared::share(dir.to_owned())
    }

    fn share(dir: PathBuf) -> Shared {
        let flags = MsFlags::MS_SHARED;
        mount(None::<&str>, &dir, None::<&str>, flags, None::<&str>).expect("make the mount shared");
        Shared(dir)
    }

    /// Mounts a tmpfs with a file below it, on the host.
    fn mount_below(&self, name: &str) {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).expect("make a directory");
        mount(Some("none"), &dir, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        fs::write(dir.join("of-the-host"), "").expect("write");
    }

    /// Whether the host has a mount there.
    fn has_mount(&self, name: &str) -> bool {
        let target = self.0.join(name);
        mountinfo::of("self").expect("mountinfo").iter().any(|m| m.target == target)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// What a container with the shared directory on `/mnt` sees of a tmpfs that the host mounts there later.
fn seen_inside(t: &Case, bundle: Bundle, option: &str) -> String {
    let shared = Shared::tmpfs(t);
    fs::create_dir_all(shared.0.join("new")).expect("make a directory");
    let bundle = bundle.bind(&shared.0, "/mnt", &["rbind", option]);
    let script = "trap 'ls /mnt/new; echo looked.' USR1; echo ready; while :; do sleep 0.05; done";
    let container = t.launch(&bundle.sh(script));
    container.wait_for("ready");
    shared.mount_below("new");
    container.kill("USR1").ok();
    container.wait_for("looked.");
    container.delete_by_force().ok();
    container.stdout()
}

/// A bundle with this propagation of its root filesystem.
fn with_rootfs(t: &Case, propagation: &str) -> Bundle {
    t.bundle().set("/linux/rootfsPropagation", json!(propagation))
}

fn a_slave_bind_mount_sees_new_mounts_of_the_host(t: &Case) {
    assert!(seen_inside(t, with_rootfs(t, "rslave"), "rslave").contains("of-the-host"));
}

fn a_slave_bind_mount_needs_no_propagation_of_the_rootfs(t: &Case) {
    assert!(seen_inside(t, t.bundle(), "rslave").contains("of-the-host"));
}

fn a_private_bind_mount_sees_no_new_mounts_of_the_host(t: &Case) {
    assert!(!seen_inside(t, with_rootfs(t, "rslave"), "rprivate").contains("of-the-host"));
}

/// Lets a container with the shared directory on `/mnt` mount a tmpfs there; whether the host sees it.
fn seen_by_the_host(t: &Case, rootfs: &str, option: &str) -> bool {
    let shared = Shared::tmpfs(t);
    fs::create_dir(shared.0.join("inside")).expect("make a directory");
    let bundle = with_rootfs(t, rootfs).capabilities(&["CAP_SYS_ADMIN"]);
    let bundle = bundle.bind(&shared.0, "/mnt", &["rbind", option]);
    let container = t.launch(&bundle.sh("mount -t tmpfs none /mnt/inside && echo mounted; sleep 300"));
    container.wait_for("mounted");
    let seen = shared.has_mount("inside");
    container.delete_by_force().ok();
    seen
}

fn a_slave_bind_mount_keeps_its_own_mounts_to_itself(t: &Case) {
    assert!(!seen_by_the_host(t, "rslave", "rslave"));
}

fn a_shared_bind_mount_shows_its_mounts_to_the_host(t: &Case) {
    assert!(seen_by_the_host(t, "rshared", "rshared"));
}

fn propagation_inside(t: &Case, bundle: &Bundle, target: &str) -> String {
    let output = t.run(&bundle.clone().args(&["/bin/cat", "/proc/self/mountinfo"]));
    at(&mountinfo::parse(&output.ok().stdout), target).propagation.clone()
}

fn an_unbindable_bind_mount_says_so(t: &Case) {
    let source = t.directory("source");
    let bundle = t.bundle().bind(source, "/mnt", &["rbind", "unbindable"]);
    assert_eq!(propagation_inside(t, &bundle, "/mnt"), "unbindable");
}

fn a_bind_mount_without_propagation_is_private(t: &Case) {
    let shared = Shared::tmpfs(t);
    let bundle = t.bundle().bind(&shared.0, "/mnt", &["rbind", "rprivate"]);
    assert_eq!(propagation_inside(t, &bundle, "/mnt"), "");
    let bundle = t.bundle().bind(&shared.0, "/mnt", &["rbind"]);
    assert!(!propagation_inside(t, &bundle, "/mnt").contains("shared"));
}

/// A bundle whose root filesystem is on a shared mount of the host.
fn on_a_shared_mount(t: &Case, propagation: &str) -> (Bundle, Shared) {
    let bundle = t.bundle().writable().set("/linux/rootfsPropagation", json!(propagation));
    let shared = Shared::bind(&bundle.dir.join("rootfs"));
    (bundle, shared)
}

fn a_slave_rootfs_sees_new_mounts_of_the_host(t: &Case) {
    let (bundle, shared) = on_a_shared_mount(t, "rslave");
    assert!(propagation_inside(t, &bundle, "/").contains("master:"));
    let script = "trap 'ls /opt; echo looked.' USR1; echo ready; while :; do sleep 0.05; done";
    let container = t.launch(&bundle.sh(script));
    container.wait_for("ready");
    shared.mount_below("opt");
    container.kill("USR1").ok();
    container.wait_for("looked.");
    assert!(container.stdout().contains("of-the-host"), "{}", container.stdout());
    container.delete_by_force().ok();
}

fn a_shared_rootfs_is_a_peer_group_of_its_own(t: &Case) {
    let (bundle, shared) = on_a_shared_mount(t, "shared");
    let bundle = bundle.capabilities(&["CAP_SYS_ADMIN"]);
    let container = t.launch(&bundle.sh("mount -t tmpfs none /opt && cat /proc/self/mountinfo; sleep 300"));
    container.wait_for(" /opt ");
    let mounts = mountinfo::parse(&container.stdout());
    assert!(at(&mounts, "/").propagation.contains("shared:"), "{:?}", at(&mounts, "/"));
    assert!(!shared.has_mount("opt"), "a mount of the container is mounted on the host");
    container.delete_by_force().ok();
}

fn a_private_rootfs_is_private(t: &Case) {
    for propagation in ["private", "rprivate"] {
        let (bundle, _shared) = on_a_shared_mount(t, propagation);
        assert_eq!(propagation_inside(t, &bundle, "/"), "", "{propagation}");
    }
}

fn the_host_sees_no_mount_of_a_container_by_default(t: &Case) {
    let bundle = t.bundle().writable().capabilities(&["CAP_SYS_ADMIN"]);
    let shared = Shared::bind(&bundle.dir.join("rootfs"));
    let container = t.launch(&bundle.sh("mount -t tmpfs none /opt && echo mounted; sleep 300"));
    container.wait_for("mounted");
    for name in ["opt", "proc", "dev", "sys"] {
        assert!(!shared.has_mount(name), "{name} of the container is mounted on the host");
    }
    container.delete_by_force().ok();
}

fn a_shared_mount_of_the_host_does_not_stop_the_pivot(t: &Case) {
    let bundle = t.bundle();
    let _shared = Shared::bind(&bundle.dir);
    t.run(&bundle.sh("echo here; ls -d /bin")).ok().prints("here\n/bin");
}
