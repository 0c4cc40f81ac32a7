//! `linux.resources`: also what `update` reads.

use super::read::{map, null_default, object, objects};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `linux.resources`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resources {
    /// Device access rules, applied in order.
    #[serde(deserialize_with = "objects")]
    pub devices: Vec<DeviceRule>,
    /// Memory controller.
    #[serde(deserialize_with = "object")]
    pub memory: Option<Memory>,
    /// Cpu and cpuset controllers.
    #[serde(deserialize_with = "object")]
    pub cpu: Option<Cpu>,
    /// Pids controller.
    #[serde(deserialize_with = "object")]
    pub pids: Option<Pids>,
    /// Block I/O.
    #[serde(rename = "blockIO", deserialize_with = "object")]
    pub block_io: Option<BlockIo>,
    /// Huge pages.
    #[serde(deserialize_with = "objects")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// net_cls and net_prio (v1).
    #[serde(deserialize_with = "object")]
    pub network: Option<Network>,
    /// RDMA, by device.
    #[serde(deserialize_with = "map")]
    pub rdma: Option<BTreeMap<String, Rdma>>,
    /// cgroup v2 files, as they are.
    #[serde(deserialize_with = "map")]
    pub unified: Option<BTreeMap<String, String>>,
}

/// One entry of `linux.resources.devices`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// a, c or b; absent means a.
    #[serde(rename = "type")]
    pub typ: Option<String>,
    /// Absent or -1 means all.
    pub major: Option<i64>,
    /// Absent or -1 means all.
    pub minor: Option<i64>,
    /// Some of r, w and m.
    pub access: Option<String>,
}

/// `linux.resources.memory`, bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// Hard limit; -1 is unlimited.
    pub limit: Option<i64>,
    /// Soft limit.
    pub reservation: Option<i64>,
    /// Limit of memory and swap together.
    pub swap: Option<i64>,
    /// Kernel memory (obsolete in the kernel).
    pub kernel: Option<i64>,
    /// Kernel TCP memory.
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: Option<i64>,
    /// 0 to 100.
    pub swappiness: Option<u64>,
    /// Do not kill, wait.
    #[serde(rename = "disableOOMKiller")]
    pub disable_oom_killer: Option<bool>,
    /// v1 hierarchical accounting.
    pub use_hierarchy: Option<bool>,
    /// Refuse a limit below the present usage.
    pub check_before_update: Option<bool>,
}

/// `linux.resources.cpu`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cpu {
    /// Relative weight, 2 to 262144.
    pub shares: Option<u64>,
    /// Microseconds per period; -1 is unlimited.
    pub quota: Option<i64>,
    /// Microseconds that may be carried over.
    pub burst: Option<u64>,
    /// Microseconds.
    pub period: Option<u64>,
    /// Microseconds.
    pub realtime_runtime: Option<i64>,
    /// Microseconds.
    pub realtime_period: Option<u64>,
    /// List of CPUs.
    pub cpus: Option<String>,
    /// List of memory nodes.
    pub mems: Option<String>,
    /// SCHED_IDLE for the whole group.
    pub idle: Option<i64>,
}

/// `linux.resources.pids`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pids {
    /// Highest number of tasks; -1 is unlimited.
    pub limit: Option<i64>,
}

/// `linux.resources.blockIO`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockIo {
    /// Relative weight, 10 to 1000.
    pub weight: Option<u16>,
    /// The same for the group's own tasks against its sub-groups (v1, until Linux 5.0).
    pub leaf_weight: Option<u16>,
    /// Weights for single devices.
    #[serde(deserialize_with = "objects")]
    pub weight_device: Vec<WeightDevice>,
    /// Bytes read a second.
    #[serde(deserialize_with = "objects")]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes written a second.
    #[serde(deserialize_with = "objects")]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Reads a second.
    #[serde(rename = "throttleReadIOPSDevice", deserialize_with = "objects")]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Writes a second.
    #[serde(rename = "throttleWriteIOPSDevice", deserialize_with = "objects")]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// One entry of `linux.resources.blockIO.weightDevice`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightDevice {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// As that of the group.
    pub weight: Option<u16>,
    /// As that of the group.
    pub leaf_weight: Option<u16>,
}

/// One entry of a `linux.resources.blockIO.throttle…Device`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct ThrottleDevice {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// How many a second; 0 is unlimited.
    pub rate: u64,
}

/// One entry of `linux.resources.hugepageLimits`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HugepageLimit {
    /// Such as `2MB`.
    #[serde(default, deserialize_with = "null_default")]
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// `linux.resources.network`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Network {
    /// What packets are tagged with; 0 is none.
    #[serde(rename = "classID")]
    pub class_id: Option<u32>,
    /// By interface of the host.
    #[serde(deserialize_with = "objects")]
    pub priorities: Vec<InterfacePriority>,
}

/// One entry of `linux.resources.network.priorities`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct InterfacePriority {
    /// Of the interface.
    #[serde(default, deserialize_with = "null_default")]
    pub name: String,
    /// Of what leaves there.
    pub priority: u32,
}

/// One entry of `linux.resources.rdma`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rdma {
    /// Most open handles.
    pub hca_handles: Option<u32>,
    /// Most objects.
    pub hca_objects: Option<u32>,
}
