//! `linux.resources`: what the kernel makes of it, beyond the values in the files.

use crate::harness::cgroups::Version;
use crate::harness::prelude::*;

cases!("limit_effects", root: [
    the_kernel_counts_what_it_killed_for_too_much_memory,
    swap_is_counted_with_memory,
    a_memory_reservation_and_a_limit_are_set_together,
    a_cpu_quota_slows_the_program_down,
    a_cpu_quota_without_a_period_is_of_100_ms,
    a_burst_is_allowed_on_top_of_the_quota,
    every_cpu_share_has_its_weight,
    an_idle_container_is_idle,
    a_single_process_cannot_fork,
    exec_works_where_there_are_as_many_processes_as_may_be,
    a_cpu_that_does_not_exist_is_refused,
    a_cpu_that_the_parent_does_not_have_is_refused,
    cpus_and_memory_nodes_are_the_chosen_ones,
    limits_of_an_earlier_use_of_the_cgroup_are_replaced,
    what_cgroup_v2_cannot_limit_is_refused,
]);

const MIB: i64 = 1 << 20;

/// Version of the hierarchy that has the controller, or skips.
fn version(t: &Case, controller: &str) -> Version {
    t.needs_controller(controller);
    t.host.cgroups.with_controller(controller).expect("just looked").version
}

/// A container that waits, with these resources.
fn idle<'c>(t: &'c Case, resources: Value) -> Container<'c> {
    t.launch(&t.bundle().set("/linux/resources", resources).args(&["/bin/sleep", "300"]))
}

/// A file of its cgroup, without white space around it.
fn file(t: &Case, container: &Container, controller: &str, name: &str) -> String {
    let path = t.cgroup_dir(controller, &container.cgroup_path()).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim().to_string()
}

/// The number behind `key` in such a file.
fn count(t: &Case, container: &Container, controller: &str, name: &str, key: &str) -> u64 {
    let text = file(t, container, controller, name);
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {key} in {text:?}")).parse().expect("a number")
}

fn the_kernel_counts_what_it_killed_for_too_much_memory(t: &Case) {
    let name = if version(t, "memory") == Version::V2 { "memory.events" } else { "memory.oom_control" };
    let bundle = t.bundle().set("/linux/resources/memory", json!({"limit": 32 * MIB, "swap": 32 * MIB}));
    let script = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; echo dd: $?; sleep 300";
    let container = t.launch(&bundle.sh(script));
    container.wait_for("dd: 137");
    assert!(count(t, &container, "memory", name, "oom_kill") > 0);
    assert_eq!(container.status(), "running", "init used little");
}

fn swap_is_counted_with_memory(t: &Case) {
    let v2 = version(t, "memory") == Version::V2;
    let name = if v2 { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
    let sample = idle(t, json!({}));
    if !t.cgroup_dir("memory", &sample.cgroup_path()).join(name).exists() {
        t.skip("needs swap accounting");
    }
    // Limit, swap, what cgroup v2 has.
    for (limit, swap, expected) in [
        (Some(64), Some(96), "33554432"),
        (Some(64), Some(64), "0"),
        (Some(64), Some(-1), "max"),
        (Some(64), Some(0), "max"),
        (Some(64), None, "max"),
        (Some(-1), None, "max"),
        (Some(-1), Some(-1), "max"),
        (None, Some(-1), "max"),
        (None, None, "max"),
    ] {
        let in_bytes = |n: i64| if n > 0 { n * MIB } else { n };
        let mut memory = json!({});
        for (key, value) in [("limit", limit), ("swap", swap)] {
            if let Some(value) = value {
                memory[key] = json!(in_bytes(value));
            }
        }
        let container = idle(t, json!({ "memory": memory }));
        let shown = file(t, &container, "memory", name);
        if v2 {
            assert_eq!(shown, expected, "limit {limit:?}, swap {swap:?}");
        } else {
            let limited = swap.filter(|swap| *swap > 0).map(in_bytes);
            let bytes: i64 = shown.parse().expect("a number");
            assert!(limited.map_or(bytes > 1 << 60, |limit| bytes == limit), "{limit:?}, {swap:?}: {bytes}");
        }
        container.delete_by_force().ok();
    }
}

fn a_memory_reservation_and_a_limit_are_set_together(t: &Case) {
    let v2 = version(t, "memory") == Version::V2;
    for (limit, reservation) in [(64, 32), (64, 64), (32, 64)] {
        let memory = json!({"limit": limit * MIB, "reservation": reservation * MIB});
        let container = idle(t, json!({ "memory": memory }));
        let names = match v2 {
            true => ["memory.max", "memory.low"],
            false => ["memory.limit_in_bytes", "memory.soft_limit_in_bytes"],
        };
        let shown = names.map(|name| file(t, &container, "memory", name));
        assert_eq!(shown, [limit * MIB, reservation * MIB].map(|n| n.to_string()));
        container.delete_by_force().ok();
    }
}

const BUSY: &str = "while :; do :; done";

fn a_cpu_quota_slows_the_program_down(t: &Case) {
    t.needs_controller("cpu");
    let cpu = json!({"quota": 5000, "period": 50_000});
    let container = t.launch(&t.bundle().set("/linux/resources/cpu", cpu).sh(BUSY));
    eventually("the kernel has held it back", || count(t, &container, "cpu", "cpu.stat", "nr_throttled") > 1);
    let free = t.launch(&t.bundle().sh(BUSY));
    assert_eq!(count(t, &free, "cpu", "cpu.stat", "nr_throttled"), 0);
}

fn a_cpu_quota_without_a_period_is_of_100_ms(t: &Case) {
    let v2 = version(t, "cpu") == Version::V2;
    for (cpu, v1_expected, v2_expected) in [
        (json!({"quota": 25_000}), ["25000", "100000"], "25000 100000"),
        (json!({"period": 50_000}), ["-1", "50000"], "max 50000"),
        (json!({"quota": -1, "period": 20_000}), ["-1", "20000"], "max 20000"),
        (json!({"quota": -1}), ["-1", "100000"], "max 100000"),
        (json!({"quota": 0, "period": 0}), ["-1", "100000"], "max 100000"),
        (json!({"quota": 300_000, "period": 100_000}), ["300000", "100000"], "300000 100000"),
    ] {
        let container = idle(t, json!({ "cpu": cpu }));
        match v2 {
            true => assert_eq!(file(t, &container, "cpu", "cpu.max"), v2_expected, "{cpu}"),
            false => {
                let shown =
                    ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|name| file(t, &container, "cpu", name));
                assert_eq!(shown, v1_expected, "{cpu}");
            }
        }
        container.delete_by_force().ok();
    }
}

/// The value of a file that this kernel may not have; skips then.
fn newer_file(t: &Case, container: &Container, controller: &str, name: &str) -> String {
    if !t.cgroup_dir(controller, &container.cgroup_path()).join(name).exists() {
        t.skip(format!("needs {name}"));
    }
    file(t, container, controller, name)
}

fn a_burst_is_allowed_on_top_of_the_quota(t: &Case) {
    let name = if version(t, "cpu") == Version::V2 { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
    let without = idle(t, json!({"cpu": {"quota": 40_000}}));
    assert_eq!(newer_file(t, &without, "cpu", name), "0");
    let cpu = json!({"quota": 40_000, "period": 80_000, "burst": 30_000});
    assert_eq!(file(t, &idle(t, json!({ "cpu": cpu })), "cpu", name), "30000");
    let cpu = json!({"quota": 40_000, "burst": 50_000});
    t.run(&t.bundle().set("/linux/resources/cpu", cpu)).fails().says("burst");
}

/// 10^((l² + 125 l) / 612 - 7/34), l being the binary logarithm, rounded up: that of runc 1.3.2 and crun 1.23.
fn every_cpu_share_has_its_weight(t: &Case) {
    let v2 = version(t, "cpu") == Version::V2;
    for (shares, weight) in
        [(2, 1), (3, 2), (10, 4), (256, 35), (1000, 99), (1024, 100), (2048, 174), (262_144, 10_000)]
    {
        let container = idle(t, json!({"cpu": {"shares": shares}}));
        match v2 {
            true => assert_eq!(file(t, &container, "cpu", "cpu.weight"), weight.to_string(), "{shares}"),
            false => assert_eq!(file(t, &container, "cpu", "cpu.shares"), shares.to_string()),
        }
        container.delete_by_force().ok();
    }
}

fn an_idle_container_is_idle(t: &Case) {
    t.needs_controller("cpu");
    let plain = idle(t, json!({}));
    assert_eq!(newer_file(t, &plain, "cpu", "cpu.idle"), "0");
    let container = idle(t, json!({"cpu": {"idle": 1}}));
    assert_eq!(file(t, &container, "cpu", "cpu.idle"), "1");
    // Idle counts, whatever the shares.
    let both = idle(t, json!({"cpu": {"idle": 1, "shares": 2048}}));
    assert_eq!(file(t, &both, "cpu", "cpu.idle"), "1");
    let neither = idle(t, json!({"cpu": {"idle": 0, "shares": 1024}}));
    assert_eq!(file(t, &neither, "cpu", "cpu.idle"), "0");
    let name = if version(t, "cpu") == Version::V2 { "cpu.weight" } else { "cpu.shares" };
    assert!(["100", "1024"].contains(&file(t, &neither, "cpu", name).as_str()));
}

fn a_single_process_cannot_fork(t: &Case) {
    t.needs_controller("pids");
    let run = |limit: i64| {
        let bundle = t.bundle().set("/linux/resources/pids", json!({"limit": limit}));
        t.run(&bundle.sh("echo one; (echo two) 2>/dev/null; exit 0"))
    };
    // 0 is a limit as well (runtime-spec 1.3): init runs, and nothing else.
    for limit in [0, 1] {
        run(limit).prints("one").says("can't fork");
    }
    for limit in [2, -1] {
        run(limit).ok().prints("one\ntwo");
    }
}

/// As with runc, and on cgroup v1: somebody has to be able to look at what is wrong in there.
fn exec_works_where_there_are_as_many_processes_as_may_be(t: &Case) {
    t.needs_controller("pids");
    let container = idle(t, json!({"pids": {"limit": 1}}));
    let output = t.runtime(&["exec", &container.id, "/bin/busybox", "cat", "/proc/self/cgroup"]).run();
    let init = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroups");
    if t.host.cgroups.is_v2_only() {
        output.ok().prints("0::/");
    } else {
        output.ok().prints(init.trim());
    }
    // It counts, and is held by the limit.
    let call = t.runtime(&["exec", &container.id, "/bin/sh", "-c", "echo here; (echo forked); exit 0"]).run();
    call.prints("here").says("can't fork");
    assert_eq!(container.status(), "running");
}

/// The CPUs of this program, such as `0-3`.
fn own_cpus() -> String {
    let own = fs::read_to_string("/proc/self/status").expect("status");
    own.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).expect("the list").trim().to_string()
}

fn a_cpu_that_does_not_exist_is_refused(t: &Case) {
    t.needs_controller("cpuset");
    for cpu in [json!({"cpus": "4095"}), json!({"mems": "511"}), json!({"cpus": "0-"}), json!({"cpus": "a"})]
    {
        let key = if cpu.get("cpus").is_some() { "cpus" } else { "mems" };
        t.run(&t.bundle().set("/linux/resources/cpu", cpu)).fails().says(&format!("cpuset.{key}"));
        t.assert_no_side_effects();
    }
}

/// On cgroup v2 the kernel takes such a list, and gives what the parent has: other CPUs than told.
fn a_cpu_that_the_parent_does_not_have_is_refused(t: &Case) {
    t.needs_controller("cpuset");
    if own_cpus() == "0" {
        t.skip("needs a second CPU");
    }
    let place = crate::harness::place::Place::new(t, "parent");
    if version(t, "cpuset") == Version::V2 {
        place.enable("cpuset");
    }
    let dir = t.cgroup_dir("cpuset", &place.path);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        fs::write(dir.join(file), "0").expect("set up the cpuset");
    }
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(format!("{}/box", place.path)));
    let on = |cpus: &str| bundle.clone().set("/linux/resources/cpu", json!({"cpus": cpus})).sh("nproc");
    t.run(&on("0")).ok().prints("1");
    t.run(&on("1")).fails().says("cpuset.cpus");
}

fn cpus_and_memory_nodes_are_the_chosen_ones(t: &Case) {
    t.needs_controller("cpuset");
    let own = own_cpus();
    let last = own.rsplit([',', '-']).next().expect("a number");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"cpus": last, "mems": "0"}));
    let script = "grep -E '(Cpus|Mems)_allowed_list' /proc/self/status; nproc";
    t.run(&bundle.sh(script)).ok().prints(&format!("Cpus_allowed_list:\t{last}\nMems_allowed_list:\t0\n1"));
}

fn limits_of_an_earlier_use_of_the_cgroup_are_replaced(t: &Case) {
    t.needs_controller("memory");
    t.needs_controller("cpu");
    let v2 = version(t, "memory") == Version::V2;
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(t.cgroup_path(&id)));
    let with =
        |resources: Value| bundle.clone().set("/linux/resources", resources).args(&["/bin/sleep", "300"]);
    // Each of them is refused by what the one before has left, if it is written in the wrong order.
    for (megabytes, quota, burst) in [(64, 40_000, 30_000), (32, 20_000, 10_000), (128, 90_000, 80_000)] {
        let memory = json!({"limit": megabytes * MIB, "swap": megabytes * MIB});
        let container = t.launch(&with(json!({"memory": memory, "cpu": {"quota": quota, "burst": burst}})));
        let dir = t.cgroup_dir("memory", &t.cgroup_path(&id));
        let name = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
        assert_eq!(fs::read_to_string(dir.join(name)).expect("read").trim(), (megabytes * MIB).to_string());
        let (dir, name) =
            (t.cgroup_dir("cpu", &t.cgroup_path(&id)), if v2 { "cpu.max" } else { "cpu.cfs_quota_us" });
        let shown = fs::read_to_string(dir.join(name)).expect("read");
        assert_eq!(shown.split_whitespace().next(), Some(quota.to_string().as_str()));
        container.kill("KILL").ok();
        container.wait_until_stopped();
        fs::remove_dir_all(t.state_root.join(&container.id)).expect("forget the container");
    }
    t.run(&with(json!({})).args(&["/bin/true"])).ok();
}

/// config-linux.md: if a conversion is not possible, the runtime must generate an error.
fn what_cgroup_v2_cannot_limit_is_refused(t: &Case) {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
    for (key, resources) in [
        ("swappiness", json!({"memory": {"swappiness": 10}})),
        ("disableOOMKiller", json!({"memory": {"disableOOMKiller": true}})),
        ("realtimeRuntime", json!({"cpu": {"realtimeRuntime": 950_000}})),
    ] {
        t.run(&t.bundle().set("/linux/resources", resources)).fails().says(key);
        t.assert_no_side_effects();
    }
    let nothing = json!({"memory": {"disableOOMKiller": false, "kernel": 0}, "cpu": {"realtimeRuntime": 0}});
    t.run(&t.bundle().set("/linux/resources", nothing)).ok();
}
