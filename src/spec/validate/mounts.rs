//! `mounts`. What the options mean is for the plan.

use super::Report;
use super::at::{At, quoted};
use super::linux::{id_map, namespace};
use crate::spec::annotations::{self, ROOT_IDMAP};
use crate::spec::config::{Mount, Spec};
use crate::spec::idmap;

/// Checks every mount.
pub(super) fn check(spec: &Spec, at: &At<'_>, report: &mut Report) {
    for (i, mount) in spec.mounts.iter().enumerate() {
        let at = at.index(i);
        check_one(mount, &at, report);
        together(mount, &at, report);
        check_idmap(mount, spec, &at, report);
    }
    if let Some(value) = annotations::value(spec, ROOT_IDMAP) {
        let all = At::Root.key("annotations");
        let at = all.key(ROOT_IDMAP);
        match value {
            "container" => needs_user_namespace(spec, &at, report),
            ids => check_ids(ids, spec, &at, report),
        }
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
    if has(mount, "remount") {
        return;
    }
    let typ = mount.typ.as_deref().unwrap_or_default();
    if is_bind(mount) && mount.source.as_deref().unwrap_or_default().is_empty() {
        let text = "is missing or empty; a bind mount needs one";
        report.error_from(&at.key("source"), &[&options, &at.key("type")], text);
    }
    if !is_bind(mount) && typ.is_empty() {
        let text = "is missing or empty; only a mount with the option bind or rbind needs none";
        report.error_from(&at.key("type"), &[&options], text);
    }
}

fn has(mount: &Mount, option: &str) -> bool {
    mount.options.iter().any(|o| o == option)
}

fn is_bind(mount: &Mount) -> bool {
    has(mount, "bind") || has(mount, "rbind") || mount.typ.as_deref() == Some("bind")
}

/// Options that say nothing of this kind of mount, or of each other.
fn together(mount: &Mount, at: &At<'_>, report: &mut Report) {
    let (options, typ) = (at.key("options"), at.key("type"));
    let bind = is_bind(mount);
    let remount = has(mount, "remount");
    for (i, option) in mount.options.iter().enumerate() {
        let text = match option.split_once('=').map_or(option.as_str(), |(name, _)| name) {
            "tmpcopyup" if bind || remount || mount.typ.as_deref() != Some("tmpfs") => {
                "is for a new mount of type tmpfs alone"
            }
            "copy-symlink" | "src-nofollow" if !bind || remount => "is for bind mounts alone",
            "idmap" | "ridmap" if remount => "cannot be changed by a remount",
            "idmap" | "ridmap" if !bind && is_cgroup(mount) => "cannot be had with cgroups",
            // The kernel takes this one flag by mount(2) alone, whose MS_REMOUNT sets all others anew.
            "iversion" | "noiversion" if remount => "cannot be changed by a remount",
            _ => continue,
        };
        report.error_from(&options.index(i), &[&typ, &options], format!("{} {text}", quoted(option)));
    }
}

fn is_cgroup(mount: &Mount) -> bool {
    matches!(mount.typ.as_deref(), Some("cgroup" | "cgroup2"))
}

/// config.md, "POSIX-platform Mounts", and `idmap` in "Linux mount options".
fn check_idmap(mount: &Mount, spec: &Spec, at: &At<'_>, report: &mut Report) {
    let (uids, gids, options) = (at.key("uidMappings"), at.key("gidMappings"), at.key("options"));
    let lists = [(&uids, mount.uid_mappings.as_deref()), (&gids, mount.gid_mappings.as_deref())];
    let [has_uids, has_gids] = lists.map(|(_, list)| list.is_some_and(|list| !list.is_empty()));
    for (at, list) in lists {
        id_map(list.unwrap_or_default(), at, report);
    }
    match (has_uids, has_gids) {
        (true, false) => report.error_from(&gids, &[&uids], "is missing or empty; uidMappings needs it"),
        (false, true) => report.error_from(&uids, &[&gids], "is missing or empty; gidMappings needs it"),
        (true, true) | (false, false) => {}
    }
    let mapped = has_uids || has_gids;
    if mapped && (has(mount, "remount") || !is_bind(mount) && is_cgroup(mount)) {
        report.error_from(
            &uids,
            &[&options, &at.key("type")],
            "cannot be had with a remount or with cgroups",
        );
    }
    let mut asked = false;
    for (i, option) in mount.options.iter().enumerate() {
        let at = options.index(i);
        match option.split_once('=') {
            Some(("idmap" | "ridmap", _)) if mapped => {
                report.error_from(&at, &[&uids, &gids], "has ids, and uidMappings has others");
            }
            Some(("idmap" | "ridmap", ids)) => check_ids(ids, spec, &at, report),
            None if matches!(option.as_str(), "idmap" | "ridmap") && !mapped => {
                needs_user_namespace(spec, &at, report);
            }
            _ => {}
        }
        asked |= matches!(option.split('=').next(), Some("idmap" | "ridmap"));
    }
    if mapped && !asked {
        // Older runtimes would ignore the mappings, says the specification.
        report.warning(&uids, "should come with the option idmap or ridmap; taken as idmap");
    }
}

/// Without ids of its own it has those of the container's user namespace.
fn needs_user_namespace(spec: &Spec, at: &At<'_>, report: &mut Report) {
    if namespace(spec, "user").is_none() {
        let text = "has no mappings: give uidMappings and gidMappings, or the container a user namespace";
        report.error_from(at, &[&At::Root.key("linux").key("namespaces")], text);
    }
}

fn check_ids(ids: &str, spec: &Spec, at: &At<'_>, report: &mut Report) {
    match idmap::parse(ids, spec.linux.as_ref()) {
        Ok(maps) => {
            id_map(&maps.uids, at, report);
            id_map(&maps.gids, at, report);
        }
        Err(text) => report.error_from(at, &[&At::Root.key("linux")], text),
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
    report.not_too_long(destination, at);
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
