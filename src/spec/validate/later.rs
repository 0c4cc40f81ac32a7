//! What later releases add. Until then it is refused and never ignored, since a container without
//! a limit that was asked for is worse than no container. A value that asks for nothing
//! (such as an empty `"scheduler": {}`) passes.
//!
//! To support an entry, remove its line here.

use super::Report;
use super::at::{At, quoted};
use crate::spec::config::{Linux, Process, Spec};
use serde_json::Value;

/// The members of an object, each with whether it asks for something.
type Members<T> = [(&'static str, fn(&T) -> bool)];

const PROCESS: &Members<Process> = &[
    // "unconfined" asks for what is there.
    ("apparmorProfile", |p| p.apparmor_profile.as_deref().is_some_and(|s| !matches!(s, "" | "unconfined"))),
    ("selinuxLabel", |p| !is_empty(p.selinux_label.as_ref())),
];

const LINUX: &Members<Linux> = &[
    ("mountLabel", |l| !is_empty(l.mount_label.as_ref())),
    // A device is moved by its name alone: {"eth0": {}}.
    ("netDevices", |l| l.net_devices.as_ref().is_some_and(|map| *map != Value::Object(Default::default()))),
    ("timeOffsets", |l| asks(l.time_offsets.as_ref())),
];

const NAMESPACES: &[&str] = &["time"];

/// Refuses what of a whole `config.json` is not supported yet.
pub(super) fn check(spec: &Spec, report: &mut Report) {
    let at = At::Root;
    if let Some(process) = &spec.process {
        check_process(process, &at.key("process"), report);
    }
    if let Some(linux) = &spec.linux {
        check_linux(linux, &at.key("linux"), report);
    }
}

/// Refuses what of a process is not supported yet.
pub(super) fn check_process(process: &Process, at: &At<'_>, report: &mut Report) {
    each(PROCESS, process, at, report);
}

fn each<T>(members: &Members<T>, value: &T, at: &At<'_>, report: &mut Report) {
    for (key, asks) in members {
        if asks(value) {
            report.error(&at.key(key), "not supported yet");
        }
    }
}

fn named(known: &[&str], value: &str, at: &At<'_>, report: &mut Report) {
    if known.contains(&value) {
        report.error(at, format!("{} is not supported yet", quoted(value)));
    }
}

fn check_linux(linux: &Linux, at: &At<'_>, report: &mut Report) {
    each(LINUX, linux, at, report);
    let namespaces = at.key("namespaces");
    for (i, namespace) in linux.namespaces.iter().enumerate() {
        named(NAMESPACES, &namespace.typ, &namespaces.index(i).key("type"), report);
    }
}

/// Whether a section has any value that is not the zero of its type.
fn asks(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => list.iter().any(|value| asks(Some(value))),
        Some(Value::Object(map)) => map.values().any(|value| asks(Some(value))),
    }
}

fn is_empty(text: Option<&String>) -> bool {
    text.is_none_or(String::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zero_and_empty_values_ask_for_nothing() {
        for nothing in
            [json!({}), json!(null), json!({"weight": 0}), json!({"a": [], "b": {"c": "", "d": false}})]
        {
            assert!(!asks(Some(&nothing)), "{nothing}");
        }
        for something in [json!(1), json!({"a": [{"b": 1}]}), json!("x"), json!(true), json!(0.5)] {
            assert!(asks(Some(&something)), "{something}");
        }
    }
}
