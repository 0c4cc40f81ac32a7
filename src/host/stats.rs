//! What a container has used, as its cgroups say: in the form of runc's `events`, which programs read,
//! filled from v1 and from v2.

mod files;
mod interfaces;
mod v1;
mod v2;

use crate::error::{Error, Result};
use crate::host::cgroup::{Record, RecordedGroup};
use crate::plan::cgroup::Version;
use crate::plan::namespaces::Kind;
use crate::state::{self, State};
use files::Files;
pub use files::NO_LIMIT;
pub use interfaces::Interface;
use serde::Serialize;
use std::collections::BTreeMap;

/// All of it. Times are in ns, sizes in bytes.
#[derive(Debug, Default, Serialize)]
pub struct Stats {
    /// Time on CPUs.
    pub cpu: Cpu,
    /// Where it may run.
    pub cpuset: Cpuset,
    /// What it has in memory.
    pub memory: Memory,
    /// How many there are.
    pub pids: Pids,
    /// What it has read and written.
    pub blkio: Blkio,
    /// By page size, such as `2MB`.
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// Not told: what resctrl counts belongs to a class, which containers may share.
    pub intel_rdt: Nothing,
    /// Of its own network namespace, but for `lo`.
    pub network_interfaces: Option<Vec<Interface>>,
}

/// `{}`
#[derive(Debug, Default, Serialize)]
pub struct Nothing {}

#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Cpu {
    pub usage: CpuUsage,
    pub throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct CpuUsage {
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    pub kernel: u64,
    pub user: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Throttling {
    #[serde(skip_serializing_if = "is_zero")]
    pub periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_time: u64,
}

/// Pressure stall information (the kernel's accounting/psi.rst).
#[derive(Debug, Default, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Pressure {
    pub some: Stall,
    pub full: Stall,
}

/// Averages in percent, the total in us.
#[derive(Debug, Default, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total: u64,
}

#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Memory {
    #[serde(skip_serializing_if = "is_zero")]
    pub cache: u64,
    pub usage: MemoryEntry,
    /// Memory and swap together, as v1 counts them.
    pub swap: MemoryEntry,
    pub kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// `memory.stat`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
    /// v2: `memory.events`; v1 has `oom_kill` alone.
    pub event_count: BTreeMap<String, u64>,
}

/// No limit is the largest number that the kernel has for it.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct MemoryEntry {
    pub limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    pub failcnt: u64,
}

/// No limit is no member.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Pids {
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_queue_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// Of one device, one kind of operation.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct BlkioEntry {
    #[serde(skip_serializing_if = "is_zero")]
    pub major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub minor: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub value: u64,
}

#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Hugetlb {
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    pub failcnt: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a container has used up to now. A file that is not there, for lack of a controller, counts nothing.
///
/// # Errors
/// It has no cgroup of its own.
pub fn collect(state: &State) -> Result<Stats> {
    if !state.cgroup.groups.iter().any(|group| group.directory().exists()) {
        return Err(Error::new("the container has no cgroup of its own that could tell what it uses"));
    }
    let mut stats = Stats { network_interfaces: interfaces(state), ..Stats::default() };
    for (controller, v1, v2) in READERS {
        match state.cgroup.with_controller(controller) {
            Some(group) if group.version == Version::V1 => v1(&files(group), &mut stats),
            Some(group) => v2(&files(group), &mut stats),
            None => {}
        }
    }
    if let Some(unified) = unified(&state.cgroup) {
        let files = files(unified);
        stats.cpu.psi = files.pressure("cpu.pressure");
        stats.memory.psi = files.pressure("memory.pressure");
        stats.blkio.psi = files.pressure("io.pressure");
    }
    Ok(stats)
}

type Reader = fn(&Files, &mut Stats);

/// By controller of v1, the readers of v1 and v2.
const READERS: [(&str, Reader, Reader); 7] = [
    ("cpu", v1::cpu, v2::cpu),
    ("cpuacct", v1::cpuacct, v2::nothing),
    ("cpuset", v1::cpuset, v2::cpuset),
    ("memory", v1::memory, v2::memory),
    ("pids", files::pids, files::pids),
    ("blkio", v1::blkio, v2::io),
    ("hugetlb", v1::hugetlb, v2::hugetlb),
];

fn files(group: &RecordedGroup) -> Files {
    Files(group.directory())
}

/// Pressure is told there also where v1 has the controllers.
fn unified(record: &Record) -> Option<&RecordedGroup> {
    record.groups.iter().find(|group| group.version == Version::V2)
}

fn interfaces(state: &State) -> Option<Vec<Interface>> {
    if state.namespaces & Kind::Network.flag() == 0 || !state::is_alive(state) {
        return None;
    }
    let table = std::fs::read_to_string(format!("/proc/{}/net/dev", state.pid)).ok()?;
    let interfaces = interfaces::parse(&table);
    (!interfaces.is_empty()).then_some(interfaces)
}
