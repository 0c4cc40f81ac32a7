//! Who the program runs as: ids, groups, capabilities, limits.

use super::Facts;
use super::namespaces::{UserNamespace, mapped};
use crate::error::{Error, Result, Violation};
use crate::spec::annotations::{self, KEEP_ORIGINAL_GROUPS};
use crate::spec::config::{Capabilities, Linux, Process, Spec};
pub use crate::spec::validate::CAPABILITIES;
use crate::sys::security::CapSets;

/// `RLIMIT_*` names by number (getrlimit(2)).
pub const RLIMITS: [&str; 16] = [
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
];

/// Who the program runs as.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// User id in the container's user namespace.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; `None` keeps what the caller has, where setgroups(2) is denied or an
    /// annotation says so.
    pub groups: Option<Vec<u32>>,
    /// None are asked for, in a user namespace that may deny setgroups(2): then keep what the caller has.
    pub groups_may_be_denied: bool,
    /// File mode creation mask.
    pub umask: u32,
    /// Capabilities to drop from the bounding set.
    pub bounding_drop: Vec<u32>,
    /// The three sets of capset(2).
    pub caps: CapSets,
    /// Capabilities of the ambient set.
    pub ambient: Vec<u32>,
    /// no_new_privs
    pub no_new_privs: bool,
    /// In the order of config.json.
    pub rlimits: Vec<Rlimit>,
}

/// One resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// Number of getrlimit(2).
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// More fds than the child has open at the gate, with the one that opens it.
const GATE_FDS: u64 = 64;

impl Rlimit {
    /// Under this limit the gate could not accept `start`: it is set behind it.
    pub fn waits_for_the_gate(&self) -> bool {
        self.resource == libc::RLIMIT_NOFILE && self.soft < GATE_FDS
    }

    /// Its hard limit may already be set before the gate, where the capabilities to raise it are.
    pub fn leaves_room_at_the_gate(&self) -> bool {
        self.hard >= GATE_FDS
    }
}

/// Plans the identity; adds to `warnings` what the caller cannot grant (config.md: a capability that
/// cannot be granted is a warning, not an error).
///
/// # Errors
/// Ids that the user namespace does not map, groups where setgroups(2) is denied, unknown limits.
pub fn plan(
    process: &Process,
    spec: &Spec,
    user: UserNamespace,
    facts: &Facts,
    warnings: &mut Vec<String>,
) -> Result<Identity> {
    if matches!(user, UserNamespace::New { .. }) {
        check_mapped(process, spec.linux.as_ref().unwrap_or(&Linux::default()))?;
    }
    let none = Capabilities::default();
    let sets = process.capabilities.as_ref().unwrap_or(&none);
    // A user namespace brings all capabilities; otherwise nothing beyond the caller's own.
    let known = u64::MAX >> (63 - facts.last_cap);
    let grantable = match user {
        UserNamespace::Caller => known & facts.permitted_caps,
        UserNamespace::New { .. } | UserNamespace::Joined => known,
    };
    let mut mask = |set: &str, names: &[String]| cap_mask(set, names, grantable, warnings);
    let bounding = mask("bounding", &sets.bounding);
    let permitted = mask("permitted", &sets.permitted);
    let inheritable = mask("inheritable", &sets.inheritable);
    let effective = mask("effective", &sets.effective);
    let ambient = mask("ambient", &sets.ambient);
    // What capset(2) and PR_CAP_AMBIENT_RAISE would refuse; validation has warned of it.
    let inheritable = inheritable & bounding;
    let effective = effective & permitted;
    let ambient = ambient & permitted & inheritable;
    Ok(Identity {
        uid: process.user.uid,
        gid: process.user.gid,
        groups: match annotations::value(spec, KEEP_ORIGINAL_GROUPS) {
            None => groups(process, user, facts)?,
            Some(_) => {
                warnings.extend(keeps_groups(process));
                None
            }
        },
        groups_may_be_denied: user == UserNamespace::Joined
            && facts.uid != 0
            && process.user.additional_gids.is_empty(),
        umask: process.user.umask.unwrap_or(0o022),
        bounding_drop: (0..=facts.last_cap).filter(|cap| bounding >> cap & 1 == 0).collect(),
        caps: CapSets { effective, permitted, inheritable },
        ambient: bits(ambient).collect(),
        no_new_privs: process.no_new_privileges,
        rlimits: rlimits(process)?,
    })
}

/// The numbers of the set bits.
pub fn bits(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |bit| mask >> bit & 1 == 1)
}

/// The number of a capability.
pub fn capability(name: &str) -> Option<u32> {
    CAPABILITIES.iter().position(|known| *known == name).map(|n| n as u32)
}

fn cap_mask(set: &str, names: &[String], grantable: u64, warnings: &mut Vec<String>) -> u64 {
    let mut mask = 0;
    for name in names {
        match capability(name) {
            // Unknown names are a warning of the validation already.
            None => {}
            Some(cap) if grantable >> cap & 1 == 1 => mask |= 1 << cap,
            Some(_) => warnings
                .push(format!("process.capabilities.{set}: {name} is left out, the caller does not have it")),
        }
    }
    mask
}

fn check_mapped(process: &Process, linux: &Linux) -> Result<()> {
    let mut violations = Vec::new();
    let mut check = |path: String, id: u32, maps, name: &str| {
        if !mapped(maps, id) {
            violations.push(Violation { path, text: format!("{id} is not mapped by linux.{name}") });
        }
    };
    check("process.user.uid".into(), process.user.uid, &linux.uid_mappings, "uidMappings");
    check("process.user.gid".into(), process.user.gid, &linux.gid_mappings, "gidMappings");
    for (i, gid) in process.user.additional_gids.iter().enumerate() {
        check(format!("process.user.additionalGids[{i}]"), *gid, &linux.gid_mappings, "gidMappings");
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::invalid(violations)) }
}

fn keeps_groups(process: &Process) -> Option<String> {
    let gids = &process.user.additional_gids;
    (!gids.is_empty()).then(|| {
        format!("process.user.additionalGids: {gids:?} are left out, as annotations[{KEEP_ORIGINAL_GROUPS:?}] keeps the caller's groups")
    })
}

fn groups(process: &Process, user: UserNamespace, facts: &Facts) -> Result<Option<Vec<u32>>> {
    let denied = match user {
        UserNamespace::New { deny_setgroups } => deny_setgroups || facts.setgroups_denied,
        // The child finds out.
        UserNamespace::Joined => false,
        UserNamespace::Caller => facts.uid != 0 || facts.setgroups_denied,
    };
    let wanted = &process.user.additional_gids;
    match (denied, wanted.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(Error::invalid(vec![Violation {
            path: "process.user.additionalGids".into(),
            text: format!(
                "{wanted:?}: an ordinary user may not set groups (user_namespaces(7)); leave them out"
            ),
        }])),
        (false, _) => Ok(Some(wanted.clone())),
    }
}

fn rlimits(process: &Process) -> Result<Vec<Rlimit>> {
    let of = |(i, limit): (usize, &crate::spec::config::Rlimit)| {
        let resource = RLIMITS.iter().position(|name| *name == limit.typ).ok_or_else(|| {
            Error::new(format!("process.rlimits[{i}].type: {:?} is unknown (getrlimit(2))", limit.typ))
        })?;
        Ok(Rlimit { resource: resource as u32, soft: limit.soft, hard: limit.hard })
    };
    process.rlimits.iter().enumerate().map(of).collect()
}
