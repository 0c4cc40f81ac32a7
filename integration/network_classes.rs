//! `linux.resources.network` and `.rdma`: controllers that few machines have, or devices for.

use crate::harness::prelude::*;

cases!("network_classes", root: [
    packets_get_the_class_of_the_container,
    interfaces_get_priorities,
    an_interface_that_does_not_exist_is_refused,
    an_rdma_device_that_does_not_exist_is_refused,
    what_asks_for_nothing_is_ignored,
]);

fn with(bundle: Bundle, section: &str, value: Value) -> Bundle {
    bundle.set(&format!("/linux/resources/{section}"), value)
}

fn packets_get_the_class_of_the_container(t: &Case) {
    t.needs_controller("net_cls");
    let container = t.create(&with(t.bundle(), "network", json!({"classID": 1_048_577})));
    let path = t.cgroup_dir("net_cls", &container.cgroup_path()).join("net_cls.classid");
    assert_eq!(fs::read_to_string(path).expect("read"), "1048577\n");
}

fn interfaces_get_priorities(t: &Case) {
    t.needs_controller("net_prio");
    let network = json!({"priorities": [{"name": "lo", "priority": 5}]});
    let container = t.create(&with(t.bundle(), "network", network));
    let path = t.cgroup_dir("net_prio", &container.cgroup_path()).join("net_prio.ifpriomap");
    let map = fs::read_to_string(path).expect("read");
    assert!(map.lines().any(|line| line == "lo 5"), "{map}");
}

fn an_interface_that_does_not_exist_is_refused(t: &Case) {
    t.needs_controller("net_prio");
    let network = json!({"priorities": [{"name": "nosuch0", "priority": 5}]});
    t.run(&with(t.bundle(), "network", network)).fails().says("net_prio.ifpriomap");
    t.assert_no_side_effects();
}

fn an_rdma_device_that_does_not_exist_is_refused(t: &Case) {
    let limits = json!({"nosuch0": {"hcaHandles": 3, "hcaObjects": 10_000}});
    t.run(&with(t.bundle(), "rdma", limits)).fails().says("rdma");
    t.assert_no_side_effects();
}

/// As Docker and Go programs write it.
fn what_asks_for_nothing_is_ignored(t: &Case) {
    t.run(&with(t.bundle(), "network", json!({"classID": 0, "priorities": null}))).ok();
    t.run(&with(t.bundle(), "rdma", json!({}))).ok();
}
