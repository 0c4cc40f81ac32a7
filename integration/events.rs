//! `events` and `stats`: what a container uses, and its lack of memory, while it runs.

use crate::harness::cgroups::Version;
use crate::harness::delegated::Delegated;
use crate::harness::place::Place;
use crate::harness::prelude::*;

cases!("events", root: [
    stats_of_memory_agree_with_the_cgroup_files,
    stats_of_processes_and_cpu_agree_with_the_cgroup_files,
    stats_have_the_names_that_go_programs_read,
    stats_grow_with_what_the_container_does,
    throttling_is_counted,
    pressure_is_told,
    events_come_at_the_interval_and_end_with_the_container,
    events_of_a_stopped_container_are_an_error,
    an_interval_must_be_a_time,
    an_oom_kill_is_an_event,
    an_oom_kill_of_init_is_an_event,
    an_oom_event_names_the_group_of_the_limit,
    an_oom_event_names_a_group_above,
    the_stats_table_shows_all_containers,
    stats_are_also_json_for_programs,
    events_of_an_ordinary_user_in_a_delegated_part,
]);

const MIB: u64 = 1 << 20;

/// More than the limit, at once.
const TOO_MUCH: &str = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";

fn limited(t: &Case) -> Bundle {
    t.bundle().set("/linux/resources/memory", json!({"limit": 32 * MIB, "swap": 32 * MIB}))
}

#[track_caller]
fn stats(t: &Case, id: &str) -> Value {
    let event = t.runtime(&["events", "--stats", id]).run().ok().json();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(id)));
    event["data"].clone()
}

fn version(t: &Case, controller: &str) -> Version {
    t.needs_controller(controller);
    t.host.cgroups.with_controller(controller).expect("the hierarchy").version
}

/// The number in a file, one or the other by the version.
#[track_caller]
fn number(t: &Case, container: &Container, controller: &str, v1: &str, v2: &str) -> u64 {
    let file = if version(t, controller) == Version::V1 { v1 } else { v2 };
    let path = t.cgroup_dir(controller, &container.cgroup_path()).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim().parse().unwrap_or_else(|e| panic!("{}: {e}: {text:?}", path.display()))
}

/// Stands still, so that what was read twice is the same.
fn paused<'c>(t: &'c Case, bundle: &Bundle) -> Container<'c> {
    let container = t.launch(bundle);
    container.wait_for("ready");
    t.runtime(&["pause", &container.id]).run().ok();
    container
}

fn stats_of_memory_agree_with_the_cgroup_files(t: &Case) {
    let bundle = limited(t).sh("x=$(head -c 3000000 /dev/zero | tr '\\0' x); echo ready; sleep 300");
    let container = paused(t, &bundle);
    let read = |v1, v2| json!(number(t, &container, "memory", v1, v2));
    let file = t.cgroup_dir("memory", &container.cgroup_path()).join("memory.stat");
    // What the CPUs have in stock is given back at some time: nothing runs, and a number changes all the same.
    eventually("the numbers are those of the files", || {
        let found = stats(t, &container.id)["memory"].clone();
        let raw = found["raw"].as_object().expect("memory.stat");
        let text = fs::read_to_string(&file).expect("memory.stat");
        let stat = |line: &str| {
            let (key, value) = line.split_once(' ').expect("a key and a value");
            // Others may be counted on some CPU still.
            !["anon", "rss", "pgfault"].contains(&key) || raw[key].as_u64() == value.parse().ok()
        };
        found["usage"]["usage"] == read("memory.usage_in_bytes", "memory.current")
            && found["usage"]["max"] == read("memory.max_usage_in_bytes", "memory.peak")
            && text.lines().all(stat)
    });
    let found = stats(t, &container.id)["memory"].clone();
    assert_eq!(found["usage"]["limit"], json!(32 * MIB));
    assert_eq!(found["swap"]["limit"], json!(32 * MIB));
    assert!(found["raw"].as_object().is_some_and(|raw| raw.len() > 10), "{found}");
}

/// Uses some time: a kernel that counts ticks may say of a short program that it has used none, and runc's types leave
/// out a zero.
const BUSY: &str = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done";

fn stats_of_processes_and_cpu_agree_with_the_cgroup_files(t: &Case) {
    let script = format!("sleep 300 & {BUSY}; echo ready; wait");
    let container = paused(t, &t.bundle().sh(&script).set("/linux/resources/pids", json!({"limit": 77})));
    let found = stats(t, &container.id);
    assert_eq!(found["pids"], json!({"current": 2, "limit": 77}));
    let total = found["cpu"]["usage"]["total"].as_u64().expect("the time");
    if version(t, "cpu") == Version::V1 {
        assert_eq!(total, number(t, &container, "cpuacct", "cpuacct.usage", ""));
    } else {
        let text = fs::read_to_string(t.cgroup_dir("cpu", &container.cgroup_path()).join("cpu.stat"));
        let usage = text.expect("cpu.stat");
        let usage = usage.lines().find_map(|line| line.strip_prefix("usage_usec ")).expect("usage_usec");
        assert_eq!(total / 1000, usage.parse::<u64>().expect("a number"));
    }
    assert!(total > 0);
}

/// As in runc's types/events.go.
fn stats_have_the_names_that_go_programs_read(t: &Case) {
    let container = paused(t, &limited(t).sh(&format!("{BUSY}; echo ready; sleep 300")));
    let found = stats(t, &container.id);
    for name in ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"] {
        assert!(found[name].is_object(), "{name}: {found}");
    }
    assert!(found.as_object().expect("an object").contains_key("network_interfaces"));
    for path in [
        "/cpu/usage/total",
        "/cpu/usage/kernel",
        "/cpu/usage/user",
        "/memory/usage/limit",
        "/memory/usage/usage",
        "/memory/usage/failcnt",
        "/memory/swap/limit",
        "/memory/kernel/limit",
        "/memory/kernelTCP/failcnt",
        "/pids/current",
        "/cpuset/cpu_exclusive",
        "/cpuset/sched_load_balance",
    ] {
        assert!(found.pointer(path).is_some_and(Value::is_u64), "{path}: {found}");
    }
    assert!(found["cpu"]["throttling"].is_object() && found["memory"]["raw"].is_object(), "{found}");
}

fn stats_grow_with_what_the_container_does(t: &Case) {
    let container = t.launch(&t.bundle().sh("echo ready; while :; do :; done"));
    container.wait_for("ready");
    let total = || stats(t, &container.id)["cpu"]["usage"]["total"].as_u64().unwrap_or(0);
    let before = total();
    eventually("it has used 50 ms more", || total() > before + 50_000_000);
}

fn throttling_is_counted(t: &Case) {
    t.needs_controller("cpu");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"quota": 2000, "period": 100_000}));
    let container = t.launch(&bundle.sh("while :; do :; done"));
    eventually("it was throttled", || {
        let throttling = stats(t, &container.id)["cpu"]["throttling"].clone();
        let is_there = |name: &str| throttling[name].as_u64().is_some_and(|n| n > 0);
        ["periods", "throttledPeriods", "throttledTime"].into_iter().all(is_there)
    });
}

fn pressure_is_told(t: &Case) {
    if !Path::new("/proc/pressure/cpu").exists() {
        t.skip("needs a kernel that counts pressure");
    }
    let dir = t.unified_dir("");
    if !dir.join("cgroup.pressure").exists() {
        t.skip("needs pressure files in cgroups");
    }
    t.needs_controller("cpu");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"quota": 5000, "period": 100_000}));
    let container = t.launch(&bundle.sh("(while :; do :; done) & while :; do :; done"));
    eventually("somebody waits for the cpu", || {
        let some = stats(t, &container.id)["cpu"]["psi"]["some"].clone();
        some["total"].as_u64().is_some_and(|us| us > 0) && some["avg10"].is_number()
    });
    for part in ["memory", "blkio"] {
        assert!(stats(t, &container.id)[part]["psi"]["full"]["total"].is_u64());
    }
}

/// The lines of a call that goes on.
fn lines(text: &str, kind: &str) -> Vec<Value> {
    let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|event| event["type"] == kind).collect()
}

fn events_come_at_the_interval_and_end_with_the_container(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let call = t.runtime(&["events", "--interval", "50ms", &container.id]).spawn();
    eventually("three lines", || lines(&call.stdout(), "stats").len() >= 3);
    container.kill("KILL").ok();
    let output = call.wait();
    output.ok();
    assert!(output.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

fn events_of_a_stopped_container_are_an_error(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/true"]));
    container.wait_until_stopped();
    t.runtime(&["events", &container.id]).run().fails().says("not running");
    t.runtime(&["events", "--stats", &container.id]).run().fails().says("not running");
    t.runtime(&["events", "no-such-container"]).run().fails().says("does not exist");
}

fn an_interval_must_be_a_time(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    for interval in ["0s", "-1s", "soon", "5"] {
        t.runtime(&["events", "--interval", interval, &container.id]).run().fails();
    }
}

/// Starts a created container when its events are listened to; gives the call.
fn listened<'c>(t: &'c Case, container: &Container) -> Running<'c> {
    let call = t.runtime(&["events", "--interval", "50ms", &container.id]).spawn();
    eventually("it is listened to", || !lines(&call.stdout(), "stats").is_empty());
    container.start().ok();
    call
}

fn an_oom_kill_is_an_event(t: &Case) {
    t.needs_controller("memory");
    let container = t.create(&limited(t).sh(&format!("{TOO_MUCH}; echo killed; sleep 300")));
    let call = listened(t, &container);
    eventually("the event", || !lines(&call.stdout(), "oom").is_empty());
    container.wait_for("killed");
    container.kill("KILL").ok();
    let output = call.wait();
    output.ok();
    let events = lines(&output.stdout, "oom");
    assert_eq!((events.len(), &events[0]["id"]), (1, &json!(container.id)));
}

fn an_oom_kill_of_init_is_an_event(t: &Case) {
    t.needs_controller("memory");
    let container = t.create(&limited(t).sh(&format!("exec {TOO_MUCH}")));
    let output = listened(t, &container).wait();
    output.ok();
    assert_eq!(lines(&output.stdout, "oom").len(), 1, "{}", output.stdout);
}

#[track_caller]
fn assert_oom(output: &str, cgroup: &str, limit: u64) {
    let events = lines(output, "oom");
    assert_eq!(events.len(), 1, "{output}");
    let [found, bytes, kills] = ["cgroup", "limit", "kills"].map(|name| &events[0][name]);
    assert_eq!((found, bytes, kills), (&json!(cgroup), &json!(limit), &json!(1)));
}

fn an_oom_event_names_the_group_of_the_limit(t: &Case) {
    t.needs_controller("memory");
    let container = t.create(&limited(t).sh(&format!("exec {TOO_MUCH}")));
    let output = listened(t, &container).wait();
    assert_oom(&output.ok().stdout, &container.cgroup_path(), 32 * MIB);
}

fn an_oom_event_names_a_group_above(t: &Case) {
    let v1 = version(t, "memory") == Version::V1;
    let place = Place::new(t, "pod");
    if !v1 {
        place.enable("memory");
    }
    let dir = t.cgroup_dir("memory", &place.path);
    let limits = if v1 {
        ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    } else {
        ["memory.max", "memory.swap.max"]
    };
    let values = if v1 { ["48M", "48M"] } else { ["48M", "0"] };
    for (file, value) in limits.into_iter().zip(values) {
        // Not every kernel counts swap.
        if dir.join(file).exists() {
            fs::write(dir.join(file), value).expect("set the limit");
        }
    }
    let path = format!("{}/box", place.path);
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(path)).sh(&format!("exec {TOO_MUCH}"));
    let container = t.create(&bundle);
    let output = listened(t, &container).wait();
    assert_oom(&output.ok().stdout, &place.path, 48 * MIB);
    container.delete().ok();
}

fn the_stats_table_shows_all_containers(t: &Case) {
    let two = [77, 78].map(|pids| {
        let bundle = t.bundle().set("/linux/resources/pids", json!({"limit": pids}));
        t.launch(&bundle.args(&["/bin/sleep", "300"]))
    });
    let output = t.runtime(&["stats"]).run();
    let rows: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(rows[0].starts_with("ID") && rows.len() == 3, "{rows:?}");
    for (container, pids) in two.iter().zip([77, 78]) {
        let row = rows.iter().find(|row| row.starts_with(&container.id)).expect("a row");
        assert!(row.contains("running") && row.contains(&format!("1/{pids}")), "{row:?}");
        t.runtime(&["stats", &container.id]).run().ok();
    }
    t.runtime(&["stats", "no-such-container"]).run().fails().says("does not exist");
}

fn stats_are_also_json_for_programs(t: &Case) {
    t.needs_controller("memory");
    let container = t.launch(&limited(t).sh(&format!("{TOO_MUCH}; echo ready; sleep 300")));
    container.wait_for("ready");
    let found = t.runtime(&["stats", "--format", "json", &container.id]).run().ok().json()[0].clone();
    assert_eq!((&found["id"], &found["status"]), (&json!(container.id), &json!("running")));
    assert_eq!(found["memory"]["limit"], json!(32 * MIB));
    assert_eq!(found["memory"]["oomKills"], json!(1));
    assert!(found["memory"]["peak"].as_u64() > found["memory"]["usage"].as_u64());
    assert!(found["cpu"]["total"].as_u64().is_some_and(|ns| ns > 0));
    assert!(found["pids"]["current"].as_u64().is_some_and(|n| n > 0));
}

fn events_of_an_ordinary_user_in_a_delegated_part(t: &Case) {
    t.needs_controller("memory");
    let user = Delegated::new(t);
    let path = format!("{}/box", user.path);
    let container =
        t.create(&limited(t).set("/linux/cgroupsPath", json!(path)).sh(&format!("exec {TOO_MUCH}")));
    let output = listened(t, &container).wait();
    assert_oom(&output.ok().stdout, &path, 32 * MIB);
    container.delete().ok();
    t.assert_nothing_but(&user);
}
