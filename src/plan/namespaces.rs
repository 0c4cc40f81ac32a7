//! Which namespaces are made, which are joined, by whom and when (namespaces(7)).

use super::Facts;
use crate::error::{Error, Result, Violation};
use crate::spec::config::{self, IdMapping, Linux};
pub use crate::spec::validate::CLOCKS;
use std::ffi::CString;
use std::fmt::Write as _;

/// A kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    User,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Time,
    Mount,
}

impl Kind {
    /// In the order in which they are joined: the user namespace first, because it brings the
    /// capabilities for the others; the mount namespace last, because it takes the paths away.
    pub const ALL: [Kind; 8] =
        [Kind::User, Kind::Pid, Kind::Network, Kind::Ipc, Kind::Uts, Kind::Cgroup, Kind::Time, Kind::Mount];

    /// As config.json spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Pid => "pid",
            Kind::Network => "network",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Cgroup => "cgroup",
            Kind::Time => "time",
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
            Kind::Time => libc::CLONE_NEWTIME,
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
            Kind::Time => "time",
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

/// Which of the two maps of a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IdKind {
    Uid,
    Gid,
}

impl IdKind {
    /// Where it comes from.
    pub fn location(self) -> &'static str {
        match self {
            IdKind::Uid => "linux.uidMappings",
            IdKind::Gid => "linux.gidMappings",
        }
    }

    /// Its file below `/proc/PID`.
    pub fn file(self) -> &'static str {
        match self {
            IdKind::Uid => "uid_map",
            IdKind::Gid => "gid_map",
        }
    }

    /// The program that writes it for an ordinary user.
    pub fn helper(self) -> &'static str {
        match self {
            IdKind::Uid => "newuidmap",
            IdKind::Gid => "newgidmap",
        }
    }

    /// The file by which root lets that happen.
    pub fn grants(self) -> &'static str {
        match self {
            IdKind::Uid => "/etc/subuid",
            IdKind::Gid => "/etc/subgid",
        }
    }
}

/// A map of a new user namespace (user_namespaces(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    /// Which.
    pub kind: IdKind,
    /// Its lines, as the kernel takes them.
    pub text: String,
    /// Not the caller may write it, but newuidmap(1) or newgidmap(1).
    pub by_helper: bool,
    /// The uid of the caller, and the id of this kind that the caller can map alone.
    pub caller: (u32, u32),
}

impl IdMap {
    /// One that the caller writes.
    pub fn of_caller(kind: IdKind, mappings: &[IdMapping]) -> IdMap {
        IdMap { kind, text: text(mappings), by_helper: false, caller: (0, 0) }
    }
}

/// The maps of a new user namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMaps {
    /// Of user ids.
    pub uid: IdMap,
    /// Of group ids.
    pub gid: IdMap,
    /// An unprivileged writer of gid_map must deny setgroups first; newgidmap(1) need not.
    pub deny_setgroups: bool,
}

/// The offset of a clock in a new time namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeOffset {
    /// `monotonic` or `boottime`.
    pub clock: &'static str,
    /// Line of /proc/PID/timens_offsets.
    pub line: String,
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
    /// The child unshares the time namespace by itself: its clocks can be set only while nobody is in it
    /// (time_namespaces(7)).
    pub new_time: bool,
    /// The clocks of a new time namespace.
    pub time_offsets: Vec<TimeOffset>,
    /// Joined by the host for the moment of the clone, so that the child is born in them.
    pub host_joins: Vec<Join>,
    /// Joined by the child.
    pub child_joins: Vec<Join>,
    /// Maps of a new user namespace.
    pub maps: Option<UserMaps>,
    /// The child clones once more and goes away: it has joined a pid namespace, which holds children only, or others
    /// that it could not join in the new user namespace, or shall make a pid namespace in a joined user namespace.
    pub hop: bool,
    /// `CLONE_NEW*` of that second clone.
    pub hop_clone: u64,
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
        let kind = Kind::from_name(&namespace.typ)
            .ok_or_else(|| Error::new(format!("{location}.type: {:?} is unknown", namespace.typ)))?;
        match namespace.path.as_deref() {
            None | Some("") => plan.new.push(kind),
            Some(path) => joins.push(Join { kind, path: super::c_string(&location, path)?, index }),
        }
    }
    joins.sort_by_key(|join| Kind::ALL.iter().position(|k| *k == join.kind));

    let user_joined = joins.iter().any(|j| j.kind == Kind::User);
    let pid_joined = joins.iter().any(|j| j.kind == Kind::Pid);
    if !plan.is_new(Kind::Mount) && !joins.iter().any(|j| j.kind == Kind::Mount) {
        return Err(Error::invalid(vec![Violation {
            path: "linux.namespaces".into(),
            text: "has no mount namespace; the container's mounts would be made on the host: add {\"type\": \"mount\"}"
                .into(),
        }]));
    }
    plan.new_cgroup = plan.is_new(Kind::Cgroup);
    plan.new_time = plan.is_new(Kind::Time);
    plan.time_offsets = time_offsets(linux);
    let at_once = plan.new.iter().filter(|k| !matches!(k, Kind::Cgroup | Kind::Time));
    let new: u64 = at_once.map(|k| k.flag()).sum();
    if plan.is_new(Kind::User) {
        // Namespaces that are made by the same clone would be set up by an id that is not mapped
        // yet; only the pid namespace must be made by it.
        let first = new & (Kind::User.flag() | Kind::Pid.flag());
        plan.unshare = new & !first;
        plan.hop = !comes_back(facts) && joins.iter().any(|join| of_caller(join.kind));
        (plan.clone, plan.hop_clone) = if plan.hop { (0, first) } else { (first, 0) };
        plan.maps = Some(maps(linux, facts)?);
        plan.become_root = true;
    } else if user_joined {
        plan.hop_clone = new & Kind::Pid.flag();
        plan.unshare = new & !plan.hop_clone;
        plan.hop = pid_joined || plan.is_new(Kind::Pid);
        plan.become_root = true;
    } else {
        plan.clone = new;
        plan.hop = pid_joined && !comes_back(facts);
    }
    let by_host =
        |kind| !user_joined && !plan.hop && of_caller(kind) && (kind == Kind::Pid || plan.is_new(Kind::User));
    (plan.host_joins, plan.child_joins) = joins.into_iter().partition(|join| by_host(join.kind));
    Ok(plan)
}

/// Whether the caller can leave its namespaces for a moment: those of a caller in a user namespace may belong to an
/// outer one, where it has no power to enter them again.
pub fn comes_back(facts: &Facts) -> bool {
    !facts.in_userns
}

/// Whether a child in a new user namespace has no power any more to join one of these.
fn of_caller(kind: Kind) -> bool {
    match kind {
        Kind::User | Kind::Mount | Kind::Cgroup => false,
        Kind::Pid | Kind::Network | Kind::Ipc | Kind::Uts | Kind::Time => true,
    }
}

fn time_offsets(linux: &Linux) -> Vec<TimeOffset> {
    let of = |clock: &'static str| {
        let config::TimeOffset { secs, nanosecs } = linux.time_offsets.get(clock)?;
        Some(TimeOffset { clock, line: format!("{clock} {secs} {nanosecs}\n") })
    };
    CLOCKS.into_iter().filter_map(of).collect()
}

fn maps(linux: &Linux, facts: &Facts) -> Result<UserMaps> {
    let uid = id_map(IdKind::Uid, &linux.uid_mappings, facts)?;
    let gid = id_map(IdKind::Gid, &linux.gid_mappings, facts)?;
    let deny_setgroups = facts.uid != 0 && !gid.by_helper;
    Ok(UserMaps { uid, gid, deny_setgroups })
}

fn id_map(kind: IdKind, mappings: &[IdMapping], facts: &Facts) -> Result<IdMap> {
    if !mapped(mappings, 0) {
        let text = "does not map id 0, as which the container is set up".into();
        return Err(Error::invalid(vec![Violation { path: kind.location().into(), text }]));
    }
    let own = match kind {
        IdKind::Uid => facts.uid,
        IdKind::Gid => facts.gid,
    };
    // Without privileges the kernel takes one line, with the caller's own id (user_namespaces(7)).
    let own_alone = matches!(mappings, [IdMapping { host_id, size: 1, .. }] if *host_id == own);
    let by_helper = facts.uid != 0 && !own_alone;
    Ok(IdMap { by_helper, caller: (facts.uid, own), ..IdMap::of_caller(kind, mappings) })
}

/// The lines of a map.
fn text(mappings: &[IdMapping]) -> String {
    mappings.iter().fold(String::new(), |mut text, m| {
        let _ = writeln!(text, "{} {} {}", m.container_id, m.host_id, m.size);
        text
    })
}

/// The host id of a container id, if it is mapped.
pub fn mapped(mappings: &[IdMapping], id: u32) -> bool {
    mappings.iter().any(|m| id >= m.container_id && id - m.container_id < m.size)
}

#[cfg(test)]
mod tests;
