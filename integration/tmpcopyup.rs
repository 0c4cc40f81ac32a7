//! The mount option `tmpcopyup`: a tmpfs begins with a copy of what it covers.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::harness::prelude::*;

cases!("tmpcopyup", root: [
    the_copy_has_the_files_and_the_image_stays_as_it_is,
    owners_modes_and_times_are_copied,
    symbolic_links_are_copied_and_not_followed,
    devices_fifos_and_sockets_are_copied,
    extended_attributes_are_copied,
    holes_stay_holes,
    a_large_tree_is_copied,
    a_deep_tree_is_copied,
    what_is_mounted_there_already_is_copied,
    the_root_of_the_copy_is_as_what_it_covers,
    a_mode_that_is_told_wins,
    a_read_only_copy_is_filled_first,
    a_copy_behind_a_link_stays_in_the_root,
    a_tree_that_does_not_fit_is_an_error,
    a_copy_in_a_user_namespace_has_its_owners,
    it_is_for_tmpfs_alone,
    a_low_limit_of_open_files_is_enough,
]);

fn copied(options: &[&str]) -> Value {
    let mut all = vec!["tmpcopyup"];
    all.extend(options);
    json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs", "options": all})
}

fn bundle(t: &Case) -> Bundle {
    t.bundle().mount(copied(&[]))
}

fn the_copy_has_the_files_and_the_image_stays_as_it_is(t: &Case) {
    let bundle = bundle(t);
    fs::create_dir_all(bundle.in_rootfs("/opt/a/b")).expect("make directories");
    for (path, text) in [("/opt/f", "one"), ("/opt/a/f", "two"), ("/opt/a/b/f", "three")] {
        fs::write(bundle.in_rootfs(path), text).expect("write");
    }
    fs::write(bundle.in_rootfs("/opt/empty"), "").expect("write");
    let script = "cat /opt/f /opt/a/f /opt/a/b/f /opt/empty; echo; rm -r /opt/a; echo new >/opt/f; ls /opt";
    t.run(&bundle.clone().sh(script)).ok().prints("onetwothree\nempty\nf");
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/f")).expect("read"), "one");
    assert!(bundle.in_rootfs("/opt/a/b/f").exists());
}

fn owners_modes_and_times_are_copied(t: &Case) {
    let bundle = bundle(t);
    let (file, dir) = (bundle.in_rootfs("/opt/f"), bundle.in_rootfs("/opt/d"));
    fs::write(&file, "x").expect("write");
    fs::create_dir(&dir).expect("make a directory");
    fs::write(dir.join("in"), "").expect("write");
    for (path, mode) in [(&file, 0o6751), (&dir, 0o3570)] {
        chown(path, Some(1000), Some(2000)).expect("chown");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 0);
        let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
        File::open(path).expect("open").set_times(times).expect("set times");
    }
    let bundle = bundle.args(&["/bin/stat", "-c", "%a %u %g %Y", "/opt/f", "/opt/d"]);
    t.run(&bundle).ok().prints("6751 1000 2000 1000000000\n3570 1000 2000 1000000000");
}

fn symbolic_links_are_copied_and_not_followed(t: &Case) {
    let bundle = bundle(t);
    let outside = t.directory("outside");
    fs::write(outside.join("secret"), "of the host").expect("write");
    symlink(&outside, bundle.in_rootfs("/opt/absolute")).expect("symlink");
    symlink("../etc/passwd", bundle.in_rootfs("/opt/relative")).expect("symlink");
    symlink("nowhere", bundle.in_rootfs("/opt/dangling")).expect("symlink");
    std::os::unix::fs::lchown(bundle.in_rootfs("/opt/dangling"), Some(7), Some(8)).expect("lchown");
    let script = "for l in absolute relative dangling; do readlink /opt/$l; done; ls /opt/absolute 2>&1 | grep -c secret; \
        stat -c '%u %g' /opt/dangling";
    let expected = format!("{}\n../etc/passwd\nnowhere\n0\n7 8", outside.display());
    t.run(&bundle.sh(script)).ok().prints(&expected);
}

fn devices_fifos_and_sockets_are_copied(t: &Case) {
    let bundle = bundle(t);
    let node = |name: &str, kind, device| {
        mknod(&bundle.in_rootfs(name), kind, Mode::from_bits_truncate(0o640), device)
    };
    if node("/opt/null", SFlag::S_IFCHR, makedev(1, 3)).is_err() {
        t.skip("needs to make device nodes");
    }
    node("/opt/disk", SFlag::S_IFBLK, makedev(7, 200)).expect("mknod");
    node("/opt/fifo", SFlag::S_IFIFO, 0).expect("mknod");
    node("/opt/socket", SFlag::S_IFSOCK, 0).expect("mknod");
    let script =
        "stat -c '%F %a %t:%T' /opt/null /opt/disk /opt/fifo /opt/socket; echo x >/opt/null && echo written";
    t.run(&bundle.clone().any_node().sh(script)).ok().prints(
        "character special file 640 1:3\nblock special file 640 7:c8\nfifo 640 0:0\nsocket 640 0:0\nwritten",
    );
}

fn extended_attributes_are_copied(t: &Case) {
    let bundle = bundle(t);
    let (file, dir) = (bundle.in_rootfs("/opt/f"), bundle.in_rootfs("/opt/d"));
    fs::write(&file, "x").expect("write");
    fs::create_dir(&dir).expect("make a directory");
    // A capability of the file: version 2, effective, CAP_NET_RAW permitted.
    let mut capability = [0u8; 20];
    capability[..8].copy_from_slice(&[1, 0, 0, 2, 0, 0x20, 0, 0]);
    let set = |path: &Path, name: &str, value: &[u8]| setxattr(path, name, value, XattrFlags::empty());
    if set(&file, "security.capability", &capability).is_err() || set(&dir, "trusted.t", b"value").is_err() {
        t.skip("needs a filesystem with extended attributes");
    }
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let opt = PathBuf::from(format!("/proc/{}/root/opt", container.pid()));
    let get = |name: &str, attribute: &str| {
        let mut value = vec![0u8; 64];
        let attribute = CString::new(attribute).expect("no NUL");
        let n = getxattr(opt.join(name), &attribute, &mut value[..]).expect("the attribute");
        value.truncate(n);
        value
    };
    assert_eq!(get("f", "security.capability"), capability);
    assert_eq!(get("d", "trusted.t"), b"value");
    container.delete_by_force().ok();
}

fn holes_stay_holes(t: &Case) {
    let bundle = t.bundle().mount(copied(&["size=1m"]));
    let file = File::create(bundle.in_rootfs("/opt/sparse")).expect("create");
    file.set_len(1 << 30).expect("make it long");
    file.write_all_at(b"middle", 1 << 29).expect("write");
    let script =
        "stat -c %s /opt/sparse; dd if=/opt/sparse bs=4096 skip=131072 count=1 2>/dev/null | head -c 6";
    t.run(&bundle.sh(script)).ok().prints("1073741824\nmiddle");
}

fn a_large_tree_is_copied(t: &Case) {
    let bundle = bundle(t);
    for dir in 0..300 {
        let dir = bundle.in_rootfs(&format!("/opt/directory-{dir}"));
        fs::create_dir(&dir).expect("make a directory");
        for file in 0..20 {
            fs::write(dir.join(format!("a-file-with-a-long-name-{file}")), format!("{file}")).expect("write");
        }
    }
    fs::write(bundle.in_rootfs("/opt/large"), vec![b'x'; 5_000_001]).expect("write");
    let script = "find /opt -type d | wc -l; find /opt -type f | wc -l; find /opt -type f | sort -u | wc -l; \
        stat -c %s /opt/large; cat /opt/directory-299/a-file-with-a-long-name-19";
    t.run(&bundle.sh(script)).ok().prints("301\n6001\n6001\n5000001\n19");
}

/// As deep as the harness can remove it with 1024 fds.
fn a_deep_tree_is_copied(t: &Case) {
    let bundle = bundle(t);
    let path = bundle.in_rootfs(&format!("/opt{}", "/d".repeat(500)));
    fs::create_dir_all(&path).expect("make directories");
    fs::write(path.join("f"), "deep").expect("write");
    t.run(&bundle.sh("find /opt -type d | wc -l; find /opt -name f | xargs cat")).ok().prints("501\ndeep");
}

fn what_is_mounted_there_already_is_copied(t: &Case) {
    let source = t.directory("source");
    let below = t.directory("source/below");
    mount(Some("none"), &below, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
    fs::write(below.join("f"), "in a mount").expect("write");
    fs::write(source.join("after"), "").expect("write");
    let bundle = t.bundle().bind(&source, "/opt", &["rbind"]).mount(copied(&[]));
    let output = t.run(&bundle.sh("cat /opt/below/f; ls /opt; touch /opt/below/new"));
    let clean = !below.join("new").exists();
    umount2(&below, MntFlags::MNT_DETACH).expect("umount");
    output.ok().prints("in a mountafter\nbelow");
    assert!(clean, "written through");
}

fn the_root_of_the_copy_is_as_what_it_covers(t: &Case) {
    let bundle = bundle(t);
    chown(bundle.in_rootfs("/opt"), Some(1000), Some(2000)).expect("chown");
    fs::set_permissions(bundle.in_rootfs("/opt"), fs::Permissions::from_mode(0o1750)).expect("chmod");
    t.run(&bundle.args(&["/bin/stat", "-c", "%a %u %g", "/opt"])).ok().prints("1750 1000 2000");
}

fn a_mode_that_is_told_wins(t: &Case) {
    let bundle = t.bundle().mount(copied(&["mode=0705", "uid=5", "gid=6"]));
    chown(bundle.in_rootfs("/opt"), Some(1000), Some(2000)).expect("chown");
    fs::write(bundle.in_rootfs("/opt/f"), "").expect("write");
    t.run(&bundle.sh("stat -c '%a %u %g' /opt; stat -c %u /opt/f")).ok().prints("705 5 6\n0");
}

fn a_read_only_copy_is_filled_first(t: &Case) {
    let bundle = t.bundle().mount(copied(&["ro", "nosuid"]));
    fs::write(bundle.in_rootfs("/opt/f"), "x").expect("write");
    t.run(&bundle.sh("cat /opt/f; touch /opt/g 2>/dev/null || echo ' refused'")).ok().prints("x refused");
}

fn a_copy_behind_a_link_stays_in_the_root(t: &Case) {
    let outside = t.directory("outside");
    fs::write(outside.join("secret"), "of the host").expect("write");
    let bundle = t.bundle().mount(json!({"destination": "/opt/link", "type": "tmpfs", "source": "tmpfs",
        "options": ["tmpcopyup"]}));
    symlink(&outside, bundle.in_rootfs("/opt/link")).expect("symlink");
    fs::create_dir_all(bundle.in_rootfs(outside.to_str().expect("text"))).expect("make directories");
    let output = t.run(&bundle.sh("find / -xdev -name secret; find /opt/link/ -name secret"));
    assert!(!output.stdout.contains("secret"), "{}", output.stdout);
}

fn a_tree_that_does_not_fit_is_an_error(t: &Case) {
    let bundle = t.bundle().mount(copied(&["size=64k"]));
    fs::write(bundle.in_rootfs("/opt/large"), vec![b'x'; 200_000]).expect("write");
    let output = t.run(&bundle);
    output.fails().says("large");
    t.assert_no_side_effects();
}

fn a_copy_in_a_user_namespace_has_its_owners(t: &Case) {
    let bundle = bundle(t).user_namespace(100_000);
    for (name, uid) in [("root", 100_000), ("alice", 101_000), ("stranger", 5)] {
        let path = bundle.in_rootfs(&format!("/opt/{name}"));
        fs::write(&path, "").expect("write");
        chown(&path, Some(uid), Some(uid)).expect("chown");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).expect("chmod");
    }
    let bundle = bundle.sh("cd /opt; stat -c '%u %g %a' root alice; [ $(stat -c %u stranger) = 0 ] && [ -u stranger ] && echo trap");
    t.run(&bundle).prints("0 0 4755\n1000 1000 4755");
    let inside = t.bundle().user_namespace(100_000);
    let mode = fs::metadata(inside.in_rootfs("/opt")).expect("stat").mode();
    assert_eq!(mode & 0o7777, 0o755);
}

fn it_is_for_tmpfs_alone(t: &Case) {
    let source = t.directory("source");
    t.run(&t.bundle().bind(source, "/opt", &["bind", "tmpcopyup"])).fails().says("tmpcopyup");
    t.assert_no_side_effects();
}

fn a_low_limit_of_open_files_is_enough(t: &Case) {
    let bundle = bundle(t);
    let deep = format!("/opt{}", "/d".repeat(100));
    fs::create_dir_all(bundle.in_rootfs(&deep)).expect("make directories");
    let bundle = bundle.set("/process/rlimits", json!([])).sh(&format!("ls -d {deep}"));
    let id = t.id();
    let line = t.command_line("run", &bundle, &[], &id);
    t.runtime(&line).through_shell("ulimit -n 64; exec \"$@\"").run().ok().prints(&deep);
}
