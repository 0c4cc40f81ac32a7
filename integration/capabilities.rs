//! `process.capabilities`: the five sets, and what they let a program do.

use crate::harness::prelude::*;

cases!("capabilities", root: [
    each_of_the_five_sets_is_what_the_configuration_says,
    without_capabilities_all_sets_are_empty,
    an_empty_capability_list_gives_none,
    the_inheritable_set_is_empty_unless_given,
    a_user_keeps_ambient_capabilities_over_the_exec,
    a_user_without_ambient_capabilities_has_none,
    chown_needs_its_capability,
    a_mount_needs_its_capability,
    a_raw_socket_needs_its_capability,
    mknod_needs_its_capability,
    a_change_of_user_needs_its_capability,
    a_change_of_group_needs_its_capability,
    a_change_of_the_host_name_needs_its_capability,
    a_program_cannot_get_back_what_is_not_in_the_bounding_set,
    an_unknown_capability_is_no_reason_to_fail,
    a_capability_that_the_caller_lacks_is_left_out_with_a_warning,
]);

const CHOWN: u64 = 1 << 0;
const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

/// Inheritable, permitted, effective, bounding, ambient, as the program itself sees them.
fn sets(t: &Case, bundle: &Bundle) -> [u64; 5] {
    let output = t.run(&bundle.clone().args(&["/bin/grep", "Cap", "/proc/self/status"]));
    let values: Vec<u64> = output
        .ok()
        .stdout
        .lines()
        .map(|line| u64::from_str_radix(line.split_whitespace().last().unwrap_or(""), 16).expect("a mask"))
        .collect();
    values.try_into().expect("five sets")
}

fn with_sets(t: &Case, sets: Value) -> Bundle {
    t.bundle().set("/process/capabilities", sets)
}

fn each_of_the_five_sets_is_what_the_configuration_says(t: &Case) {
    let bundle = with_sets(
        t,
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "effective": ["CAP_CHOWN", "CAP_KILL"],
            "inheritable": ["CAP_KILL"],
            "ambient": ["CAP_KILL"],
        }),
    );
    // execve(2) of root gives all of the bounding set; of a user, the ambient set.
    let user = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let bounding = CHOWN | KILL | NET_RAW | SYS_ADMIN;
    assert_eq!(sets(t, &user), [KILL, KILL, KILL, bounding, KILL]);
}

fn without_capabilities_all_sets_are_empty(t: &Case) {
    assert_eq!(sets(t, &t.bundle().unset("/process/capabilities")), [0; 5]);
}

fn an_empty_capability_list_gives_none(t: &Case) {
    let none = json!({"bounding": [], "permitted": [], "effective": [], "inheritable": [], "ambient": []});
    assert_eq!(sets(t, &with_sets(t, none)), [0; 5]);
}

fn the_inheritable_set_is_empty_unless_given(t: &Case) {
    let [inheritable, permitted, effective, bounding, ambient] = sets(t, &t.bundle());
    assert_eq!((inheritable, ambient), (0, 0));
    assert!(permitted == effective && effective == bounding && bounding & KILL != 0);
}

fn a_user_keeps_ambient_capabilities_over_the_exec(t: &Case) {
    let few = json!(["CAP_CHOWN"]);
    let all =
        json!({"bounding": few, "permitted": few, "effective": few, "inheritable": few, "ambient": few});
    let bundle = with_sets(t, all).set("/process/user", json!({"uid": 1000, "gid": 1000}));
    assert_eq!(sets(t, &bundle), [CHOWN; 5]);
    t.run(&bundle.sh("touch /dev/shm/f && chown 0:0 /dev/shm/f && stat -c %u /dev/shm/f")).ok().prints("0");
}

fn a_user_without_ambient_capabilities_has_none(t: &Case) {
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let [_, permitted, effective, bounding, ambient] = sets(t, &bundle);
    assert_eq!((permitted, effective, ambient), (0, 0, 0));
    assert!(bounding & KILL != 0);
}

/// `script` fails without `capability` and works with it, both times with `others`.
#[track_caller]
fn needed(t: &Case, capability: &str, others: &[&str], script: &str) {
    let script = format!("{script} 2>/dev/null && echo works || echo refused");
    let bundle = t.bundle().writable().capabilities(others).sh(&script);
    t.run(&bundle).ok().prints("refused");
    t.run(&bundle.capabilities(&[capability])).ok().prints("works");
}

fn chown_needs_its_capability(t: &Case) {
    needed(t, "CAP_CHOWN", &[], "touch /tmp/f && chown 1:1 /tmp/f");
}

fn a_mount_needs_its_capability(t: &Case) {
    needed(t, "CAP_SYS_ADMIN", &[], "mount -t tmpfs none /tmp");
}

fn a_raw_socket_needs_its_capability(t: &Case) {
    needed(t, "CAP_NET_RAW", &[], "ping -c 1 -W 1 127.0.0.1 >/dev/null");
}

fn mknod_needs_its_capability(t: &Case) {
    needed(t, "CAP_MKNOD", &[], "mknod /tmp/null c 1 3");
}

fn a_change_of_user_needs_its_capability(t: &Case) {
    needed(t, "CAP_SETUID", &["CAP_SETGID"], "su -s /bin/true alice");
}

fn a_change_of_group_needs_its_capability(t: &Case) {
    needed(t, "CAP_SETGID", &["CAP_SETUID"], "su -s /bin/true alice");
}

fn a_change_of_the_host_name_needs_its_capability(t: &Case) {
    needed(t, "CAP_SYS_ADMIN", &[], "hostname other");
}

fn a_program_cannot_get_back_what_is_not_in_the_bounding_set(t: &Case) {
    let bundle = t.bundle().capabilities(&["CAP_SETPCAP", "CAP_SETUID"]);
    let [_, _, effective, bounding, _] = sets(t, &bundle);
    assert_eq!(bounding & SYS_ADMIN, 0);
    assert_eq!(effective & SYS_ADMIN, 0);
    let output = t.run(&bundle.sh("setpriv --inh-caps +sys_admin sh -c 'grep CapEff /proc/self/status'"));
    let regained =
        output.stdout.split_whitespace().last().and_then(|mask| u64::from_str_radix(mask, 16).ok());
    assert_eq!(regained.unwrap_or(0) & SYS_ADMIN, 0, "{output:?}");
}

fn an_unknown_capability_is_no_reason_to_fail(t: &Case) {
    let few = json!(["CAP_KILL", "CAP_OF_THE_FUTURE"]);
    let bundle = with_sets(t, json!({"bounding": few, "permitted": few, "effective": few}));
    assert_eq!(sets(t, &bundle), [0, KILL, KILL, KILL, 0]);
}

fn a_capability_that_the_caller_lacks_is_left_out_with_a_warning(t: &Case) {
    t.call_without("sys_time");
    let few = json!(["CAP_KILL", "CAP_SYS_TIME"]);
    let bundle = with_sets(t, json!({"bounding": few, "permitted": few, "effective": few}));
    assert_eq!(sets(t, &bundle), [0, KILL, KILL, KILL, 0]);
    t.run(&bundle.args(&["/bin/true"])).ok().says("CAP_SYS_TIME");
}
