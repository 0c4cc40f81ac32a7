//! `linux.resources` as writes, for v1 and v2. As in runc, 0 stands for "not set" in the memory, cpu,
//! blockIO and network sections, because managers write it so; `pids.limit` 0 is a limit (runtime-spec 1.3).

mod block_io;
mod cpu;
mod memory;

use super::{Version, Write};
use crate::error::Violation;
use crate::spec::config::Resources;

#[cfg(test)]
pub(super) use cpu::weight;

/// What one controller makes of the resources.
pub(super) struct Section {
    /// The controller's name in cgroup v1.
    pub v1: &'static str,
    /// Its name in cgroup v2.
    pub v2: &'static str,
    /// Makes its writes, and says what cannot be had.
    pub writes: fn(Version, &Resources, &mut Vec<Violation>) -> Vec<Write>,
}

/// All controllers.
pub(super) const SECTIONS: [Section; 9] = [
    Section { v1: "memory", v2: "memory", writes: memory::writes },
    Section { v1: "cpu", v2: "cpu", writes: cpu::writes },
    Section { v1: "cpuset", v2: "cpuset", writes: cpu::cpuset },
    Section { v1: "pids", v2: "pids", writes: pids },
    Section { v1: "blkio", v2: "io", writes: block_io::writes },
    Section { v1: "hugetlb", v2: "hugetlb", writes: hugetlb },
    Section { v1: "rdma", v2: "rdma", writes: rdma },
    Section { v1: "net_cls", v2: "net_cls", writes: net_cls },
    Section { v1: "net_prio", v2: "net_prio", writes: net_prio },
];

fn set<T: PartialEq + From<u8>>(value: Option<T>) -> Option<T> {
    value.filter(|v| *v != T::from(0))
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

/// What v1 has and v2 has not: an error, since it cannot be converted (config-linux.md, "Unified").
fn v1_only(location: &str, present: bool, violations: &mut Vec<Violation>) {
    if present {
        violations.push(Violation { path: location.into(), text: "cgroup v2 has nothing like it".into() });
    }
}

/// On v2 the first process is cloned into the group, which `pids.max` counts as a fork; 1 lets it
/// in and forbids every further one, which is all that 0 does on v1.
fn pids(version: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let Some(limit) = resources.pids.as_ref().and_then(|p| p.limit) else { return Vec::new() };
    let limit = if version == Version::V2 && limit == 0 { 1 } else { limit };
    vec![Write::new("pids.max", or_max(limit), "linux.resources.pids.limit")]
}

/// The limit of reservations is the one that is wanted (config-linux.md, "Huge page limits"); that of
/// usage holds for pages that nobody reserved, and on kernels before 5.7.
fn hugetlb(version: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let last = if version == Version::V1 { "limit_in_bytes" } else { "max" };
    let mut writes = Vec::new();
    for (index, entry) in resources.hugepage_limits.iter().enumerate() {
        let location = format!("linux.resources.hugepageLimits[{index}].limit");
        let size = &entry.page_size;
        writes.push(Write::new(&format!("hugetlb.{size}.{last}"), entry.limit, &location));
        writes.push(Write::new(&format!("hugetlb.{size}.rsvd.{last}"), entry.limit, location).if_exists());
    }
    writes
}

/// One line for each device; the file is named alike in v1 and v2 (cgroup-v1/rdma.rst).
fn rdma(_: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let one = |(device, limits): (&String, &crate::spec::config::Rdma)| {
        let both = [("hca_handle", limits.hca_handles), ("hca_object", limits.hca_objects)];
        let parts = both.into_iter().filter_map(|(name, most)| Some(format!(" {name}={}", most?)));
        let value = std::iter::once(device.clone()).chain(parts).collect::<String>();
        Write::new("rdma.max", value, format!("linux.resources.rdma[{device:?}]"))
    };
    resources.rdma.iter().flatten().map(one).collect()
}

fn net_cls(_: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let class = resources.network.as_ref().and_then(|network| set(network.class_id));
    let write = |class| Write::new("net_cls.classid", class, "linux.resources.network.classID");
    class.map(write).into_iter().collect()
}

fn net_prio(_: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let Some(network) = &resources.network else { return Vec::new() };
    let one = |(index, entry): (usize, &crate::spec::config::InterfacePriority)| {
        let location = format!("linux.resources.network.priorities[{index}]");
        Write::new("net_prio.ifpriomap", format!("{} {}", entry.name, entry.priority), location)
    };
    network.priorities.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests;
