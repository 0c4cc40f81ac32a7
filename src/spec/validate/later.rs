//! What later releases add. Until then it is refused and never ignored, since a container without
//! a limit that was asked for is worse than no container. A value that asks for nothing
//! (such as an empty `"selinuxLabel"`) passes.
//!
//! To support an entry, remove its line here.

use super::Report;
use super::at::At;
use crate::spec::config::{Linux, Process, Spec};

/// The members of an object, each with whether it asks for something.
type Members<T> = [(&'static str, fn(&T) -> bool)];

const PROCESS: &Members<Process> = &[
    // "unconfined" asks for what is there.
    ("apparmorProfile", |p| p.apparmor_profile.as_deref().is_some_and(|s| !matches!(s, "" | "unconfined"))),
    ("selinuxLabel", |p| !is_empty(p.selinux_label.as_ref())),
];

const LINUX: &Members<Linux> = &[("mountLabel", |l| !is_empty(l.mount_label.as_ref()))];

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

fn check_linux(linux: &Linux, at: &At<'_>, report: &mut Report) {
    each(LINUX, linux, at, report);
}

fn is_empty(text: Option<&String>) -> bool {
    text.is_none_or(String::is_empty)
}
