//! `linux.resources` as writes, for v1 and v2. As in runc, 0 stands for "not set" in the memory and
//! cpu sections, because managers write it so; `pids.limit` 0 is a limit (runtime-spec 1.3).

use super::{Version, Write};
use crate::error::Violation;
use crate::spec::config::{Cpu, Memory, Resources};

type Section = fn(Version, &Resources, &mut Vec<Violation>) -> Vec<Write>;

/// The controllers and what makes their writes.
pub(super) const SECTIONS: [(&str, Section); 4] =
    [("memory", memory), ("cpu", cpu), ("cpuset", cpuset), ("pids", pids)];

/// The period where only a quota is given (sched-bwc.rst), microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

fn violation(path: &str, text: impl Into<String>) -> Violation {
    Violation { path: path.into(), text: text.into() }
}

fn set<T: PartialEq + From<u8>>(value: Option<T>) -> Option<T> {
    value.filter(|v| *v != T::from(0))
}

fn memory(version: Version, resources: &Resources, violations: &mut Vec<Violation>) -> Vec<Write> {
    let Some(memory) = &resources.memory else { return Vec::new() };
    match version {
        Version::V1 => memory_v1(memory),
        Version::V2 => memory_v2(memory, violations),
    }
}

/// The limit before memory+swap, which may not be lower; the executor swaps them where an existing
/// group needs the other order.
fn memory_v1(memory: &Memory) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(limit) = set(memory.limit) {
        writes.push(Write::new("memory.limit_in_bytes", limit, "linux.resources.memory.limit"));
    }
    if let Some(swap) = set(memory.swap) {
        let write = Write::new("memory.memsw.limit_in_bytes", swap, "linux.resources.memory.swap");
        writes.push(Write { if_exists: true, ..write });
    }
    if let Some(reservation) = set(memory.reservation) {
        let location = "linux.resources.memory.reservation";
        writes.push(Write::new("memory.soft_limit_in_bytes", reservation, location));
    }
    if let Some(kernel) = set(memory.kernel) {
        let write = Write::new("memory.kmem.limit_in_bytes", kernel, "linux.resources.memory.kernel");
        writes.push(Write { if_exists: true, ..write });
    }
    if let Some(tcp) = set(memory.kernel_tcp) {
        writes.push(Write::new("memory.kmem.tcp.limit_in_bytes", tcp, "linux.resources.memory.kernelTCP"));
    }
    if let Some(swappiness) = memory.swappiness {
        writes.push(Write::new("memory.swappiness", swappiness, "linux.resources.memory.swappiness"));
    }
    if memory.disable_oom_killer == Some(true) {
        writes.push(Write::new("memory.oom_control", 1, "linux.resources.memory.disableOOMKiller"));
    }
    if let Some(hierarchy) = memory.use_hierarchy {
        let location = "linux.resources.memory.useHierarchy";
        writes.push(Write::new("memory.use_hierarchy", u8::from(hierarchy), location));
    }
    writes
}

fn memory_v2(memory: &Memory, violations: &mut Vec<Violation>) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut v1_only = |field: &str, present: bool| {
        if present {
            let path = format!("linux.resources.memory.{field}");
            violations.push(violation(&path, "cgroup v2 has nothing like it"));
        }
    };
    v1_only("kernel", memory.kernel.is_some_and(|v| v > 0));
    v1_only("kernelTCP", memory.kernel_tcp.is_some_and(|v| v > 0));
    v1_only("swappiness", memory.swappiness.is_some());
    v1_only("disableOOMKiller", memory.disable_oom_killer == Some(true));
    v1_only("useHierarchy", memory.use_hierarchy == Some(false));
    if let Some(limit) = set(memory.limit) {
        writes.push(Write::new("memory.max", or_max(limit), "linux.resources.memory.limit"));
    }
    match swap_v2(memory) {
        Ok(None) => {}
        Ok(Some(swap)) => {
            let write = Write::new("memory.swap.max", or_max(swap), "linux.resources.memory.swap");
            // Without swap accounting there is nothing to forbid and nothing to lift.
            writes.push(Write { if_exists: swap <= 0, ..write });
        }
        Err(text) => violations.push(violation("linux.resources.memory.swap", text)),
    }
    if let Some(reservation) = set(memory.reservation) {
        let location = "linux.resources.memory.reservation";
        writes.push(Write::new("memory.low", or_max(reservation), location));
    }
    writes
}

/// `swap` counts memory and swap together, `memory.swap.max` swap alone; -1 is unlimited.
fn swap_v2(memory: &Memory) -> Result<Option<i64>, String> {
    match (set(memory.swap), set(memory.limit)) {
        (None, Some(-1)) | (Some(-1), _) => Ok(Some(-1)),
        (None, _) => Ok(None),
        (Some(_), None | Some(-1)) => Err("needs memory.limit too: cgroup v2 limits swap alone".into()),
        (Some(swap), Some(limit)) if swap >= limit => Ok(Some(swap - limit)),
        (Some(swap), Some(limit)) => Err(format!("{swap} is lower than memory.limit, {limit}")),
    }
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

fn cpu(version: Version, resources: &Resources, violations: &mut Vec<Violation>) -> Vec<Write> {
    let Some(cpu) = &resources.cpu else { return Vec::new() };
    match version {
        Version::V1 => cpu_v1(cpu),
        Version::V2 => cpu_v2(cpu, violations),
    }
}

/// Shares before idle, which refuses them; the period before the quota and this before the burst,
/// because each is checked against the one before it. The kernel clamps shares, so the plan does.
fn cpu_v1(cpu: &Cpu) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(shares) = set(cpu.shares) {
        writes.push(Write::new("cpu.shares", shares.clamp(2, 262_144), "linux.resources.cpu.shares"));
    }
    if let Some(period) = set(cpu.realtime_period) {
        writes.push(Write::new("cpu.rt_period_us", period, "linux.resources.cpu.realtimePeriod"));
    }
    if let Some(runtime) = set(cpu.realtime_runtime) {
        writes.push(Write::new("cpu.rt_runtime_us", runtime, "linux.resources.cpu.realtimeRuntime"));
    }
    if let Some(period) = set(cpu.period) {
        writes.push(Write::new("cpu.cfs_period_us", period, "linux.resources.cpu.period"));
    }
    if let Some(quota) = set(cpu.quota) {
        writes.push(Write::new("cpu.cfs_quota_us", quota, "linux.resources.cpu.quota"));
    }
    if let Some(burst) = cpu.burst {
        writes.push(Write::new("cpu.cfs_burst_us", burst, "linux.resources.cpu.burst"));
    }
    if let Some(idle) = cpu.idle {
        writes.push(Write::new("cpu.idle", idle, "linux.resources.cpu.idle"));
    }
    writes
}

fn cpu_v2(cpu: &Cpu, violations: &mut Vec<Violation>) -> Vec<Write> {
    let mut writes = Vec::new();
    for (field, present) in [
        ("realtimePeriod", set(cpu.realtime_period).is_some()),
        ("realtimeRuntime", set(cpu.realtime_runtime).is_some()),
    ] {
        if present {
            let path = format!("linux.resources.cpu.{field}");
            violations.push(violation(&path, "cgroup v2 has nothing like it"));
        }
    }
    if let Some(shares) = set(cpu.shares) {
        writes.push(Write::new("cpu.weight", weight(shares), "linux.resources.cpu.shares"));
    }
    let (quota, period) = (set(cpu.quota), set(cpu.period));
    if quota.is_some() || period.is_some() {
        let quota = or_max(quota.unwrap_or(-1));
        let value = format!("{quota} {}", period.unwrap_or(DEFAULT_PERIOD));
        let field = if cpu.quota.is_some() { "quota" } else { "period" };
        writes.push(Write::new("cpu.max", value, format!("linux.resources.cpu.{field}")));
    }
    if let Some(burst) = cpu.burst {
        writes.push(Write::new("cpu.max.burst", burst, "linux.resources.cpu.burst"));
    }
    if let Some(idle) = cpu.idle {
        writes.push(Write::new("cpu.idle", idle, "linux.resources.cpu.idle"));
    }
    writes
}

/// `cpu.weight` (1 to 10000) for cpu shares (2 to 262144): the parabola in log2(shares) through
/// both ends and the defaults, 1024 and 100, that runc 1.3.2 and crun 1.23 have agreed on.
pub(super) fn weight(shares: u64) -> u64 {
    match shares {
        ..=2 => 1,
        262_144.. => 10_000,
        shares => {
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            10f64.powf(exponent).ceil() as u64
        }
    }
}

/// The files are named alike in v1 and v2.
fn cpuset(_: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let Some(cpu) = &resources.cpu else { return Vec::new() };
    let fields = [("cpus", &cpu.cpus), ("mems", &cpu.mems)];
    let writes = fields.into_iter().filter_map(|(field, value)| {
        let value = value.as_deref().filter(|v| !v.is_empty())?;
        Some(Write::new(&format!("cpuset.{field}"), value, format!("linux.resources.cpu.{field}")))
    });
    writes.collect()
}

/// On v2 the first process is cloned into the group, which `pids.max` counts as a fork; 1 lets it
/// in and forbids every further one, which is all that 0 does on v1.
fn pids(version: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let Some(limit) = resources.pids.as_ref().and_then(|p| p.limit) else { return Vec::new() };
    let limit = if version == Version::V2 && limit == 0 { 1 } else { limit };
    vec![Write::new("pids.max", or_max(limit), "linux.resources.pids.limit")]
}
