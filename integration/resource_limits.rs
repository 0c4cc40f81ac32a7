//! `linux.resources`: the values in the cgroup files, and what they do.

use crate::harness::cgroups::Version;
use crate::harness::prelude::*;

cases!("resource_limits", root: [
    the_memory_limit_is_set,
    too_much_memory_ends_the_program_with_137,
    the_memory_limit_is_for_all_processes_together,
    the_swap_limit_is_set,
    the_memory_reservation_is_set,
    the_cpu_quota_is_set,
    the_cpu_shares_are_set,
    the_cpus_are_chosen,
    the_cpus_of_a_container_are_those_of_the_host_unless_told,
    the_limit_of_processes_is_set,
    too_many_processes_cannot_be_started,
    a_limit_that_is_not_given_is_not_set,
    minus_one_is_no_limit,
    an_impossible_cpu_quota_is_refused,
    a_tiny_memory_limit_is_an_error_that_says_so,
    unified_values_are_set,
    a_huge_page_limit_is_set,
]);

/// Version of the hierarchy that has the controller, or skips.
fn version(t: &Case, controller: &str) -> Version {
    t.needs_controller(controller);
    t.host.cgroups.with_controller(controller).expect("just looked").version
}

/// The content of the file, which has one name on v1 and one on v2, for a container with these resources.
fn value(t: &Case, controller: &str, resources: Value, names: [&str; 2]) -> String {
    let name = names[usize::from(version(t, controller) == Version::V2)];
    let bundle = t.bundle().set(&format!("/linux/resources/{controller}"), resources);
    let container = t.create(&bundle);
    let path = t.cgroup_dir(controller, &container.cgroup_path()).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim().to_string()
}

const MIB: i64 = 1 << 20;

fn the_memory_limit_is_set(t: &Case) {
    let limit = json!({"limit": 64 * MIB});
    assert_eq!(value(t, "memory", limit, ["memory.limit_in_bytes", "memory.max"]), (64 * MIB).to_string());
}

fn too_much_memory_ends_the_program_with_137(t: &Case) {
    t.needs_controller("memory");
    let bundle = t.bundle().set("/linux/resources/memory", json!({"limit": 32 * MIB, "swap": 32 * MIB}));
    t.run(&bundle.clone().args(&["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]))
        .exits(137);
    t.run(&bundle.args(&["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=2M", "count=1"])).ok();
}

fn the_memory_limit_is_for_all_processes_together(t: &Case) {
    t.needs_controller("memory");
    let bundle = t.bundle().set("/linux/resources/memory", json!({"limit": 48 * MIB, "swap": 48 * MIB}));
    let script = "dd if=/dev/zero of=/dev/shm/f bs=1M count=60 2>/dev/null; echo dd ended with $?";
    t.run(&bundle.sh(script)).prints("dd ended with 137");
}

fn the_swap_limit_is_set(t: &Case) {
    if version(t, "memory") == Version::V1
        && !Path::new("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists()
    {
        t.skip("needs swap accounting");
    }
    let limit = json!({"limit": 64 * MIB, "swap": 96 * MIB});
    let shown = value(t, "memory", limit, ["memory.memsw.limit_in_bytes", "memory.swap.max"]);
    let expected = if version(t, "memory") == Version::V1 { 96 } else { 32 };
    assert_eq!(shown, (expected * MIB).to_string());
}

fn the_memory_reservation_is_set(t: &Case) {
    let reservation = json!({"reservation": 40 * MIB});
    let shown = value(t, "memory", reservation, ["memory.soft_limit_in_bytes", "memory.low"]);
    assert_eq!(shown, (40 * MIB).to_string());
}

fn the_cpu_quota_is_set(t: &Case) {
    let cpu = json!({"quota": 40000, "period": 80000});
    match version(t, "cpu") {
        Version::V1 => {
            assert_eq!(value(t, "cpu", cpu.clone(), ["cpu.cfs_quota_us", ""]), "40000");
            assert_eq!(value(t, "cpu", cpu, ["cpu.cfs_period_us", ""]), "80000");
        }
        Version::V2 => assert_eq!(value(t, "cpu", cpu, ["", "cpu.max"]), "40000 80000"),
    }
}

fn the_cpu_shares_are_set(t: &Case) {
    let shown = value(t, "cpu", json!({"shares": 512}), ["cpu.shares", "cpu.weight"]);
    match version(t, "cpu") {
        Version::V1 => assert_eq!(shown, "512"),
        // Two conversions are in use: 20 by the older, 59 by the newer one.
        Version::V2 => assert!(["20", "59"].contains(&shown.as_str()), "{shown}"),
    }
}

fn the_cpus_are_chosen(t: &Case) {
    t.needs_controller("cpuset");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"cpus": "0", "mems": "0"}));
    t.run(&bundle.sh("grep Cpus_allowed_list /proc/self/status; nproc"))
        .ok()
        .prints("Cpus_allowed_list:\t0\n1");
}

fn the_cpus_of_a_container_are_those_of_the_host_unless_told(t: &Case) {
    let own = fs::read_to_string("/proc/self/status").expect("status");
    let line = own.lines().find(|line| line.starts_with("Cpus_allowed_list")).expect("the line");
    t.run(&t.bundle().args(&["/bin/grep", "Cpus_allowed_list", "/proc/self/status"])).ok().prints(line);
}

fn the_limit_of_processes_is_set(t: &Case) {
    assert_eq!(value(t, "pids", json!({"limit": 77}), ["pids.max", "pids.max"]), "77");
}

fn too_many_processes_cannot_be_started(t: &Case) {
    t.needs_controller("pids");
    let bundle = t.bundle().set("/linux/resources/pids", json!({"limit": 20}));
    let script = "for i in $(seq 50); do sleep 300 2>/dev/null & done 2>/dev/null; sleep 300";
    let container = t.launch(&bundle.sh(script));
    let dir = t.cgroup_dir("pids", &container.cgroup_path());
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    eventually("the kernel has refused a process", || {
        read("pids.events").split_whitespace().nth(1).is_some_and(|count| count != "0")
    });
    let count: u32 = read("pids.current").trim().parse().expect("a number");
    assert!(count <= 20, "{count} processes");
    container.delete_by_force().ok();
}

fn a_limit_that_is_not_given_is_not_set(t: &Case) {
    assert_eq!(value(t, "pids", json!({}), ["pids.max", "pids.max"]), "max");
    let memory = value(t, "memory", json!({}), ["memory.limit_in_bytes", "memory.max"]);
    assert!(memory == "max" || memory.parse::<u64>().is_ok_and(|limit| limit > 1 << 60), "{memory}");
}

fn minus_one_is_no_limit(t: &Case) {
    assert_eq!(value(t, "pids", json!({"limit": -1}), ["pids.max", "pids.max"]), "max");
    let memory = value(t, "memory", json!({"limit": -1}), ["memory.limit_in_bytes", "memory.max"]);
    assert!(memory == "max" || memory.parse::<u64>().is_ok_and(|limit| limit > 1 << 60), "{memory}");
}

fn an_impossible_cpu_quota_is_refused(t: &Case) {
    t.needs_controller("cpu");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"quota": 10, "period": 100_000}));
    t.run(&bundle).fails().says("quota");
    t.assert_no_side_effects();
}

fn a_tiny_memory_limit_is_an_error_that_says_so(t: &Case) {
    t.needs_controller("memory");
    let bundle = t.bundle().set("/linux/resources/memory", json!({"limit": 4096, "swap": 4096}));
    t.try_create(&bundle, &[]).1.fails().says("memory");
    t.assert_no_side_effects();
}

fn unified_values_are_set(t: &Case) {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
    t.needs_controller("pids");
    let bundle = t.bundle().set("/linux/resources/unified", json!({"pids.max": "66"}));
    let container = t.create(&bundle);
    let path = t.cgroup_dir("pids", &container.cgroup_path()).join("pids.max");
    assert_eq!(fs::read_to_string(path).expect("read"), "66\n");
}

fn a_huge_page_limit_is_set(t: &Case) {
    let name = ["hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"];
    let name = name[usize::from(version(t, "hugetlb") == Version::V2)];
    let limits = json!([{"pageSize": "2MB", "limit": 4 * MIB}]);
    let container = t.create(&t.bundle().set("/linux/resources/hugepageLimits", limits));
    let path = t.cgroup_dir("hugetlb", &container.cgroup_path()).join(name);
    assert_eq!(fs::read_to_string(path).expect("read").trim(), (4 * MIB).to_string());
}
