//! `linux.resources`: what only cgroup v1 has.

use crate::harness::case::parent_cgroup;
use crate::harness::cgroups::Version;
use crate::harness::prelude::*;

cases!("limits_v1", root: [
    how_memory_is_swapped_out_is_set,
    a_program_with_too_much_memory_waits_if_told,
    memory_of_tcp_buffers_is_limited,
    memory_is_counted_with_the_groups_below,
    a_share_of_real_time_is_set,
]);

/// A container that waits, with these resources; skips where the controller is not one of v1.
fn idle<'c>(t: &'c Case, controller: &str, resources: Value) -> Container<'c> {
    t.needs_controller(controller);
    if t.host.cgroups.with_controller(controller).is_none_or(|h| h.version != Version::V1) {
        t.skip(format!("needs the controller {controller} in cgroup v1"));
    }
    t.launch(&t.bundle().set("/linux/resources", resources).args(&["/bin/sleep", "300"]))
}

/// A file of its cgroup, as it is.
fn file(t: &Case, container: &Container, controller: &str, name: &str) -> String {
    let path = t.cgroup_dir(controller, &container.cgroup_path()).join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn how_memory_is_swapped_out_is_set(t: &Case) {
    for swappiness in [0, 10, 100] {
        let container = idle(t, "memory", json!({"memory": {"swappiness": swappiness}}));
        assert_eq!(file(t, &container, "memory", "memory.swappiness"), format!("{swappiness}\n"));
        container.delete_by_force().ok();
    }
}

fn a_program_with_too_much_memory_waits_if_told(t: &Case) {
    let limits =
        |waits: bool| json!({"memory": {"limit": 32 << 20, "swap": 32 << 20, "disableOOMKiller": waits}});
    let container = idle(t, "memory", limits(false));
    assert!(file(t, &container, "memory", "memory.oom_control").contains("oom_kill_disable 0"));
    container.delete_by_force().ok();
    let script = "echo begins; dd if=/dev/zero of=/dev/null bs=200M count=1; echo done";
    let bundle = t.bundle().set("/linux/resources", limits(true)).sh(script);
    let container = t.launch(&bundle);
    eventually("it is out of memory", || {
        file(t, &container, "memory", "memory.oom_control").contains("under_oom 1")
    });
    assert_eq!(container.status(), "running");
    assert!(!container.stdout().contains("done"));
    container.delete_by_force().ok();
}

fn memory_of_tcp_buffers_is_limited(t: &Case) {
    let container = idle(t, "memory", json!({"memory": {"kernelTCP": 16 << 20}}));
    assert_eq!(file(t, &container, "memory", "memory.kmem.tcp.limit_in_bytes"), "16777216\n");
}

fn memory_is_counted_with_the_groups_below(t: &Case) {
    let container = idle(t, "memory", json!({"memory": {"useHierarchy": true}}));
    assert_eq!(file(t, &container, "memory", "memory.use_hierarchy"), "1\n");
}

/// A group has real time only of what its parent has.
fn a_share_of_real_time_is_set(t: &Case) {
    t.needs_controller("cpu");
    let runtime = t.cgroup_dir("cpu", &parent_cgroup()).join("cpu.rt_runtime_us");
    if !runtime.exists() {
        t.skip("needs a kernel that schedules real time by cgroup");
    }
    let real_time = json!({"cpu": {"realtimeRuntime": 10_000, "realtimePeriod": 500_000}});
    t.run(&t.bundle().set("/linux/resources", real_time.clone())).fails().says("cpu.rt_runtime_us");
    t.assert_no_side_effects();
    if fs::write(&runtime, "40000").is_err() {
        t.skip("needs real time to give to the container");
    }
    let container = idle(t, "cpu", real_time);
    let shown = ["cpu.rt_runtime_us", "cpu.rt_period_us"].map(|name| file(t, &container, "cpu", name));
    assert_eq!(shown, ["10000\n", "500000\n"]);
}
