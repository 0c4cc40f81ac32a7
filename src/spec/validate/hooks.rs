//! `hooks`: config.md, "POSIX-platform Hooks".

use super::Report;
use super::at::{At, quoted};
use crate::plan::hooks::Kind;
use crate::spec::config::{Hook, Hooks};

/// Checks the hooks of every kind.
pub(super) fn check(hooks: &Hooks, at: &At<'_>, report: &mut Report) {
    for kind in Kind::ALL {
        let list = at.key(kind.name());
        for (i, hook) in kind.of(hooks).iter().enumerate() {
            check_hook(hook, &list.index(i), report);
        }
    }
}

fn check_hook(hook: &Hook, at: &At<'_>, report: &mut Report) {
    let path = at.key("path");
    match hook.path.as_str() {
        "" => report.error(&path, "is missing or empty"),
        text if !text.starts_with('/') => report.error(&path, format!("{} is not absolute", quoted(text))),
        _ => {}
    }
    report.no_nul(&hook.path, &path);
    let args = at.key("args");
    for (i, arg) in hook.args.iter().flatten().enumerate() {
        report.no_nul(arg, &args.index(i));
    }
    let env = at.key("env");
    for (i, _) in hook.env.iter().enumerate().filter(|(_, entry)| entry.contains('\0')) {
        // Not shown: it may be a secret.
        report.error(&env.index(i), "contains a NUL byte");
    }
    if let Some(timeout) = hook.timeout.filter(|seconds| *seconds <= 0) {
        report.error(&at.key("timeout"), format!("{timeout} is not above 0; it is a number of seconds"));
    }
}
