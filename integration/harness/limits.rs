//! The files that limits are in, by their names in v1 and v2.

use std::fs;

use serde_json::Value;

use super::case::Case;
use super::cgroups::Version;
use super::container::Container;

const MIB: i64 = 1 << 20;

/// A limit as a flag of `update`, as part of a configuration, and what the kernel then shows.
pub struct Limit {
    /// With its value.
    pub flag: [&'static str; 2],
    /// In `linux.resources`.
    pub pointer: &'static str,
    pub value: Value,
    /// The controllers of v1 and v2.
    pub controllers: [&'static str; 2],
    /// For v1 and v2, the files and what is in them; none if there is none.
    pub files: [Option<(&'static str, String)>; 2],
}

impl Limit {
    /// The version of the hierarchy that has it, if any has.
    pub fn version(&self, t: &Case) -> Option<Version> {
        let version = |name: &str| t.host.cgroups.with_controller(name).map(|h| h.version);
        let [v1, v2] = self.controllers.map(version);
        v1.or(v2)
    }

    /// What is in its file, and what should be; `None` where the kernel has no such file.
    pub fn shown(&self, t: &Case, container: &Container) -> Option<(String, String)> {
        let version = self.version(t)?;
        let index = usize::from(version == Version::V2);
        let (name, expected) = self.files[index].as_ref()?;
        let controller = if version == Version::V1 { self.controllers[0] } else { self.controllers[1] };
        let path = t.cgroup_dir(controller, &container.cgroup_path()).join(name);
        Some((fs::read_to_string(path).ok()?.trim().to_string(), expected.clone()))
    }
}

fn limit(
    flag: [&'static str; 2],
    pointer: &'static str,
    value: impl Into<Value>,
    controllers: [&'static str; 2],
    v1: Option<(&'static str, &str)>,
    v2: Option<(&'static str, &str)>,
) -> Limit {
    let files = [v1, v2].map(|file| file.map(|(name, text)| (name, text.to_string())));
    Limit { flag, pointer, value: value.into(), controllers, files }
}

/// One of each kind that `update` has a flag for, in an order in which each can be set after the others.
pub fn all() -> Vec<Limit> {
    let memory = ["memory", "memory"];
    let cpu = ["cpu", "cpu"];
    vec![
        limit(
            ["--memory", "67108864"],
            "/memory/limit",
            64 * MIB,
            memory,
            Some(("memory.limit_in_bytes", "67108864")),
            Some(("memory.max", "67108864")),
        ),
        limit(
            ["--memory-swap", "100663296"],
            "/memory/swap",
            96 * MIB,
            memory,
            Some(("memory.memsw.limit_in_bytes", "100663296")),
            Some(("memory.swap.max", "33554432")),
        ),
        limit(
            ["--memory-reservation", "33554432"],
            "/memory/reservation",
            32 * MIB,
            memory,
            Some(("memory.soft_limit_in_bytes", "33554432")),
            Some(("memory.low", "33554432")),
        ),
        limit(
            ["--cpu-share", "512"],
            "/cpu/shares",
            512,
            cpu,
            Some(("cpu.shares", "512")),
            Some(("cpu.weight", "59")),
        ),
        limit(
            ["--cpu-period", "50000"],
            "/cpu/period",
            50_000,
            cpu,
            Some(("cpu.cfs_period_us", "50000")),
            Some(("cpu.max", "max 50000")),
        ),
        limit(
            ["--cpu-quota", "20000"],
            "/cpu/quota",
            20_000,
            cpu,
            Some(("cpu.cfs_quota_us", "20000")),
            Some(("cpu.max", "20000 50000")),
        ),
        limit(
            ["--cpu-burst", "10000"],
            "/cpu/burst",
            10_000,
            cpu,
            Some(("cpu.cfs_burst_us", "10000")),
            Some(("cpu.max.burst", "10000")),
        ),
        limit(["--cpu-idle", "1"], "/cpu/idle", 1, cpu, Some(("cpu.idle", "1")), Some(("cpu.idle", "1"))),
        limit(
            ["--cpuset-cpus", "0"],
            "/cpu/cpus",
            "0",
            ["cpuset", "cpuset"],
            Some(("cpuset.cpus", "0")),
            Some(("cpuset.cpus", "0")),
        ),
        limit(
            ["--cpuset-mems", "0"],
            "/cpu/mems",
            "0",
            ["cpuset", "cpuset"],
            Some(("cpuset.mems", "0")),
            Some(("cpuset.mems", "0")),
        ),
        limit(
            ["--pids-limit", "55"],
            "/pids/limit",
            55,
            ["pids", "pids"],
            Some(("pids.max", "55")),
            Some(("pids.max", "55")),
        ),
        limit(
            ["--blkio-weight", "300"],
            "/blockIO/weight",
            300,
            ["blkio", "io"],
            Some(("blkio.bfq.weight", "300")),
            Some(("io.bfq.weight", "default 300")),
        ),
    ]
}
