//! `update` that cannot be: what is told, and that everything is as it was before.

use crate::harness::cgroups::Version;
use crate::harness::limits::{self, Limit};
use crate::harness::prelude::*;

cases!("update_refused", root: [
    a_value_that_is_none_is_refused,
    a_value_out_of_its_range_is_refused,
    a_file_that_is_no_json_is_refused,
    without_any_limit_there_is_nothing_to_do,
    a_file_and_flags_exclude_each_other,
    a_container_that_does_not_exist_is_not_updated,
    a_container_that_has_stopped_is_not_updated,
    what_was_written_before_the_failure_is_put_back,
    device_rules_are_put_back_after_a_failure,
    a_limit_below_the_usage_is_refused_if_told,
    a_limit_that_the_kernel_refuses_is_named,
    a_controller_that_is_not_there_is_told,
]);

fn idle(t: &Case) -> Container<'_> {
    t.launch(&t.bundle().args(&["/bin/sleep", "300"]))
}

fn with(t: &Case, container: &Container, resources: &Value) -> Output {
    let file = t.file(&format!("resources-{}", t.id()), &resources.to_string());
    t.runtime(&["update", "--resources", "-", &container.id]).stdin(&file).run()
}

/// Every limit that there is, as the kernel shows it.
fn shown(t: &Case, container: &Container) -> Vec<(&'static str, String)> {
    let one = |limit: Limit| Some((limit.flag[0], limit.shown(t, container)?.0));
    limits::all().into_iter().filter_map(one).collect()
}

fn a_value_that_is_none_is_refused(t: &Case) {
    let container = idle(t);
    let before = shown(t, &container);
    for [flag, value] in [
        ["--memory", "64q"],
        ["--memory", "lots"],
        ["--memory-swap", "-2"],
        ["--cpu-quota", "half"],
        ["--cpu-period", "-1"],
        ["--pids-limit", "many"],
        ["--blkio-weight", "1.5"],
    ] {
        t.runtime(&["update", flag, value, &container.id]).run().fails();
    }
    assert_eq!(shown(t, &container), before);
}

fn a_value_out_of_its_range_is_refused(t: &Case) {
    let container = idle(t);
    let before = shown(t, &container);
    for (resources, word) in [
        (json!({"cpu": {"period": 1}}), "period"),
        (json!({"cpu": {"quota": 10}}), "quota"),
        (json!({"blockIO": {"weight": 5}}), "weight"),
        (json!({"memory": {"limit": 1 << 26, "swap": 1 << 25}}), "mem"),
        (json!({"cpu": {"cpus": "4095"}}), "cpus"),
    ] {
        with(t, &container, &resources).fails().says(word);
    }
    assert_eq!(shown(t, &container), before);
}

fn a_file_that_is_no_json_is_refused(t: &Case) {
    let container = idle(t);
    for text in ["", "{", "[]", "{\"pids\": {\"limit\": \"5\"}}"] {
        let file = t.file(&format!("resources-{}", t.id()), text);
        t.runtime(&["update", "-r", &file.display().to_string(), &container.id]).run().fails();
    }
    t.runtime(&["update", "-r", "/nowhere.json", &container.id]).run().fails().says("no such file");
}

fn without_any_limit_there_is_nothing_to_do(t: &Case) {
    let container = idle(t);
    t.runtime(&["update", &container.id]).run().fails().says("no limit is given");
}

fn a_file_and_flags_exclude_each_other(t: &Case) {
    let container = idle(t);
    let file = t.file("resources.json", "{}").display().to_string();
    let call = t.runtime(&["update", "-r", &file, "--pids-limit", "5", &container.id]).run();
    call.fails().says("--pids-limit");
}

fn a_container_that_does_not_exist_is_not_updated(t: &Case) {
    t.runtime(&["update", "--pids-limit", "5", "nobody"]).run().fails().says("does not exist");
}

fn a_container_that_has_stopped_is_not_updated(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/true"]));
    container.wait_until_stopped();
    t.runtime(&["update", "--pids-limit", "5", &container.id]).run().fails().says("not running");
}

fn what_was_written_before_the_failure_is_put_back(t: &Case) {
    t.needs_controller("cpuset");
    let limited = json!({"memory": {"limit": 1 << 27, "swap": 1 << 27}, "pids": {"limit": 99},
        "cpu": {"shares": 256, "quota": 30_000, "period": 60_000, "burst": 5000}});
    let container = t.launch(&t.bundle().set("/linux/resources", limited).args(&["/bin/sleep", "300"]));
    let before = shown(t, &container);
    let cpu = |cpus: &str| json!({"shares": 512, "quota": 90_000, "period": 100_000, "burst": 80_000, "cpus": cpus});
    let change = |cpus: &str| json!({"memory": {"limit": 1 << 28, "swap": 1 << 29}, "pids": {"limit": 7}, "cpu": cpu(cpus)});
    with(t, &container, &change("4095")).fails().says("4095").says("cpuset.cpus");
    assert_eq!(shown(t, &container), before);
    with(t, &container, &change("0")).ok();
    assert_ne!(shown(t, &container), before);
}

fn device_rules_are_put_back_after_a_failure(t: &Case) {
    t.needs_controller("pids");
    let script = "mknod /dev/a c 400 1; echo ready; sleep 300";
    let container = t.launch(&t.bundle().capabilities(&["CAP_MKNOD"]).any_node().sh(script));
    container.wait_for("ready");
    let rules = json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 400, "access": "rw"}]);
    let nobody = json!({"throttleReadBpsDevice": [{"major": 4000, "minor": 7, "rate": 5}]});
    let opens = || {
        let call = t.runtime(&["exec", &container.id, "/bin/sh", "-c", "exec </dev/a"]).run();
        call.fails();
        call.stderr.contains("No such device or address")
    };
    assert!(!opens());
    with(t, &container, &json!({"devices": rules.clone(), "blockIO": nobody})).fails();
    assert!(!opens());
    with(t, &container, &json!({ "devices": rules })).ok();
    assert!(opens());
}

/// A container that uses 40 MiB of memory.
fn with_memory(t: &Case) -> Container<'_> {
    t.needs_controller("memory");
    let container = t.launch(&t.bundle().sh("head -c 41943040 /dev/zero >/dev/shm/f; echo full; sleep 300"));
    container.wait_for("full");
    container
}

fn a_limit_below_the_usage_is_refused_if_told(t: &Case) {
    let container = with_memory(t);
    let before = shown(t, &container);
    let low = json!({"memory": {"limit": 1 << 24, "swap": 1 << 24, "checkBeforeUpdate": true}, "pids": {"limit": 9}});
    with(t, &container, &low).fails().says("mem");
    assert_eq!(shown(t, &container), before);
    assert_eq!(container.status(), "running");
    let enough = json!({"memory": {"limit": 1 << 27, "swap": 1 << 27, "checkBeforeUpdate": true}});
    with(t, &container, &enough).ok();
}

/// v1 takes no memory limit that it cannot get below.
fn a_limit_that_the_kernel_refuses_is_named(t: &Case) {
    let container = with_memory(t);
    if t.host.cgroups.with_controller("memory").is_some_and(|h| h.version == Version::V2) {
        t.skip("cgroup v2 takes every limit, and ends processes");
    }
    let output =
        t.runtime(&["update", "--memory", "16777216", "--memory-swap", "16777216", &container.id]).run();
    output.fails().says("memory").says("16777216");
    assert_eq!(container.status(), "running");
}

fn a_controller_that_is_not_there_is_told(t: &Case) {
    if t.host.cgroups.with_controller("net_cls").is_some() {
        t.skip("there is net_cls");
    }
    let container = idle(t);
    with(t, &container, &json!({"network": {"classID": 5}, "pids": {"limit": 5}})).fails().says("net_cls");
}
