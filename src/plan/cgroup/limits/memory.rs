//! `linux.resources.memory`

use super::{Version, Write, or_max, set, v1_only};
use crate::error::Violation;
use crate::spec::config::{Memory, Resources};

pub(super) fn writes(version: Version, resources: &Resources, violations: &mut Vec<Violation>) -> Vec<Write> {
    let Some(memory) = &resources.memory else { return Vec::new() };
    match version {
        Version::V1 => v1(memory),
        Version::V2 => v2(memory, violations),
    }
}

/// The limit before memory+swap, which may not be lower; the executor swaps them where an existing
/// group needs the other order.
fn v1(memory: &Memory) -> Vec<Write> {
    let checked = memory.check_before_update == Some(true);
    let mut writes = Vec::new();
    if let Some(limit) = set(memory.limit) {
        let write = Write::new("memory.limit_in_bytes", limit, "linux.resources.memory.limit");
        writes.push(write.above("memory.usage_in_bytes", checked));
    }
    // Unlimited memory takes as much memory+swap.
    let (swap, field) = match (set(memory.swap), memory.limit) {
        (None, Some(-1)) => (Some(-1), "limit"),
        (swap, _) => (swap, "swap"),
    };
    if let Some(swap) = swap {
        let location = format!("linux.resources.memory.{field}");
        let write = Write::new("memory.memsw.limit_in_bytes", swap, location).if_exists();
        writes.push(write.above("memory.memsw.usage_in_bytes", checked));
    }
    if let Some(reservation) = set(memory.reservation) {
        let location = "linux.resources.memory.reservation";
        writes.push(Write::new("memory.soft_limit_in_bytes", reservation, location));
    }
    if let Some(kernel) = set(memory.kernel) {
        let location = "linux.resources.memory.kernel";
        writes.push(Write::new("memory.kmem.limit_in_bytes", kernel, location).if_exists());
    }
    if let Some(tcp) = set(memory.kernel_tcp) {
        writes.push(Write::new("memory.kmem.tcp.limit_in_bytes", tcp, "linux.resources.memory.kernelTCP"));
    }
    if let Some(swappiness) = memory.swappiness {
        writes.push(Write::new("memory.swappiness", swappiness, "linux.resources.memory.swappiness"));
    }
    if let Some(disabled) = memory.disable_oom_killer {
        let location = "linux.resources.memory.disableOOMKiller";
        let write = Write::new("memory.oom_control", u8::from(disabled), location);
        writes.push(if disabled { write } else { write.if_exists() });
    }
    if let Some(hierarchy) = memory.use_hierarchy {
        let location = "linux.resources.memory.useHierarchy";
        writes.push(Write::new("memory.use_hierarchy", u8::from(hierarchy), location));
    }
    writes
}

fn v2(memory: &Memory, violations: &mut Vec<Violation>) -> Vec<Write> {
    let checked = memory.check_before_update == Some(true);
    for (field, present) in [
        ("kernel", memory.kernel.is_some_and(|v| v > 0)),
        ("kernelTCP", memory.kernel_tcp.is_some_and(|v| v > 0)),
        ("swappiness", memory.swappiness.is_some()),
        ("disableOOMKiller", memory.disable_oom_killer == Some(true)),
        ("useHierarchy", memory.use_hierarchy == Some(false)),
    ] {
        v1_only(&format!("linux.resources.memory.{field}"), present, violations);
    }
    let mut writes = Vec::new();
    if let Some(limit) = set(memory.limit) {
        let write = Write::new("memory.max", or_max(limit), "linux.resources.memory.limit");
        writes.push(write.above("memory.current", checked));
    }
    match swap_of_v2(memory) {
        Ok(None) => {}
        Ok(Some(swap)) => {
            let write = Write::new("memory.swap.max", or_max(swap), "linux.resources.memory.swap");
            let write = write.above("memory.swap.current", checked);
            // Without swap accounting there is nothing to forbid and nothing to lift.
            writes.push(if swap <= 0 { write.if_exists() } else { write });
        }
        Err(text) => {
            violations.push(Violation { path: "linux.resources.memory.swap".into(), text });
        }
    }
    if let Some(reservation) = set(memory.reservation) {
        let location = "linux.resources.memory.reservation";
        writes.push(Write::new("memory.low", or_max(reservation), location));
    }
    writes
}

/// `swap` counts memory and swap together, `memory.swap.max` swap alone; -1 is unlimited.
fn swap_of_v2(memory: &Memory) -> Result<Option<i64>, String> {
    match (set(memory.swap), set(memory.limit)) {
        (None, Some(-1)) | (Some(-1), _) => Ok(Some(-1)),
        (None, _) => Ok(None),
        (Some(_), None | Some(-1)) => Err("needs memory.limit too: cgroup v2 limits swap alone".into()),
        (Some(swap), Some(limit)) if swap >= limit => Ok(Some(swap - limit)),
        (Some(swap), Some(limit)) => Err(format!("{swap} is lower than memory.limit, {limit}")),
    }
}
