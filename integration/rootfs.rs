//! `root`, the pivot, masked and read-only paths.

use std::os::unix::fs::symlink;

use crate::harness::mountinfo::{self, at};
use crate::harness::prelude::*;

cases!("rootfs", root: [
    the_root_is_that_of_the_bundle,
    nothing_of_the_host_is_mounted,
    the_root_cannot_be_left_upwards,
    a_read_only_root_cannot_be_written_to,
    a_writable_root_is_written_to,
    an_absolute_root_path_is_used,
    a_root_path_of_several_parts_is_used,
    a_root_that_is_a_symbolic_link_is_followed,
    without_a_pivot_the_root_is_the_same,
    without_a_pivot_nothing_of_the_host_is_reachable,
    a_masked_file_is_empty,
    a_masked_directory_is_empty_and_read_only,
    a_masked_path_that_does_not_exist_is_ignored,
    the_default_masked_paths_hide_the_kernel,
    a_read_only_path_cannot_be_written_to,
    a_read_only_directory_path_is_so_all_the_way_down,
    a_read_only_path_that_does_not_exist_is_ignored,
    proc_sys_is_read_only_by_default,
    a_mask_cannot_be_written_through,
    the_mount_namespace_of_the_container_is_not_shared_with_the_host,
    a_root_on_a_mount_of_its_own_works,
    a_program_cannot_reach_the_old_root_through_its_first_process,
]);

/// The mounts that a program in the container sees.
fn mounts_inside(t: &Case, bundle: &Bundle) -> Vec<mountinfo::Mount> {
    let output = t.run(&bundle.clone().args(&["/bin/cat", "/proc/self/mountinfo"]));
    mountinfo::parse(&output.ok().stdout)
}

fn the_root_is_that_of_the_bundle(t: &Case) {
    let bundle = t.bundle();
    fs::write(bundle.in_rootfs("/etc/mark"), "of this bundle").expect("write");
    t.run(&bundle.args(&["/bin/cat", "/etc/mark"])).ok().prints("of this bundle");
}

fn nothing_of_the_host_is_mounted(t: &Case) {
    let allowed = ["/", "/dev", "/proc", "/sys"];
    for mount in mounts_inside(t, &t.bundle()) {
        let target = mount.target.display().to_string();
        let below = |dir: &str| target == dir || (dir != "/" && target.starts_with(&format!("{dir}/")));
        assert!(allowed.into_iter().any(below), "{mount:?}");
    }
}

fn the_root_cannot_be_left_upwards(t: &Case) {
    let script = "cd /; cd ../../../../..; pwd; ls -d bin etc opt; ls -a /.. | grep -c home";
    t.run(&t.bundle().sh(script)).ok().prints("/\nbin\netc\nopt\n1");
}

fn a_read_only_root_cannot_be_written_to(t: &Case) {
    let bundle = t.bundle().sh("touch /opt/f 2>&1; echo done with $?");
    t.run(&bundle).ok().prints("touch: /opt/f: Read-only file system\ndone with 1");
    assert!(!bundle.in_rootfs("/opt/f").exists());
    assert!(at(&mounts_inside(t, &bundle), "/").options.split(',').any(|o| o == "ro"));
}

fn a_writable_root_is_written_to(t: &Case) {
    let bundle = t.bundle().writable().sh("echo inside >/opt/f");
    t.run(&bundle).ok();
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/f")).expect("the file"), "inside\n");
}

fn an_absolute_root_path_is_used(t: &Case) {
    let other = t.bundle();
    fs::write(other.in_rootfs("/etc/mark"), "elsewhere").expect("write");
    let bundle = t.bundle().set("/root/path", json!(other.dir.join("rootfs")));
    t.run(&bundle.args(&["/bin/cat", "/etc/mark"])).ok().prints("elsewhere");
}

fn a_root_path_of_several_parts_is_used(t: &Case) {
    let bundle = t.bundle();
    fs::create_dir_all(bundle.dir.join("a/b")).expect("make a directory");
    fs::rename(bundle.dir.join("rootfs"), bundle.dir.join("a/b/root")).expect("rename");
    for path in ["a/b/root", "./a/b/root/", "a/../a/b/root"] {
        t.run(&bundle.clone().set("/root/path", json!(path)).sh("echo here")).ok().prints("here");
    }
}

fn a_root_that_is_a_symbolic_link_is_followed(t: &Case) {
    let bundle = t.bundle();
    symlink("rootfs", bundle.dir.join("link")).expect("symlink");
    t.run(&bundle.set("/root/path", json!("link")).sh("echo here; ls -d /bin")).ok().prints("here\n/bin");
}

fn without_a_pivot_the_root_is_the_same(t: &Case) {
    let bundle = t.bundle().writable();
    fs::write(bundle.in_rootfs("/etc/mark"), "of this bundle\n").expect("write");
    let bundle = bundle.sh("cat /etc/mark; touch /opt/f; ls -d /proc/1 /dev/null");
    t.run_with(&bundle, &["--no-pivot"]).ok().prints("of this bundle\n/dev/null\n/proc/1");
    assert!(bundle.in_rootfs("/opt/f").exists());
}

fn without_a_pivot_nothing_of_the_host_is_reachable(t: &Case) {
    let bundle = t.bundle().sh("cd /; cd ../../../..; pwd; ls -d /bin; ls /proc/1/root | grep -c opt");
    t.run_with(&bundle, &["--no-pivot"]).ok().prints("/\n/bin\n1");
}

fn a_masked_file_is_empty(t: &Case) {
    let bundle = t.bundle().set("/linux/maskedPaths", json!(["/etc/secret"]));
    fs::write(bundle.in_rootfs("/etc/secret"), "hidden").expect("write");
    t.run(&bundle.clone().sh("cat /etc/secret; stat -c %t:%T /etc/secret")).ok().prints("1:3");
    t.run(&bundle.set("/linux/maskedPaths", json!([])).sh("cat /etc/secret")).ok().prints("hidden");
}

fn a_masked_directory_is_empty_and_read_only(t: &Case) {
    let bundle = t.bundle().writable().set("/linux/maskedPaths", json!(["/opt"]));
    fs::write(bundle.in_rootfs("/opt/secret"), "hidden").expect("write");
    t.run(&bundle.clone().sh("ls -A /opt; touch /opt/f 2>/dev/null || echo read-only"))
        .ok()
        .prints("read-only");
    assert!(!bundle.in_rootfs("/opt/f").exists());
}

fn a_masked_path_that_does_not_exist_is_ignored(t: &Case) {
    let paths = json!(["/no/such/path", "/proc/no-such-file"]);
    t.run(&t.bundle().set("/linux/maskedPaths", paths).sh("echo runs; ls -d /no || true"))
        .ok()
        .prints("runs");
}

fn the_default_masked_paths_hide_the_kernel(t: &Case) {
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list; do \
                  test -e $f && stat -c '%n %t:%T' $f && cat $f | wc -c; done; ls -A /sys/firmware | wc -l";
    let output = t.run(&t.bundle().sh(script));
    for (file, rest) in
        [("/proc/kcore", " 1:3\n0"), ("/proc/keys", " 1:3\n0"), ("/proc/timer_list", " 1:3\n0")]
    {
        if Path::new(file).exists() {
            assert!(output.ok().stdout.contains(&format!("{file}{rest}")), "{:?}", output.stdout);
        }
    }
    assert!(output.stdout.ends_with("\n0\n"), "{:?}", output.stdout);
}

fn a_read_only_path_cannot_be_written_to(t: &Case) {
    let bundle = t.bundle().writable().set("/linux/readonlyPaths", json!(["/etc/passwd"]));
    let script = "(echo x >>/etc/passwd) 2>/dev/null || echo refused; echo y >/etc/other && echo written";
    t.run(&bundle.sh(script)).ok().prints("refused\nwritten");
}

fn a_read_only_directory_path_is_so_all_the_way_down(t: &Case) {
    let bundle = t.bundle().writable().set("/linux/readonlyPaths", json!(["/home"]));
    let script = "touch /home/f 2>/dev/null || echo refused; \
                  touch /home/alice/f 2>/dev/null || echo refused; \
                  touch /opt/f && echo written; cat /home/../etc/passwd | wc -l";
    t.run(&bundle.sh(script)).ok().prints("refused\nrefused\nwritten\n2");
}

fn a_read_only_path_that_does_not_exist_is_ignored(t: &Case) {
    let bundle = t.bundle().set("/linux/readonlyPaths", json!(["/no/such/path", "/proc/no-such"]));
    t.run(&bundle.sh("echo runs")).ok().prints("runs");
}

fn proc_sys_is_read_only_by_default(t: &Case) {
    let script = "(echo 99 >/proc/sys/net/ipv4/ip_default_ttl) 2>&1 | grep -o 'Read-only file system'";
    let all = ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"];
    t.run(&t.bundle().capabilities(&all).sh(script)).ok().prints("Read-only file system");
    let bundle = t.bundle().capabilities(&all).set("/linux/readonlyPaths", json!([]));
    let script = "echo 99 >/proc/sys/net/ipv4/ip_default_ttl && cat /proc/sys/net/ipv4/ip_default_ttl";
    t.run(&bundle.sh(script)).ok().prints("99");
}

fn a_mask_cannot_be_written_through(t: &Case) {
    let bundle = t.bundle().writable().set("/linux/maskedPaths", json!(["/etc/secret"]));
    fs::write(bundle.in_rootfs("/etc/secret"), "hidden").expect("write");
    t.run(&bundle.clone().sh("echo changed >/etc/secret; rm -f /etc/secret 2>/dev/null; true")).ok();
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/etc/secret")).expect("read"), "hidden");
}

fn the_mount_namespace_of_the_container_is_not_shared_with_the_host(t: &Case) {
    let bundle = t.bundle().writable().capabilities(&["CAP_SYS_ADMIN"]);
    let bundle = bundle.sh("mount -t tmpfs none /opt && touch /opt/inside && echo mounted; sleep 300");
    let container = t.launch(&bundle);
    container.wait_for("mounted");
    assert!(!bundle.in_rootfs("/opt/inside").exists(), "a mount of the container is seen on the host");
}

fn a_root_on_a_mount_of_its_own_works(t: &Case) {
    let bundle = t.bundle();
    let rootfs = bundle.dir.join("rootfs");
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(&rootfs), &rootfs, None::<&str>, flags, None::<&str>).expect("bind the root");
    let output = t.run(&bundle.sh("echo here"));
    nix::mount::umount(&rootfs).expect("unmount");
    output.ok().prints("here");
}

fn a_program_cannot_reach_the_old_root_through_its_first_process(t: &Case) {
    let bundle = t.bundle().capabilities(&["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE"]);
    let dir = t.dir.display().to_string();
    let script = format!(
        "test -e /proc/1/root{dir} && echo seen; chroot /proc/1/root ls -d /opt; \
                          nsenter -t 1 -m ls -d /bin; ls -d {dir} 2>/dev/null || true"
    );
    t.run(&bundle.sh(&script)).ok().prints("/opt\n/bin");
}
