//! Whose the container's cgroup is (config-linux.md, "Cgroup ownership").

use super::{CgroupPlan, Version};
use crate::plan::Facts;
use crate::plan::namespaces::{Kind, NamespacePlan, UserNamespace};
use crate::spec::config::{IdMapping, Mount, Spec};
use std::path::Path;

impl CgroupPlan {
    /// Gives the group to `owner`. Not where v1 is in use, which has no safe delegation.
    pub fn give_to(&mut self, owner: Option<u32>) {
        if let [group] = &mut self.groups[..]
            && group.version == Version::V2
        {
            group.owner = owner;
        }
    }
}

/// The host uid that shall own the container's cgroup, if that is another than who makes it: the user
/// of the program, where it has a cgroup namespace of its own and writes to the mounted cgroups.
///
/// An ordinary user cannot give it away; it is theirs, and that of the root of their containers.
pub fn owner(spec: &Spec, namespaces: &NamespacePlan, facts: &Facts) -> Option<u32> {
    if facts.uid != 0 || !namespaces.is_new(Kind::Cgroup) || !spec.mounts.iter().any(is_writable_cgroup) {
        return None;
    }
    let uid = spec.process.as_ref().map_or(0, |p| p.user.uid);
    let owner = match namespaces.user() {
        UserNamespace::Caller => Some(uid),
        UserNamespace::New { .. } | UserNamespace::Joined => {
            host_id(spec.linux.as_ref().map_or(&[], |l| &l.uid_mappings), uid)
        }
    };
    owner.filter(|owner| *owner != facts.uid)
}

fn is_writable_cgroup(mount: &Mount) -> bool {
    let read_only = |option: &String| option == "ro" || option == "rro";
    mount.source.as_deref() == Some("cgroup")
        && Path::new(&mount.destination).components().eq(Path::new("/sys/fs/cgroup").components())
        && !mount.options.iter().any(read_only)
}

fn host_id(mappings: &[IdMapping], id: u32) -> Option<u32> {
    let entry = mappings.iter().find(|m| id >= m.container_id && id - m.container_id < m.size)?;
    entry.host_id.checked_add(id - entry.container_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::namespaces;
    use serde_json::{Value, json};

    fn facts(uid: u32) -> Facts {
        Facts { uid, gid: uid, ..Facts::default() }
    }

    fn owner_of(uid: u32, caller: u32, namespaces: Value, mount: Value) -> Option<u32> {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
        let spec: Spec = serde_json::from_value(json!({
            "ociVersion": "1.2.0",
            "process": {"cwd": "/", "user": {"uid": uid, "gid": 0}},
            "mounts": [mount],
            "linux": {"namespaces": namespaces, "uidMappings": map.clone(), "gidMappings": map}
        }))
        .unwrap();
        let linux = spec.linux.as_ref().unwrap();
        owner(&spec, &namespaces::plan(linux, &facts(0)).unwrap(), &facts(caller))
    }

    fn mount(destination: &str, options: &[&str]) -> Value {
        json!({"source": "cgroup", "type": "cgroup", "destination": destination, "options": options})
    }

    #[test]
    fn the_programs_user_owns_a_cgroup_that_it_can_write_to() {
        let all = || json!([{"type": "mount"}, {"type": "user"}, {"type": "cgroup"}]);
        let writable = || mount("/sys/fs/cgroup/", &["nosuid", "rw"]);
        assert_eq!(owner_of(0, 0, all(), writable()), Some(100_000));
        assert_eq!(owner_of(7, 0, all(), writable()), Some(100_007));
        assert_eq!(owner_of(1000, 0, all(), writable()), None, "not mapped");
        assert_eq!(owner_of(0, 1000, all(), writable()), None, "an ordinary user cannot give it away");
        let host_users = || json!([{"type": "mount"}, {"type": "cgroup"}]);
        assert_eq!(owner_of(33, 0, host_users(), writable()), Some(33));
        assert_eq!(owner_of(0, 0, host_users(), writable()), None, "it is root's already");
    }

    #[test]
    fn what_is_read_only_or_not_its_own_stays_roots() {
        let all = || json!([{"type": "mount"}, {"type": "user"}, {"type": "cgroup"}]);
        assert_eq!(owner_of(0, 0, all(), mount("/sys/fs/cgroup", &["ro"])), None);
        assert_eq!(owner_of(0, 0, all(), mount("/mnt", &[])), None);
        let mut other = mount("/sys/fs/cgroup", &[]);
        other["source"] = json!("cgroup2");
        assert_eq!(owner_of(0, 0, all(), other), None);
        let shared = json!([{"type": "mount"}, {"type": "user"}]);
        assert_eq!(owner_of(0, 0, shared, mount("/sys/fs/cgroup", &[])), None);
        let joined =
            json!([{"type": "mount"}, {"type": "user"}, {"type": "cgroup", "path": "/proc/1/ns/cgroup"}]);
        assert_eq!(owner_of(0, 0, joined, mount("/sys/fs/cgroup", &[])), None);
    }
}
