//! `mounts`: the defaults, bind mounts, tmpfs, options, order.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::child_process::succeeds;
use crate::harness::mountinfo::{self, Mount, at};
use crate::harness::prelude::*;

cases!("mounts", root: [
    proc_is_mounted,
    dev_is_a_tmpfs_with_its_options,
    dev_pts_is_a_new_instance_with_its_options,
    dev_shm_is_a_tmpfs_for_everyone,
    dev_mqueue_is_mounted,
    sys_is_read_only,
    a_bind_mount_is_written_through,
    a_read_only_bind_mount_cannot_be_written_to,
    a_bind_mount_leaves_the_mounts_below_behind,
    a_recursive_bind_mount_brings_the_mounts_below,
    a_recursive_read_only_bind_mount_is_read_only_at_its_top,
    a_recursively_read_only_bind_mount_is_so_below_too,
    a_file_is_bind_mounted_onto_a_file,
    the_target_of_a_bind_mounted_file_is_made,
    the_target_of_a_bind_mounted_directory_is_made,
    a_mount_inside_a_mount_works,
    a_later_mount_covers_an_earlier_one,
    a_relative_bind_source_is_in_the_bundle,
    a_bind_mount_without_a_type_is_known_by_its_option,
    a_bind_mount_is_not_executable_if_told,
    a_bind_mount_has_no_devices_if_told,
    the_flags_of_a_bind_mount_are_seen,
    a_bind_mounted_symbolic_link_is_followed_on_the_host,
    a_tmpfs_has_its_size,
    a_tmpfs_has_its_mode_and_owner,
    a_tmpfs_has_the_mode_of_the_directory_below_unless_told,
    a_tmpfs_is_read_only_if_told,
    a_tmpfs_can_start_with_a_copy_of_what_it_covers,
    a_target_that_is_a_symbolic_link_stays_inside,
    a_target_below_an_absolute_symbolic_link_stays_inside,
    a_target_with_dots_stays_inside,
    atime_options_are_set,
    a_bind_mounted_device_works,
    many_mounts_work,
    a_mount_of_an_unknown_type_is_refused,
    a_mount_on_a_missing_target_of_a_read_only_root_makes_the_target,
    a_source_with_spaces_works,
    lazytime_iversion_and_loud_are_options,
    a_symbolic_link_is_not_followed_on_a_mount_that_says_so,
]);

fn mounts_inside(t: &Case, bundle: &Bundle) -> Vec<Mount> {
    let output = t.run(&bundle.clone().args(&["/bin/cat", "/proc/self/mountinfo"]));
    mountinfo::parse(&output.ok().stdout)
}

/// The default mount on `target` has this type and these options.
fn default_mount(t: &Case, target: &str, fs_type: &str, options: &[&str]) {
    let mounts = mounts_inside(t, &t.bundle());
    let mount = at(&mounts, target);
    assert_eq!(mount.fs_type, fs_type, "{mount:?}");
    for option in options {
        assert!(mount.has(option), "no {option}: {mount:?}");
    }
}

fn proc_is_mounted(t: &Case) {
    default_mount(t, "/proc", "proc", &["rw"]);
    t.run(&t.bundle().sh("cat /proc/self/comm")).ok().prints("cat");
}

fn dev_is_a_tmpfs_with_its_options(t: &Case) {
    default_mount(t, "/dev", "tmpfs", &["nosuid", "mode=755", "size=65536k"]);
}

fn dev_pts_is_a_new_instance_with_its_options(t: &Case) {
    default_mount(t, "/dev/pts", "devpts", &["nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"]);
    t.run(&t.bundle().sh("ls /dev/pts")).ok().prints("ptmx");
}

fn dev_shm_is_a_tmpfs_for_everyone(t: &Case) {
    default_mount(t, "/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "size=65536k"]);
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    t.run(&bundle.sh("stat -c %a /dev/shm; touch /dev/shm/f && ls /dev/shm")).ok().prints("1777\nf");
}

fn dev_mqueue_is_mounted(t: &Case) {
    default_mount(t, "/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
}

fn sys_is_read_only(t: &Case) {
    default_mount(t, "/sys", "sysfs", &["nosuid", "noexec", "nodev"]);
    assert!(at(&mounts_inside(t, &t.bundle()), "/sys").options.starts_with("ro"));
    let script = "(echo 1 >/sys/kernel/profiling) 2>&1 | grep -o 'Read-only file system'; ls -d /sys/class";
    t.run(&t.bundle().sh(script)).ok().prints("Read-only file system\n/sys/class");
}

fn a_bind_mount_is_written_through(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("from-host"), "hello").expect("write");
    let bundle = t.bundle().bind(&source, "/mnt", &["rbind", "rw"]);
    t.run(&bundle.sh("cat /mnt/from-host; echo back >/mnt/from-inside")).ok().prints("hello");
    assert_eq!(fs::read_to_string(source.join("from-inside")).expect("the file"), "back\n");
}

fn a_read_only_bind_mount_cannot_be_written_to(t: &Case) {
    let source = t.directory("source");
    let bundle = t.bundle().bind(&source, "/mnt", &["bind", "ro"]);
    t.run(&bundle.sh("touch /mnt/f 2>&1; ls /mnt")).ok().prints("touch: /mnt/f: Read-only file system");
    fs::write(source.join("f"), "").expect("the host can still write");
}

/// A directory of the host with a tmpfs mounted on its `below`.
struct WithMountBelow(PathBuf);

impl WithMountBelow {
    fn new(t: &Case) -> WithMountBelow {
        let dir = t.directory("source");
        let below = t.directory("source/below");
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("none"), &below, Some("tmpfs"), flags, None::<&str>).expect("mount a tmpfs");
        fs::write(below.join("deep"), "").expect("write");
        WithMountBelow(dir)
    }
}

impl Drop for WithMountBelow {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0.join("below"));
    }
}

fn a_bind_mount_leaves_the_mounts_below_behind(t: &Case) {
    let source = WithMountBelow::new(t);
    t.run(&t.bundle().bind(&source.0, "/mnt", &["bind"]).sh("ls /mnt /mnt/below"))
        .ok()
        .prints("/mnt:\nbelow\n\n/mnt/below:");
}

fn a_recursive_bind_mount_brings_the_mounts_below(t: &Case) {
    let source = WithMountBelow::new(t);
    t.run(&t.bundle().bind(&source.0, "/mnt", &["rbind"]).sh("ls /mnt/below")).ok().prints("deep");
}

fn a_recursive_read_only_bind_mount_is_read_only_at_its_top(t: &Case) {
    let source = WithMountBelow::new(t);
    let script = "touch /mnt/f 2>/dev/null || echo refused; touch /mnt/below/f && echo written below";
    let bundle = t.bundle().bind(&source.0, "/mnt", &["rbind", "ro"]);
    t.run(&bundle.sh(script)).ok().prints("refused\nwritten below");
}

fn a_recursively_read_only_bind_mount_is_so_below_too(t: &Case) {
    let source = WithMountBelow::new(t);
    let script = "touch /mnt/f 2>/dev/null || echo refused; touch /mnt/below/f 2>/dev/null || echo refused";
    let bundle = t.bundle().bind(&source.0, "/mnt", &["rbind", "rro"]);
    t.run(&bundle.sh(script)).ok().prints("refused\nrefused");
}

fn a_file_is_bind_mounted_onto_a_file(t: &Case) {
    let file = t.file("mine", "of the host");
    let bundle = t.bundle().bind(&file, "/etc/passwd", &["bind", "ro"]);
    t.run(&bundle.args(&["/bin/cat", "/etc/passwd"])).ok().prints("of the host");
}

fn the_target_of_a_bind_mounted_file_is_made(t: &Case) {
    let file = t.file("mine", "of the host");
    let bundle = t.bundle().bind(&file, "/new/dir/file", &["bind"]);
    t.run(&bundle.clone().args(&["/bin/cat", "/new/dir/file"])).ok().prints("of the host");
    let target = fs::metadata(bundle.in_rootfs("/new/dir/file")).expect("the target");
    assert!(target.is_file() && target.len() == 0);
}

fn the_target_of_a_bind_mounted_directory_is_made(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let bundle = t.bundle().bind(&source, "/a/b/c/d", &["bind"]);
    t.run(&bundle.clone().args(&["/bin/ls", "/a/b/c/d"])).ok().prints("f");
    assert!(bundle.in_rootfs("/a/b/c/d").is_dir());
}

fn a_mount_inside_a_mount_works(t: &Case) {
    let (outer, inner) = (t.directory("outer"), t.file("inner", "deep"));
    let bundle = t.bundle().bind(&outer, "/mnt", &["bind"]).bind(&inner, "/mnt/x/inner", &["bind"]);
    t.run(&bundle.args(&["/bin/cat", "/mnt/x/inner"])).ok().prints("deep");
    assert!(outer.join("x/inner").exists(), "the target in the outer mount");
}

fn a_later_mount_covers_an_earlier_one(t: &Case) {
    let (first, second) = (t.directory("first"), t.directory("second"));
    fs::write(second.join("on-top"), "").expect("write");
    let bundle = t.bundle().bind(first, "/mnt", &["bind"]).bind(second, "/mnt", &["bind"]);
    t.run(&bundle.args(&["/bin/ls", "/mnt"])).ok().prints("on-top");
}

fn a_relative_bind_source_is_in_the_bundle(t: &Case) {
    let bundle = t.bundle().bind("beside", "/mnt", &["bind"]);
    fs::create_dir(bundle.dir.join("beside")).expect("make a directory");
    fs::write(bundle.dir.join("beside/f"), "").expect("write");
    let line = t.command_line("run", &bundle.args(&["/bin/ls", "/mnt"]), &[], &t.id());
    t.runtime(&line).cwd(Path::new("/usr")).run().ok().prints("f");
}

fn a_bind_mount_without_a_type_is_known_by_its_option(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let mount = json!({"destination": "/mnt", "source": source, "options": ["bind"]});
    t.run(&t.bundle().mount(mount).args(&["/bin/ls", "/mnt"])).ok().prints("f");
    let mount = json!({"destination": "/mnt", "type": "none", "source": source, "options": ["rbind"]});
    t.run(&t.bundle().mount(mount).args(&["/bin/ls", "/mnt"])).ok().prints("f");
}

fn a_bind_mount_is_not_executable_if_told(t: &Case) {
    let source = t.directory("source");
    fs::copy(t.host.work.join("busybox"), source.join("busybox")).expect("copy");
    for (option, printed) in [("noexec", "refused"), ("exec", "works")] {
        let bundle = t.bundle().bind(&source, "/mnt", &["bind", option]);
        t.run(&bundle.sh("/mnt/busybox echo works 2>/dev/null || echo refused")).ok().prints(printed);
    }
}

fn a_bind_mount_has_no_devices_if_told(t: &Case) {
    let source = t.directory("source");
    let node = source.join("null").display().to_string();
    if !succeeds(Command::new(&t.host.busybox).args(["mknod", "-m", "666", &node, "c", "1", "3"])) {
        t.skip("needs to make device nodes");
    }
    for (option, printed) in [("nodev", "refused"), ("dev", "works")] {
        let bundle = t.bundle().bind(&source, "/mnt", &["bind", option]);
        t.run(&bundle.sh("(echo works >/mnt/null) 2>/dev/null && echo works || echo refused"))
            .ok()
            .prints(printed);
    }
}

fn the_flags_of_a_bind_mount_are_seen(t: &Case) {
    let source = t.directory("source");
    let bundle =
        t.bundle().bind(&source, "/mnt", &["rbind", "nosuid", "nodev", "noexec", "ro", "nodiratime"]);
    let mounts = mounts_inside(t, &bundle);
    for option in ["nosuid", "nodev", "noexec", "ro", "nodiratime"] {
        let mount = at(&mounts, "/mnt");
        assert!(mount.options.split(',').any(|o| o == option), "no {option}: {mount:?}");
    }
}

fn a_bind_mounted_symbolic_link_is_followed_on_the_host(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let link = t.path("link");
    symlink(&source, &link).expect("symlink");
    t.run(&t.bundle().bind(link, "/mnt", &["bind"]).args(&["/bin/ls", "/mnt"])).ok().prints("f");
}

fn tmpfs(options: &[&str]) -> Value {
    json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs", "options": options})
}

fn a_tmpfs_has_its_size(t: &Case) {
    let script = "dd if=/dev/zero of=/opt/f bs=1k count=300 2>/dev/null; stat -c %s /opt/f";
    t.run(&t.bundle().mount(tmpfs(&["size=64k"])).sh(script)).ok().prints("65536");
    t.run(&t.bundle().mount(tmpfs(&["size=1m"])).sh(script)).ok().prints("307200");
}

fn a_tmpfs_has_its_mode_and_owner(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["mode=0700", "uid=1000", "gid=2000"]));
    t.run(&bundle.args(&["/bin/stat", "-c", "%a %u %g", "/opt"])).ok().prints("700 1000 2000");
}

fn a_tmpfs_has_the_mode_of_the_directory_below_unless_told(t: &Case) {
    use std::os::unix::fs::PermissionsExt;
    let bundle = t.bundle().mount(tmpfs(&["nosuid"]));
    fs::set_permissions(bundle.in_rootfs("/opt"), fs::Permissions::from_mode(0o751)).expect("chmod");
    t.run(&bundle.args(&["/bin/stat", "-c", "%a", "/opt"])).ok().prints("751");
}

fn a_tmpfs_is_read_only_if_told(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["ro"])).sh("touch /opt/f 2>/dev/null || echo refused");
    t.run(&bundle).ok().prints("refused");
}

fn a_tmpfs_can_start_with_a_copy_of_what_it_covers(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["tmpcopyup"]));
    fs::create_dir(bundle.in_rootfs("/opt/dir")).expect("make a directory");
    fs::write(bundle.in_rootfs("/opt/dir/f"), "from below").expect("write");
    t.run(&bundle.clone().sh("cat /opt/dir/f; echo new >/opt/dir/f")).ok().prints("from below");
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/dir/f")).expect("read"), "from below");
}

fn a_target_that_is_a_symbolic_link_stays_inside(t: &Case) {
    let victim = t.directory("victim");
    let source = t.file("mine", "mounted");
    let bundle = t.bundle().bind(source, "/opt/link/file", &["bind"]);
    symlink(&victim, bundle.in_rootfs("/opt/link")).expect("symlink");
    let output = t.run(&bundle.sh("cat /opt/link/file"));
    assert_eq!(fs::read_dir(victim).expect("read").count(), 0, "something was made outside the root");
    if output.status.success() {
        output.prints("mounted");
    }
}

fn a_target_below_an_absolute_symbolic_link_stays_inside(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let bundle = t.bundle().bind(source, "/opt/etc/new", &["bind"]);
    symlink("/etc", bundle.in_rootfs("/opt/etc")).expect("symlink");
    t.run(&bundle.clone().sh("ls /etc/new")).ok().prints("f");
    assert!(!Path::new("/etc/new").exists(), "a directory was made on the host");
}

fn a_target_with_dots_stays_inside(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let outside = t.dir.join("bundle1/escaped");
    let bundle = t.bundle().bind(source, "/../../escaped", &["bind"]);
    let output = t.run(&bundle.sh("ls /escaped"));
    assert!(!outside.exists() && !t.dir.join("escaped").exists(), "a target was made outside the root");
    output.ok().prints("f");
}

fn atime_options_are_set(t: &Case) {
    for (option, shown) in [("noatime", "noatime"), ("relatime", "relatime")] {
        let mounts = mounts_inside(t, &t.bundle().mount(tmpfs(&[option])));
        assert!(at(&mounts, "/opt").has(shown), "{:?}", at(&mounts, "/opt"));
    }
    let mounts = mounts_inside(t, &t.bundle().mount(tmpfs(&["strictatime"])));
    let mount = at(&mounts, "/opt");
    assert!(!mount.has("relatime") && !mount.has("noatime"), "{mount:?}");
}

fn a_bind_mounted_device_works(t: &Case) {
    let bundle = t.bundle().bind("/dev/null", "/etc/nothing", &["bind"]);
    t.run(&bundle.sh("echo x >/etc/nothing && stat -c %t:%T /etc/nothing")).ok().prints("1:3");
}

fn many_mounts_work(t: &Case) {
    let source = t.directory("source");
    let bundle = (0..100).fold(t.bundle(), |bundle, i| bundle.bind(&source, &format!("/mnt/{i}"), &["bind"]));
    t.run(&bundle.sh("ls /mnt | wc -l; grep -c /mnt/ /proc/self/mountinfo")).ok().prints("100\n100");
}

fn a_mount_of_an_unknown_type_is_refused(t: &Case) {
    let mount = json!({"destination": "/opt", "type": "no-such-fs", "source": "none"});
    t.run(&t.bundle().mount(mount)).fails().says("/opt");
    t.assert_no_side_effects();
}

fn a_mount_on_a_missing_target_of_a_read_only_root_makes_the_target(t: &Case) {
    let mount = json!({"destination": "/made", "type": "tmpfs", "source": "tmpfs"});
    let bundle = t.bundle().mount(mount).sh("touch /made/f && ls /made");
    t.run(&bundle).ok().prints("f");
    assert!(bundle.in_rootfs("/made").is_dir());
}

fn a_source_with_spaces_works(t: &Case) {
    let source = t.directory("with some spaces, and a comma");
    fs::write(source.join("f"), "").expect("write");
    let bundle = t.bundle().bind(&source, "/mnt/with a space", &["bind", "ro"]);
    t.run(&bundle.args(&["/bin/ls", "/mnt/with a space"])).ok().prints("f");
}

fn lazytime_iversion_and_loud_are_options(t: &Case) {
    for option in ["lazytime", "nolazytime", "iversion", "noiversion", "loud", "silent"] {
        t.run(&t.bundle().mount(tmpfs(&[option]))).ok();
    }
    let mounts = mounts_inside(t, &t.bundle().mount(tmpfs(&["lazytime"])));
    assert!(at(&mounts, "/opt").has("lazytime"), "{:?}", at(&mounts, "/opt"));
}

fn a_symbolic_link_is_not_followed_on_a_mount_that_says_so(t: &Case) {
    let source = t.directory("source");
    symlink("/etc/passwd", source.join("link")).expect("symlink");
    for (option, printed) in [("symfollow", "2"), ("nosymfollow", "refused")] {
        let bundle = t.bundle().bind(&source, "/mnt", &["bind", option]);
        t.run(&bundle.sh("cat /mnt/link >/dev/null 2>&1 && wc -l </mnt/link || echo refused"))
            .ok()
            .prints(printed);
    }
}
