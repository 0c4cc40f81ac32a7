//! Stage 3, the host's half: probe, cgroups, the clone, the record of it.

pub mod agent;
pub mod cgroup;
pub mod console;
pub mod exe;
pub mod foreground;
pub mod hold;
pub mod hooks;
pub mod idmap;
pub mod launch;
pub mod netdev;
pub mod notify;
pub mod oom;
pub mod probe;
pub mod processes;
pub mod receiver;
pub mod resctrl;
pub mod scheduling;
pub mod socket;
pub mod stats;
mod subids;
pub mod systemd;
mod trees;
