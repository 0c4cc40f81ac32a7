//! An ordinary user maps more ids than the own one: those that /etc/subuid and /etc/subgid grant, by
//! newuidmap(1) and newgidmap(1).

use crate::harness::granted::{FIRST, NAME};
use crate::harness::host::Kind;
use crate::harness::prelude::*;

cases!("subordinate_ids", root: [
    the_maps_of_subordinate_ids_are_those_of_the_configuration,
    a_program_runs_as_a_subordinate_user_with_groups,
    files_can_be_given_to_subordinate_users,
    setgroups_is_denied_only_where_the_own_group_is_all,
    one_map_may_have_subordinate_ids_and_the_other_not,
    exec_in_a_container_with_subordinate_ids,
    a_container_of_a_subordinate_user_is_killed_and_deleted,
    a_user_namespace_with_subordinate_ids_is_joined,
    ids_that_are_not_granted_are_an_error_that_names_them,
    the_helpers_are_found_in_the_path,
    a_helper_that_is_missing_is_named,
    a_user_of_the_machine_has_subordinate_ids,
    as_many_lines_as_the_kernel_takes_are_mapped,
    one_line_more_is_an_error,
    lines_that_are_too_long_together_are_an_error,
]);

/// The own id, and all that are granted.
fn all_of(own: u32) -> Value {
    json!([{"containerID": 0, "hostID": own, "size": 1}, {"containerID": 1, "hostID": FIRST, "size": 65536}])
}

fn mapped(t: &Case) -> Bundle {
    let (uid, gid) = t.caller();
    t.bundle().set("/linux/uidMappings", all_of(uid)).set("/linux/gidMappings", all_of(gid)).writable()
}

fn status_of(container: &Container) -> String {
    fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("the process")
}

fn the_maps_of_subordinate_ids_are_those_of_the_configuration(t: &Case) {
    t.call_with_subordinate_ids();
    let output = t.run(&mapped(t).args(&["/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map"]));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    let (uid, gid) = t.caller();
    let first = FIRST.to_string();
    let of = |own: &str| ["0", own, "1", "1", &first, "65536"].map(String::from);
    assert_eq!(words, [of(&uid.to_string()), of(&gid.to_string())].concat());
}

fn a_program_runs_as_a_subordinate_user_with_groups(t: &Case) {
    t.call_with_subordinate_ids();
    let user = json!({"uid": 5, "gid": 7, "additionalGids": [9, 65536]});
    let container = t.launch(&mapped(t).set("/process/user", user).sh("id -u; id -G; sleep 300"));
    container.wait_for("5\n7 9 65536\n");
    let status = status_of(&container);
    let expected = [("Uid", FIRST + 4), ("Gid", FIRST + 6), ("Groups", FIRST + 8)];
    for (key, id) in expected {
        assert!(status.contains(&format!("{key}:\t{id}")), "{key} {id}: {status}");
    }
}

fn files_can_be_given_to_subordinate_users(t: &Case) {
    use std::os::unix::fs::MetadataExt;
    t.call_with_subordinate_ids();
    let caps = ["CAP_CHOWN", "CAP_FOWNER"];
    let bundle = mapped(t).capabilities(&caps).sh("touch /opt/f && chown 3:4 /opt/f && stat -c %u:%g /opt/f");
    t.run(&bundle).ok().prints("3:4");
    let file = fs::metadata(bundle.in_rootfs("/opt/f")).expect("the file");
    assert_eq!((file.uid(), file.gid()), (FIRST + 2, FIRST + 3));
}

fn setgroups_is_denied_only_where_the_own_group_is_all(t: &Case) {
    t.call_with_subordinate_ids();
    let bundle = mapped(t).args(&["/bin/cat", "/proc/self/setgroups"]);
    t.run(&bundle).ok().prints("allow");
    let own = json!([{"containerID": 0, "hostID": t.caller().1, "size": 1}]);
    t.run(&bundle.clone().set("/linux/gidMappings", own)).ok().prints("deny");
}

fn one_map_may_have_subordinate_ids_and_the_other_not(t: &Case) {
    t.call_with_subordinate_ids();
    let (uid, gid) = t.caller();
    let own = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    let script = "wc -l </proc/self/uid_map; wc -l </proc/self/gid_map";
    t.run(&mapped(t).set("/linux/uidMappings", own(uid)).sh(script)).ok().prints("1\n2");
    t.run(&mapped(t).set("/linux/gidMappings", own(gid)).sh(script)).ok().prints("2\n1");
}

fn exec_in_a_container_with_subordinate_ids(t: &Case) {
    t.call_with_subordinate_ids();
    let container = t.launch(&mapped(t).args(&["/bin/sleep", "300"]));
    let exec = |flags: &[&str]| {
        let line = [&["exec"], flags, &[&container.id, "sh", "-c", "id -u; id -g"]].concat();
        t.runtime(&line).run()
    };
    exec(&[]).ok().prints("0\n0");
    exec(&["--user", "5:7"]).ok().prints("5\n7");
    let line = ["exec", "--user", "5:7", "--additional-gids", "9", &container.id, "id", "-G"];
    t.runtime(&line).run().ok().prints("7 9");
}

fn a_container_of_a_subordinate_user_is_killed_and_deleted(t: &Case) {
    t.call_with_subordinate_ids();
    let bundle = mapped(t).set("/process/user", json!({"uid": 5, "gid": 7}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}

fn a_user_namespace_with_subordinate_ids_is_joined(t: &Case) {
    t.call_with_subordinate_ids();
    let lender = t.launch(&mapped(t).args(&["/bin/sleep", "300"]));
    let joiner = mapped(t).namespace("user", Some(&lender.namespace_file("user")));
    let joiner = joiner.namespace("network", Some(&lender.namespace_file("net")));
    let user = json!({"uid": 5, "gid": 7, "additionalGids": [9]});
    t.run(&joiner.set("/process/user", user).sh("id -u; id -G")).ok().prints("5\n7 9");
}

fn ids_that_are_not_granted_are_an_error_that_names_them(t: &Case) {
    t.call_with_subordinate_ids();
    let (uid, _) = t.caller();
    let beyond = FIRST + 65536;
    let map = json!([{"containerID": 0, "hostID": uid, "size": 1},
        {"containerID": 1, "hostID": FIRST, "size": 10}, {"containerID": 20, "hostID": beyond, "size": 5}]);
    let output = t.run(&mapped(t).set("/linux/uidMappings", map));
    output.fails().says("newuidmap").says(&format!("{beyond}"));
    if t.is(Kind::Tierce) {
        output.says("linux.uidMappings[2]: newuidmap: ");
        output.says(&format!("hint: /etc/subuid would have to grant it: {NAME}:{beyond}:5"));
    }
    t.assert_no_side_effects();
}

fn the_helpers_are_found_in_the_path(t: &Case) {
    let (hidden, path) = t.without_helpers();
    let copies = t.directory("bin");
    for name in ["newuidmap", "newgidmap"] {
        let copy = copies.join(name);
        fs::copy(Path::new("/usr/bin").join(name), &copy).expect("copy the helper");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o4755);
        std::os::unix::fs::chown(&copy, Some(0), Some(0)).expect("chown");
        fs::set_permissions(&copy, mode).expect("chmod");
    }
    t.call_with_subordinate_ids_after(&hidden);
    let bundle = mapped(t).sh("wc -l </proc/self/uid_map");
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).env("PATH", format!("{}:{path}", copies.display())).run().ok().prints("2");
}

fn a_helper_that_is_missing_is_named(t: &Case) {
    let (hidden, path) = t.without_helpers();
    t.call_with_subordinate_ids_after(&hidden);
    let line = t.command_line("run", &mapped(t), &[], &t.id());
    t.runtime(&line).env("PATH", path).run().fails().says("newuidmap");
    t.assert_no_side_effects();
}

/// A user with a line of its own in the files of this machine.
fn a_user_of_the_machine_has_subordinate_ids(t: &Case) {
    let (ids, first) = t.become_user_with_subordinate_ids();
    let map = |own: u32| json!([{"containerID": 0, "hostID": own, "size": 1}, {"containerID": 1, "hostID": first, "size": 1000}]);
    let bundle = t.bundle().set("/linux/uidMappings", map(ids.0)).set("/linux/gidMappings", map(ids.1));
    let user = json!({"uid": 33, "gid": 33, "additionalGids": [4]});
    t.run(&bundle.set("/process/user", user).sh("id -u; id -G")).ok().prints("33\n33 4");
}

/// As root: every other id from `first` on.
fn lines(t: &Case, count: u32, first: u32) -> Bundle {
    let ids = |i| json!({"containerID": i, "hostID": first + 2 * i, "size": 1});
    let map: Vec<Value> = (0..count).map(ids).collect();
    let bundle = t.bundle().namespace("user", None).set("/linux/uidMappings", json!(map));
    bundle.set("/linux/gidMappings", json!([{"containerID": 0, "hostID": 0, "size": 100}]))
}

fn as_many_lines_as_the_kernel_takes_are_mapped(t: &Case) {
    let bundle = lines(t, 340, 0).set("/process/user/uid", json!(339));
    t.run(&bundle.sh("wc -l </proc/self/uid_map; id -u")).ok().prints("340\n339");
}

fn one_line_more_is_an_error(t: &Case) {
    t.run(&lines(t, 341, 0)).fails();
    t.assert_no_side_effects();
}

fn lines_that_are_too_long_together_are_an_error(t: &Case) {
    t.run(&lines(t, 340, 1_000_000_000)).fails();
    t.assert_no_side_effects();
}
