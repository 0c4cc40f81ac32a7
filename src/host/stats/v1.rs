//! From the files of cgroup v1 (the kernel's admin-guide/cgroup-v1).

use super::files::Files;
use super::{BlkioEntry, Hugetlb, MemoryEntry, Stats};

/// cpuacct.stat counts in USER_HZ, which is 100 a second for every program (time(7)).
const NS_PER_TICK: u64 = 1_000_000_000 / 100;

pub(super) fn cpu(files: &Files, stats: &mut Stats) {
    let counts = files.keyed("cpu.stat");
    let count = |key: &str| counts.get(key).copied().unwrap_or(0);
    let throttling = &mut stats.cpu.throttling;
    throttling.periods = count("nr_periods");
    throttling.throttled_periods = count("nr_throttled");
    throttling.throttled_time = count("throttled_time");
}

pub(super) fn cpuacct(files: &Files, stats: &mut Stats) {
    let ticks = files.keyed("cpuacct.stat");
    let time = |key: &str| ticks.get(key).map_or(0, |ticks| ticks * NS_PER_TICK);
    let usage = &mut stats.cpu.usage;
    usage.total = files.number_or_0("cpuacct.usage");
    usage.kernel = time("system");
    usage.user = time("user");
    usage.percpu = files.numbers("cpuacct.usage_percpu");
    // `cpu user system`, below a title.
    let all = files.text("cpuacct.usage_all").unwrap_or_default();
    for line in all.lines().skip(1) {
        let mut words = line.split_whitespace().skip(1).filter_map(|number| number.parse().ok());
        if let (Some(user), Some(kernel)) = (words.next(), words.next()) {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(kernel);
        }
    }
}

pub(super) fn cpuset(files: &Files, stats: &mut Stats) {
    let cpuset = &mut stats.cpuset;
    cpuset.cpus = files.list("cpuset.cpus");
    cpuset.mems = files.list("cpuset.mems");
    for (name, value) in [
        ("cpuset.cpu_exclusive", &mut cpuset.cpu_exclusive),
        ("cpuset.mem_hardwall", &mut cpuset.mem_hardwall),
        ("cpuset.mem_exclusive", &mut cpuset.mem_exclusive),
        ("cpuset.memory_migrate", &mut cpuset.memory_migrate),
        ("cpuset.memory_spread_page", &mut cpuset.memory_spread_page),
        ("cpuset.memory_spread_slab", &mut cpuset.memory_spread_slab),
        ("cpuset.memory_pressure", &mut cpuset.memory_pressure),
        ("cpuset.sched_load_balance", &mut cpuset.sched_load_balance),
    ] {
        *value = files.number_or_0(name);
    }
    let level = files.text("cpuset.sched_relax_domain_level");
    cpuset.sched_relax_domain_level = level.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
}

pub(super) fn memory(files: &Files, stats: &mut Stats) {
    let memory = &mut stats.memory;
    memory.raw = files.keyed("memory.stat");
    memory.cache = memory.raw.get("cache").copied().unwrap_or(0);
    memory.usage = entry(files, "memory");
    memory.swap = entry(files, "memory.memsw");
    memory.kernel = entry(files, "memory.kmem");
    memory.kernel_tcp = entry(files, "memory.kmem.tcp");
    let kills = files.keyed("memory.oom_control").remove("oom_kill");
    memory.event_count.extend(kills.map(|kills| ("oom_kill".to_owned(), kills)));
}

fn entry(files: &Files, prefix: &str) -> MemoryEntry {
    MemoryEntry {
        limit: files.number_or_0(&format!("{prefix}.limit_in_bytes")),
        usage: files.number_or_0(&format!("{prefix}.usage_in_bytes")),
        max: files.number_or_0(&format!("{prefix}.max_usage_in_bytes")),
        failcnt: files.number_or_0(&format!("{prefix}.failcnt")),
    }
}

/// The BFQ scheduler counts, or where no device has it the throttling policy.
pub(super) fn blkio(files: &Files, stats: &mut Stats) {
    let read = |name: &str| {
        let names = [format!("blkio.bfq.{name}_recursive"), format!("blkio.{name}_recursive")];
        let throttle = [format!("blkio.throttle.{name}_recursive"), format!("blkio.throttle.{name}")];
        let found = names.iter().chain(&throttle).filter_map(|name| files.text(name));
        found.map(|text| operations(&text)).find(|entries| !entries.is_empty()).unwrap_or_default()
    };
    let blkio = &mut stats.blkio;
    blkio.io_service_bytes_recursive = read("io_service_bytes");
    blkio.io_serviced_recursive = read("io_serviced");
    blkio.io_queue_recursive = read("io_queued");
    blkio.io_service_time_recursive = read("io_service_time");
    blkio.io_wait_time_recursive = read("io_wait_time");
    blkio.io_merged_recursive = read("io_merged");
    blkio.io_time_recursive = read("time");
    blkio.sectors_recursive = read("sectors");
}

/// Lines of `8:0 Read 4096` or `8:0 4096`; the sum of all devices, `Total 4096`, is left out.
fn operations(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let rest: Vec<&str> = words.collect();
        let (op, value) = match rest[..] {
            [op, value] => (op, value),
            [value] => ("", value),
            _ => return None,
        };
        let [major, minor, value] = [major, minor, value].map(|n| n.parse().ok());
        Some(BlkioEntry { major: major?, minor: minor?, op: op.to_owned(), value: value? })
    };
    text.lines().filter_map(entry).collect()
}

/// What is reserved, where the kernel counts that.
pub(super) fn hugetlb(files: &Files, stats: &mut Stats) {
    for size in files.page_sizes(".usage_in_bytes") {
        let name = |rsvd: &str, what: &str| format!("hugetlb.{size}{rsvd}.{what}");
        let rsvd = if files.text(&name(".rsvd", "usage_in_bytes")).is_some() { ".rsvd" } else { "" };
        let number = |what| files.number_or_0(&name(rsvd, what));
        let counts = Hugetlb {
            usage: number("usage_in_bytes"),
            max: number("max_usage_in_bytes"),
            failcnt: number("failcnt"),
        };
        stats.hugetlb.insert(size, counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_by_device() {
        let text = "8:0 Read 4096\n8:0 Total 4096\n8:16 7\nTotal 4096\n";
        let entry = |minor, op: &str, value| BlkioEntry { major: 8, minor, op: op.into(), value };
        assert_eq!(operations(text), [entry(0, "Read", 4096), entry(0, "Total", 4096), entry(16, "", 7)]);
    }
}
