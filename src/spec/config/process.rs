//! The section `process`, and what of `linux` is about processes.

use super::read::{null_default, object, object_or_default, objects};
use serde::Deserialize;

/// `process`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Process {
    /// Give the process a pseudo-terminal.
    #[serde(deserialize_with = "null_default")]
    pub terminal: bool,
    /// Initial size of the terminal.
    #[serde(deserialize_with = "object")]
    pub console_size: Option<ConsoleSize>,
    /// Ids the process runs with.
    #[serde(deserialize_with = "object_or_default")]
    pub user: User,
    /// argv.
    pub args: Option<Vec<String>>,
    /// Windows only; its presence is ignored on Linux.
    pub command_line: Option<String>,
    /// `NAME=value` strings.
    #[serde(deserialize_with = "null_default")]
    pub env: Vec<String>,
    /// Absolute working directory inside the container.
    #[serde(deserialize_with = "null_default")]
    pub cwd: String,
    /// The five capability sets.
    #[serde(deserialize_with = "object")]
    pub capabilities: Option<Capabilities>,
    /// Resource limits.
    #[serde(deserialize_with = "objects")]
    pub rlimits: Vec<Rlimit>,
    /// Set the no_new_privs bit (prctl(2), PR_SET_NO_NEW_PRIVS).
    #[serde(deserialize_with = "null_default")]
    pub no_new_privileges: bool,
    /// AppArmor profile name.
    pub apparmor_profile: Option<String>,
    /// `/proc/PID/oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// sched_setattr(2).
    #[serde(deserialize_with = "object")]
    pub scheduler: Option<Scheduler>,
    /// SELinux label.
    pub selinux_label: Option<String>,
    /// ioprio_set(2).
    #[serde(rename = "ioPriority", deserialize_with = "object")]
    pub io_priority: Option<IoPriority>,
    /// CPU affinity of processes started by `exec`.
    #[serde(rename = "execCPUAffinity", deserialize_with = "object")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
}

/// `process.scheduler`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// `SCHED_…`
    #[serde(deserialize_with = "null_default")]
    pub policy: String,
    /// -20 to 19.
    pub nice: Option<i32>,
    /// Of the real-time policies, 1 to 99.
    pub priority: Option<i32>,
    /// `SCHED_FLAG_…`
    #[serde(deserialize_with = "null_default")]
    pub flags: Vec<String>,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub runtime: Option<u64>,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub deadline: Option<u64>,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub period: Option<u64>,
}

/// `process.ioPriority`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_…`
    #[serde(deserialize_with = "null_default")]
    pub class: String,
    /// 0 to 7, highest first.
    pub priority: Option<i32>,
}

/// `process.execCPUAffinity`: lists such as `0-3,7`; an empty one is the same as none.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct CpuAffinity {
    /// Of the runtime, before the process enters the container's cgroup.
    pub initial: Option<String>,
    /// Of the process, from then on.
    #[serde(rename = "final")]
    pub last: Option<String>,
}

/// `process.consoleSize`, in characters.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct ConsoleSize {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// `process.user`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct User {
    /// User id in the container's user namespace.
    pub uid: u32,
    /// Group id in the container's user namespace.
    pub gid: u32,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Supplementary groups.
    #[serde(deserialize_with = "null_default")]
    pub additional_gids: Vec<u32>,
    /// Windows only.
    pub username: Option<String>,
}

/// `process.capabilities`: names with the `CAP_` prefix.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Bounding set.
    #[serde(deserialize_with = "null_default")]
    pub bounding: Vec<String>,
    /// Effective set.
    #[serde(deserialize_with = "null_default")]
    pub effective: Vec<String>,
    /// Inheritable set.
    #[serde(deserialize_with = "null_default")]
    pub inheritable: Vec<String>,
    /// Permitted set.
    #[serde(deserialize_with = "null_default")]
    pub permitted: Vec<String>,
    /// Ambient set.
    #[serde(deserialize_with = "null_default")]
    pub ambient: Vec<String>,
}

/// One entry of `process.rlimits`.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_…`
    #[serde(rename = "type", default, deserialize_with = "null_default")]
    pub typ: String,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// `linux.memoryPolicy`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct MemoryPolicy {
    /// `MPOL_…`
    #[serde(deserialize_with = "null_default")]
    pub mode: String,
    /// A list such as `0-3,7`.
    #[serde(deserialize_with = "null_default")]
    pub nodes: String,
    /// `MPOL_F_…`
    #[serde(deserialize_with = "null_default")]
    pub flags: Vec<String>,
}

/// `linux.personality`
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Personality {
    /// `LINUX` or `LINUX32`.
    #[serde(deserialize_with = "null_default")]
    pub domain: String,
    /// None are defined.
    #[serde(deserialize_with = "null_default")]
    pub flags: Vec<String>,
}
