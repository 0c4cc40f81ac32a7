//! Which namespaces are made, which are joined, by whom and when (namespaces(7)).

use super::Facts;
use crate::error::{Error, Result, Violation};
use crate::spec::config::{IdMapping, Linux};
use std::ffi::CString;
use std::fmt::Write as _;

/// A kind of namespace that this release can make and join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    User,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Mount,
}

impl Kind {
    /// In the order in which they are joined: the user namespace first, because it brings the
    /// capabilities for the others; the mount namespace last, because it takes the paths away.
    pub const ALL: [Kind; 7] =
        [Kind::User, Kind::Pid, Kind::Network, Kind::Ipc, Kind::Uts, Kind::Cgroup, Kind::Mount];

    /// As config.json spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Pid => "pid",
            Kind::Network => "network",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Cgroup => "cgroup",
            Kind::Mount => "mount",
        }
    }

    /// Its `CLONE_NEW*` flag.
    pub fn flag(self) -> u64 {
        (match self {
            Kind::User => libc::CLONE_NEWUSER,
            Kind::Pid => libc::CLONE_NEWPID,
            Kind::Network => libc::CLONE_NEWNET,
            Kind::Ipc => libc::CLONE_NEWIPC,
            Kind::Uts => libc::CLONE_NEWUTS,
            Kind::Cgroup => libc::CLONE_NEWCGROUP,
            Kind::Mount => libc::CLONE_NEWNS,
        }) as u64
    }

    /// Its file below `/proc/PID/ns`.
    pub fn file(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Pid => "pid",
            Kind::Network => "net",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Cgroup => "cgroup",
            Kind::Mount => "mnt",
        }
    }

    /// From config.json's spelling.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// An existing namespace to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// What it must be.
    pub kind: Kind,
    /// Where it is.
    pub path: CString,
    /// Its entry of `linux.namespaces`.
    pub index: usize,
}

/// The maps of a new user namespace, as they are written to /proc/PID (user_namespaces(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMaps {
    /// Contents of uid_map.
    pub uid_map: String,
    /// Contents of gid_map.
    pub gid_map: String,
    /// An unprivileged writer of gid_map must deny setgroups first.
    pub deny_setgroups: bool,
}

/// Whose ids and capabilities a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// The caller's.
    Caller,
    /// Of a new one.
    New {
        /// setgroups(2) is denied in it.
        deny_setgroups: bool,
    },
    /// Of one that is there.
    Joined,
}

/// What to do about namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespacePlan {
    /// New ones, for the description.
    pub new: Vec<Kind>,
    /// `CLONE_NEW*` of the clone itself.
    pub clone: u64,
    /// `CLONE_NEW*` that the child unshares: after the maps are written, or after it joined the
    /// user namespace that shall own them.
    pub unshare: u64,
    /// The child unshares the cgroup namespace by itself: its root is the cgroup that the caller
    /// is in at that moment (cgroup_namespaces(7)).
    pub new_cgroup: bool,
    /// Joined by the host for the moment of the clone, so that the child is born in them.
    pub host_joins: Vec<Join>,
    /// Joined by the child.
    pub child_joins: Vec<Join>,
    /// Maps of a new user namespace.
    pub maps: Option<UserMaps>,
    /// After joining a user namespace a new or joined pid namespace holds children only: the child
    /// clones once more and goes away.
    pub hop: bool,
    /// Take uid and gid 0 of the user namespace, so that files made on the way belong to somebody.
    pub become_root: bool,
}

impl NamespacePlan {
    /// Is a namespace of this kind new or joined?
    pub fn has(&self, kind: Kind) -> bool {
        self.is_new(kind) || self.joins().any(|j| j.kind == kind)
    }

    /// Is a namespace of this kind new?
    pub fn is_new(&self, kind: Kind) -> bool {
        self.new.contains(&kind)
    }

    /// The user namespace of the container.
    pub fn user(&self) -> UserNamespace {
        match &self.maps {
            Some(maps) => UserNamespace::New { deny_setgroups: maps.deny_setgroups },
            None if self.has(Kind::User) => UserNamespace::Joined,
            None => UserNamespace::Caller,
        }
    }

    /// `CLONE_NEW*` of all that are new or joined.
    pub fn mask(&self) -> u64 {
        Kind::ALL.iter().filter(|k| self.has(**k)).map(|k| k.flag()).sum()
    }

    /// All joined ones.
    pub fn joins(&self) -> impl Iterator<Item = &Join> {
        self.host_joins.iter().chain(&self.child_joins)
    }
}

/// Plans the namespaces.
///
/// # Errors
/// An id mapping that the caller may not write, a container without a mount namespace.
pub fn plan(linux: &Linux, facts: &Facts) -> Result<NamespacePlan> {
    let mut plan = NamespacePlan::default();
    let mut joins = Vec::new();
    for (index, namespace) in linux.namespaces.iter().enumerate() {
        let location = format!("linux.namespaces[{index}]");
        let kind = Kind::from_name(&namespace.typ).ok_or_else(|| {
            Error::not_supported_yet(format!("{location}: the {} namespace", namespace.typ))
        })?;
        match namespace.path.as_deref() {
            None | Some("") => plan.new.push(kind),
            Some(path) => joins.push(Join { kind, path: super::c_string(&location, path)?, index }),
        }
    }
    joins.sort_by_key(|join| Kind::ALL.iter().position(|k| *k == join.kind));

    let user_joined = joins.iter().any(|j| j.kind == Kind::User);
    let pid_matters = plan.is_new(Kind::Pid) || joins.iter().any(|j| j.kind == Kind::Pid);
    if !plan.is_new(Kind::Mount) && !joins.iter().any(|j| j.kind == Kind::Mount) {
        return Err(Error::invalid(vec![Violation {
            path: "linux.namespaces".into(),
            text: "has no mount namespace; the container's mounts would be made on the host: add {\"type\": \"mount\"}"
                .into(),
        }]));
    }
    plan.new_cgroup = plan.is_new(Kind::Cgroup);
    let new: u64 = plan.new.iter().filter(|k| **k != Kind::Cgroup).map(|k| k.flag()).sum();
    if plan.is_new(Kind::User) {
        // Namespaces that are made by the same clone would be set up by an id that is not mapped
        // yet; only the pid namespace must be made by it.
        plan.clone = new & (Kind::User.flag() | Kind::Pid.flag());
        plan.unshare = new & !plan.clone;
        plan.maps = Some(maps(linux, facts)?);
        plan.become_root = true;
    } else if user_joined {
        plan.unshare = new;
        plan.hop = pid_matters;
        plan.become_root = true;
    } else {
        plan.clone = new;
    }
    (plan.child_joins, plan.host_joins) =
        joins.into_iter().partition(|j| user_joined || j.kind == Kind::Mount || j.kind == Kind::Cgroup);
    Ok(plan)
}

fn maps(linux: &Linux, facts: &Facts) -> Result<UserMaps> {
    let privileged = facts.uid == 0;
    if !privileged {
        only_own_id("linux.uidMappings", &linux.uid_mappings, facts.uid)?;
        only_own_id("linux.gidMappings", &linux.gid_mappings, facts.gid)?;
    }
    for (path, mappings) in
        [("linux.uidMappings", &linux.uid_mappings), ("linux.gidMappings", &linux.gid_mappings)]
    {
        if !mapped(mappings, 0) {
            let text = "does not map id 0, as which the container is set up".into();
            return Err(Error::invalid(vec![Violation { path: path.into(), text }]));
        }
    }
    Ok(UserMaps {
        uid_map: text(&linux.uid_mappings),
        gid_map: text(&linux.gid_mappings),
        deny_setgroups: !privileged,
    })
}

/// Without privileges the kernel takes one line, with the caller's own id (user_namespaces(7)).
fn only_own_id(path: &str, mappings: &[IdMapping], own: u32) -> Result<()> {
    match mappings {
        [IdMapping { host_id, size: 1, .. }] if *host_id == own => Ok(()),
        _ => Err(Error::not_supported_yet(format!(
            "{path}: as an ordinary user more than the one id {own} (subordinate ids, newuidmap(1))"
        ))),
    }
}

/// The lines of a map.
pub(super) fn text(mappings: &[IdMapping]) -> String {
    mappings.iter().fold(String::new(), |mut text, m| {
        let _ = writeln!(text, "{} {} {}", m.container_id, m.host_id, m.size);
        text
    })
}

/// The host id of a container id, if it is mapped.
pub fn mapped(mappings: &[IdMapping], id: u32) -> bool {
    mappings.iter().any(|m| id >= m.container_id && id - m.container_id < m.size)
}
