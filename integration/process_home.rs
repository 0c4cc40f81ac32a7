//! `HOME` where the configuration has none, and what an image may do about it; the groups of the caller.

use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;

use crate::harness::prelude::*;

cases!("process_home", root: [
    exec_has_the_home_of_its_user,
    a_home_that_is_configured_empty_stays_empty,
    a_passwd_behind_a_link_is_read_inside_the_root_only,
    a_passwd_that_is_a_fifo_is_not_waited_for,
    a_passwd_that_is_a_device_or_a_directory_is_no_passwd,
    a_passwd_of_endless_lines_is_no_passwd,
    lines_that_are_no_entries_are_passed_over,
    a_passwd_that_is_longer_than_any_is_not_read_to_its_end,
    a_home_in_a_user_namespace_is_that_of_the_inner_id,
    the_groups_of_the_caller_are_kept_if_told,
    groups_beside_those_that_are_kept_are_a_warning,
]);

const HOME: &str = "echo $HOME";

/// Without a passwd.
fn bare(t: &Case) -> Bundle {
    let bundle = t.bundle().sh(HOME);
    fs::remove_file(bundle.in_rootfs("/etc/passwd")).expect("remove");
    bundle
}

fn exec_has_the_home_of_its_user(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let home = |flags: &[&str]| {
        t.runtime(&[&["exec"], flags, &[container.id.as_str(), "/bin/sh", "-c", HOME]].concat()).run()
    };
    home(&[]).ok().prints("/root");
    home(&["--user", "1000:1000"]).ok().prints("/home/alice");
    home(&["--user", "1000:1000", "--env", "HOME=/opt"]).ok().prints("/opt");
}

fn a_home_that_is_configured_empty_stays_empty(t: &Case) {
    t.run(&t.bundle().env("HOME=").sh("echo \"<$HOME>\"")).ok().prints("<>");
}

fn a_passwd_behind_a_link_is_read_inside_the_root_only(t: &Case) {
    let outside = t.file("passwd", "root:x:0:0::/of/the/host:/bin/sh\n");
    let bundle = bare(t);
    symlink(&outside, bundle.in_rootfs("/etc/passwd")).expect("symlink");
    t.run(&bundle).ok().prints("/");
    let bundle = bare(t);
    fs::write(bundle.in_rootfs("/opt/passwd"), "root:x:0:0::/inside:/bin/sh\n").expect("write");
    symlink("../../../opt/passwd", bundle.in_rootfs("/etc/passwd")).expect("symlink");
    t.run(&bundle).ok().prints("/inside");
}

fn a_passwd_that_is_a_fifo_is_not_waited_for(t: &Case) {
    let bundle = bare(t);
    nix::unistd::mkfifo(&bundle.in_rootfs("/etc/passwd"), Mode::from_bits_truncate(0o644)).expect("mkfifo");
    t.run(&bundle).ok().prints("/");
}

fn a_passwd_that_is_a_device_or_a_directory_is_no_passwd(t: &Case) {
    let bundle = bare(t);
    fs::create_dir(bundle.in_rootfs("/etc/passwd")).expect("mkdir");
    t.run(&bundle).ok().prints("/");
    let bundle = bare(t);
    fs::write(bundle.in_rootfs("/etc/passwd"), "").expect("write");
    t.run(&bundle.bind("/dev/zero", "/etc/passwd", &["bind"])).ok().prints("/");
}

fn a_passwd_of_endless_lines_is_no_passwd(t: &Case) {
    let bundle = bare(t);
    let file = fs::File::create(bundle.in_rootfs("/etc/passwd")).expect("create");
    file.set_len(1 << 40).expect("a sparse file");
    t.run(&bundle).ok().prints("/");
}

fn lines_that_are_no_entries_are_passed_over(t: &Case) {
    let long = "x".repeat(100_000);
    let text = format!(
        "\n:::\n+::::::\n# root:x:0:0::/comment:\nshort:x:0\nroot:x:0x0:0::/hex:\n{long}:x:1:1:{long}:/{long}:\n\
         root:x:0:0:{long}:/right:/bin/sh\nroot:x:0:0::/second:/bin/sh\n"
    );
    let bundle = bare(t);
    fs::write(bundle.in_rootfs("/etc/passwd"), text).expect("write");
    t.run(&bundle).ok().prints("/right");
}

fn a_passwd_that_is_longer_than_any_is_not_read_to_its_end(t: &Case) {
    let line = "user:x:7:7::/home/user:/bin/sh\n";
    let text = line.repeat((8 << 20) / line.len()) + "root:x:0:0::/late:/bin/sh\n";
    let bundle = bare(t);
    fs::write(bundle.in_rootfs("/etc/passwd"), text).expect("write");
    t.run(&bundle).ok().prints("/");
}

fn a_home_in_a_user_namespace_is_that_of_the_inner_id(t: &Case) {
    let bundle = t.bundle().user_namespace(100_000).sh(HOME);
    t.run(&bundle.clone().set("/process/user", json!({"uid": 1000, "gid": 1000}))).ok().prints("/home/alice");
    t.run(&bundle).ok().prints("/root");
}

/// `run` by a caller with these groups besides its own.
fn run_with_groups(t: &Case, bundle: &Bundle) -> Output {
    let line = t.command_line("run", bundle, &[], &t.id());
    t.runtime(&line).through_shell("exec /usr/sbin/chroot --groups=0,4321 / \"$@\"").run()
}

const GROUPS: &[&str] = &["/bin/grep", "Groups", "/proc/self/status"];

fn keep(t: &Case) -> Bundle {
    t.bundle().set("/annotations", json!({"run.oci.keep_original_groups": "1"})).args(GROUPS)
}

fn the_groups_of_the_caller_are_kept_if_told(t: &Case) {
    let output = run_with_groups(t, &keep(t));
    assert_eq!(output.ok().stdout.trim_end(), "Groups:\t0 4321");
    let output = run_with_groups(t, &t.bundle().args(GROUPS));
    assert_eq!(output.ok().stdout.trim_end(), "Groups:");
}

fn groups_beside_those_that_are_kept_are_a_warning(t: &Case) {
    let output = run_with_groups(t, &keep(t).set("/process/user/additionalGids", json!([77])));
    assert_eq!(output.ok().stdout.trim_end(), "Groups:\t0 4321");
    output.says("additionalGids");
}
