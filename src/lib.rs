//! tierce: a daemonless, single-binary OCI container runtime.
//!
//! The line that every command follows, and the module of each stage:
//!
//! ```text
//! config.json ─ spec: parse + validate ─▶ Spec ─ plan (pure) ─▶ Plan ─ `tierce plan` prints it
//!                                                                │
//!   host::launch(&plan)                                          │        child::enter(&plan, fds) -> !
//!     open fds, make cgroups, clone3 (namespaces, INTO_CGROUP)   ┼──────▶ enter v1 cgroups, unshare the rest
//!     uid/gid maps                            ── Mapped ─▶       │        root filesystem, mounts, devices
//!     prestart, createRuntime hooks           ◀─ Mounted         │
//!                                             ── HooksDone ─▶    │        createContainer hooks
//!                                             ◀─ Ready           │        masks, pivot_root, identity
//!     state: created                          ── Recorded ─▶     │        wait at the gate
//!   `start` opens the gate                    ── Go ─▶           │        startContainer hooks, seccomp, execve
//!     poststart hooks                         ◀─ closed / Failure╵
//! ```
//!
//! A newcomer finds any line by asking which stage it belongs to.
#![deny(unsafe_code)]

pub mod child;
pub mod cli;
pub mod command;
pub mod error;
pub mod host;
pub mod log;
pub mod plan;
pub mod spec;
pub mod state;
pub mod sys;
pub mod wire;
