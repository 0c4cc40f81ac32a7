//! `linux.resources.cpu`

use super::{Version, Write, or_max, set, v1_only};
use crate::error::Violation;
use crate::spec::config::{Cpu, Resources};

/// The period where only a quota is given (sched-bwc.rst), microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

/// An idle group refuses shares, so it becomes idle after them and the contrary before; the period
/// comes before the quota and this before the burst, because each is checked against the one before it.
pub(super) fn writes(version: Version, resources: &Resources, violations: &mut Vec<Violation>) -> Vec<Write> {
    let Some(cpu) = &resources.cpu else { return Vec::new() };
    let idle = |wanted: fn(i64) -> bool| {
        let idle = cpu.idle.filter(|idle| wanted(*idle));
        idle.map(|idle| Write::new("cpu.idle", idle, "linux.resources.cpu.idle"))
    };
    let mut writes = Vec::from_iter(idle(|idle| idle == 0).map(Write::if_exists));
    match version {
        Version::V1 => v1(cpu, &mut writes),
        Version::V2 => v2(cpu, &mut writes, violations),
    }
    writes.extend(idle(|idle| idle != 0));
    writes
}

/// The kernel clamps shares, so the plan does.
fn v1(cpu: &Cpu, writes: &mut Vec<Write>) {
    let mut add = |file: &str, value: Option<String>, field: &str| {
        let location = format!("linux.resources.cpu.{field}");
        writes.extend(value.map(|value| Write::new(file, value, location)));
    };
    let text = |value: Option<u64>| set(value).map(|value| value.to_string());
    let signed = |value: Option<i64>| set(value).map(|value| value.to_string());
    add("cpu.shares", text(cpu.shares.map(|s| if s == 0 { 0 } else { s.clamp(2, 262_144) })), "shares");
    add("cpu.rt_period_us", text(cpu.realtime_period), "realtimePeriod");
    add("cpu.rt_runtime_us", signed(cpu.realtime_runtime), "realtimeRuntime");
    add("cpu.cfs_period_us", text(cpu.period), "period");
    add("cpu.cfs_quota_us", signed(cpu.quota), "quota");
    writes.extend(burst("cpu.cfs_burst_us", cpu));
}

fn burst(file: &str, cpu: &Cpu) -> Option<Write> {
    let burst = cpu.burst?;
    let write = Write::new(file, burst, "linux.resources.cpu.burst");
    Some(if burst == 0 { write.if_exists() } else { write })
}

fn v2(cpu: &Cpu, writes: &mut Vec<Write>, violations: &mut Vec<Violation>) {
    v1_only("linux.resources.cpu.realtimePeriod", set(cpu.realtime_period).is_some(), violations);
    v1_only("linux.resources.cpu.realtimeRuntime", set(cpu.realtime_runtime).is_some(), violations);
    if let Some(shares) = set(cpu.shares) {
        writes.push(Write::new("cpu.weight", weight(shares), "linux.resources.cpu.shares"));
    }
    let (quota, period) = (set(cpu.quota), set(cpu.period));
    if quota.is_some() || period.is_some() {
        let field = if quota.is_some() { "quota" } else { "period" };
        let quota = or_max(quota.unwrap_or(-1));
        let value = format!("{quota} {}", period.unwrap_or(DEFAULT_PERIOD));
        writes.push(Write::new("cpu.max", value, format!("linux.resources.cpu.{field}")));
    }
    writes.extend(burst("cpu.max.burst", cpu));
}

/// `cpu.weight` (1 to 10000) for cpu shares (2 to 262144): the parabola in log2(shares) through
/// both ends and the defaults, 1024 and 100, that runc 1.3.2 and crun 1.23 have agreed on.
pub(in crate::plan::cgroup) fn weight(shares: u64) -> u64 {
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
pub(super) fn cpuset(_: Version, resources: &Resources, _: &mut Vec<Violation>) -> Vec<Write> {
    let Some(cpu) = &resources.cpu else { return Vec::new() };
    let fields = [("cpus", &cpu.cpus), ("mems", &cpu.mems)];
    let writes = fields.into_iter().filter_map(|(field, value)| {
        let value = value.as_deref().filter(|v| !v.is_empty())?;
        Some(Write::new(&format!("cpuset.{field}"), value, format!("linux.resources.cpu.{field}")))
    });
    writes.collect()
}
