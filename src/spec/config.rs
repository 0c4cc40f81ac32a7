//! The types of `config.json` (runtime-spec 1.3.0, config.md and config-linux.md).
//!
//! They are ours and not those of the `oci-spec` crate because a runtime must read more than the
//! letter of the schema: an unknown capability is a warning, not a parse error, and all mistakes
//! are to be reported at once. So a field may be absent and every enum is a string here;
//! [`crate::spec::validate`] says what is missing or wrong, with its JSON path. Only the numbers of
//! rlimits, id mappings and seccomp conditions, those of devices and huge pages to be limited and the
//! `allow` of a device rule must be there: a default would be a guess.

mod intel_rdt;
mod process;
pub(crate) mod read;
mod resources;

pub use resources::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, InterfacePriority, Memory, Network, Pids, Rdma, Resources,
    ThrottleDevice, WeightDevice,
};

pub use intel_rdt::IntelRdt;
pub use process::*;
use read::{map, map_or_default, null_default, object, objects, objects_by_name, optional_objects};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The whole of `config.json`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    /// SemVer of the specification that the bundle was written for.
    #[serde(deserialize_with = "null_default")]
    pub oci_version: String,
    /// The container's first process; absent for containers that are never started.
    #[serde(deserialize_with = "object")]
    pub process: Option<Process>,
    /// The root filesystem.
    #[serde(deserialize_with = "object")]
    pub root: Option<Root>,
    /// UTS node name.
    pub hostname: Option<String>,
    /// UTS domain name.
    pub domainname: Option<String>,
    /// Mounts, in order.
    #[serde(deserialize_with = "objects")]
    pub mounts: Vec<Mount>,
    /// Lifecycle hooks.
    #[serde(deserialize_with = "object")]
    pub hooks: Option<Hooks>,
    /// Arbitrary metadata, handed on in the state.
    #[serde(deserialize_with = "map")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// The Linux section.
    #[serde(deserialize_with = "object")]
    pub linux: Option<Linux>,
    /// A virtual machine, which is not made here.
    pub vm: Option<Value>,
    /// Of another system, as are the next three.
    freebsd: Option<IgnoredAny>,
    solaris: Option<IgnoredAny>,
    windows: Option<IgnoredAny>,
    zos: Option<IgnoredAny>,
}

impl Spec {
    /// The sections of other systems that are there.
    pub fn other_systems(&self) -> impl Iterator<Item = &'static str> {
        let sections = [
            ("freebsd", self.freebsd),
            ("solaris", self.solaris),
            ("windows", self.windows),
            ("zos", self.zos),
        ];
        sections.into_iter().filter(|(_, section)| section.is_some()).map(|(name, _)| name)
    }
}

/// `root`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Root {
    /// Absolute, or relative to the bundle.
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// Mount the root filesystem read-only.
    #[serde(deserialize_with = "null_default")]
    pub readonly: bool,
}

/// One entry of `mounts`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Mount {
    /// Where, inside the container.
    #[serde(deserialize_with = "null_default")]
    pub destination: String,
    /// What; a path (absolute, or relative to the bundle) for bind mounts.
    pub source: Option<String>,
    /// Filesystem type, or `bind`.
    #[serde(rename = "type")]
    pub typ: Option<String>,
    /// mount(8) options.
    #[serde(deserialize_with = "null_default")]
    pub options: Vec<String>,
    /// Id mapping of this mount.
    #[serde(deserialize_with = "optional_objects")]
    pub uid_mappings: Option<Vec<IdMapping>>,
    /// Id mapping of this mount.
    #[serde(deserialize_with = "optional_objects")]
    pub gid_mappings: Option<Vec<IdMapping>>,
}

/// One line of a uid_map or gid_map (user_namespaces(7)).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    /// First id inside.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// First id outside.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

/// `hooks`
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Hooks {
    /// Deprecated.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook>,
    /// In the runtime's namespaces, before pivot_root.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, before pivot_root.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub create_container: Vec<Hook>,
    /// In the container, before the user's program.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub start_container: Vec<Hook>,
    /// In the runtime's namespaces, after the program was started.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook>,
    /// In the runtime's namespaces, after deletion.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook>,
}

/// One hook.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Absolute path of the program.
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// argv, with argv[0].
    pub args: Option<Vec<String>>,
    /// Its whole environment.
    #[serde(deserialize_with = "null_default")]
    pub env: Vec<String>,
    /// Seconds after which it is killed.
    pub timeout: Option<i64>,
}

/// `linux`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Linux {
    /// New or joined namespaces.
    #[serde(deserialize_with = "objects")]
    pub namespaces: Vec<Namespace>,
    /// Uid map of a new user namespace.
    #[serde(deserialize_with = "objects")]
    pub uid_mappings: Vec<IdMapping>,
    /// Gid map of a new user namespace.
    #[serde(deserialize_with = "objects")]
    pub gid_mappings: Vec<IdMapping>,
    /// Offsets of a new time namespace, by clock.
    #[serde(deserialize_with = "objects_by_name")]
    pub time_offsets: BTreeMap<String, TimeOffset>,
    /// Device nodes to make.
    #[serde(deserialize_with = "objects")]
    pub devices: Vec<Device>,
    /// Network interfaces to move into the container, by their name in the runtime's namespace.
    #[serde(deserialize_with = "objects_by_name")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// Where the container's cgroup is.
    pub cgroups_path: Option<String>,
    /// cgroup limits.
    #[serde(deserialize_with = "object")]
    pub resources: Option<Resources>,
    /// Resource Director Technology.
    #[serde(deserialize_with = "object")]
    pub intel_rdt: Option<IntelRdt>,
    /// NUMA memory policy.
    #[serde(deserialize_with = "object")]
    pub memory_policy: Option<MemoryPolicy>,
    /// Kernel parameters, namespaced ones only.
    #[serde(deserialize_with = "map_or_default")]
    pub sysctl: BTreeMap<String, String>,
    /// System call filter.
    #[serde(deserialize_with = "object")]
    pub seccomp: Option<Seccomp>,
    /// Propagation of the root mount.
    pub rootfs_propagation: Option<String>,
    /// Paths made unreadable.
    #[serde(deserialize_with = "null_default")]
    pub masked_paths: Vec<String>,
    /// Paths made read-only.
    #[serde(deserialize_with = "null_default")]
    pub readonly_paths: Vec<String>,
    /// SELinux context of the mounts.
    pub mount_label: Option<String>,
    /// personality(2).
    #[serde(deserialize_with = "object")]
    pub personality: Option<Personality>,
}

/// One entry of `linux.namespaces`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// pid, network, mount, ipc, uts, user, cgroup or time.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub typ: String,
    /// An existing namespace to join.
    pub path: Option<String>,
}

/// The offset of a clock in a time namespace.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct TimeOffset {
    /// Seconds, which may be negative.
    #[serde(deserialize_with = "null_default")]
    pub secs: i64,
    /// Nanoseconds on top of these.
    #[serde(deserialize_with = "null_default")]
    pub nanosecs: u32,
}

/// One entry of `linux.netDevices`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct NetDevice {
    /// Its name inside; none keeps the name.
    pub name: Option<String>,
}

/// One entry of `linux.devices`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Device {
    /// c, b, u or p.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub typ: String,
    /// Absolute path inside the container.
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// Major number.
    pub major: Option<i64>,
    /// Minor number.
    pub minor: Option<i64>,
    /// Permission bits.
    pub file_mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// `linux.seccomp`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Seccomp {
    /// `SCMP_ACT_…` for what no rule names.
    #[serde(deserialize_with = "null_default")]
    pub default_action: String,
    /// errno of the default action.
    pub default_errno_ret: Option<u32>,
    /// `SCMP_ARCH_…`; the native one is always included.
    #[serde(deserialize_with = "null_default")]
    pub architectures: Vec<String>,
    /// `SECCOMP_FILTER_FLAG_…`; absent is not the same as none (see [`crate::plan::seccomp`]).
    pub flags: Option<Vec<String>>,
    /// Unix socket that receives the notification fd.
    pub listener_path: Option<String>,
    /// Opaque data sent along.
    pub listener_metadata: Option<String>,
    /// Rules.
    #[serde(deserialize_with = "objects")]
    pub syscalls: Vec<SeccompRule>,
}

/// One entry of `linux.seccomp.syscalls`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SeccompRule {
    /// System call names.
    #[serde(deserialize_with = "null_default")]
    pub names: Vec<String>,
    /// `SCMP_ACT_…`
    #[serde(deserialize_with = "null_default")]
    pub action: String,
    /// errno (or trace message) of the action.
    pub errno_ret: Option<u32>,
    /// Conditions, all of which must hold.
    #[serde(deserialize_with = "objects")]
    pub args: Vec<SeccompArg>,
}

/// One condition on an argument.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompArg {
    /// Argument number, 0 to 5.
    pub index: u32,
    /// Compared with.
    pub value: u64,
    /// Second value, for SCMP_CMP_MASKED_EQ.
    #[serde(default)]
    pub value_two: u64,
    /// `SCMP_CMP_…`
    #[serde(default, deserialize_with = "null_default")]
    pub op: String,
}
