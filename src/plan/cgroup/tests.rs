use super::*;
use serde_json::{Value, json};

const V1: [&str; 4] = ["cpu,cpuacct", "cpuset", "memory", "pids"];

fn v1(controllers: &str, own: &str) -> Hierarchy {
    Hierarchy {
        mount: Path::new("/sys/fs/cgroup").join(controllers.trim_start_matches("name=")),
        version: Version::V1,
        controllers: controllers.split(',').map(String::from).collect(),
        own: own.into(),
        room: Room::Below,
        unit: None,
    }
}

fn v2(mount: &str, controllers: &[&str], own: &str) -> Hierarchy {
    let controllers = controllers.iter().map(|c| c.to_string()).collect();
    Hierarchy {
        mount: mount.into(),
        version: Version::V2,
        controllers,
        own: own.into(),
        room: Room::Below,
        unit: None,
    }
}

fn only_v1() -> Facts {
    let mut hierarchies: Vec<_> = V1.iter().map(|c| v1(c, "/user")).collect();
    hierarchies.extend([v1("devices", "/user"), v1("name=systemd", "/user.slice/7.scope")]);
    Facts { hierarchies }
}

fn only_v2() -> Facts {
    let own = "/user.slice/7.scope";
    Facts { hierarchies: vec![v2("/sys/fs/cgroup", &["cpuset", "cpu", "memory", "pids"], own)] }
}

fn hybrid() -> Facts {
    let mut facts = only_v1();
    facts.hierarchies.insert(0, v2("/sys/fs/cgroup/unified", &["hugetlb"], "/"));
    facts
}

fn try_plan(facts: &Facts, path: Option<&str>, rootless: bool, resources: Value) -> Result<CgroupPlan> {
    let resources: Resources = serde_json::from_value(resources).unwrap();
    plan(
        facts,
        &Request {
            cgroups_path: path,
            id: "web",
            resources: Some(&resources),
            manager: Manager::Cgroupfs,
            rootless,
            uid: 1000,
            properties: &[],
            mknod: Mknod::Listed(&[]),
        },
    )
}

fn planned(facts: &Facts, resources: Value) -> CgroupPlan {
    try_plan(facts, Some("/box"), false, resources).unwrap()
}

/// `memory.max=1`, without the device rules.
fn writes(plan: &CgroupPlan) -> Vec<String> {
    let all = plan.groups.iter().flat_map(|g| &g.writes);
    all.filter(|w| !w.file.starts_with("devices.")).map(|w| format!("{}={}", w.file, w.value)).collect()
}

fn paths(plan: &CgroupPlan) -> Vec<(&str, &str)> {
    plan.groups.iter().map(|g| (g.controllers[0].as_str(), g.path.as_str())).collect()
}

#[test]
fn every_hierarchy_gets_a_group_v2_last() {
    let plan = try_plan(&hybrid(), None, false, json!({})).unwrap();
    let expected = ["cpu", "cpuset", "memory", "pids", "devices", "name=systemd", "hugetlb"];
    assert_eq!(paths(&plan), expected.map(|c| (c, "/tierce-web")));
    let v2 = plan.groups.last().unwrap();
    assert_eq!(v2.directory(), Path::new("/sys/fs/cgroup/unified/tierce-web"));
    assert!(v2.enable.is_empty(), "a hybrid machine keeps its controllers as they are");
    assert_eq!(v2.devices, DeviceAccess::Inherited, "v1 has the devices controller");
}

#[test]
fn an_absolute_path_is_from_the_root_of_every_hierarchy() {
    let plan = try_plan(&hybrid(), Some("//docker/./abc/"), false, json!({})).unwrap();
    assert!(plan.groups.iter().all(|g| g.path == "/docker/abc"), "{plan:?}");
}

#[test]
fn a_relative_path_is_below_the_caller_on_v1_and_beside_it_on_v2() {
    let plan = try_plan(&only_v1(), Some("a/b"), false, json!({})).unwrap();
    assert_eq!(paths(&plan)[0], ("cpu", "/user/a/b"));
    assert_eq!(paths(&plan)[5], ("name=systemd", "/user.slice/7.scope/a/b"));
    let plan = try_plan(&only_v2(), Some("a/b"), false, json!({})).unwrap();
    assert_eq!(paths(&plan), [("cpuset", "/user.slice/a/b")]);
    let plan = try_plan(&hybrid(), Some("a"), false, json!({})).unwrap();
    assert_eq!(*paths(&plan).last().unwrap(), ("hugetlb", "/a"));
}

#[test]
fn without_root_the_group_is_below_the_callers_and_may_be_missing() {
    let plan = try_plan(&only_v2(), None, true, json!({})).unwrap();
    assert_eq!(paths(&plan), [("cpuset", "/user.slice/7.scope/tierce-web")]);
    assert!(plan.groups[0].optional);
    assert_eq!(plan.groups[0].devices, DeviceAccess::Inherited);
    let plan = try_plan(&only_v1(), None, true, json!({"pids": {"limit": 5}})).unwrap();
    let needed: Vec<_> = plan.groups.iter().filter(|g| !g.optional).map(|g| &g.controllers[0]).collect();
    assert_eq!(needed, ["pids"]);
}

/// Of a caller without root: its groups may be made there.
fn with_room(room: Room, unit: Option<&[&str]>) -> Facts {
    let mut facts = only_v2();
    facts.hierarchies[0].room = room;
    facts.hierarchies[0].unit = unit.map(|names| names.iter().map(|c| c.to_string()).collect());
    facts
}

fn rootless(facts: &Facts, path: Option<&str>, resources: Value) -> Group {
    try_plan(facts, path, true, resources).unwrap().groups.remove(0)
}

#[test]
fn without_root_the_group_is_beside_the_callers_where_that_is_delegated() {
    let facts = with_room(Room::Beside, None);
    assert_eq!(rootless(&facts, None, json!({})).path, "/user.slice/tierce-web");
    assert_eq!(rootless(&facts, Some("a/b"), json!({})).path, "/user.slice/a/b");
    assert_eq!(rootless(&facts, Some("/x"), json!({})).path, "/x");
    let facts = with_room(Room::Below, None);
    assert_eq!(rootless(&facts, Some("a/b"), json!({})).path, "/user.slice/7.scope/a/b");
    let below = rootless(&facts, None, json!({"pids": {"limit": 5}}));
    assert_eq!((below.path.as_str(), below.step_aside), ("/user.slice/7.scope/tierce-web", false));
    assert_eq!(below.caller.as_deref(), Some("/user.slice/7.scope"));
}

#[test]
fn below_the_callers_group_no_controllers_are_asked_for_without_limits() {
    let below = with_room(Room::Below, None);
    assert!(rootless(&below, None, json!({})).enable.is_empty());
    assert_eq!(rootless(&below, None, json!({"pids": {"limit": 5}})).enable, ["pids"]);
    assert_eq!(rootless(&with_room(Room::Beside, None), None, json!({})).enable.len(), 4);
}

#[test]
fn alone_in_what_systemd_delegates_the_caller_steps_aside_for_limits() {
    let facts = with_room(Room::Own, Some(&["cpu", "pids"]));
    let plain = rootless(&facts, None, json!({}));
    assert_eq!((plain.path.as_str(), plain.step_aside), ("/user.slice/7.scope/tierce-web", false));
    assert!(rootless(&facts, None, json!({"pids": {"limit": 5}})).step_aside);
    assert!(!rootless(&facts, Some("/x"), json!({"pids": {"limit": 5}})).step_aside, "not below it");
}

#[test]
fn what_systemd_takes_back_is_asked_for_in_the_callers_own_unit() {
    let place = |unit: &[&str], resources: Value| {
        let group = rootless(&with_room(Room::Beside, Some(unit)), None, resources);
        (group.path, group.step_aside)
    };
    let (pids, cpu) = (json!({"pids": {"limit": 5}}), json!({"cpu": {"shares": 5}, "pids": {"limit": 5}}));
    let beside = ("/user.slice/tierce-web".to_string(), false);
    let own = ("/user.slice/7.scope/tierce-web".to_string(), true);
    assert_eq!(place(&["memory", "pids", "cpu"], pids), beside, "every unit needs pids");
    assert_eq!(place(&["memory", "pids", "cpu"], cpu.clone()), own);
    assert_eq!(place(&["memory", "pids"], cpu), beside, "the unit does not have it");
}

#[test]
fn the_limits_of_a_controller_are_named_once() {
    let resources = json!({"cpu": {"quota": 5000, "period": 10000, "shares": 7}, "pids": {"limit": 5}});
    let plan = planned(&only_v2(), resources);
    let group = &plan.groups[0];
    assert_eq!(group.limits(Some("cpu")), "linux.resources.cpu.shares, linux.resources.cpu.quota");
    assert_eq!(group.limits(Some("pids")), "linux.resources.pids.limit");
    assert!(group.limits(None).ends_with(", linux.resources.pids.limit"));
}

#[test]
fn paths_that_leave_the_hierarchy_or_are_its_root_are_refused() {
    for path in ["/../x", "a/../../x", "/", "//.", "/a\nb", "/a\0b"] {
        let error = try_plan(&hybrid(), Some(path), false, json!({})).unwrap_err();
        assert!(error.to_string().starts_with("linux.cgroupsPath: "), "{path:?}: {error}");
    }
}

const LIMITS: &str = r#"{
    "memory": {"limit": 268435456, "swap": 536870912, "reservation": 1048576},
    "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1000, "idle": 0, "cpus": "0", "mems": "0"},
    "pids": {"limit": 100}
}"#;

#[test]
fn limits_of_v1_in_the_order_that_the_kernel_wants() {
    let plan = planned(&only_v1(), serde_json::from_str(LIMITS).unwrap());
    let expected = [
        "cpu.idle=0",
        "cpu.shares=512",
        "cpu.cfs_period_us=100000",
        "cpu.cfs_quota_us=50000",
        "cpu.cfs_burst_us=1000",
        "cpuset.cpus=0",
        "cpuset.mems=0",
        "memory.limit_in_bytes=268435456",
        "memory.memsw.limit_in_bytes=536870912",
        "memory.soft_limit_in_bytes=1048576",
        "pids.max=100",
    ];
    assert_eq!(writes(&plan), expected);
    let memsw = &plan.groups[2].writes[1];
    assert_eq!((memsw.location.as_str(), &memsw.absent), ("linux.resources.memory.swap", &Absent::Skip));
}

#[test]
fn limits_of_v2() {
    let plan = planned(&only_v2(), serde_json::from_str(LIMITS).unwrap());
    let expected = [
        "memory.max=268435456",
        "memory.swap.max=268435456",
        "memory.low=1048576",
        "cpu.idle=0",
        "cpu.weight=59",
        "cpu.max=50000 100000",
        "cpu.max.burst=1000",
        "cpuset.cpus=0",
        "cpuset.mems=0",
        "pids.max=100",
    ];
    assert_eq!(writes(&plan), expected);
    let group = &plan.groups[0];
    assert_eq!(group.enable, ["cpuset", "cpu", "memory", "pids"]);
    assert!(group.needs("cpu") && !group.needs("io"));
    assert!(matches!(&group.devices, DeviceAccess::Program { rules, .. } if rules[0] == "deny a *:* rwm"));
}

#[test]
fn unlimited_and_zero() {
    let unlimited = json!({
        "memory": {"limit": -1, "swap": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}
    });
    let v1 =
        ["cpu.cfs_quota_us=-1", "memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "pids.max=max"];
    assert_eq!(writes(&planned(&only_v1(), unlimited.clone())), v1);
    let v2 = ["memory.max=max", "memory.swap.max=max", "cpu.max=max 100000", "pids.max=max"];
    assert_eq!(writes(&planned(&only_v2(), unlimited)), v2);
    let zero = json!({
        "memory": {"limit": 0, "swap": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0}, "pids": {"limit": 0}
    });
    assert_eq!(writes(&planned(&only_v1(), zero.clone())), ["pids.max=0"]);
    assert_eq!(writes(&planned(&only_v2(), zero)), ["pids.max=1"]);
}

#[test]
fn swap_of_v2_is_without_the_memory() {
    let swap = |memory: Value| {
        let plan = try_plan(&only_v2(), None, false, json!({ "memory": memory }));
        plan.map(|plan| writes(&plan)).map_err(|e| e.to_string())
    };
    assert_eq!(swap(json!({"limit": 5, "swap": 5})).unwrap(), ["memory.max=5", "memory.swap.max=0"]);
    assert_eq!(swap(json!({"limit": 5, "swap": -1})).unwrap(), ["memory.max=5", "memory.swap.max=max"]);
    assert_eq!(swap(json!({"limit": 5})).unwrap(), ["memory.max=5"]);
    let error = swap(json!({"limit": 6, "swap": 5})).unwrap_err();
    assert_eq!(error, "linux.resources.memory.swap: 5 is lower than memory.limit, 6");
    assert!(swap(json!({"swap": 5})).unwrap_err().contains("needs memory.limit too"));
}

#[test]
fn shares_become_weights_by_the_formula_that_keeps_the_ends_and_the_default() {
    let known = [(0, 1), (2, 1), (3, 2), (256, 35), (512, 59), (1024, 100), (2048, 174), (262_143, 10_000)];
    for (shares, weight) in known {
        assert_eq!(limits::weight(shares), weight, "{shares}");
    }
    assert_eq!(limits::weight(262_144), 10_000);
    assert_eq!(limits::weight(u64::MAX), 10_000);
    assert!((2..262_144).all(|s| limits::weight(s) <= limits::weight(s + 1)));
}

#[test]
fn a_missing_controller_matters_only_to_a_limit_that_needs_it() {
    let facts = Facts { hierarchies: vec![v2("/sys/fs/cgroup", &["memory"], "/")] };
    assert!(try_plan(&facts, None, false, json!({"pids": {}, "cpu": {"shares": 0}})).is_ok());
    let error =
        try_plan(&facts, None, false, json!({"pids": {"limit": 1}, "cpu": {"shares": 5, "cpus": "1"}}));
    let expected = "\
3 mistakes
  linux.resources.cpu.shares: no mounted cgroup hierarchy has the cpu controller
  linux.resources.cpu.cpus: no mounted cgroup hierarchy has the cpuset controller
  linux.resources.pids.limit: no mounted cgroup hierarchy has the pids controller";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[test]
fn devices_need_some_hierarchy_unless_everything_is_allowed() {
    let error = try_plan(&Facts::default(), None, false, json!({})).unwrap_err();
    assert!(error.to_string().starts_with("linux.resources.devices: no cgroup hierarchy"), "{error}");
    let all = json!({"devices": [{"allow": true, "access": "rwm"}]});
    assert_eq!(try_plan(&Facts::default(), None, false, all.clone()).unwrap(), CgroupPlan::default());
    assert_eq!(planned(&only_v2(), all).groups[0].devices, DeviceAccess::Everything);
    assert!(try_plan(&Facts::default(), None, true, json!({})).is_ok(), "rootless");
}

#[test]
fn disabled_makes_nothing_and_refuses_limits() {
    let resources = Resources::default();
    let mut request = Request {
        cgroups_path: Some("/x"),
        id: "web",
        resources: Some(&resources),
        manager: Manager::Disabled,
        rootless: false,
        uid: 1000,
        properties: &[],
        mknod: Mknod::Listed(&[]),
    };
    assert_eq!(plan(&hybrid(), &request).unwrap(), CgroupPlan::default());
    let resources: Resources = serde_json::from_str(LIMITS).unwrap();
    request.resources = Some(&resources);
    let error = plan(&hybrid(), &request).unwrap_err().to_string();
    assert!(error.contains("linux.resources.pids.limit: cgroups are disabled"), "{error}");
}

#[test]
fn unified_goes_to_v2_as_it_is_and_last() {
    let resources = json!({"pids": {"limit": 5}, "unified": {"cgroup.max.depth": "1", "pids.max": "7"}});
    let plan = planned(&only_v2(), resources);
    assert_eq!(writes(&plan), ["pids.max=5", "cgroup.max.depth=1", "pids.max=7"]);
    let plan = planned(&hybrid(), json!({"unified": {"hugetlb.2MB.max": "0"}}));
    assert_eq!(plan.groups.last().unwrap().enable, ["hugetlb"], "a limit needs it");
    for (facts, file, text) in [
        (only_v1(), "pids.max", "needs cgroup v2"),
        (hybrid(), "pids.max", "does not have the pids controller"),
        (only_v2(), "../pids.max", "not the name of a cgroup file"),
        (only_v2(), ".max", "not the name of a cgroup file"),
        (only_v2(), "cgroup.procs", "acts on processes"),
    ] {
        let error = try_plan(&facts, None, false, json!({"unified": {file: "1"}})).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains(&format!("unified[{file:?}]")), "{error}");
    }
}

#[test]
fn a_unified_value_of_several_lines_is_as_many_writes() {
    let disks = "259:0 rbps=2097152 wiops=120\n253:0 rbps=2097152 wiops=120\n\n";
    let facts = Facts { hierarchies: vec![v2("/sys/fs/cgroup", &["io"], "/")] };
    let values = |value: &str| writes(&planned(&facts, json!({"unified": {"io.max": value}})));
    let expected = ["io.max=259:0 rbps=2097152 wiops=120", "io.max=253:0 rbps=2097152 wiops=120"];
    assert_eq!(values(disks), expected);
    assert_eq!(values(""), ["io.max="]);
}

#[test]
fn what_a_version_cannot_do_is_refused_and_what_says_nothing_is_not() {
    let refused =
        json!({"memory": {"swappiness": 5, "disableOOMKiller": true}, "cpu": {"realtimePeriod": 7}});
    let error = try_plan(&only_v2(), None, false, refused.clone()).unwrap_err().to_string();
    assert!(error.starts_with("3 mistakes"), "{error}");
    let on_v1 = writes(&planned(&only_v1(), refused));
    assert_eq!(on_v1, ["cpu.rt_period_us=7", "memory.swappiness=5", "memory.oom_control=1"]);
    let docker = json!({
        "memory": {"disableOOMKiller": false}, "cpu": {"shares": 0}, "pids": {},
        "blockIO": {"weight": 0, "weightDevice": []}, "hugepageLimits": [], "network": {}, "rdma": {}
    });
    assert_eq!(writes(&planned(&hybrid(), docker.clone())), ["memory.oom_control=0"]);
    let none = Facts { hierarchies: vec![v1("devices", "/")] };
    assert!(writes(&planned(&none, docker)).is_empty(), "there is nothing to lift");
}

#[test]
fn what_v1_has_and_nothing_here_is_refused_too() {
    let none = Facts { hierarchies: vec![v1("devices", "/")] };
    let resources =
        json!({"memory": {"swappiness": 5}, "blockIO": {"leafWeight": 10}, "network": {"classID": 1}});
    let error = try_plan(&none, None, false, resources).unwrap_err().to_string();
    let expected = "\
3 mistakes
  linux.resources.memory.swappiness: no mounted cgroup hierarchy has the memory controller
  linux.resources.blockIO.leafWeight: no mounted cgroup hierarchy has the io controller
  linux.resources.network.classID: no mounted cgroup hierarchy has the net_cls controller";
    assert_eq!(error, expected);
}

#[test]
fn the_plan_can_be_printed() {
    let plan = planned(&only_v2(), json!({"pids": {"limit": 3}}));
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["groups"][0]["version"], "v2");
    let write = json!({
        "file": "pids.max", "value": "3", "location": "linux.resources.pids.limit", "absent": "refuse"
    });
    assert_eq!(json["groups"][0]["writes"][0], write);
    assert_eq!(json["groups"][0]["devices"]["program"]["rules"][1], "allow c 1:3 rwm");
}
