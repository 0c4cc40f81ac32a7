//! `linux.netDevices`: names of devices, and a network namespace for them to move to.

use super::Report;
use super::at::{At, quoted};
use super::linux::namespace;
use crate::spec::config::{NetDevice, Spec};
use std::collections::BTreeMap;

/// `IFNAMSIZ` of the kernel, with the NUL byte.
const NAME_SIZE: usize = libc::IF_NAMESIZE;

/// Checks the names and that they do not collide.
pub(super) fn check(devices: &BTreeMap<String, NetDevice>, spec: &Spec, at: &At<'_>, report: &mut Report) {
    if !devices.is_empty() && namespace(spec, "network").is_none() {
        let linux = At::Root.key("linux");
        let text = "needs a namespace of type network in linux.namespaces";
        report.error_from(at, &[&linux.key("namespaces")], text);
    }
    let mut names = BTreeMap::new();
    for (key, device) in devices {
        let at = at.key(key);
        match (why_not(key, false), key.as_str()) {
            (Some(why), _) => report.error(&at, format!("{} {why}", quoted(key))),
            (None, "lo") => report.error(&at, "the loopback device of a network namespace cannot leave it"),
            (None, _) => {}
        }
        let new = device.name.as_deref().filter(|name| !name.is_empty());
        if let Some(new) = new {
            match (why_not(new, true), new) {
                (Some(why), _) => report.error(&at.key("name"), format!("{} {why}", quoted(new))),
                (None, "lo") => {
                    report.error(&at.key("name"), "\"lo\" is the loopback device of the container");
                }
                (None, _) => {}
            }
        }
        let name = new.unwrap_or(key);
        // A template gives each a number of its own.
        if let Some(other) = names.insert(name, key).filter(|_| !name.contains("%d") && name != "lo") {
            let text = format!("{} would be called {} as well", quoted(other), quoted(name));
            report.error(&if new.is_some() { at.key("name") } else { at }, text);
        }
    }
}

/// What the kernel has against a name (`dev_valid_name`); where it takes a template, one `%d` may be in it.
fn why_not(name: &str, template: bool) -> Option<&'static str> {
    let fixed = if template { name.replacen("%d", "", 1) } else { name.to_owned() };
    if matches!(name, "" | "." | "..") {
        Some("is no name of a device")
    } else if name.len() >= NAME_SIZE {
        Some("is longer than 15 bytes")
    } else if fixed.contains('%') {
        Some("contains a \"%\" that is not of one \"%d\"")
    } else if name
        .contains(|c: char| c == '/' || c == ':' || c == '\0' || c.is_ascii_whitespace() || c == '\u{b}')
    {
        Some("contains \"/\", \":\", white space or a NUL byte")
    } else {
        None
    }
}
