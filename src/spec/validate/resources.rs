//! `linux.resources`

mod block_io;

use super::Report;
use super::at::{At, quoted};
use super::linux::{MAJOR_MAX, MINOR_MAX};
use crate::spec::config::{Cpu, DeviceRule, HugepageLimit, Memory, Network, Rdma, Resources};
use std::collections::BTreeSet;

/// Checks ranges; zero means "not set" wherever Go programs write it so.
pub(super) fn check(resources: &Resources, at: &At<'_>, report: &mut Report) {
    let devices = at.key("devices");
    for (i, rule) in resources.devices.iter().enumerate() {
        device_rule(rule, &devices.index(i), report);
    }
    if let Some(memory) = &resources.memory {
        self::memory(memory, &at.key("memory"), report);
    }
    if let Some(cpu) = &resources.cpu {
        self::cpu(cpu, &at.key("cpu"), report);
    }
    let pids = at.key("pids");
    not_below_minus_one(resources.pids.as_ref().and_then(|pids| pids.limit), &pids.key("limit"), report);
    if let Some(block_io) = &resources.block_io {
        block_io::check(block_io, &at.key("blockIO"), report);
    }
    huge_pages(&resources.hugepage_limits, &at.key("hugepageLimits"), report);
    if let Some(network) = &resources.network {
        self::network(network, &at.key("network"), report);
    }
    let rdma = at.key("rdma");
    for (device, limits) in resources.rdma.iter().flatten() {
        rdma_device(device, limits, &rdma.key(device), report);
    }
}

/// A word in a line of a cgroup file.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '\0')
}

/// The sizes are parts of file names, as the kernel spells them: `64KB`, `2MB`, `1GB`.
fn huge_pages(limits: &[HugepageLimit], at: &At<'_>, report: &mut Report) {
    let mut earlier = BTreeSet::new();
    for (i, entry) in limits.iter().enumerate() {
        let (size, at) = (entry.page_size.as_str(), at.index(i));
        let number = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or_default();
        let is_number = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        if size.is_empty() {
            report.error(&at.key("pageSize"), "is missing or empty");
        } else if number.is_empty() || !is_number {
            report.error(&at.key("pageSize"), format!("{} is not a size such as 2MB", quoted(size)));
        } else if !earlier.insert(size) {
            report.error(&at.key("pageSize"), format!("{} is there twice", quoted(size)));
        }
    }
}

fn network(network: &Network, at: &At<'_>, report: &mut Report) {
    let priorities = at.key("priorities");
    for (i, entry) in network.priorities.iter().enumerate() {
        if !is_word(&entry.name) {
            let text = format!("{} is not the name of an interface", quoted(&entry.name));
            report.error(&priorities.index(i).key("name"), text);
        }
    }
}

fn rdma_device(device: &str, limits: &Rdma, at: &At<'_>, report: &mut Report) {
    if !is_word(device) {
        report.error(at, format!("{} is not the name of a device", quoted(device)));
    }
    if limits.hca_handles.is_none() && limits.hca_objects.is_none() {
        report.error(at, "has neither hcaHandles nor hcaObjects");
    }
}

fn not_below_minus_one(limit: Option<i64>, at: &At<'_>, report: &mut Report) {
    if let Some(limit) = limit.filter(|limit| *limit < -1) {
        report.error(at, format!("{limit} is negative; only -1 is allowed, for unlimited"));
    }
}

fn device_rule(rule: &DeviceRule, at: &At<'_>, report: &mut Report) {
    let typ = rule.typ.as_deref().unwrap_or_default();
    if !["", "a", "b", "c"].contains(&typ) {
        report.error(&at.key("type"), format!("{} is none of a, b and c", quoted(typ)));
    }
    let access = rule.access.as_deref().unwrap_or_default();
    if access.contains(|c| !"rwm".contains(c)) {
        report.error(&at.key("access"), format!("{} has other letters than r, w and m", quoted(access)));
    }
    for (key, number, max) in [("major", rule.major, MAJOR_MAX), ("minor", rule.minor, MINOR_MAX)] {
        if let Some(number) = number.filter(|number| !(-1..=max).contains(number)) {
            report.error(&at.key(key), format!("{number} is neither from 0 to {max} nor -1, for all"));
        }
    }
}

fn memory(memory: &Memory, at: &At<'_>, report: &mut Report) {
    let limits = [
        ("limit", memory.limit),
        ("reservation", memory.reservation),
        ("swap", memory.swap),
        ("kernel", memory.kernel),
        ("kernelTCP", memory.kernel_tcp),
    ];
    for (key, limit) in limits {
        not_below_minus_one(limit, &at.key(key), report);
    }
    if let Some(swappiness) = memory.swappiness.filter(|swappiness| *swappiness > 100) {
        report.error(&at.key("swappiness"), format!("{swappiness} is above 100"));
    }
    let Some(swap) = memory.swap.filter(|swap| *swap > 0) else { return };
    let (at, limit_at) = (at.key("swap"), at.key("limit"));
    match memory.limit.filter(|limit| *limit != 0) {
        None | Some(-1) => {
            let text = format!("{swap} limits memory and swap together, so it needs a memory.limit");
            report.error_from(&at, &[&limit_at], text);
        }
        Some(limit) if swap < limit => {
            let text =
                format!("{swap} limits memory and swap together, so it cannot be below memory.limit {limit}");
            report.error_from(&at, &[&limit_at], text);
        }
        Some(_) => {}
    }
}

/// The ranges are the kernel's: `MIN_SHARES` and `MAX_SHARES`, and sched-bwc.rst for the bandwidth.
fn cpu(cpu: &Cpu, at: &At<'_>, report: &mut Report) {
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0 && !(2..=262_144).contains(shares)) {
        report.error(&at.key("shares"), format!("{shares} is not from 2 to 262144"));
    }
    if let Some(period) = cpu.period.filter(|period| *period != 0 && !(1000..=1_000_000).contains(period)) {
        report.error(&at.key("period"), format!("{period} us is not from 1000 to 1000000"));
    }
    if let Some(quota) = cpu.quota.filter(|quota| ![-1, 0].contains(quota) && *quota < 1000) {
        report.error(&at.key("quota"), format!("{quota} us is neither at least 1000 nor -1, for unlimited"));
    }
    if let Some(idle) = cpu.idle.filter(|idle| !(0..=1).contains(idle)) {
        report.error(&at.key("idle"), format!("{idle} is neither 0 nor 1"));
    }
    let quota = cpu.quota.and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota > 0);
    if let Some((burst, quota)) = cpu.burst.zip(quota).filter(|(burst, quota)| burst > quota) {
        let text = format!("{burst} us is above cpu.quota {quota}");
        report.error_from(&at.key("burst"), &[&at.key("quota")], text);
    }
}
