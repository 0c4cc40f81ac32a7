//! crun's options for symbolic links at both ends of a bind mount.

use std::os::unix::fs::symlink;

use crate::harness::prelude::*;

cases!("mount_links", root: [
    a_source_that_is_a_link_can_be_mounted_itself,
    a_link_can_be_copied,
    a_copied_link_may_be_there_already,
    a_copied_link_replaces_nothing_else,
    a_source_that_is_no_link_is_mounted_though_links_are_copied,
    a_dangling_link_can_be_copied,
    a_copied_link_stays_in_the_root,
    a_target_that_is_a_link_can_be_covered_itself,
    a_target_that_is_no_link_is_as_ever,
    a_link_is_copied_in_a_user_namespace,
]);

fn link(t: &Case, to: &str) -> PathBuf {
    let link = t.path("link");
    symlink(to, &link).expect("symlink");
    link
}

fn a_source_that_is_a_link_can_be_mounted_itself(t: &Case) {
    let link = link(t, "/etc/passwd");
    let bundle = t.bundle().bind(link, "/opt/l", &["bind", "src-nofollow"]);
    t.run(&bundle.sh("readlink /opt/l; head -c 4 /opt/l")).ok().prints("/etc/passwd\nroot");
}

fn a_link_can_be_copied(t: &Case) {
    let link = link(t, "../etc/passwd");
    let bundle = t.bundle().bind(link, "/opt/new/l", &["bind", "copy-symlink"]);
    fs::create_dir(bundle.in_rootfs("/opt/new")).expect("make a directory");
    t.run(&bundle.clone().sh("readlink /opt/new/l; grep -c /opt/new /proc/self/mountinfo"))
        .prints("../etc/passwd\n0");
    let made = fs::read_link(bundle.in_rootfs("/opt/new/l")).expect("a link");
    assert_eq!(made, Path::new("../etc/passwd"));
}

fn a_copied_link_may_be_there_already(t: &Case) {
    let link = link(t, "/etc/passwd");
    let bundle = t.bundle().bind(link, "/opt/l", &["bind", "copy-symlink"]);
    symlink("/etc/passwd", bundle.in_rootfs("/opt/l")).expect("symlink");
    t.run(&bundle.args(&["/bin/readlink", "/opt/l"])).ok().prints("/etc/passwd");
}

fn a_copied_link_replaces_nothing_else(t: &Case) {
    let link = link(t, "/etc/passwd");
    for other in ["/etc/group", ""] {
        let bundle = t.bundle().bind(&link, "/opt/l", &["bind", "copy-symlink"]);
        match other {
            "" => fs::write(bundle.in_rootfs("/opt/l"), "mine").expect("write"),
            other => symlink(other, bundle.in_rootfs("/opt/l")).expect("symlink"),
        }
        t.run(&bundle).fails().says("/opt/l");
    }
    t.assert_no_side_effects();
}

fn a_source_that_is_no_link_is_mounted_though_links_are_copied(t: &Case) {
    let file = t.file("mine", "of the host");
    let bundle = t.bundle().bind(file, "/opt/f", &["bind", "copy-symlink"]);
    t.run(&bundle.args(&["/bin/cat", "/opt/f"])).ok().prints("of the host");
}

fn a_dangling_link_can_be_copied(t: &Case) {
    let link = link(t, "nowhere");
    let bundle = t.bundle().bind(link, "/opt/l", &["bind", "copy-symlink"]);
    t.run(&bundle.args(&["/bin/readlink", "/opt/l"])).ok().prints("nowhere");
}

fn a_copied_link_stays_in_the_root(t: &Case) {
    let link = link(t, "/etc/passwd");
    let outside = t.directory("outside");
    let bundle = t.bundle().bind(link, "/opt/out/l", &["bind", "copy-symlink"]);
    symlink(&outside, bundle.in_rootfs("/opt/out")).expect("symlink");
    t.run(&bundle);
    assert_eq!(fs::read_dir(outside).expect("read").count(), 0, "a link was made outside the root");
}

fn a_target_that_is_a_link_can_be_covered_itself(t: &Case) {
    let file = t.file("mine", "of the host");
    let bundle = t.bundle().bind(&file, "/opt/l", &["bind", "dest-nofollow"]);
    symlink("/etc/passwd", bundle.in_rootfs("/opt/l")).expect("symlink");
    t.run(&bundle.sh("cat /opt/l; head -c 4 /etc/passwd")).ok().prints("of the hostroot");
    let bundle = t.bundle().bind(&file, "/opt/l", &["bind"]);
    symlink("/etc/passwd", bundle.in_rootfs("/opt/l")).expect("symlink");
    t.run(&bundle.sh("cat /etc/passwd")).ok().prints("of the host");
}

fn a_target_that_is_no_link_is_as_ever(t: &Case) {
    let file = t.file("mine", "of the host");
    let bundle = t.bundle().bind(&file, "/opt/new/f", &["bind", "dest-nofollow"]);
    let bundle = bundle.bind(&file, "/etc/passwd", &["bind", "dest-nofollow"]);
    t.run(&bundle.sh("cat /opt/new/f /etc/passwd")).ok().prints("of the hostof the host");
}

fn a_link_is_copied_in_a_user_namespace(t: &Case) {
    let link = link(t, "nowhere");
    let bundle = t.bundle().user_namespace(100_000).bind(link, "/opt/l", &["bind", "copy-symlink"]);
    std::os::unix::fs::chown(bundle.in_rootfs("/opt"), Some(100_000), Some(100_000)).expect("chown");
    t.run(&bundle.args(&["/bin/readlink", "/opt/l"])).ok().prints("nowhere");
}
