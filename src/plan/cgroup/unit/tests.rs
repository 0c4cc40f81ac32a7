use super::*;
use crate::plan::cgroup::{CgroupPlan, Manager, Room, plan};
use crate::plan::device_rules::Mknod;
use crate::spec::config::Resources;
use serde_json::{Value as Json, json};

fn facts() -> Facts {
    let controllers = ["cpuset", "cpu", "io", "memory", "pids"].map(String::from);
    let own = "/user.slice/user-7.slice/user@7.service/app.slice/x.scope";
    let hierarchy = Hierarchy {
        mount: "/sys/fs/cgroup".into(),
        version: Version::V2,
        controllers: controllers.to_vec(),
        own: own.into(),
        room: Room::Below,
        unit: None,
    };
    Facts { hierarchies: vec![hierarchy] }
}

fn try_plan(path: Option<&str>, id: &str, rootless: bool, resources: Json) -> Result<CgroupPlan> {
    let resources: Resources = serde_json::from_value(resources).unwrap();
    let request = Request {
        cgroups_path: path,
        id,
        resources: Some(&resources),
        manager: Manager::Systemd,
        rootless,
        uid: 1000,
        properties: &[Property::new("TasksMax", Value::U64(7), "annotations")],
        mknod: Mknod::Listed(&[]),
    };
    plan(&facts(), &request)
}

fn place(path: Option<&str>, rootless: bool) -> (String, String) {
    let plan = try_plan(path, "web", rootless, json!({})).unwrap();
    (plan.unit.unwrap().name, plan.groups[0].path.clone())
}

fn refusal(path: &str) -> String {
    try_plan(Some(path), "web", false, json!({})).unwrap_err().to_string()
}

/// Those that follow from limits, `MemoryMax=5`.
fn limits(resources: Json) -> Vec<String> {
    let plan = try_plan(None, "web", false, resources).unwrap();
    let of_limits = |p: &&Property| p.location.starts_with("linux.resources");
    let properties = plan.unit.unwrap().properties;
    properties.iter().filter(of_limits).map(|p| format!("{}={}", p.name, p.value)).collect()
}

#[test]
fn slices_nest_by_their_names() {
    let of = |path, rootless| place(Some(path), rootless);
    let is = |name: &str, path: &str| (name.to_string(), path.to_string());
    assert_eq!(place(None, false), is("tierce-web.scope", "/system.slice/tierce-web.scope"));
    assert_eq!(of("a-b-c.slice:p:n", false), is("p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"));
    assert_eq!(of(":docker:n", false), is("docker-n.scope", "/system.slice/docker-n.scope"));
    assert_eq!(of("::n", false), is("n.scope", "/system.slice/n.scope"));
    assert_eq!(of("-:p:n", false), is("p-n.scope", "/p-n.scope"));
    assert_eq!(of("-.slice:p:n", false), is("p-n.scope", "/p-n.scope"));
    let user = "/user.slice/user-7.slice/user@7.service";
    assert_eq!(place(None, true).1, format!("{user}/user.slice/tierce-web.scope"));
    assert_eq!(of("a-b.slice:p:n", true).1, format!("{user}/a.slice/a-b.slice/p-n.scope"));
}

#[test]
fn an_id_is_escaped_and_a_name_is_not() {
    let plan = try_plan(None, "a+b", false, json!({})).unwrap();
    assert_eq!(plan.unit.unwrap().name, r"tierce-a\x2bb.scope");
    let refused = |path: &str, why: &str| assert!(refusal(path).contains(why), "{}", refusal(path));
    refused("s.slice:p:a+b", "has a '+'");
    refused("/a/b", "is not slice:prefix:name");
    refused("a:b", "is not slice:prefix:name");
    refused("a:b:c", "the slice \"a\" does not end in .slice");
    refused("a--b.slice:p:c", "has a dash with nothing before or after it");
    refused(".slice:p:c", "has a dash with nothing");
    refused("a/b.slice:p:c", "has a slash");
    refused("a.slice:p:c.slice", "is a slice, and systemd puts no processes into slices");
    refused("a.slice:p:", "has no name");
    refused(&format!("a.slice:p:{}", "x".repeat(250)), "has 258 bytes");
}

#[test]
fn limits_are_properties() {
    let resources = json!({
        "memory": {"limit": 1 << 20, "reservation": 4096, "swap": 3 << 20},
        "cpu": {"shares": 1024, "quota": 12_345, "period": 100_000, "cpus": "0-1,9", "mems": "0"},
        "pids": {"limit": 5},
        "unified": {"memory.high": "max", "memory.oom.group": "1", "memory.low": "8192"}
    });
    let expected = [
        "MemoryMax=1048576",
        "MemorySwapMax=2097152",
        "CPUWeight=100",
        "CPUQuotaPeriodUSec=100000",
        "CPUQuotaPerSecUSec=130000",
        "AllowedCPUs=[0x03, 0x02]",
        "AllowedMemoryNodes=[0x01]",
        "MemoryHigh=infinity",
        "MemoryLow=8192",
        "OOMPolicy=\"kill\"",
    ];
    assert_eq!(limits(resources), expected, "the limit of tasks is that of the annotation");
}

#[test]
fn what_is_unlimited_is_infinite() {
    let resources = json!({"memory": {"limit": -1}, "cpu": {"quota": -1}, "unified": {"pids.max": "max"}});
    let expected = [
        "MemoryMax=infinity",
        "MemorySwapMax=infinity",
        "CPUQuotaPeriodUSec=100000",
        "CPUQuotaPerSecUSec=infinity",
    ];
    assert_eq!(limits(resources), expected);
}

#[test]
fn idle_is_a_weight_of_its_own() {
    let resources = json!({"cpu": {"shares": 512, "idle": 1}});
    assert_eq!(limits(resources.clone()), ["CPUWeight=0"]);
    let plan = try_plan(None, "web", false, resources).unwrap();
    assert_eq!(plan.groups[0].writes.iter().map(|w| w.file.as_str()).collect::<Vec<_>>(), ["cpu.idle"]);
}

#[test]
fn what_systemd_does_not_know_or_understand_is_for_the_file_alone() {
    assert_eq!(
        limits(json!({"unified": {"cpu.max.burst": "1", "cpu.max": "lots", "memory.max": "1G"}})),
        [""; 0]
    );
}

#[test]
fn an_annotation_has_the_last_word() {
    let unit = try_plan(None, "web", false, json!({"pids": {"limit": 5}})).unwrap().unit.unwrap();
    let tasks: Vec<_> = unit.properties.iter().filter(|p| p.name == "TasksMax").collect();
    assert_eq!(tasks, [&Property::new("TasksMax", Value::U64(7), "annotations")]);
    assert!(unit.collects());
}

#[test]
fn v1_is_refused() {
    let mut facts = facts();
    facts.hierarchies[0].version = Version::V1;
    assert!(hierarchy(&facts).unwrap_err().to_string().contains("needs cgroup v2 alone"));
}

/// What an update tells and would take back, `MemoryMax=5`.
fn update(writes: &[Write], there: &[Write]) -> (Vec<String>, Vec<String>) {
    let text = |properties: Vec<Property>| {
        properties.iter().map(|p| format!("{}={}", p.name, p.value)).collect::<Vec<_>>()
    };
    (text(changed(writes, there)), text(unchanged(writes, there)))
}

#[test]
fn an_update_tells_what_it_changes_and_can_take_that_back() {
    let write = |file: &str, value: &str| Write::new(file, value, "");
    let there = [
        write("memory.max", "max"),
        write("cpu.weight", "39"),
        write("cpu.idle", "0"),
        write("cpu.max", "max 100000"),
        write("cpuset.cpus", "\n"),
    ];
    let told = |file: &str, value: &str| update(&[write(file, value)], &there);
    let both = |new: &str, old: &str| (vec![new.to_string()], vec![old.to_string()]);
    assert_eq!(told("memory.max", "5"), both("MemoryMax=5", "MemoryMax=infinity"));
    assert_eq!(told("cpu.weight", "5"), both("CPUWeight=5", "CPUWeight=39"));
    assert_eq!(told("cpu.idle", "1"), both("CPUWeight=0", "CPUWeight=39"));
    assert_eq!(told("cpuset.cpus", "1"), both("AllowedCPUs=[0x02]", "AllowedCPUs=[]"));
    // systemd has no other name for no longer idle than a weight.
    assert_eq!(told("cpu.idle", "0"), both("CPUWeight=39", "CPUWeight=39"));
    let given = [write("cpu.idle", "0"), write("cpu.weight", "7")];
    assert_eq!(update(&given, &there).0, ["CPUWeight=7"]);
    let idle = [write("cpu.weight", "0"), write("cpu.idle", "1")];
    assert_eq!(update(&given, &idle).1, ["CPUWeight=0"]);
    for (file, value) in [("memory.oom.group", "1"), ("cpu.max.burst", "5")] {
        assert_eq!(told(file, value), (vec![], vec![]), "{file}");
    }
}

#[test]
fn a_weight_for_block_io_is_told_by_the_scale_that_systemd_has() {
    assert_eq!(limits(json!({"blockIO": {"weight": 10}})), ["IOWeight=1"]);
}

#[test]
fn a_quota_beyond_what_can_be_told_is_none() {
    let per_second = |max: &str| {
        let write = [Write::new("cpu.max", max, "")];
        properties(&write).into_iter().find(|p| p.name == "CPUQuotaPerSecUSec").map(|p| p.value)
    };
    assert_eq!(per_second("9223372036854775807 1000"), Some(Value::U64(u64::MAX)));
    assert_eq!(per_second("9223372036854775807 1000000"), Some(Value::U64(9_223_372_036_854_780_000)));
    assert_eq!(per_second("5000 0"), None);
}
