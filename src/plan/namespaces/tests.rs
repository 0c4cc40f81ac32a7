use super::*;
use serde_json::{Value, json};

fn facts(uid: u32) -> Facts {
    Facts {
        uid,
        gid: uid,
        permitted_caps: if uid == 0 { (1 << 41) - 1 } else { 0 },
        last_cap: 40,
        ..Facts::default()
    }
}

fn planned(uid: u32, linux: Value) -> NamespacePlan {
    super::plan(&serde_json::from_value(linux).unwrap(), &facts(uid)).unwrap()
}

fn kinds(joins: &[Join]) -> Vec<Kind> {
    joins.iter().map(|join| join.kind).collect()
}

#[test]
fn the_child_makes_a_time_namespace_by_itself() {
    let plan = planned(
        0,
        json!({"namespaces": [{"type": "mount"}, {"type": "time"}],
        "timeOffsets": {"boottime": {"secs": -3, "nanosecs": 4}, "monotonic": {"secs": 5}}}),
    );
    assert!(plan.new_time);
    assert_eq!((plan.clone, plan.unshare), (Kind::Mount.flag(), 0));
    let lines: Vec<_> = plan.time_offsets.iter().map(|offset| offset.line.as_str()).collect();
    assert_eq!(lines, ["monotonic 5 0\n", "boottime -3 4\n"]);
    assert_eq!(plan.mask(), Kind::Mount.flag() | Kind::Time.flag());
}

#[test]
fn namespaces_are_joined_by_who_may() {
    let path = |kind: &str| json!({"type": kind, "path": format!("/ns/{kind}")});
    let others = [path("time"), path("mount"), path("network"), path("cgroup")];
    let plan = planned(0, json!({"namespaces": others}));
    assert_eq!(kinds(&plan.host_joins), []);
    assert_eq!(kinds(&plan.child_joins), [Kind::Network, Kind::Cgroup, Kind::Time, Kind::Mount]);
    let mut in_new = others.to_vec();
    in_new.push(json!({"type": "user"}));
    let ids = json!([{"containerID": 0, "hostID": 0, "size": 9}]);
    let plan = planned(0, json!({"namespaces": in_new, "uidMappings": ids, "gidMappings": ids}));
    assert_eq!(kinds(&plan.host_joins), [Kind::Network, Kind::Time]);
    assert_eq!(kinds(&plan.child_joins), [Kind::Cgroup, Kind::Mount]);
    let mut all = others.to_vec();
    all.push(path("user"));
    let plan = planned(0, json!({"namespaces": all}));
    assert_eq!(kinds(&plan.host_joins), []);
    let order = [Kind::User, Kind::Network, Kind::Cgroup, Kind::Time, Kind::Mount];
    assert_eq!(kinds(&plan.child_joins), order);
}

#[test]
fn who_cannot_come_back_does_not_leave() {
    let path = |kind: &str| json!({"type": kind, "path": format!("/ns/{kind}")});
    let linux = json!({"namespaces": [path("pid"), path("network"), {"type": "mount"}]});
    let plan = planned(0, linux.clone());
    assert_eq!((kinds(&plan.host_joins), plan.hop), (vec![Kind::Pid], false));
    let inside = Facts { in_userns: true, ..facts(0) };
    let plan = super::plan(&serde_json::from_value(linux).unwrap(), &inside).unwrap();
    assert_eq!((kinds(&plan.host_joins), plan.hop), (vec![], true));
    assert_eq!(kinds(&plan.child_joins), [Kind::Pid, Kind::Network]);
    let mut new_user = linux_with_new_user(&path("network"));
    let plan = super::plan(&serde_json::from_value(new_user.clone()).unwrap(), &inside).unwrap();
    assert_eq!((plan.clone, plan.hop, plan.hop_clone), (0, true, Kind::User.flag() | Kind::Pid.flag()));
    assert_eq!((kinds(&plan.child_joins), plan.unshare), (vec![Kind::Network], Kind::Mount.flag()));
    new_user["namespaces"][0] = json!({"type": "network"});
    let plan = super::plan(&serde_json::from_value(new_user).unwrap(), &inside).unwrap();
    assert!(!plan.hop, "there is nothing to join");
}

fn linux_with_new_user(first: &Value) -> Value {
    let ids = json!([{"containerID": 0, "hostID": 0, "size": 9}]);
    let new = ["user", "pid", "mount"].map(|kind| json!({"type": kind}));
    let [user, pid, mount] = new;
    json!({"namespaces": [first, user, pid, mount], "uidMappings": ids, "gidMappings": ids})
}
