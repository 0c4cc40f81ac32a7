//! `linux.resources.unified`: files of cgroup v2, as they are.

use crate::harness::prelude::*;

cases!("unified", root: [
    unified_files_of_several_controllers_are_written,
    a_unified_value_of_several_lines_is_written_line_by_line,
    unified_wins_over_the_other_resources,
    a_unified_file_that_does_not_exist_is_refused,
    a_unified_file_of_a_missing_controller_is_refused,
    a_unified_value_that_the_kernel_refuses_is_told,
    a_unified_key_that_is_no_file_name_is_refused,
    a_unified_key_that_acts_on_processes_is_refused,
    a_unified_huge_page_limit_is_set,
    unified_needs_cgroup_v2,
]);

/// A container that waits, with these resources.
fn idle<'c>(t: &'c Case, resources: Value) -> Container<'c> {
    t.launch(&t.bundle().set("/linux/resources", resources).args(&["/bin/sleep", "300"]))
}

/// A file of its v2 cgroup, without white space around it; skips if this kernel does not have it.
fn file(t: &Case, container: &Container, name: &str) -> String {
    match fs::read_to_string(t.unified_dir(&container.cgroup_path()).join(name)) {
        Ok(text) => text.trim().to_string(),
        Err(_) => t.skip(format!("needs {name}")),
    }
}

fn unified_files_of_several_controllers_are_written(t: &Case) {
    let files = [
        ("pids", "pids.max", "66"),
        ("cpu", "cpu.max", "30000 90000"),
        ("cpu", "cpu.weight", "77"),
        ("memory", "memory.high", "67108864"),
        ("memory", "memory.oom.group", "1"),
        ("cgroup", "cgroup.max.depth", "5"),
        ("cgroup", "cgroup.max.descendants", "7"),
    ];
    for controller in ["pids", "cpu", "memory"] {
        t.needs_v2_controller(controller);
    }
    let unified: serde_json::Map<_, _> =
        files.iter().map(|(_, name, value)| (name.to_string(), json!(value))).collect();
    let container = idle(t, json!({ "unified": unified }));
    let dir = t.unified_dir(&container.cgroup_path());
    for (_, name, value) in files {
        assert_eq!(fs::read_to_string(dir.join(name)).expect("read").trim(), value, "{name}");
    }
}

/// Two whole disks of this machine, as `8:0`.
fn disks(t: &Case) -> Vec<String> {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| fs::read_to_string(entry.path().join("dev")).ok());
    let found: Vec<String> = numbers.map(|text| text.trim().to_string()).take(2).collect();
    if found.len() < 2 {
        t.skip("needs two disks");
    }
    found
}

/// The example of config-linux.md, "Unified": io.max has a line for each device, and takes one at a time.
fn a_unified_value_of_several_lines_is_written_line_by_line(t: &Case) {
    t.needs_v2_controller("io");
    let probe = idle(t, json!({"unified": {"pids.max": "9"}}));
    file(t, &probe, "io.max");
    let lines: Vec<String> =
        disks(t).iter().map(|disk| format!("{disk} rbps=2097152 wbps=max riops=max wiops=120")).collect();
    for end in ["", "\n"] {
        let value = format!("{}{end}", lines.join("\n"));
        let container = idle(t, json!({"unified": {"io.max": value}}));
        let mut shown: Vec<String> = file(t, &container, "io.max").lines().map(str::to_string).collect();
        let mut expected = lines.clone();
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected);
        container.delete_by_force().ok();
    }
}

fn unified_wins_over_the_other_resources(t: &Case) {
    t.needs_v2_controller("pids");
    let container = idle(t, json!({"pids": {"limit": 5}, "unified": {"pids.max": "8"}}));
    assert_eq!(file(t, &container, "pids.max"), "8");
}

/// A container with this key of `unified` is refused, with the key and this word.
fn refused(t: &Case, key: &str, value: &str, word: &str) {
    t.run(&t.bundle().set("/linux/resources", json!({"unified": {key: value}}))).fails().says(key).says(word);
    t.assert_no_side_effects();
}

fn a_unified_file_that_does_not_exist_is_refused(t: &Case) {
    t.needs_v2_controller("memory");
    refused(t, "memory.nosuch", "1", "no such file");
    refused(t, "cgroup.nosuch", "1", "no such file");
}

fn a_unified_file_of_a_missing_controller_is_refused(t: &Case) {
    t.unified_dir("/");
    refused(t, "nosuch.max", "1", "controller");
}

fn a_unified_value_that_the_kernel_refuses_is_told(t: &Case) {
    t.needs_v2_controller("pids");
    refused(t, "pids.max", "lots", "lots");
    refused(t, "pids.max", "5 6", "5 6");
    refused(t, "pids.current", "5", "pids.current");
}

fn a_unified_key_that_is_no_file_name_is_refused(t: &Case) {
    for key in ["../pids.max", "/pids.max", "sub/pids.max", "pids", "", "..", "."] {
        t.run(&t.bundle().set("/linux/resources", json!({"unified": {key: "1"}}))).fails();
        t.assert_no_side_effects();
    }
}

/// None of them is a setting of the container: the runtime itself would be moved, or init not born.
fn a_unified_key_that_acts_on_processes_is_refused(t: &Case) {
    t.unified_dir("/");
    let own = || fs::read_to_string("/proc/self/cgroup").expect("our cgroups");
    let before = own();
    for (key, value) in [
        ("cgroup.procs", "0".to_string()),
        ("cgroup.procs", std::process::id().to_string()),
        ("cgroup.threads", "0".to_string()),
        ("cgroup.freeze", "1".to_string()),
        ("cgroup.type", "threaded".to_string()),
        ("cgroup.kill", "1".to_string()),
    ] {
        refused(t, key, &value, key);
    }
    assert_eq!(own(), before);
}

fn a_unified_huge_page_limit_is_set(t: &Case) {
    t.needs_v2_controller("hugetlb");
    let container = idle(t, json!({"unified": {"hugetlb.2MB.max": "4194304", "hugetlb.2MB.rsvd.max": "0"}}));
    assert_eq!(file(t, &container, "hugetlb.2MB.max"), "4194304");
    assert_eq!(file(t, &container, "hugetlb.2MB.rsvd.max"), "0");
}

fn unified_needs_cgroup_v2(t: &Case) {
    let v2 = |controller: &&str| {
        let has = |h: &crate::harness::cgroups::Hierarchy| h.controllers.iter().any(|c| c == controller);
        !t.host.cgroups.unified().is_some_and(has)
    };
    let Some(controller) = ["pids", "memory", "cpuset", "hugetlb"].into_iter().find(v2) else {
        t.skip("cgroup v2 has all controllers here");
    };
    let unified = json!({ format!("{controller}.max"): "1" });
    t.run(&t.bundle().set("/linux/resources", json!({ "unified": unified }))).fails().says("unified");
}
