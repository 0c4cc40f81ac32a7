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
