//! `linux.resources.hugepageLimits`: the files, and what the limits do.

use std::fs::File;

use crate::harness::cgroups::Version;
use crate::harness::prelude::*;

cases!("huge_pages", root: [
    both_limits_of_a_size_are_set,
    every_size_of_this_machine_can_be_limited,
    more_huge_pages_than_the_limit_cannot_be_had,
    a_size_that_the_machine_does_not_have_is_refused,
    a_size_that_is_none_is_refused,
]);

const MIB: u64 = 1 << 20;

/// `limit_in_bytes` or `max`, or skips.
fn last(t: &Case) -> &'static str {
    t.needs_controller("hugetlb");
    match t.host.cgroups.with_controller("hugetlb").map(|h| h.version) {
        Some(Version::V1) => "limit_in_bytes",
        _ => "max",
    }
}

fn file(t: &Case, container: &Container, name: &str) -> Option<String> {
    let path = t.cgroup_dir("hugetlb", &container.cgroup_path()).join(name);
    fs::read_to_string(path).ok().map(|text| text.trim().to_string())
}

fn limited(bundle: Bundle, size: &str, limit: u64) -> Bundle {
    bundle.set("/linux/resources/hugepageLimits", json!([{"pageSize": size, "limit": limit}]))
}

/// Reservations, where the kernel limits them, and usage.
fn both_limits_of_a_size_are_set(t: &Case) {
    let last = last(t);
    let container = t.create(&limited(t.bundle(), "2MB", 4 * MIB));
    assert_eq!(file(t, &container, &format!("hugetlb.2MB.{last}")), Some((4 * MIB).to_string()));
    if let Some(shown) = file(t, &container, &format!("hugetlb.2MB.rsvd.{last}")) {
        assert_eq!(shown, (4 * MIB).to_string());
    }
}

/// `2MB` for the directory `hugepages-2048kB`.
fn sizes() -> Vec<(String, u64)> {
    let entries = fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let kilobytes =
        names.filter_map(|name| name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok());
    let spell = |kb: u64| match kb {
        _ if kb.is_multiple_of(1 << 20) => format!("{}GB", kb >> 20),
        _ if kb.is_multiple_of(1 << 10) => format!("{}MB", kb >> 10),
        _ => format!("{kb}KB"),
    };
    kilobytes.map(|kb| (spell(kb), kb << 10)).collect()
}

fn every_size_of_this_machine_can_be_limited(t: &Case) {
    let last = last(t);
    let sizes = sizes();
    let limits: Vec<Value> =
        sizes.iter().map(|(size, bytes)| json!({"pageSize": size, "limit": bytes * 3})).collect();
    let container = t.create(&t.bundle().set("/linux/resources/hugepageLimits", json!(limits)));
    for (size, bytes) in sizes {
        assert_eq!(file(t, &container, &format!("hugetlb.{size}.{last}")), Some((bytes * 3).to_string()));
    }
}

/// Lets the machine have some huge pages, and one case at a time.
struct Pages {
    file: PathBuf,
    before: String,
    _lock: nix::fcntl::Flock<File>,
}

impl Pages {
    fn new(t: &Case, count: u64) -> Pages {
        let file = PathBuf::from("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages");
        let open = File::open(&file).unwrap_or_else(|e| t.skip(format!("needs huge pages of 2 MB: {e}")));
        let lock = nix::fcntl::Flock::lock(open, nix::fcntl::FlockArg::LockExclusive);
        let lock = lock.unwrap_or_else(|(_, e)| panic!("lock {}: {e}", file.display()));
        let before = fs::read_to_string(&file).expect("read");
        let had: u64 = before.trim().parse().expect("a number");
        fs::write(&file, (had + count).to_string())
            .unwrap_or_else(|e| t.skip(format!("needs to change {}: {e}", file.display())));
        Pages { file, before, _lock: lock }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = fs::write(&self.file, &self.before);
    }
}

fn more_huge_pages_than_the_limit_cannot_be_had(t: &Case) {
    last(t);
    let _pages = Pages::new(t, 4);
    let bundle = t.bundle().mount(json!({
        "destination": "/huge", "type": "hugetlbfs", "source": "hugetlbfs", "options": ["pagesize=2M"],
    }));
    // A file there cannot be written to, only be given pages.
    let takes = |pages: u64| format!("fallocate -l $(({pages} * 2097152)) /huge/f");
    if !t.run(&bundle.clone().sh(&takes(3))).status.success() {
        t.skip("needs three free huge pages");
    }
    let of_two = limited(bundle, "2MB", 4 * MIB);
    t.run(&of_two.clone().sh(&takes(2))).ok();
    t.run(&of_two.sh(&takes(3))).fails().says("fallocate");
}

fn a_size_that_the_machine_does_not_have_is_refused(t: &Case) {
    last(t);
    t.run(&limited(t.bundle(), "3MB", 6 * MIB)).fails().says("3MB");
    t.assert_no_side_effects();
}

fn a_size_that_is_none_is_refused(t: &Case) {
    last(t);
    for size in ["2M", "", "2mb", "../../memory/memory.2MB"] {
        t.run(&limited(t.bundle(), size, 2 * MIB)).fails();
        t.assert_no_side_effects();
    }
}
