//! `linux.seccomp`, with the annotations that belong to it. The compiler checks the words of a profile.

use super::Report;
use super::at::{At, quoted};
use crate::plan::seccomp;
use crate::spec::annotations::{self, SECCOMP_PLUGINS, SECCOMP_RECEIVER};
use crate::spec::config::{Seccomp, Spec};

const NOTIFY: &str = "SCMP_ACT_NOTIFY";

/// Checks the profile, and where its notifications go (config-linux.md, "Seccomp").
pub(super) fn check(spec: &Spec, report: &mut Report) {
    if annotations::value(spec, SECCOMP_PLUGINS).is_some() {
        let text = format!("needs a program that can load them; {SECCOMP_RECEIVER} names a socket instead");
        report.error(&At::Root.key("annotations").key(SECCOMP_PLUGINS), text);
    }
    let receiver = annotations::value(spec, SECCOMP_RECEIVER);
    if let Some(receiver) = receiver {
        path(receiver, &At::Root.key("annotations").key(SECCOMP_RECEIVER), report);
    }
    let Some(profile) = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref()) else { return };
    report.errors(seccomp::check(profile));
    listener(profile, receiver.is_some(), &At::Root.key("linux").key("seccomp"), report);
}

fn listener(profile: &Seccomp, has_receiver: bool, at: &At<'_>, report: &mut Report) {
    if profile.default_action == NOTIFY {
        let text = format!("{NOTIFY} cannot be the default action: every call would wait for the agent");
        report.error(&at.key("defaultAction"), text);
    }
    let there = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let has_path = there(&profile.listener_path);
    if there(&profile.listener_metadata) && !has_path && !has_receiver {
        report.error(&at.key("listenerMetadata"), "must not be there without linux.seccomp.listenerPath");
    }
    // Without such an action the path is to be ignored.
    let Some(rule) = profile.syscalls.iter().position(|rule| rule.action == NOTIFY) else { return };
    let listener = at.key("listenerPath");
    match &profile.listener_path {
        Some(listener_path) if has_path => path(listener_path, &listener, report),
        _ if has_receiver => {}
        _ => {
            let (rules, text) = (at.key("syscalls"), format!("is missing or empty; {NOTIFY} needs it"));
            report.error_from(&listener, &[&rules.index(rule)], text);
        }
    }
}

fn path(path: &str, at: &At<'_>, report: &mut Report) {
    if !path.starts_with('/') {
        report.error(at, format!("{} is not absolute", quoted(path)));
    }
    report.no_nul(path, at);
}
