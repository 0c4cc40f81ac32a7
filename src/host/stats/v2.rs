//! From the files of cgroup v2 (the kernel's admin-guide/cgroup-v2.rst), in the terms of v1.

use super::files::{Files, NO_LIMIT};
use super::{BlkioEntry, Hugetlb, MemoryEntry, Stats};

pub(super) fn nothing(_: &Files, _: &mut Stats) {}

/// In us there.
pub(super) fn cpu(files: &Files, stats: &mut Stats) {
    let counts = files.keyed("cpu.stat");
    let count = |key: &str| counts.get(key).copied().unwrap_or(0);
    let usage = &mut stats.cpu.usage;
    usage.total = count("usage_usec") * 1000;
    usage.user = count("user_usec") * 1000;
    usage.kernel = count("system_usec") * 1000;
    let throttling = &mut stats.cpu.throttling;
    throttling.periods = count("nr_periods");
    throttling.throttled_periods = count("nr_throttled");
    throttling.throttled_time = count("throttled_usec") * 1000;
}

pub(super) fn cpuset(files: &Files, stats: &mut Stats) {
    stats.cpuset.cpus = files.list("cpuset.cpus.effective");
    stats.cpuset.mems = files.list("cpuset.mems.effective");
}

pub(super) fn memory(files: &Files, stats: &mut Stats) {
    let memory = &mut stats.memory;
    memory.raw = files.keyed("memory.stat");
    memory.cache = memory.raw.get("file").copied().unwrap_or(0);
    memory.event_count = files.keyed("memory.events");
    memory.usage = entry(files, "memory");
    memory.usage.failcnt = memory.event_count.get("max").copied().unwrap_or(0);
    let Some(swap) = files.number("memory.swap.current") else { return };
    let limit = files.number("memory.swap.max").unwrap_or(NO_LIMIT);
    // The peak of both together is not counted.
    memory.swap = MemoryEntry {
        usage: swap + memory.usage.usage,
        limit: limit.saturating_add(memory.usage.limit),
        ..MemoryEntry::default()
    };
}

fn entry(files: &Files, prefix: &str) -> MemoryEntry {
    MemoryEntry {
        limit: files.number_or_0(&format!("{prefix}.max")),
        usage: files.number_or_0(&format!("{prefix}.current")),
        max: files.number_or_0(&format!("{prefix}.peak")),
        failcnt: 0,
    }
}

pub(super) fn io(files: &Files, stats: &mut Stats) {
    for line in files.text("io.stat").unwrap_or_default().lines() {
        device(line, stats);
    }
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`
fn device(line: &str, stats: &mut Stats) -> Option<()> {
    let mut words = line.split_whitespace();
    let (major, minor) = words.next()?.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    for word in words {
        let (key, value) = word.split_once('=')?;
        let (list, op) = match key {
            "rbytes" => (&mut stats.blkio.io_service_bytes_recursive, "Read"),
            "wbytes" => (&mut stats.blkio.io_service_bytes_recursive, "Write"),
            "rios" => (&mut stats.blkio.io_serviced_recursive, "Read"),
            "wios" => (&mut stats.blkio.io_serviced_recursive, "Write"),
            _ => continue,
        };
        list.push(BlkioEntry { major, minor, op: op.to_owned(), value: value.parse().ok()? });
    }
    Some(())
}

/// What is reserved, where the kernel counts that; the peak is not counted.
pub(super) fn hugetlb(files: &Files, stats: &mut Stats) {
    for size in files.page_sizes(".current") {
        let reserved = files.number(&format!("hugetlb.{size}.rsvd.current"));
        let usage = reserved.unwrap_or_else(|| files.number_or_0(&format!("hugetlb.{size}.current")));
        let failcnt = files.keyed(&format!("hugetlb.{size}.events")).get("max").copied().unwrap_or(0);
        stats.hugetlb.insert(size, Hugetlb { usage, max: 0, failcnt });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_two_operations() {
        let mut stats = Stats::default();
        device("8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0", &mut stats).unwrap();
        let entry = |op: &str, value| BlkioEntry { major: 8, minor: 16, op: op.into(), value };
        assert_eq!(stats.blkio.io_service_bytes_recursive, [entry("Read", 10), entry("Write", 20)]);
        assert_eq!(stats.blkio.io_serviced_recursive, [entry("Read", 1), entry("Write", 2)]);
    }
}
