//! `/dev`: default nodes and links, `linux.devices`, and who may use a device.

use std::os::unix::fs::FileTypeExt;

use crate::harness::prelude::*;

cases!("devices", root: [
    the_default_devices_are_there,
    the_default_devices_work,
    the_default_links_are_there,
    ptmx_makes_a_terminal_of_the_container,
    there_is_no_console_without_a_terminal,
    there_is_no_device_of_the_host,
    a_device_of_the_configuration_is_made,
    a_fifo_of_the_configuration_is_made,
    a_device_in_a_directory_of_its_own_is_made,
    a_device_outside_dev_is_made,
    a_file_that_is_no_such_device_is_an_error,
    a_device_that_is_there_already_is_used,
    a_device_has_mode_0666_unless_told,
    a_device_that_is_not_allowed_cannot_be_opened,
    a_device_that_is_allowed_can_be_opened,
    a_device_allowed_for_reading_cannot_be_written_to,
    a_later_device_rule_overrides_an_earlier_one,
    the_default_devices_work_whatever_the_rules_say,
    a_rule_for_all_minors_is_for_all_minors,
    without_device_rules_the_host_devices_stay_denied_or_absent,
    a_device_named_like_a_default_one_replaces_it,
    a_device_does_not_get_the_umask_of_the_caller,
]);

fn the_default_devices_are_there(t: &Case) {
    let script =
        "stat -c '%n %F %t:%T %a %u %g' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty";
    let expected = [
        ("null", "1:3"),
        ("zero", "1:5"),
        ("full", "1:7"),
        ("random", "1:8"),
        ("urandom", "1:9"),
        ("tty", "5:0"),
    ];
    let lines =
        expected.map(|(name, numbers)| format!("/dev/{name} character special file {numbers} 666 0 0"));
    t.run(&t.bundle().sh(script)).ok().prints(&lines.join("\n"));
}

fn the_default_devices_work(t: &Case) {
    let script = "echo x >/dev/null && cat /dev/null && head -c 4 /dev/zero | od -An -tx1; \
                  (echo x >/dev/full) 2>&1 | grep -o 'No space left'; \
                  head -c 8 /dev/urandom | wc -c; head -c 8 /dev/random | wc -c";
    t.run(&t.bundle().sh(script)).ok().prints("00 00 00 00\nNo space left\n8\n8");
}

fn the_default_links_are_there(t: &Case) {
    let script =
        "for f in fd stdin stdout stderr ptmx; do readlink /dev/$f; done; echo through >>/dev/stdout";
    let links = "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx";
    let output = t.run(&t.bundle().sh(&format!("{script}; echo also >>/dev/fd/1")));
    output.ok().prints(&format!("{links}\nthrough\nalso"));
}

fn ptmx_makes_a_terminal_of_the_container(t: &Case) {
    let script = "exec 3<>/dev/ptmx && ls /dev/pts | sort | tr '\\n' ' '";
    t.run(&t.bundle().sh(script)).ok().prints("0 ptmx");
}

fn there_is_no_console_without_a_terminal(t: &Case) {
    t.run(&t.bundle().sh("ls -d /dev/console 2>/dev/null || echo none")).ok().prints("none");
}

fn there_is_no_device_of_the_host(t: &Case) {
    let script =
        "for f in /dev/* /dev/*/*; do test -L $f || { test -b $f || test -c $f; } && echo $f; done | sort";
    let expected = "/dev/fd /dev/full /dev/null /dev/ptmx /dev/pts/ptmx /dev/random /dev/stderr /dev/stdin \
                    /dev/stdout /dev/tty /dev/urandom /dev/zero";
    let output = t.run(&t.bundle().sh(script));
    let found: Vec<&str> = output
        .ok()
        .stdout
        .split_whitespace()
        .filter(|f| !f.starts_with("/dev/fd/") && *f != "/dev/core")
        .collect();
    assert_eq!(found.join(" "), expected);
}

/// A device of the configuration, and what `stat` says of it.
fn device(t: &Case, device: Value, path: &str) -> String {
    let bundle = t.bundle().writable().set("/linux/devices", json!([device]));
    let output = t.run(&bundle.args(&["/bin/stat", "-c", "%F %t:%T %a %u %g", path]));
    output.ok().text().to_string()
}

fn a_device_of_the_configuration_is_made(t: &Case) {
    let character = json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 7, "fileMode": 0o640,
        "uid": 1000, "gid": 2000});
    assert_eq!(device(t, character, "/dev/mine"), "character special file 1:7 640 1000 2000");
    let block = json!({"path": "/dev/block", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600});
    assert_eq!(device(t, block, "/dev/block"), "block special file 7:c8 600 0 0");
    let unbuffered = json!({"path": "/dev/u", "type": "u", "major": 1, "minor": 3, "fileMode": 0o666});
    assert_eq!(device(t, unbuffered, "/dev/u"), "character special file 1:3 666 0 0");
}

fn a_fifo_of_the_configuration_is_made(t: &Case) {
    let fifo = json!({"path": "/dev/queue", "type": "p", "fileMode": 0o622, "uid": 5, "gid": 6});
    assert_eq!(device(t, fifo, "/dev/queue"), "fifo 0:0 622 5 6");
    let bundle = t.bundle().set("/linux/devices", json!([{"path": "/dev/queue", "type": "p"}]));
    t.run(&bundle.sh("(echo through >/dev/queue &); cat /dev/queue")).ok().prints("through");
}

fn a_device_in_a_directory_of_its_own_is_made(t: &Case) {
    let node = json!({"path": "/dev/net/deep/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666});
    assert_eq!(device(t, node, "/dev/net/deep/mine"), "character special file 1:3 666 0 0");
}

fn a_device_outside_dev_is_made(t: &Case) {
    let node = json!({"path": "/opt/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666});
    assert_eq!(device(t, node, "/opt/mine"), "character special file 1:3 666 0 0");
}

/// config-linux.md: if a file is there that does not match, the runtime must generate an error.
fn a_file_that_is_no_such_device_is_an_error(t: &Case) {
    let device = |kind: &str, minor: u32| json!([{"path": "/opt/mine", "type": kind, "major": 1, "minor": minor, "fileMode": 0o666}]);
    let bundle = t.bundle().writable();
    let there = bundle.in_rootfs("/opt/mine");
    fs::write(&there, "a file").expect("write");
    t.run(&bundle.clone().set("/linux/devices", device("c", 3))).fails().says("/opt/mine");
    t.assert_no_side_effects();
    assert_eq!(fs::read_to_string(&there).expect("read"), "a file");
    fs::remove_file(&there).expect("remove");
    t.run(&bundle.clone().set("/linux/devices", device("c", 3)).args(&["/bin/true"])).ok();
    for other in [device("c", 5), device("b", 3), device("p", 0)] {
        t.run(&bundle.clone().set("/linux/devices", other)).fails().says("/opt/mine");
    }
}

fn a_device_that_is_there_already_is_used(t: &Case) {
    let node = json!([{"path": "/opt/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}]);
    let bundle = t.bundle().writable().set("/linux/devices", node);
    for _ in 0..2 {
        t.run(&bundle.clone().args(&["/bin/stat", "-c", "%F %t:%T", "/opt/mine"]))
            .ok()
            .prints("character special file 1:3");
    }
}

fn a_device_has_mode_0666_unless_told(t: &Case) {
    let node = json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 3});
    assert_eq!(device(t, node, "/dev/mine"), "character special file 1:3 666 0 0");
}

/// What a shell can do with `/dev/kmsg` (1:11) under these rules: `r`, `w`, both or nothing.
fn access(t: &Case, rules: Value) -> String {
    if !fs::metadata("/dev/kmsg").is_ok_and(|m| m.file_type().is_char_device()) {
        t.skip("needs /dev/kmsg");
    }
    let node = json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666});
    let bundle = t.bundle().set("/linux/devices", json!([node])).set("/linux/resources/devices", rules);
    let bundle = bundle.capabilities(&["CAP_SYSLOG"]);
    let script = "(: </dev/mine) 2>/dev/null && printf r; (: >/dev/mine) 2>/dev/null && printf w; echo .";
    let output = t.run(&bundle.sh(script));
    output.ok().text().trim_end_matches('.').to_string()
}

fn deny_all() -> Value {
    json!({"allow": false, "access": "rwm"})
}

fn a_device_that_is_not_allowed_cannot_be_opened(t: &Case) {
    assert_eq!(access(t, json!([deny_all()])), "");
}

fn a_device_that_is_allowed_can_be_opened(t: &Case) {
    let allow = json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rwm"});
    assert_eq!(access(t, json!([deny_all(), allow])), "rw");
}

fn a_device_allowed_for_reading_cannot_be_written_to(t: &Case) {
    let allow = |access: &str| json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": access});
    assert_eq!(access(t, json!([deny_all(), allow("r")])), "r");
    assert_eq!(access(t, json!([deny_all(), allow("w")])), "w");
}

fn a_later_device_rule_overrides_an_earlier_one(t: &Case) {
    let rule = |allow: bool| json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": "rwm"});
    assert_eq!(access(t, json!([deny_all(), rule(true), rule(false)])), "");
    assert_eq!(access(t, json!([deny_all(), rule(false), rule(true)])), "rw");
}

fn the_default_devices_work_whatever_the_rules_say(t: &Case) {
    let script = "echo x >/dev/null && head -c 2 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c";
    let bundle = t.bundle().set("/linux/resources/devices", json!([deny_all()]));
    t.run(&bundle.sh(script)).ok().prints("2\n2");
}

fn a_rule_for_all_minors_is_for_all_minors(t: &Case) {
    let all = json!({"allow": true, "type": "c", "major": 1, "access": "rw"});
    assert_eq!(access(t, json!([deny_all(), all])), "rw");
    let any = json!({"allow": true, "type": "a", "access": "rwm"});
    assert_eq!(access(t, json!([deny_all(), any])), "rw");
    let other = json!({"allow": true, "type": "b", "major": 1, "access": "rw"});
    assert_eq!(access(t, json!([deny_all(), other])), "");
}

fn without_device_rules_the_host_devices_stay_denied_or_absent(t: &Case) {
    let bundle = t
        .bundle()
        .unset("/linux/resources")
        .sh("ls /dev/kmsg /dev/mem 2>/dev/null | wc -l; echo x >/dev/null && echo works");
    t.run(&bundle).ok().prints("0\nworks");
}

fn a_device_named_like_a_default_one_replaces_it(t: &Case) {
    let node = json!({"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o622,
        "uid": 7, "gid": 8});
    assert_eq!(device(t, node, "/dev/zero"), "character special file 1:5 622 7 8");
}

fn a_device_does_not_get_the_umask_of_the_caller(t: &Case) {
    let node = json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666});
    let bundle = t.bundle().set("/linux/devices", json!([node])).sh("stat -c %a /dev/mine /dev/zero");
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).through_shell("umask 0077; exec \"$@\"").run().ok().prints("666\n666");
}
