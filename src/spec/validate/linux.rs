//! `linux`: namespaces, id mappings, devices and paths.

use super::Report;
use super::at::{At, quoted};
use super::mounts::inside_root;
use super::process::not_minus_one;
use super::{intel_rdt, net_devices, resources, sysctl, time};
use crate::spec::config::{Device, IdMapping, Linux, Namespace, Process, Spec};
use std::collections::{BTreeMap, BTreeSet};

/// The types of namespaces(7) as config-linux.md names them.
const NAMESPACES: [&str; 8] = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"];

/// Largest major number: 12 bits, `MINORBITS` of the kernel leaves no more.
pub(super) const MAJOR_MAX: i64 = (1 << 12) - 1;
/// Largest minor number: 20 bits.
pub(super) const MINOR_MAX: i64 = (1 << 20) - 1;

/// The namespace of this type, new or joined; without it the container has the runtime's.
pub(super) fn namespace<'a>(spec: &'a Spec, typ: &str) -> Option<&'a Namespace> {
    spec.linux.as_ref()?.namespaces.iter().find(|namespace| namespace.typ == typ)
}

/// Checks the section `linux`.
pub(super) fn check(spec: &Spec, report: &mut Report) {
    let at = At::Root.key("linux");
    let Some(linux) = &spec.linux else { return };
    namespaces(&linux.namespaces, &at.key("namespaces"), report);
    id_maps(spec, linux, &at, report);
    self::time::check(&linux.time_offsets, spec, &at.key("timeOffsets"), report);
    self::net_devices::check(&linux.net_devices, spec, &at.key("netDevices"), report);
    devices(&linux.devices, &at.key("devices"), report);
    if let Some(path) = &linux.cgroups_path {
        cgroups_path(path, &at.key("cgroupsPath"), report);
    }
    if let Some(resources) = &linux.resources {
        self::resources::check(resources, &at.key("resources"), report);
    }
    if let Some(rdt) = &linux.intel_rdt {
        self::intel_rdt::check(rdt, &at.key("intelRdt"), report);
    }
    self::sysctl::check(&linux.sysctl, spec, &at.key("sysctl"), report);
    report.no_nul_in(linux.mount_label.as_ref(), &at.key("mountLabel"));
    propagation(linux, &at.key("rootfsPropagation"), report);
    for (key, paths) in [("maskedPaths", &linux.masked_paths), ("readonlyPaths", &linux.readonly_paths)] {
        hidden_paths(paths, spec, &at.key(key), report);
    }
}

fn namespaces(namespaces: &[Namespace], at: &At<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (i, Namespace { typ, path }) in namespaces.iter().enumerate() {
        let at = at.index(i);
        if typ.is_empty() {
            report.error(&at.key("type"), "is missing or empty");
        } else if !NAMESPACES.contains(&typ.as_str()) {
            let text = format!("{} is none of {}", quoted(typ), NAMESPACES.join(", "));
            report.error(&at.key("type"), text);
        } else if !seen.insert(typ) {
            report.error(&at.key("type"), format!("{typ} is given twice"));
        }
        match path.as_deref() {
            // Not the same as absent: an unset variable in a script must not make a new namespace.
            Some("") => report.error(&at.key("path"), "is empty; leave it out for a new namespace"),
            Some(path) => absolute(path, &at.key("path"), report),
            None => {}
        }
    }
}

fn absolute(path: &str, at: &At<'_>, report: &mut Report) {
    if path.is_empty() {
        report.error(at, "is missing or empty");
    } else if !path.starts_with('/') {
        report.error(at, format!("{} is not absolute", quoted(path)));
    }
    report.no_nul(path, at);
    report.not_too_long(path, at);
}

/// The mappings belong to a new user namespace; one that is joined has its own, and managers repeat
/// them here.
fn id_maps(spec: &Spec, linux: &Linux, at: &At<'_>, report: &mut Report) {
    let user = namespace(spec, "user");
    let (namespaces, uids, gids) = (at.key("namespaces"), at.key("uidMappings"), at.key("gidMappings"));
    for (list, at) in [(&linux.uid_mappings, &uids), (&linux.gid_mappings, &gids)] {
        match user {
            None if !list.is_empty() => {
                report.error_from(at, &[&namespaces], "needs a namespace of type user in linux.namespaces");
            }
            Some(Namespace { path: None, .. }) if list.is_empty() => {
                report.error_from(at, &[&namespaces], "is missing or empty; a new user namespace needs it");
            }
            _ => {}
        }
        id_map(list, at, report);
    }
    if let (Some(process), Some(Namespace { path: None, .. })) = (&spec.process, user) {
        mapped(process, linux, &[&namespaces, &uids, &gids], report);
    }
}

/// The rules of user_namespaces(7), "Defining user and group ID mappings".
pub(super) fn id_map(mappings: &[IdMapping], list: &At<'_>, report: &mut Report) {
    const MOST: usize = 340;
    if mappings.len() > MOST {
        return report.error(list, format!("has {} entries; the kernel takes {MOST}", mappings.len()));
    }
    for (i, mapping) in mappings.iter().enumerate() {
        let at = list.index(i);
        if mapping.size == 0 {
            report.error(&at.key("size"), "0 maps nothing");
        }
        for (side, (key, first)) in starts(mapping).into_iter().enumerate() {
            if first.checked_add(mapping.size).is_none() {
                let text = format!("{first} with size {} goes beyond {}", mapping.size, u32::MAX - 1);
                report.error_from(&at.key(key), &[&at.key("size")], text);
            }
            let range = |mapping: &IdMapping| (starts(mapping)[side].1, mapping.size);
            let earlier = mappings[..i].iter().position(|before| overlaps(range(before), range(mapping)));
            if let Some(j) = earlier {
                let text = format!("{first} with size {} overlaps entry {j}", mapping.size);
                report.error_from(&at.key(key), &[&at, &list.index(j)], text);
            }
        }
    }
}

/// The first ids inside and outside.
fn starts(mapping: &IdMapping) -> [(&'static str, u32); 2] {
    [("containerID", mapping.container_id), ("hostID", mapping.host_id)]
}

fn overlaps((a, a_size): (u32, u32), (b, b_size): (u32, u32)) -> bool {
    let end = |first: u32, size: u32| u64::from(first) + u64::from(size);
    u64::from(a) < end(b, b_size) && u64::from(b) < end(a, a_size)
}

/// setresuid(2) and setgroups(2) refuse an id that the new namespace does not map.
fn mapped(process: &Process, linux: &Linux, from: &[&At<'_>], report: &mut Report) {
    let at = At::Root.key("process");
    let at = at.key("user");
    let gids = at.key("additionalGids");
    let lacks = |map: &[IdMapping], id: u32| {
        !map.is_empty() && !map.iter().any(|m| id.checked_sub(m.container_id).is_some_and(|n| n < m.size))
    };
    let user = &process.user;
    if lacks(&linux.uid_mappings, user.uid) {
        let text = format!("{} is not mapped by linux.uidMappings", user.uid);
        report.error_from(&at.key("uid"), from, text);
    }
    for (i, gid) in std::iter::once(&user.gid).chain(&user.additional_gids).enumerate() {
        if lacks(&linux.gid_mappings, *gid) {
            let text = format!("{gid} is not mapped by linux.gidMappings");
            match i.checked_sub(1) {
                None => report.error_from(&at.key("gid"), from, text),
                Some(i) => report.error_from(&gids.index(i), from, text),
            }
        }
    }
}

fn devices(devices: &[Device], at: &At<'_>, report: &mut Report) {
    let mut seen: BTreeMap<&str, &Device> = BTreeMap::new();
    for (i, device) in devices.iter().enumerate() {
        let at = at.index(i);
        self::device(device, &at, report);
        if device.path.is_empty() {
            continue;
        }
        let Some(before) = seen.insert(&device.path, device) else { continue };
        let same = before.typ == device.typ && before.major == device.major && before.minor == device.minor;
        let text = format!("{} is given twice", quoted(&device.path));
        match same {
            true => report.warning(&at.key("path"), text),
            false => report.error(&at.key("path"), format!("{text}, for different devices")),
        }
    }
}

fn device(device: &Device, at: &At<'_>, report: &mut Report) {
    absolute(&device.path, &at.key("path"), report);
    inside_root(&device.path, &at.key("path"), report);
    match device.typ.as_str() {
        "" => report.error(&at.key("type"), "is missing or empty"),
        "c" | "b" | "u" | "p" => {}
        other => report.error(&at.key("type"), format!("{} is none of c, b, u and p", quoted(other))),
    }
    if device.typ != "p" {
        for (key, number, max) in [("major", device.major, MAJOR_MAX), ("minor", device.minor, MINOR_MAX)] {
            match number {
                None => report.error_from(&at.key(key), &[&at.key("type")], "is missing"),
                Some(number) if !(0..=max).contains(&number) => {
                    report.error(&at.key(key), format!("{number} is not from 0 to {max}"));
                }
                Some(_) => {}
            }
        }
    }
    if let Some(mode) = device.file_mode {
        file_mode(mode, &device.typ, at, report);
    }
    not_minus_one(device.uid, &at.key("uid"), report);
    not_minus_one(device.gid, &at.key("gid"), report);
}

/// Podman gives `st_mode` as it is, so the type bits of inode(7) may be there if they fit.
fn file_mode(mode: u32, typ: &str, at: &At<'_>, report: &mut Report) {
    let format = match typ {
        "c" | "u" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        "p" => libc::S_IFIFO,
        _ => 0,
    };
    if mode > 0o7777 && mode & !0o7777 != format {
        let text = format!("{mode} ({mode:#o}) is not a file mode of at most 4095 (0o7777)");
        report.error_from(&at.key("fileMode"), &[&at.key("type")], text);
    }
}

/// A path below the cgroup mounts, or `slice:prefix:name` for systemd; empty is the same as absent.
fn cgroups_path(path: &str, at: &At<'_>, report: &mut Report) {
    if path.contains(['\0', '\n']) {
        report.error(at, format!("{} contains a newline or a NUL byte", quoted(path)));
    }
    if path.split(['/', ':']).any(|component| component == "..") {
        report.error(at, format!("{} contains \"..\"", quoted(path)));
    }
    if path.len() > 4096 {
        report.error(at, format!("{} is longer than 4096 bytes", quoted(path)));
    }
}

/// Accepted with and without the `r` of mount(8); empty is the same as absent.
fn propagation(linux: &Linux, at: &At<'_>, report: &mut Report) {
    const KNOWN: [&str; 4] = ["shared", "slave", "private", "unbindable"];
    let Some(value) = linux.rootfs_propagation.as_deref().filter(|value| !value.is_empty()) else { return };
    if !KNOWN.contains(&value) && !value.strip_prefix('r').is_some_and(|rest| KNOWN.contains(&rest)) {
        report.error(at, format!("{} is none of {} (or with an r before)", quoted(value), KNOWN.join(", ")));
    }
}

fn hidden_paths(paths: &[String], spec: &Spec, at: &At<'_>, report: &mut Report) {
    if !paths.is_empty() && namespace(spec, "mount").is_none() {
        let namespaces = At::Root.key("linux");
        let text = "needs a namespace of type mount in linux.namespaces";
        report.error_from(at, &[&namespaces.key("namespaces")], text);
    }
    for (i, path) in paths.iter().enumerate() {
        absolute(path, &at.index(i), report);
    }
}
