//! Everything that can be said about a configuration without looking at the host: all mistakes at
//! once, each with its JSON path, the value, and what would be right.
//!
//! Checks that need the host (does the namespace file exist, has the kernel this controller) belong
//! to the plan and to the stages after it.

pub(crate) mod at;
mod hooks;
mod intel_rdt;
mod linux;
mod mounts;
mod net_devices;
mod process;
mod report;
mod resources;
mod scheduling;
mod seccomp;
pub mod sysctl;
mod time;
mod version;

use crate::error::{Error, Result, Violation};
use crate::spec::annotations::{self, HANDLER, MKNOD, MKNOD_ANY, MKNOD_LISTED};
use crate::spec::config::{Process, Resources, Spec};
use at::{At, quoted};
pub use process::CAPABILITIES;
pub(crate) use report::Report;
use serde_json::Value;
pub use time::CLOCKS;

/// What is wrong with a configuration, and what is merely odd.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Mistakes; with any of these the configuration must not be used.
    pub violations: Vec<Violation>,
    /// What is used all the same, in the way that the text says.
    pub warnings: Vec<Violation>,
}

impl Checked {
    /// The warnings, or an error with all mistakes.
    ///
    /// # Errors
    /// [`crate::error::Cause::Invalid`] if there is any violation.
    pub fn into_result(self) -> Result<Vec<Violation>> {
        if self.violations.is_empty() { Ok(self.warnings) } else { Err(Error::invalid(self.violations)) }
    }
}

/// Checks a whole `config.json` (config.md and config-linux.md of the runtime-spec).
///
/// `process` may be absent: such a container can be created but not started.
pub fn validate(spec: &Spec) -> Checked {
    report_on(spec).into_checked()
}

/// Checks a whole `config.json` and gives its warnings.
///
/// # Errors
/// [`crate::error::Cause::Invalid`] with all mistakes.
pub fn check(spec: &Spec) -> Result<Vec<Violation>> {
    validate(spec).into_result()
}

/// Checks the process that `exec` starts; the paths are those of a `process.json`.
pub fn validate_process(process: &Process) -> Checked {
    report_on_process(process).into_checked()
}

/// Checks the process that `exec` starts and gives its warnings.
///
/// # Errors
/// [`crate::error::Cause::Invalid`] with all mistakes.
pub fn check_process(process: &Process) -> Result<Vec<Violation>> {
    validate_process(process).into_result()
}

/// Checks the resources of `update` and gives the warnings; the paths are those of a `config.json`.
///
/// # Errors
/// [`crate::error::Cause::Invalid`] with all mistakes.
pub fn check_resources(resources: &Resources) -> Result<Vec<Violation>> {
    let mut report = Report::default();
    resources::check(resources, &At::Root.key("linux").key("resources"), &mut report);
    report.into_checked().into_result()
}

/// Nothing: whether the resources of an `update` are right depends on what is there.
pub(crate) fn report_on_resources(_: &Resources) -> Report {
    Report::default()
}

pub(crate) fn report_on(spec: &Spec) -> Report {
    let mut report = Report::default();
    version::check(&spec.oci_version, &At::Root.key("ociVersion"), &mut report);
    // A name, a user or a mount means something else there.
    if let Some(system) = spec.other_systems().next().filter(|_| spec.linux.is_none()) {
        let text = format!("is missing; the configuration is for another system, it has a section {system}");
        report.error(&At::Root.key("linux"), text);
        return report;
    }
    root(spec, &mut report);
    virtual_machine(spec, &mut report);
    if let Some(process) = &spec.process {
        process::check(process, &At::Root.key("process"), &mut report);
    }
    names(spec, &mut report);
    mounts::check(spec, &At::Root.key("mounts"), &mut report);
    for key in spec.annotations.iter().flat_map(|map| map.keys()) {
        if key.is_empty() {
            report.error(&At::Root.key("annotations"), "has an empty key");
        }
    }
    for (key, property) in annotations::systemd_properties(spec) {
        if let Err(why) = property {
            report.error(&At::Root.key("annotations").key(key), why);
        }
    }
    if let Some(handler) = annotations::value(spec, HANDLER).filter(|handler| !handler.is_empty()) {
        let text = format!("{} is no handler that is known here; there are none", quoted(handler));
        report.error(&At::Root.key("annotations").key(HANDLER), text);
    }
    if let Some(which) = annotations::value(spec, MKNOD).filter(|w| ![MKNOD_ANY, MKNOD_LISTED].contains(w)) {
        let text = format!("{} is neither {MKNOD_ANY:?} nor {MKNOD_LISTED:?}", quoted(which));
        report.error(&At::Root.key("annotations").key(MKNOD), text);
    }
    linux::check(spec, &mut report);
    scheduling::check(spec, &mut report);
    seccomp::check(spec, &mut report);
    if let Some(hooks) = &spec.hooks {
        hooks::check(hooks, &At::Root.key("hooks"), &mut report);
    }
    report
}

pub(crate) fn report_on_process(process: &Process) -> Report {
    let mut report = Report::default();
    process::check(process, &At::Root, &mut report);
    report
}

fn root(spec: &Spec, report: &mut Report) {
    let at = At::Root.key("root");
    match &spec.root {
        None => report.error(&at, "is missing; root.path names the directory of the root filesystem"),
        Some(root) if root.path.is_empty() => report.error(&at.key("path"), "is missing or empty"),
        Some(root) => {
            report.no_nul(&root.path, &at.key("path"));
            report.not_too_long(&root.path, &at.key("path"));
        }
    }
}

/// A property that cannot be applied is an error (runtime.md, "Create"); and a container alone keeps a
/// program less apart than a machine of its own would.
fn virtual_machine(spec: &Spec, report: &mut Report) {
    if spec.vm.as_ref().and_then(Value::as_object).is_some_and(|vm| !vm.is_empty()) {
        report.error(&At::Root.key("vm"), "asks for a virtual machine; containers alone are made here");
    }
}

/// `hostname` and `domainname`; empty is the same as absent, as Go programs write it.
fn names(spec: &Spec, report: &mut Report) {
    /// `__NEW_UTS_LEN` of the kernel, see sethostname(2) and uts_namespaces(7).
    const LONGEST: usize = 64;
    for (key, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        let at = At::Root.key(key);
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else { continue };
        if name.len() > LONGEST {
            report.error(&at, format!("{} is longer than {LONGEST} bytes", quoted(name)));
        }
        report.no_nul(name, &at);
        if linux::namespace(spec, "uts").is_none() {
            let text = format!("{} needs a uts namespace in linux.namespaces", quoted(name));
            report.error_from(&at, &[&At::Root.key("linux").key("namespaces")], text);
        }
    }
}
