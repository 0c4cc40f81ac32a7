//! `linux.timeOffsets`: the clocks of a new time namespace (time_namespaces(7)).

use super::Report;
use super::at::{At, quoted};
use super::linux::namespace;
use crate::spec::config::{Spec, TimeOffset};
use std::collections::BTreeMap;

/// The clocks that can be set, as /proc/PID/timens_offsets and config.json call them.
pub const CLOCKS: [&str; 2] = ["monotonic", "boottime"];

/// Largest `tv_nsec` of a timespec(3).
const NANOSECS_MAX: u32 = 999_999_999;

/// Checks the offsets. How far a clock may go depends on what it shows; the kernel tells that.
pub(super) fn check(offsets: &BTreeMap<String, TimeOffset>, spec: &Spec, at: &At<'_>, report: &mut Report) {
    if offsets.is_empty() {
        return;
    }
    let linux = At::Root.key("linux");
    match namespace(spec, "time").map(|time| &time.path) {
        Some(None) => {}
        None => {
            let text = "needs a namespace of type time in linux.namespaces";
            report.error_from(at, &[&linux.key("namespaces")], text);
        }
        Some(Some(path)) => {
            let text = format!("cannot be set in {}, which is joined", quoted(path));
            report.error_from(at, &[&linux.key("namespaces")], text);
        }
    }
    for (clock, offset) in offsets {
        let at = at.key(clock);
        if !CLOCKS.contains(&clock.as_str()) {
            report.error(&at, format!("{} is none of {}", quoted(clock), CLOCKS.join(", ")));
        }
        if offset.nanosecs > NANOSECS_MAX {
            report.error(&at.key("nanosecs"), format!("{} is above {NANOSECS_MAX}", offset.nanosecs));
        }
    }
}
