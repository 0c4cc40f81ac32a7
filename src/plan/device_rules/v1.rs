//! The rules as writes to `devices.deny` and `devices.allow`.
//!
//! The kernel keeps a default and a list of exceptions to it. Under "deny" an access needs one
//! exception that has all of it, under "allow" no exception may have any of it, and a wildcard
//! exception cannot be narrowed again: the kernel ignores the attempt without a word.

use super::{Access, Policy, Rule};
use crate::error::Violation;
use crate::plan::cgroup::Write;

impl Policy {
    /// The writes for a group that has no sub-groups; the first one sets the default and forgets
    /// all that was before. An exception to a wildcard exception is an error, as it is in runc.
    pub fn v1_writes(&self) -> Result<Vec<Write>, Violation> {
        if let Some(hole) = self.rules.iter().find(|rule| rule.allow == self.default_allow) {
            let wide = |r: &&Rule| r.allow != hole.allow && r.meets(hole) && r.access.meets(hole.access);
            let wide = self.rules.iter().find(wide).map_or(String::new(), |r| r.to_string());
            let text = format!(
                "the devices controller of cgroup v1 cannot make an exception ({hole}) to a wider rule ({wide})"
            );
            return Err(Violation { path: hole.source.to_string(), text });
        }
        let (first, rest) = match self.default_allow {
            true => ("devices.allow", "devices.deny"),
            false => ("devices.deny", "devices.allow"),
        };
        let mut exceptions = self.rules.clone();
        if !self.default_allow {
            add_intersections(&mut exceptions);
        }
        let mut writes = vec![Write::new(first, "a", "linux.resources.devices")];
        writes.extend(exceptions.iter().map(|rule| Write::new(rest, rule, rule.source.to_string())));
        Ok(writes)
    }
}

/// From the rules that a group has to others, without a moment of more or less than either: what is new is
/// allowed, then what is gone is denied. `present` is the group's `devices.list`. All writes where that is
/// not possible: under "allow" the kernel does not show what it has.
pub fn transition(present: &str, wanted: &[Write]) -> Vec<Write> {
    let forbids = wanted.first().is_some_and(|write| write.file == "devices.deny");
    if !forbids || present.lines().any(|line| line.starts_with("a ")) {
        return wanted.to_vec();
    }
    let split =
        |rule: &str| rule.rsplit_once(' ').map(|(device, access)| (device.to_owned(), access.to_owned()));
    let has: Vec<_> = present.lines().filter_map(split).collect();
    let wants: Vec<_> = wanted[1..].iter().filter_map(|w| split(&w.value).map(|rule| (rule, w))).collect();
    let lacking = |device: &str, access: &str, among: &mut dyn Iterator<Item = (&String, &String)>| {
        let there: String = among.filter(|(d, _)| *d == device).map(|(_, a)| a.as_str()).collect();
        access.chars().filter(|c| !there.contains(*c)).collect::<String>()
    };
    let mut writes = Vec::new();
    for ((device, access), write) in &wants {
        let new = lacking(device, access, &mut has.iter().map(|(d, a)| (d, a)));
        if !new.is_empty() {
            writes.push(Write::new("devices.allow", format!("{device} {new}"), &write.location));
        }
    }
    for (device, access) in &has {
        let gone = lacking(device, access, &mut wants.iter().map(|((d, a), _)| (d, a)));
        if !gone.is_empty() {
            writes.push(Write::new("devices.deny", format!("{device} {gone}"), &wanted[0].location));
        }
    }
    writes
}

/// The writes that take a [`transition`] back, in their order; `None` for what is not known.
pub fn way_back(present: &str, change: &[Write]) -> Vec<(&'static str, Option<String>)> {
    if change.iter().any(|write| write.value == "a") {
        return match present.lines().any(|line| line.starts_with("a ")) {
            true => vec![("devices.allow", None)],
            false => {
                let rules = present.lines().map(|rule| ("devices.allow", Some(rule.to_owned())));
                std::iter::once(("devices.deny", Some("a".to_owned()))).chain(rules).collect()
            }
        };
    }
    let opposite = |file: &str| if file == "devices.allow" { "devices.deny" } else { "devices.allow" };
    change.iter().rev().map(|write| (opposite(&write.file), Some(write.value.clone()))).collect()
}

/// Opening for reading and writing asks for both at once: where one rule grants `r` and another
/// one `w`, the devices they share need an exception with `rw`. mknod is always asked for alone.
fn add_intersections(exceptions: &mut Vec<Rule>) {
    let both = Access(Access::READ.0 | Access::WRITE.0);
    let mut next = 1;
    while next < exceptions.len() {
        for earlier in 0..next {
            let (a, b) = (exceptions[earlier], exceptions[next]);
            let union = Access((a.access.0 | b.access.0) & both.0);
            let shared = Rule { major: a.major.or(b.major), minor: a.minor.or(b.minor), access: union, ..b };
            let is_granted = |e: &Rule| e.covers(&shared) && union.without(e.access) == Access(0);
            if a.meets(&b) && union == both && !exceptions.iter().any(is_granted) {
                exceptions.push(shared);
            }
        }
        next += 1;
    }
}
