//! `linux.timeOffsets` and the time namespace.

use crate::harness::prelude::*;

cases!("time_namespace", root: [
    a_new_time_namespace_has_the_clocks_of_the_caller,
    the_clocks_of_a_time_namespace_are_moved,
    a_clock_may_be_moved_by_nanoseconds_and_alone,
    the_clocks_of_the_host_are_not_moved,
    exec_has_the_clocks_of_the_container,
    hooks_have_the_clocks_of_where_they_run,
    a_time_namespace_is_joined_by_path,
    a_new_time_namespace_belongs_to_a_new_user_namespace,
    a_time_namespace_is_joined_with_a_new_user_namespace,
    a_new_time_namespace_beside_a_joined_user_namespace,
    offsets_without_a_time_namespace_are_an_error,
    offsets_for_a_joined_time_namespace_are_an_error,
    an_unknown_clock_or_too_many_nanoseconds_are_an_error,
    a_clock_before_zero_is_an_error,
    a_clock_that_may_not_be_set_is_an_error,
]);

/// Ten days.
const MOVED: i64 = 864_000;

/// Prints the days since the boot, by the clock `boottime`.
const DAYS: &str = "read up rest </proc/uptime; echo $((${up%.*} / 86400))";

fn needs_time_namespaces(t: &Case) {
    if !Path::new("/proc/self/ns/time").exists() {
        t.skip("needs a kernel with time namespaces");
    }
}

fn own() -> String {
    fs::read_link("/proc/self/ns/time").expect("our namespace").display().to_string()
}

fn days() -> u64 {
    let text = fs::read_to_string("/proc/uptime").expect("uptime");
    text.split('.').next().and_then(|seconds| seconds.parse::<u64>().ok()).expect("seconds") / 86400
}

/// With a new time namespace whose clocks are ten days ahead.
fn ahead(t: &Case) -> Bundle {
    needs_time_namespaces(t);
    let moved = json!({"monotonic": {"secs": MOVED}, "boottime": {"secs": MOVED}});
    t.bundle().namespace("time", None).set("/linux/timeOffsets", moved)
}

fn a_new_time_namespace_has_the_clocks_of_the_caller(t: &Case) {
    needs_time_namespaces(t);
    let script = format!("readlink /proc/self/ns/time; cat /proc/self/timens_offsets; {DAYS}");
    let output = t.run(&t.bundle().namespace("time", None).sh(&script));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert!(words[0].starts_with("time:[") && words[0] != own(), "{words:?}");
    assert_eq!(words[1..7], ["monotonic", "0", "0", "boottime", "0", "0"]);
    assert_eq!(words[7], days().to_string());
}

fn the_clocks_of_a_time_namespace_are_moved(t: &Case) {
    let script = format!("cat /proc/self/timens_offsets; {DAYS}");
    let output = t.run(&ahead(t).sh(&script));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words[..6], ["monotonic", "864000", "0", "boottime", "864000", "0"]);
    let day: u64 = words[6].parse().expect("a number");
    assert!(day == days() + 10 || day == days() + 9, "day {day}, on the host {}", days());
}

fn a_clock_may_be_moved_by_nanoseconds_and_alone(t: &Case) {
    needs_time_namespaces(t);
    let bundle = t.bundle().namespace("time", None).args(&["/bin/cat", "/proc/self/timens_offsets"]);
    for (offsets, expected) in [
        (json!({"monotonic": {"nanosecs": 999_999_999}}), "0 999999999 0 0"),
        (json!({"boottime": {"secs": 5, "nanosecs": 7}}), "0 0 5 7"),
        (json!({"boottime": {}}), "0 0 0 0"),
        (json!({}), "0 0 0 0"),
    ] {
        let output = t.run(&bundle.clone().set("/linux/timeOffsets", offsets));
        let words: Vec<&str> =
            output.ok().stdout.split_whitespace().filter(|word| word.parse::<i64>().is_ok()).collect();
        assert_eq!(words.join(" "), expected);
    }
}

fn the_clocks_of_the_host_are_not_moved(t: &Case) {
    let before = (own(), days());
    let container = t.launch(&ahead(t).sh("echo ready; sleep 300"));
    container.wait_for("ready");
    assert_eq!(before, (own(), days()));
    assert_eq!(container.status(), "running");
}

fn exec_has_the_clocks_of_the_container(t: &Case) {
    let container = t.launch(&ahead(t).sh("readlink /proc/self/ns/time; sleep 300"));
    container.wait_for("]");
    let line = ["exec", &container.id, "sh", "-c", &format!("readlink /proc/self/ns/time; {DAYS}")];
    let output = t.runtime(&line).run();
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words[0], container.stdout().trim());
    assert!(words[1].parse::<u64>().expect("a number") >= days() + 9, "{words:?}, on the host {}", days());
}

fn hooks_have_the_clocks_of_where_they_run(t: &Case) {
    let link = "readlink /proc/self/ns/time";
    let file = t.path("hooks");
    let write = |name: &str| format!("echo {name} $({link}) >>{}", file.display());
    let bundle = ahead(t).hook("createRuntime", &write("host"));
    let bundle = bundle.hook("createContainer", &write("container"));
    let its = t.run(&bundle.args(&["/bin/readlink", "/proc/self/ns/time"])).ok().text().to_owned();
    let told = fs::read_to_string(&file).expect("what the hooks wrote");
    assert_eq!(told, format!("host {}\ncontainer {its}\n", own()));
}

/// Waits until a container that lends its namespaces has told its time namespace.
fn lender(t: &Case, bundle: Bundle) -> (Container<'_>, String) {
    let container = t.launch(&bundle.sh("readlink /proc/self/ns/time; sleep 300"));
    container.wait_for("]");
    let link = container.stdout().trim().to_owned();
    (container, link)
}

fn a_time_namespace_is_joined_by_path(t: &Case) {
    let (lender, link) = lender(t, ahead(t));
    let path = lender.namespace_file("time");
    let joiner = t.bundle().namespace("time", Some(&path));
    let output = t.run(&joiner.sh(&format!("readlink /proc/self/ns/time; {DAYS}")));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words[0], link);
    assert!(words[1].parse::<u64>().expect("a number") >= days() + 9, "{words:?}");
}

fn a_new_time_namespace_belongs_to_a_new_user_namespace(t: &Case) {
    let output = t.run(&ahead(t).user_namespace(100_000).sh(&format!("readlink /proc/self/ns/time; {DAYS}")));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_ne!(words[0], own());
    assert!(words[1].parse::<u64>().expect("a number") >= days() + 9, "{words:?}");
}

fn a_time_namespace_is_joined_with_a_new_user_namespace(t: &Case) {
    let (lender, link) = lender(t, ahead(t));
    let path = lender.namespace_file("time");
    let joiner = t.bundle().user_namespace(100_000).namespace("time", Some(&path));
    t.run(&joiner.args(&["/bin/readlink", "/proc/self/ns/time"])).ok().prints(&link);
}

fn a_new_time_namespace_beside_a_joined_user_namespace(t: &Case) {
    let (lender, link) = lender(t, ahead(t).user_namespace(100_000));
    let user = lender.namespace_file("user");
    let script = format!("readlink /proc/self/ns/time; {DAYS}");
    let output = t.run(&ahead(t).namespace("user", Some(&user)).sh(&script));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert!(words[0] != own() && words[0] != link, "{words:?}");
    assert!(words[1].parse::<u64>().expect("a number") >= days() + 9, "{words:?}");
    // Both of them joined.
    let time = lender.namespace_file("time");
    let both = t.bundle().namespace("user", Some(&user)).namespace("time", Some(&time));
    t.run(&both.args(&["/bin/readlink", "/proc/self/ns/time"])).ok().prints(&link);
}

fn offsets_without_a_time_namespace_are_an_error(t: &Case) {
    let bundle = t.bundle().set("/linux/timeOffsets", json!({"monotonic": {"secs": 5}}));
    t.run(&bundle).fails().says("time");
    t.assert_no_side_effects();
}

fn offsets_for_a_joined_time_namespace_are_an_error(t: &Case) {
    let (lender, _) = lender(t, ahead(t));
    let path = lender.namespace_file("time");
    t.run(&ahead(t).namespace("time", Some(&path))).fails();
}

fn an_unknown_clock_or_too_many_nanoseconds_are_an_error(t: &Case) {
    for offsets in [json!({"realtime": {"secs": 5}}), json!({"monotonic": {"nanosecs": 1_000_000_000}})] {
        t.run(&ahead(t).set("/linux/timeOffsets", offsets)).fails();
        t.assert_no_side_effects();
    }
}

fn a_clock_before_zero_is_an_error(t: &Case) {
    let bundle = ahead(t).set("/linux/timeOffsets/monotonic/secs", json!(-1_000_000_000));
    t.run(&bundle).fails();
    t.assert_no_side_effects();
}

fn a_clock_that_may_not_be_set_is_an_error(t: &Case) {
    let bundle = ahead(t);
    if !Path::new("/usr/bin/setpriv").exists() {
        t.skip("needs setpriv");
    }
    let line = t.command_line("run", &bundle, &[], &t.id());
    let without = "exec /usr/bin/setpriv --bounding-set -sys_time --inh-caps -all \"$@\"";
    t.runtime(&line).through_shell(without).run().fails();
    t.assert_no_side_effects();
}
