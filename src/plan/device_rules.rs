//! Which devices a container may use: `linux.resources.devices` and the defaults, reduced to a
//! short list, as writes for the v1 devices controller or as an eBPF program for v2.
//!
//! The rules apply in order, and for each of read, write and mknod the last one that matches
//! counts; without any, access is denied (config-linux.md, "Allowed Device list"; the kernel's
//! admin-guide/cgroup-v1/devices.rst).

mod program;
mod v1;

pub use v1::{transition, way_back};

use crate::error::Violation;
use crate::spec::config::{Device, DeviceRule};
use std::fmt;

/// Type of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `c`
    Char,
    /// `b`
    Block,
}

/// A set of `r`, `w` and `m`, with the values of `BPF_DEVCG_ACC_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(pub u8);

impl Access {
    /// mknod(2)
    pub const MKNOD: Access = Access(1);
    /// Opened for reading.
    pub const READ: Access = Access(2);
    /// Opened for writing.
    pub const WRITE: Access = Access(4);
    /// All three.
    pub const ALL: Access = Access(7);

    fn parse(text: &str) -> Option<Access> {
        text.chars().try_fold(Access(0), |Access(bits), c| match c {
            'm' => Some(Access(bits | Access::MKNOD.0)),
            'r' => Some(Access(bits | Access::READ.0)),
            'w' => Some(Access(bits | Access::WRITE.0)),
            _ => None,
        })
    }

    fn without(self, other: Access) -> Access {
        Access(self.0 & !other.0)
    }

    fn meets(self, other: Access) -> bool {
        self.0 & other.0 != 0
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in [(Access::READ, "r"), (Access::WRITE, "w"), (Access::MKNOD, "m")] {
            if self.meets(bit) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Index into `linux.resources.devices`.
    Config(usize),
    /// Index into `linux.devices`.
    Node(usize),
    /// One of the defaults.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Config(index) => write!(f, "linux.resources.devices[{index}]"),
            Source::Node(index) => write!(f, "linux.devices[{index}]"),
            Source::Default => f.write_str("linux.resources.devices (defaults)"),
        }
    }
}

/// One rule; `None` is every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    allow: bool,
    kind: Kind,
    major: Option<u32>,
    minor: Option<u32>,
    access: Access,
    source: Source,
}

impl Rule {
    /// Does it match every device that `other` matches?
    fn covers(&self, other: &Rule) -> bool {
        let wider = |mine: Option<u32>, theirs| mine.is_none() || mine == theirs;
        self.kind == other.kind && wider(self.major, other.major) && wider(self.minor, other.minor)
    }

    /// Is there a device that both match?
    fn meets(&self, other: &Rule) -> bool {
        let common = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && common(self.major, other.major) && common(self.minor, other.minor)
    }
}

/// `c 1:3 rwm`, as the v1 controller reads it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or("*".into(), |n| n.to_string());
        let kind = match self.kind {
            Kind::Char => 'c',
            Kind::Block => 'b',
        };
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.access)
    }
}

/// The defaults, which come after the rules of the configuration: null, zero, full, random, urandom, tty,
/// the slaves of devpts and ptmx, as in runc 1.1. Not the machine's console, 5:1: the container's
/// /dev/console is one of its pseudo-terminals.
const DEFAULTS: [(Kind, Option<u32>, Option<u32>, Access); 8] = [
    (Kind::Char, Some(1), Some(3), Access::ALL),
    (Kind::Char, Some(1), Some(5), Access::ALL),
    (Kind::Char, Some(1), Some(7), Access::ALL),
    (Kind::Char, Some(1), Some(8), Access::ALL),
    (Kind::Char, Some(1), Some(9), Access::ALL),
    (Kind::Char, Some(5), Some(0), Access::ALL),
    (Kind::Char, Some(5), Some(2), Access::ALL),
    (Kind::Char, Some(136), None, Access::ALL),
];

/// Whose nodes may be made beyond what the rules of the configuration say.
#[derive(Debug, Clone, Copy)]
pub enum Mknod<'a> {
    /// Those of `linux.devices`, which this program has to make itself.
    Listed(&'a [Device]),
    /// All, as by the defaults of runc and crun ([`crate::spec::annotations::MKNOD`]).
    Any,
}

impl Mknod<'_> {
    fn rules(self) -> Vec<Rule> {
        let rule = |kind, numbers: Option<(u32, u32)>, source| {
            let (major, minor) = (numbers.map(|n| n.0), numbers.map(|n| n.1));
            Rule { allow: true, kind, major, minor, access: Access::MKNOD, source }
        };
        match self {
            Mknod::Any => [Kind::Char, Kind::Block].map(|kind| rule(kind, None, Source::Default)).into(),
            Mknod::Listed(devices) => {
                let of = |(index, device): (usize, &Device)| {
                    let kind = match device.typ.as_str() {
                        "c" | "u" => Kind::Char,
                        "b" => Kind::Block,
                        // A fifo, or a mistake that is told elsewhere.
                        _ => return None,
                    };
                    let number = |n: Option<i64>| u32::try_from(n.unwrap_or(0)).ok();
                    let numbers = (number(device.major)?, number(device.minor)?);
                    Some(rule(kind, Some(numbers), Source::Node(index)))
                };
                devices.iter().enumerate().filter_map(of).collect()
            }
        }
    }
}

/// More than this many rules are a mistake; reducing them takes quadratic time.
const MOST_RULES: usize = 2048;

/// The kernel's device numbers have 12 and 20 bits (linux/kdev_t.h).
const LAST_MAJOR: i64 = (1 << 12) - 1;
const LAST_MINOR: i64 = (1 << 20) - 1;

/// A reduced list of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What holds where no rule matches.
    default_allow: bool,
    /// In order; for each kind of access the last one that matches counts.
    rules: Vec<Rule>,
}

impl Policy {
    /// Reads the rules of the configuration, adds the defaults and reduces the list. Nodes of `linux.devices`
    /// can be made; to be opened they take a rule, as in runc. All mistakes are told.
    pub fn new(config: &[DeviceRule], mknod: Mknod) -> Result<Policy, Vec<Violation>> {
        if config.len() > MOST_RULES {
            let text = format!("{} rules, more than {MOST_RULES}", config.len());
            return Err(vec![Violation { path: "linux.resources.devices".into(), text }]);
        }
        let mut policy = Policy { default_allow: false, rules: Vec::new() };
        let mut violations = Vec::new();
        for (index, rule) in config.iter().enumerate() {
            match Parsed::new(index, rule) {
                Ok(Parsed::Everything(allow)) => policy = Policy { default_allow: allow, rules: Vec::new() },
                Ok(Parsed::Rules(rules)) => policy.rules.extend(rules),
                Err(violation) => violations.push(violation),
            }
        }
        policy.rules.extend(mknod.rules());
        policy.rules.extend(DEFAULTS.map(|(kind, major, minor, access)| Rule {
            allow: true,
            kind,
            major,
            minor,
            access,
            source: Source::Default,
        }));
        if !violations.is_empty() {
            return Err(violations);
        }
        policy.drop_overruled();
        policy.drop_implied();
        policy.merge();
        Ok(policy)
    }

    /// Is there nothing to restrict?
    pub fn allows_everything(&self) -> bool {
        self.default_allow && self.rules.is_empty()
    }

    /// The list for people, such as `allow c 1:3 rwm`.
    pub fn describe(&self) -> Vec<String> {
        let word = |allow| if allow { "allow" } else { "deny" };
        let first = format!("{} a *:* rwm", word(self.default_allow));
        let rest = self.rules.iter().map(|rule| format!("{} {rule}", word(rule.allow)));
        std::iter::once(first).chain(rest).collect()
    }

    /// Takes from each rule the access that a later and wider rule decides anyway.
    fn drop_overruled(&mut self) {
        let mut kept: Vec<Rule> = Vec::with_capacity(self.rules.len());
        for mut rule in self.rules.drain(..).rev() {
            for later in &kept {
                if later.covers(&rule) {
                    rule.access = rule.access.without(later.access);
                }
            }
            if rule.access != Access(0) {
                kept.push(rule);
            }
        }
        kept.reverse();
        self.rules = kept;
    }

    /// Drops rules that change nothing about what the rules before them and the default say.
    fn drop_implied(&mut self) {
        let mut kept: Vec<Rule> = Vec::with_capacity(self.rules.len());
        for rule in self.rules.drain(..) {
            let implied = [Access::READ, Access::WRITE, Access::MKNOD]
                .into_iter()
                .filter(|bit| rule.access.meets(*bit))
                .all(|bit| is_implied(&kept, self.default_allow, &rule, bit));
            if !implied {
                kept.push(rule);
            }
        }
        self.rules = kept;
    }

    /// Joins rules on the same devices, where no contrary rule between them is in the way.
    fn merge(&mut self) {
        let mut kept: Vec<Rule> = Vec::with_capacity(self.rules.len());
        for rule in self.rules.drain(..) {
            let contrary = kept.iter().rposition(|k| k.allow != rule.allow && k.meets(&rule));
            let start = contrary.map_or(0, |index| index + 1);
            let same = |k: &&mut Rule| k.allow == rule.allow && k.covers(&rule) && rule.covers(k);
            match kept[start..].iter_mut().find(same) {
                Some(earlier) => earlier.access.0 |= rule.access.0,
                None => kept.push(rule),
            }
        }
        self.rules = kept;
    }
}

/// Does the list before `rule` already decide `bit` alike for all devices of the rule?
fn is_implied(before: &[Rule], default_allow: bool, rule: &Rule, bit: Access) -> bool {
    for earlier in before.iter().rev().filter(|e| e.access.meets(bit) && e.meets(rule)) {
        if earlier.allow != rule.allow {
            return false;
        }
        if earlier.covers(rule) {
            return true;
        }
    }
    default_allow == rule.allow
}

/// An entry of the configuration.
enum Parsed {
    /// `a *:* rwm`: nothing before it counts.
    Everything(bool),
    /// One rule, or one for each kind of device.
    Rules(Vec<Rule>),
}

impl Parsed {
    fn new(index: usize, rule: &DeviceRule) -> Result<Parsed, Violation> {
        let wrong = |field: &str, text: String| Violation {
            path: format!("linux.resources.devices[{index}].{field}"),
            text,
        };
        let kinds: &[Kind] = match rule.typ.as_deref().unwrap_or("a") {
            "a" | "" => &[Kind::Char, Kind::Block],
            "c" => &[Kind::Char],
            "b" => &[Kind::Block],
            other => return Err(wrong("type", format!("{other:?} is none of a, c and b"))),
        };
        let number = |field: &str, value: Option<i64>, last: i64| match value {
            None | Some(-1) => Ok(None),
            Some(n) if (0..=last).contains(&n) => Ok(Some(n as u32)),
            Some(n) => Err(wrong(field, format!("{n} is neither -1 nor from 0 to {last}"))),
        };
        let major = number("major", rule.major, LAST_MAJOR)?;
        let minor = number("minor", rule.minor, LAST_MINOR)?;
        let access = match rule.access.as_deref().unwrap_or("rwm") {
            "" => return Err(wrong("access", "names none of r, w and m".into())),
            text => Access::parse(text)
                .ok_or_else(|| wrong("access", format!("{text:?} is not made of r, w and m")))?,
        };
        if kinds.len() == 2 && major.is_none() && minor.is_none() && access == Access::ALL {
            return Ok(Parsed::Everything(rule.allow));
        }
        let source = Source::Config(index);
        let rule = |kind: &Kind| Rule { allow: rule.allow, kind: *kind, major, minor, access, source };
        Ok(Parsed::Rules(kinds.iter().map(rule).collect()))
    }
}

#[cfg(test)]
mod tests;
