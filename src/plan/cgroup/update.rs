//! What `update` changes: the same limits as those of a new container, for groups that are there.

use super::{CgroupPlan, DeviceAccess, Group, Planner, Version};
use crate::error::{Error, Result};
use crate::plan::device_rules::Mknod;
use crate::spec::config::Resources;

/// What is set already of the limits that are given only in part: what was not given stays.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Present {
    /// The memory limit; -1 is none.
    pub memory_limit: Option<i64>,
    /// `cpu.max` of v2, which has quota and period in one.
    pub cpu_max: Option<(i64, u64)>,
}

impl Present {
    /// Reads the limit of memory, as v1 or v2 write it: v1 has the largest multiple of a page for none.
    pub fn memory(text: &str) -> Option<i64> {
        const NONE: i64 = 1 << 62;
        match text.trim() {
            "max" => Some(-1),
            number => number.parse().ok().map(|limit| if limit >= NONE { -1 } else { limit }),
        }
    }

    /// Reads `cpu.max`.
    pub fn cpu(text: &str) -> Option<(i64, u64)> {
        let (quota, period) = text.trim().split_once(' ')?;
        let quota = if quota == "max" { -1 } else { quota.parse().ok()? };
        Some((quota, period.parse().ok()?))
    }

    /// Adds to `resources` what they cannot do without: memory+swap is judged beside the limit of memory.
    pub fn complete(&self, resources: &mut Resources) {
        if let Some(memory) = &mut resources.memory
            && memory.limit.is_none_or(|limit| limit == 0)
            && memory.swap.is_some_and(|swap| swap > 0)
        {
            memory.limit = self.memory_limit;
        }
        if let (Some(cpu), Some((quota, period))) = (&mut resources.cpu, self.cpu_max) {
            let given = |number: u64| number != 0;
            match (cpu.quota.is_some_and(|q| given(q.unsigned_abs())), cpu.period.is_some_and(given)) {
                (true, false) => cpu.period = Some(period),
                (false, true) => cpu.quota = Some(quota),
                _ => {}
            }
        }
    }
}

/// Decides the writes to `groups`, which are those of a container, for new `resources`. Device rules are
/// replaced as a whole if there are any. Groups without a change are left out.
///
/// The nodes of `linux.devices` are there by now: without `mknod_any` the new rules alone tell what can be made.
///
/// # Errors
/// Limits that these groups cannot have.
pub fn update(
    groups: Vec<Group>,
    resources: &Resources,
    mknod_any: bool,
    rootless: bool,
) -> Result<CgroupPlan> {
    let text = if groups.is_empty() { "the container has no cgroup of its own" } else { "" };
    let mut planner = Planner { groups, violations: Vec::new() };
    planner.limits(resources, |controller| match text {
        "" => format!("the container is in no cgroup with the {controller} controller"),
        text => text.into(),
    });
    if !resources.devices.is_empty() {
        let mknod = if mknod_any { Mknod::Any } else { Mknod::Listed(&[]) };
        planner.devices(resources, mknod, rootless);
    }
    planner.unified(resources);
    if !planner.violations.is_empty() {
        return Err(Error::invalid(planner.violations));
    }
    planner.groups.retain(|g| !g.writes.is_empty() || g.devices != DeviceAccess::Inherited);
    Ok(CgroupPlan { groups: planner.groups, unit: None })
}

impl CgroupPlan {
    /// Renames the places in the configuration that the writes come from.
    pub fn relabel(&mut self, label: impl Fn(&str) -> String) {
        for write in self.groups.iter_mut().flat_map(|group| &mut group.writes) {
            write.location = label(&write.location);
        }
    }
}

impl Group {
    /// A group that is there and that nothing is asked of yet.
    pub fn existing(mount: &std::path::Path, version: Version, controllers: &[String], path: &str) -> Self {
        Group {
            mount: mount.into(),
            version,
            controllers: controllers.to_vec(),
            path: path.into(),
            enable: Vec::new(),
            writes: Vec::new(),
            devices: DeviceAccess::Inherited,
            optional: false,
            named: false,
            caller: None,
            step_aside: false,
            owner: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::Path;

    fn groups(version: Version) -> Vec<Group> {
        let group = |name: &str, controllers: &[&str]| {
            let controllers: Vec<_> = controllers.iter().map(|c| c.to_string()).collect();
            Group::existing(&Path::new("/cg").join(name), version, &controllers, "/box")
        };
        match version {
            Version::V1 => ["memory", "cpu", "pids", "devices"].map(|c| group(c, &[c])).into(),
            Version::V2 => vec![group("", &["memory", "cpu", "pids"])],
        }
    }

    fn resources(value: Value) -> Resources {
        serde_json::from_value(value).unwrap()
    }

    fn changes(version: Version, value: Value) -> Vec<String> {
        let plan = update(groups(version), &resources(value), false, false).unwrap();
        let all = plan.groups.iter().flat_map(|g| &g.writes);
        all.map(|w| format!("{}={}", w.file, w.value)).collect()
    }

    #[test]
    fn only_what_is_given_is_changed() {
        assert_eq!(changes(Version::V1, json!({"pids": {"limit": 7}})), ["pids.max=7"]);
        assert_eq!(changes(Version::V2, json!({"pids": {"limit": 7}})), ["pids.max=7"]);
        let plan = update(groups(Version::V2), &resources(json!({})), false, false).unwrap();
        assert!(plan.groups.is_empty(), "device rules stay too");
        let rules = json!({"devices": [{"allow": false}]});
        let plan = update(groups(Version::V2), &resources(rules.clone()), false, false).unwrap();
        assert!(matches!(plan.groups[0].devices, DeviceAccess::Program { .. }));
        assert_eq!(changes(Version::V1, rules)[0], "devices.deny=a");
    }

    #[test]
    fn what_is_given_in_part_is_completed() {
        let present = Present { memory_limit: Some(50), cpu_max: Some((-1, 1000)) };
        let complete = |value: Value| {
            let mut resources = resources(value);
            present.complete(&mut resources);
            resources
        };
        let memory = |value: Value| complete(json!({ "memory": value })).memory.unwrap().limit;
        assert_eq!(memory(json!({"swap": 70})), Some(50));
        assert_eq!(memory(json!({"swap": 70, "limit": 60})), Some(60));
        assert_eq!(memory(json!({"swap": -1})), None);
        assert_eq!(memory(json!({"reservation": 5})), None);
        let cpu = |value: Value| complete(json!({ "cpu": value })).cpu.map(|c| (c.quota, c.period)).unwrap();
        assert_eq!(cpu(json!({"quota": 70})), (Some(70), Some(1000)));
        assert_eq!(cpu(json!({"period": 70})), (Some(-1), Some(70)));
        assert_eq!(cpu(json!({"shares": 70, "quota": 0})), (Some(0), None));
    }

    #[test]
    fn what_is_present_is_read_from_both_generations() {
        assert_eq!(Present::memory("max\n"), Some(-1));
        assert_eq!(Present::memory("9223372036854771712\n"), Some(-1));
        assert_eq!(Present::memory("4096\n"), Some(4096));
        assert_eq!(Present::cpu("max 100000\n"), Some((-1, 100_000)));
        assert_eq!(Present::cpu("5000 10000\n"), Some((5000, 10_000)));
    }

    #[test]
    fn what_the_groups_cannot_have_is_told() {
        let error = |groups, value| update(groups, &resources(value), false, false).unwrap_err().to_string();
        let network = json!({"network": {"classID": 1}});
        assert_eq!(
            error(groups(Version::V1), network.clone()),
            "linux.resources.network.classID: the container is in no cgroup with the net_cls controller"
        );
        assert_eq!(
            error(Vec::new(), network),
            "linux.resources.network.classID: the container has no cgroup of its own"
        );
    }
}
