//! Options of `mounts` that are neither attributes nor propagation: `remount`, flags of the superblock, data.

use crate::harness::mountinfo::{self, Mount, at};
use crate::harness::prelude::*;

cases!("mount_options", root: [
    a_remount_changes_the_size_of_a_tmpfs,
    a_remount_makes_a_mount_read_only,
    a_remount_makes_a_mount_writable_again,
    a_remount_leaves_what_it_does_not_name,
    a_remount_of_a_bind_mount_leaves_the_filesystem_alone,
    a_recursive_remount_reaches_the_mounts_below,
    a_remount_of_the_root_is_one,
    a_remount_of_nothing_is_refused,
    a_remount_with_data_that_make_no_sense_is_refused,
    flags_of_the_superblock_are_set,
    flags_of_the_superblock_are_cleared_by_their_opposites,
    iversion_goes_with_all_other_options,
    data_may_come_in_one_string,
    proc_has_its_options,
    a_relative_destination_begins_at_the_root,
    what_a_bind_mount_has_no_use_for_is_left_out,
    two_instances_of_devpts_are_apart,
    a_sysfs_is_writable_if_told,
]);

fn mounts_inside(t: &Case, bundle: &Bundle) -> Vec<Mount> {
    let output = t.run(&bundle.clone().args(&["/bin/cat", "/proc/self/mountinfo"]));
    mountinfo::parse(&output.ok().stdout)
}

fn tmpfs(options: &[&str]) -> Value {
    json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs", "options": options})
}

fn remount(options: &[&str]) -> Value {
    let mut all = vec!["remount"];
    all.extend(options);
    json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs", "options": all})
}

const FILL: &str = "dd if=/dev/zero of=/opt/f bs=1k count=300 2>/dev/null; stat -c %s /opt/f";

fn a_remount_changes_the_size_of_a_tmpfs(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["size=64k"]));
    t.run(&bundle.clone().sh(FILL)).ok().prints("65536");
    t.run(&bundle.mount(remount(&["size=1m"])).sh(FILL)).ok().prints("307200");
}

const WRITE: &str = "touch /opt/f 2>/dev/null && echo written || echo refused";

fn a_remount_makes_a_mount_read_only(t: &Case) {
    for how in [&["ro"][..], &["bind", "ro"]] {
        let bundle = t.bundle().mount(tmpfs(&[])).mount(remount(how));
        t.run(&bundle.sh(WRITE)).ok().prints("refused");
    }
}

fn a_remount_makes_a_mount_writable_again(t: &Case) {
    for how in [&["rw"][..], &["bind", "rw"]] {
        let bundle = t.bundle().mount(tmpfs(&["ro"])).mount(remount(how));
        t.run(&bundle.sh(WRITE)).ok().prints("written");
    }
}

fn a_remount_leaves_what_it_does_not_name(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["nosuid", "mode=0751", "size=64k"])).mount(remount(&["noexec"]));
    let mounts = mounts_inside(t, &bundle);
    for option in ["nosuid", "noexec", "mode=751", "size=64k"] {
        assert!(at(&mounts, "/opt").has(option), "no {option}: {:?}", at(&mounts, "/opt"));
    }
}

fn a_remount_of_a_bind_mount_leaves_the_filesystem_alone(t: &Case) {
    let source = t.directory("source");
    let again = json!({"destination": "/opt", "options": ["bind", "remount", "ro"]});
    let bundle = t.bundle().bind(&source, "/opt", &["bind"]).mount(again);
    t.run(&bundle.sh(WRITE)).ok().prints("refused");
    fs::write(source.join("g"), "").expect("the host can still write");
}

fn a_recursive_remount_reaches_the_mounts_below(t: &Case) {
    let below = json!({"destination": "/opt/below", "type": "tmpfs", "source": "tmpfs"});
    let bundle = t.bundle().mount(tmpfs(&[])).mount(below).mount(remount(&["bind", "rro"]));
    t.run(&bundle.sh("touch /opt/below/f 2>/dev/null || echo refused")).ok().prints("refused");
}

fn a_remount_of_the_root_is_one(t: &Case) {
    let root = json!({"destination": "/", "options": ["bind", "remount", "nodev", "noatime"]});
    let mounts = mounts_inside(t, &t.bundle().writable().mount(root));
    let root = at(&mounts, "/");
    assert!(root.has("nodev") && root.has("noatime"), "{root:?}");
}

fn a_remount_of_nothing_is_refused(t: &Case) {
    for options in [&["remount", "ro"][..], &["remount", "bind", "ro"]] {
        for target in ["/opt", "/nowhere"] {
            let mount = json!({"destination": target, "type": "tmpfs", "options": options});
            t.run(&t.bundle().mount(mount)).fails().says(target);
        }
    }
    t.assert_no_side_effects();
}

fn a_remount_with_data_that_make_no_sense_is_refused(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&[])).mount(remount(&["size=lots"]));
    t.run(&bundle).fails().says("/opt");
    t.assert_no_side_effects();
}

fn flags_of_the_superblock_are_set(t: &Case) {
    for option in ["sync", "dirsync", "lazytime"] {
        let mounts = mounts_inside(t, &t.bundle().mount(tmpfs(&[option])));
        assert!(at(&mounts, "/opt").has(option), "{option}: {:?}", at(&mounts, "/opt"));
        let later = t.bundle().mount(tmpfs(&[])).mount(remount(&[option]));
        if option == "dirsync" {
            // The kernel changes all but this one.
            t.run(&later).fails().says("/opt");
            continue;
        }
        let mounts = mounts_inside(t, &later);
        assert!(at(&mounts, "/opt").has(option), "remount,{option}: {:?}", at(&mounts, "/opt"));
    }
    // No kernel since 5.15 does anything for it.
    for option in ["mand", "nomand"] {
        t.run(&t.bundle().mount(tmpfs(&[option]))).ok();
    }
}

fn flags_of_the_superblock_are_cleared_by_their_opposites(t: &Case) {
    for (on, off) in [("sync", "async"), ("lazytime", "nolazytime")] {
        for bundle in
            [t.bundle().mount(tmpfs(&[on, off])), t.bundle().mount(tmpfs(&[on])).mount(remount(&[off]))]
        {
            let mounts = mounts_inside(t, &bundle);
            assert!(!at(&mounts, "/opt").has(on), "{off}: {:?}", at(&mounts, "/opt"));
        }
    }
}

fn iversion_goes_with_all_other_options(t: &Case) {
    let options = ["iversion", "size=64k", "mode=0751", "uid=7", "nosuid", "sync", "noatime"];
    let bundle = t.bundle().mount(tmpfs(&options));
    let mounts = mounts_inside(t, &bundle);
    let mount = at(&mounts, "/opt");
    assert!(
        ["size=64k", "mode=751", "uid=7", "nosuid", "sync", "noatime"].iter().all(|o| mount.has(o)),
        "{mount:?}"
    );
    assert_eq!(mounts.iter().filter(|m| m.fs_type == "tmpfs" && m.has("uid=7")).count(), 1);
    let bundle = t.bundle().mount(tmpfs(&["iversion", "ro"]));
    t.run(&bundle.sh(WRITE)).ok().prints("refused");
    t.run(&t.bundle().mount(tmpfs(&["iversion", "noiversion"])).sh(WRITE)).ok().prints("written");
    t.run(&t.bundle().mount(tmpfs(&["iversion", "size=lots"]))).fails().says("/opt");
}

fn data_may_come_in_one_string(t: &Case) {
    let bundle = t.bundle().mount(tmpfs(&["size=64k,mode=0777", "uid=5"]));
    t.run(&bundle.sh(
        "stat -c '%a %u' /opt; dd if=/dev/zero of=/opt/f bs=1k count=300 2>/dev/null; stat -c %s /opt/f",
    ))
    .ok()
    .prints("777 5\n65536");
}

fn proc_has_its_options(t: &Case) {
    let mut bundle = t.bundle();
    for mount in bundle.list("/mounts").iter_mut().filter(|m| m["destination"] == "/proc") {
        mount["options"] = json!(["hidepid=2", "nosuid"]);
    }
    t.run(&bundle.clone().sh("ls -d /proc/1")).ok().prints("/proc/1");
    let other = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let container = t.launch(&other.sh("sleep 300"));
    let output = t.runtime(&["exec", "--user", "1001:1001", &container.id, "ls", "-d", "/proc/1"]).run();
    output.fails();
    container.delete_by_force().ok();
}

fn a_relative_destination_begins_at_the_root(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    t.run(&t.bundle().bind(&source, "opt/new", &["bind"]).args(&["/bin/ls", "/opt/new"])).ok().prints("f");
}

fn what_a_bind_mount_has_no_use_for_is_left_out(t: &Case) {
    let source = t.directory("source");
    fs::write(source.join("f"), "").expect("write");
    let bundle = t.bundle().bind(source, "/mnt", &["rbind", "mode=755", "sync", "size=1k"]);
    t.run(&bundle.args(&["/bin/ls", "/mnt"])).ok().prints("f");
}

fn two_instances_of_devpts_are_apart(t: &Case) {
    let other = json!({"destination": "/opt", "type": "devpts", "source": "devpts",
        "options": ["newinstance", "ptmxmode=0600", "mode=0600", "max=3"]});
    let script = "ls -l /opt/ptmx | cut -c 1-10; exec 3<>/opt/ptmx; ls /opt /dev/pts";
    t.run(&t.bundle().mount(other).sh(script)).ok().prints("crw-------\n/dev/pts:\nptmx\n\n/opt:\n0\nptmx");
}

fn a_sysfs_is_writable_if_told(t: &Case) {
    for (option, shown) in [("ro", "ro"), ("rw", "rw")] {
        let mount =
            json!({"destination": "/opt", "type": "sysfs", "source": "sysfs", "options": [option, "nosuid"]});
        let mounts = mounts_inside(t, &t.bundle().mount(mount));
        assert!(at(&mounts, "/opt").options.starts_with(shown), "{:?}", at(&mounts, "/opt"));
    }
    let host = mountinfo::of("self").expect("mountinfo");
    let sys = host.iter().find(|m| m.target == Path::new("/sys")).expect("the host's /sys");
    assert!(!sys.super_options.split(',').any(|o| o == "ro"), "the host's sysfs became read-only");
}
