//! `linux.resources.devices`: who may open what, for every kind of rule (config-linux.md, "Allowed Device list").
//!
//! The devices of major 400 and 401 do not exist: opening one that is allowed is ENXIO, else EPERM.

use std::process::Command;

use tierce::sys::bpf;

use crate::harness::cgroups::Version;
use crate::harness::child_process::succeeds;
use crate::harness::prelude::*;

cases!("device_rules", root: [
    a_rule_is_for_its_type_its_numbers_and_its_access,
    opening_for_both_needs_both,
    what_a_later_rule_takes_away_is_gone,
    what_is_allowed_by_default_can_be_denied,
    a_narrow_rule_makes_an_exception_to_a_wider_one,
    a_rule_for_everything_forgets_all_before_it,
    a_node_that_nobody_has_listed_cannot_be_made,
    with_the_annotation_every_node_can_be_made_and_that_opens_nothing,
    an_executed_program_is_under_the_device_rules,
    a_cgroup_that_the_container_makes_is_under_the_device_rules,
    the_rules_of_an_earlier_use_of_the_cgroup_are_gone,
    the_rules_of_a_parent_hold_as_well,
    rules_that_are_many_are_all_looked_at,
    the_device_program_goes_with_the_container,
]);

/// Devices that are tried: type, major, minor.
type Device = (char, u32, u32);

/// Prints for each device `m` if its node can be made, then `r`, `w` and `x` (both at once) if it can be opened so.
fn script(devices: &[Device]) -> String {
    let tries: String = devices
        .iter()
        .map(|(kind, major, minor)| {
            let node = format!("/dev/{kind}-{major}-{minor}");
            format!(
                "mknod {node} {kind} {major} {minor} 2>/dev/null && printf m; \
                 may '<{node}' && printf r; may '>{node}' && printf w; may '3<>{node}' && printf x; \
                 rm -f {node}; printf ' '; "
            )
        })
        .collect();
    format!("may() {{ (eval exec \"$1\") 2>&1 | grep -q 'No such device or address'; }}; {tries}")
}

/// A bundle with these rules, in which all nodes can be made.
fn ruled(t: &Case, rules: Value) -> Bundle {
    t.bundle().capabilities(&["CAP_MKNOD"]).any_node().set("/linux/resources/devices", rules)
}

/// What `devices` can be used for under these rules.
fn uses(t: &Case, rules: Value, devices: &[Device]) -> String {
    let bundle = ruled(t, rules);
    t.run(&bundle.sh(&script(devices))).ok().text().to_string()
}

/// `"c 400:7 rw"` as a rule that allows; `*` or nothing is everything.
fn allow(text: &str) -> Value {
    rule(true, text)
}

fn deny(text: &str) -> Value {
    rule(false, text)
}

fn rule(allow: bool, text: &str) -> Value {
    let mut rule = json!({"allow": allow});
    let words: Vec<&str> = text.split([' ', ':']).collect();
    let [kind, major, minor, access] = words[..] else { panic!("not a rule: {text}") };
    (rule["type"], rule["access"]) = (json!(kind), json!(access));
    for (key, number) in [("major", major), ("minor", minor)] {
        if number != "*" {
            rule[key] = json!(number.parse::<i64>().expect("a number"));
        }
    }
    rule
}

fn nothing() -> Value {
    deny("a *:* rwm")
}

/// Rules that cgroup v1 cannot express.
fn needs_v2_rules(t: &Case) {
    if t.host.cgroups.with_controller("devices").is_some_and(|h| h.version == Version::V1) {
        t.skip("the devices controller of cgroup v1 has no exceptions to exceptions");
    }
}

const SOME: [Device; 5] = [('c', 400, 7), ('c', 400, 8), ('c', 401, 7), ('b', 400, 7), ('b', 401, 8)];

fn a_rule_is_for_its_type_its_numbers_and_its_access(t: &Case) {
    for (rule, expected) in [
        ("c 400:7 rwm", "mrwx m m m m"),
        ("c 400:7 rw", "mrwx m m m m"),
        ("c 400:7 r", "mr m m m m"),
        ("c 400:7 wm", "mw m m m m"),
        ("c 400:7 m", "m m m m m"),
        ("c 400:* rw", "mrwx mrwx m m m"),
        ("c *:7 r", "mr m mr m m"),
        ("c *:* w", "mw mw mw m m"),
        ("b 400:7 rwm", "m m m mrwx m"),
        ("b *:* r", "m m m mr mr"),
    ] {
        assert_eq!(uses(t, json!([nothing(), allow(rule)]), &SOME), expected, "{rule}");
    }
}

fn opening_for_both_needs_both(t: &Case) {
    let apart = json!([nothing(), allow("c 400:7 r"), allow("c 400:7 w"), allow("c 400:8 r")]);
    assert_eq!(uses(t, apart, &SOME), "mrwx mr m m m");
    let wide = json!([nothing(), allow("c 400:* r"), allow("c *:7 w")]);
    assert_eq!(uses(t, wide, &SOME), "mrwx mr mw m m");
}

fn what_a_later_rule_takes_away_is_gone(t: &Case) {
    let rules = json!([nothing(), allow("c 400:7 rwm"), deny("c 400:7 w")]);
    assert_eq!(uses(t, rules, &SOME), "mr m m m m");
    let rules = json!([nothing(), allow("c 400:7 rwm"), allow("b 400:7 rw"), deny("a *:* rwm")]);
    assert_eq!(uses(t, rules, &SOME), "m m m m m");
    let rules = json!([nothing(), deny("c 400:7 rw"), allow("c 400:7 rw")]);
    assert_eq!(uses(t, rules, &SOME), "mrwx m m m m");
}

fn what_is_allowed_by_default_can_be_denied(t: &Case) {
    let rules = json!([allow("a *:* rwm"), deny("c 400:7 rwm")]);
    assert_eq!(uses(t, rules, &SOME), "m mrwx mrwx mrwx mrwx");
    let rules = json!([allow("a *:* rwm"), deny("c 400:* w"), deny("b *:7 r")]);
    assert_eq!(uses(t, rules, &SOME), "mr mr mrwx mw mrwx");
}

fn a_narrow_rule_makes_an_exception_to_a_wider_one(t: &Case) {
    needs_v2_rules(t);
    let rules = json!([nothing(), allow("c 400:* rwm"), deny("c 400:7 rwm")]);
    assert_eq!(uses(t, rules, &SOME), "m mrwx m m m");
    let rules = json!([allow("a *:* rwm"), deny("c 400:* rw"), allow("c 400:7 r")]);
    assert_eq!(uses(t, rules, &SOME), "mr m mrwx mrwx mrwx");
    let rules =
        json!([nothing(), allow("c *:* rw"), deny("c 400:* w"), allow("c 400:8 w"), deny("c 400:8 r")]);
    assert_eq!(uses(t, rules, &SOME), "mr mw mrwx m m");
}

fn a_rule_for_everything_forgets_all_before_it(t: &Case) {
    let rules = json!([deny("c 400:7 rwm"), deny("b *:* w"), allow("a *:* rwm")]);
    assert_eq!(uses(t, rules, &SOME), "mrwx mrwx mrwx mrwx mrwx");
    let rules = json!([allow("a *:* rwm"), nothing(), allow("b 401:8 r")]);
    assert_eq!(uses(t, rules, &SOME), "m m m m mr");
}

/// A node can be made if a rule says so, or if it is one of `linux.devices`.
fn a_node_that_nobody_has_listed_cannot_be_made(t: &Case) {
    let rules = json!([nothing(), allow("c 400:8 rwm"), allow("c 401:7 rw"), allow("b 401:* m")]);
    let nodes = json!([{"path": "/dev/listed", "type": "b", "major": 400, "minor": 7}]);
    let bundle = ruled(t, rules).unset("/annotations/tierce.mknod").set("/linux/devices", nodes);
    let listed = "test -b /dev/listed && echo there";
    let expected = "mrwx  m m there";
    let output = t.run(&bundle.clone().sh(&format!("{}{listed}", script(&SOME))));
    assert_eq!(output.ok().text(), expected);
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(exec(t, &container, &format!("{}{listed}", script(&SOME))), expected);
}

/// By rules which come after those of the configuration.
fn with_the_annotation_every_node_can_be_made_and_that_opens_nothing(t: &Case) {
    assert_eq!(uses(t, json!([nothing()]), &SOME), "m m m m m");
    assert_eq!(uses(t, json!([nothing(), deny("c 400:7 m")]), &SOME), "m m m m m");
}

/// A container that waits, with these rules.
fn idle<'c>(t: &'c Case, rules: Value) -> Container<'c> {
    let bundle = ruled(t, rules);
    t.launch(&bundle.args(&["/bin/sleep", "300"]))
}

fn exec(t: &Case, container: &Container, script: &str) -> String {
    t.runtime(&["exec", &container.id, "/bin/sh", "-c", script]).run().ok().text().to_string()
}

fn an_executed_program_is_under_the_device_rules(t: &Case) {
    let container = idle(t, json!([nothing(), allow("c 400:7 r"), allow("b 401:* rw")]));
    assert_eq!(exec(t, &container, &script(&SOME)), "mr m m m mrwx");
}

fn a_cgroup_that_the_container_makes_is_under_the_device_rules(t: &Case) {
    let container = idle(t, json!([nothing(), allow("c 400:7 r")]));
    for dir in t.host.cgroups.directories(&container.cgroup_path()) {
        fs::create_dir_all(dir.join("one/two")).expect("make a cgroup");
        for file in ["cpuset.cpus", "cpuset.mems"] {
            for sub in
                ["one", "one/two"].iter().filter(|_| dir.join("tasks").exists() && dir.join(file).exists())
            {
                fs::copy(dir.join(file), dir.join(sub).join(file)).expect("set up the cpuset");
            }
        }
        fs::write(dir.join("one/two/cgroup.procs"), container.pid().to_string()).expect("move init");
    }
    // Init itself is only a sleep: what it may do is seen by a shell of the host in the same cgroups.
    let dev = format!("/proc/{}/root/dev/", container.pid());
    let groups = t.host.cgroups.directories(&format!("{}/one/two", container.cgroup_path()));
    let enter: String =
        groups.iter().map(|dir| format!("echo 0 >{}/cgroup.procs; ", dir.display())).collect();
    let tries = script(&SOME).replace("/dev/", &dev).replace(&format!("2>{dev}null"), "2>/dev/null");
    let found = t.path("found");
    let script = format!("exec >{}; {enter}{tries}", found.display());
    assert!(succeeds(Command::new(&t.host.busybox).args(["sh", "-c", &script])));
    assert_eq!(fs::read_to_string(found).expect("what it has found").trim(), "mr m m m m");
}

/// Leaves the cgroup of a container there and forgets the container.
fn abandon(t: &Case, container: &Container) {
    container.kill("KILL").ok();
    container.wait_until_stopped();
    fs::remove_dir_all(t.state_root.join(&container.id)).expect("forget the container");
}

fn the_rules_of_an_earlier_use_of_the_cgroup_are_gone(t: &Case) {
    let (id, bundle) = (t.id(), t.bundle().capabilities(&["CAP_MKNOD"]).any_node());
    let bundle = bundle.set("/linux/cgroupsPath", json!(t.cgroup_path(&id)));
    let only = |rule: &str| bundle.clone().set("/linux/resources/devices", json!([nothing(), allow(rule)]));
    abandon(t, &t.launch(&only("c 400:7 rw").args(&["/bin/sleep", "300"])));
    abandon(t, &t.launch(&only("c 400:8 rw").args(&["/bin/sleep", "300"])));
    t.run(&only("c 400:8 r").sh(&script(&SOME))).ok().prints("m mr m m m");
}

fn the_rules_of_a_parent_hold_as_well(t: &Case) {
    needs_v2_rules(t);
    let parent = idle(t, json!([nothing(), allow("c 400:* r")]));
    let path = format!("{}/below", parent.cgroup_path());
    let bundle = t.bundle().capabilities(&["CAP_MKNOD"]).any_node().set("/linux/cgroupsPath", json!(path));
    let bundle = bundle.set("/linux/resources", json!({"devices": [nothing(), allow("c *:7 rw")]}));
    t.run(&bundle.sh(&script(&SOME))).ok().prints("mr m m m m");
}

fn rules_that_are_many_are_all_looked_at(t: &Case) {
    let mut rules = vec![nothing()];
    rules.extend((0..300).map(|minor| allow(&format!("c 401:{} r", 1000 + minor))));
    rules.push(allow("c 400:7 w"));
    let devices = [('c', 400, 7), ('c', 401, 1000), ('c', 401, 1299), ('c', 401, 1300), ('c', 401, 999)];
    assert_eq!(uses(t, json!(rules), &devices), "mw mr mr m m");
}

fn the_device_program_goes_with_the_container(t: &Case) {
    if t.host.cgroups.with_controller("devices").is_some() {
        t.skip("cgroup v1 has no device program");
    }
    let container = idle(t, json!([nothing()]));
    let dir = fs::File::open(t.unified_dir(&container.cgroup_path())).expect("the cgroup");
    let mut ids = [0; bpf::MOST_PROGRAMS];
    let count = bpf::device_programs(std::os::fd::AsFd::as_fd(&dir), &mut ids).expect("its programs");
    assert_eq!(count, 1, "{:?}", &ids[..count]);
    drop(dir);
    assert!(bpf::program_by_id(ids[0]).is_ok());
    container.delete_by_force().ok();
    eventually("the program is unloaded", || bpf::program_by_id(ids[0]).is_err());
}
