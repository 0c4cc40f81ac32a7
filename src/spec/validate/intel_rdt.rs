//! `linux.intelRdt` (config-linux.md, "IntelRdt").

use super::Report;
use super::at::{At, quoted};
use crate::spec::config::IntelRdt;

/// Directories of resctrl that are no classes.
const TAKEN: [&str; 5] = [".", "..", "info", "mon_data", "mon_groups"];
/// NAME_MAX
const LONGEST: usize = 255;

/// Checks that a class can be made, or found, from it.
pub(super) fn check(rdt: &IntelRdt, at: &At<'_>, report: &mut Report) {
    if let Some(id) = rdt.clos_id.as_deref().filter(|id| !matches!(*id, "" | "/")) {
        clos_id(id, &at.key("closID"), report);
    }
    let cache = at.key("l3CacheSchema");
    report.no_nul_in(rdt.l3_cache_schema.as_ref(), &cache);
    if let Some(schema) = rdt.mem_bw_schema.as_deref().filter(|schema| !schema.is_empty()) {
        let at = at.key("memBwSchema");
        if !schema.starts_with("MB:") || schema.contains('\n') {
            report.error(&at, format!("{} is not one line that begins with \"MB:\"", quoted(schema)));
        }
        report.no_nul(schema, &at);
    }
    let schemata = at.key("schemata");
    for (i, line) in rdt.schemata.iter().enumerate() {
        let at = schemata.index(i);
        if line.trim().is_empty() {
            report.error(&at, "is empty");
        }
        report.no_nul(line, &at);
    }
}

fn clos_id(id: &str, at: &At<'_>, report: &mut Report) {
    if id.contains(['/', '\n', '\0']) {
        let text = "is neither \"/\" nor a name without slashes, newlines and NUL bytes";
        report.error(at, format!("{} {text}", quoted(id)));
    } else if TAKEN.contains(&id) {
        report.error(at, format!("{} is a directory of resctrl itself", quoted(id)));
    } else if id.len() > LONGEST {
        report.error(at, format!("{} is longer than {LONGEST} bytes", quoted(id)));
    }
}
