//! `mounts`. What the options mean is for the plan.

use super::Report;
use super::at::{At, quoted};
use crate::spec::config::Mount;

/// Checks every mount.
pub(super) fn check(mounts: &[Mount], at: &At<'_>, report: &mut Report) {
    for (i, mount) in mounts.iter().enumerate() {
        check_one(mount, &at.index(i), report);
    }
}

fn check_one(mount: &Mount, at: &At<'_>, report: &mut Report) {
    destination(&mount.destination, &at.key("destination"), report);
    let options = at.key("options");
    for (i, option) in mount.options.iter().enumerate() {
        report.no_nul(option, &options.index(i));
    }
    report.no_nul_in(mount.source.as_ref(), &at.key("source"));
    report.no_nul_in(mount.typ.as_ref(), &at.key("type"));
    let has = |option: &str| mount.options.iter().any(|o| o == option);
    let typ = mount.typ.as_deref().unwrap_or_default();
    let bind = has("bind") || has("rbind") || typ == "bind";
    if has("remount") {
        return;
    }
    if bind && mount.source.as_deref().unwrap_or_default().is_empty() {
        let text = "is missing or empty; a bind mount needs one";
        report.error_from(&at.key("source"), &[&options, &at.key("type")], text);
    }
    if !bind && typ.is_empty() {
        let text = "is missing or empty; only a mount with the option bind or rbind needs none";
        report.error_from(&at.key("type"), &[&options], text);
    }
}

/// A relative destination is deprecated and means the same with a leading `/` (config.md, "Mounts").
fn destination(destination: &str, at: &At<'_>, report: &mut Report) {
    if destination.is_empty() {
        report.error(at, "is missing or empty");
    } else if !destination.starts_with('/') {
        report.warning(at, format!("{} is not absolute: taken from \"/\"", quoted(destination)));
    }
    report.no_nul(destination, at);
    inside_root(destination, at, report);
}

/// Warns of a path whose `..` lead above the root: the kernel keeps them there, as it does for `/..`.
pub(super) fn inside_root(path: &str, at: &At<'_>, report: &mut Report) {
    let mut depth = 0_usize;
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => {
                    let text = format!("{} has a \"..\" above the root, which stays there", quoted(path));
                    return report.warning(at, text);
                }
            },
            _ => depth += 1,
        }
    }
}
