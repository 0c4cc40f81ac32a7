//! AppArmor and SELinux: what the process becomes at execve(2), and the label of its mounts.

use super::mounts::{Mount, Parameter, Source};
use crate::error::{Error, Result, Violation};
use crate::spec::annotations::{self, MOUNT_CONTEXT_TYPE};
use crate::spec::config::{self, Spec};
use std::ffi::{CStr, CString};

/// The state of the security modules.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Modules {
    /// AppArmor.
    pub apparmor: AppArmor,
    /// SELinux has a policy.
    pub selinux: bool,
}

/// The state of AppArmor.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum AppArmor {
    /// Not in this kernel, or not enabled.
    #[default]
    Off,
    /// Enabled, and the caller is unconfined.
    Unconfined,
    /// Enabled, and the caller has a profile.
    Confined,
}

/// What the process becomes at execve(2).
#[derive(Debug, Clone, Default)]
pub struct Lsm {
    /// For attr/apparmor/exec.
    pub apparmor: Option<Profile>,
    /// For attr/exec, and attr/keycreate while the session keyring is made.
    pub selinux: Option<CString>,
}

/// An AppArmor profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// As configured.
    pub name: String,
    /// `exec NAME`, or `stack NAME`.
    pub command: CString,
}

/// Plans it.
///
/// # Errors
/// A module that is not there.
pub fn plan(process: &config::Process, modules: Modules) -> Result<Lsm> {
    let mut missing = Vec::new();
    let label = given(process.selinux_label.as_ref());
    if let Some(label) = label.filter(|_| !modules.selinux) {
        missing.push(without("process.selinuxLabel", label, "SELinux"));
    }
    let profile = given(process.apparmor_profile.as_ref());
    let profile = match (profile, modules.apparmor) {
        // That it is.
        (Some("unconfined"), AppArmor::Off) | (None, _) => None,
        (Some(name), AppArmor::Off) => {
            missing.push(without("process.apparmorProfile", name, "AppArmor"));
            None
        }
        (Some(name), state) => Some((name, state)),
    };
    if !missing.is_empty() {
        return Err(Error::invalid(missing));
    }
    let profile = profile.map(|(name, state)| {
        // With no_new_privs a profile may only be added to one that is there already.
        let stacked = state == AppArmor::Confined && process.no_new_privileges && name != "unconfined";
        let command = format!("{} {name}", if stacked { "stack" } else { "exec" });
        let command = super::c_string("process.apparmorProfile", &command)?;
        Ok::<_, Error>(Profile { name: name.to_owned(), command })
    });
    Ok(Lsm {
        apparmor: profile.transpose()?,
        selinux: label.map(|label| super::c_string("process.selinuxLabel", label)).transpose()?,
    })
}

/// Empty is the same as absent, as Go programs write it.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn without(path: &str, value: &str, module: &str) -> Violation {
    Violation { path: path.into(), text: format!("{value:?}: {module} is not enabled on this machine") }
}

/// Mount options of SELinux (mount(8)); `run.oci.mount_context_type` chooses among them.
const CONTEXTS: [&str; 4] = ["context", "fscontext", "defcontext", "rootcontext"];

/// Whether `key=value`, a parameter of a filesystem, is a label.
pub fn is_context(option: &str) -> bool {
    option.split_once('=').is_some_and(|(key, _)| CONTEXTS.contains(&key))
}

/// `linux.mountLabel` as the parameter that gives it to a filesystem.
///
/// # Errors
/// SELinux is not there; an annotation with a value that is no kind of label.
pub fn mount_label(spec: &Spec, modules: Modules) -> Result<Option<Parameter>> {
    let label = spec.linux.as_ref().and_then(|linux| given(linux.mount_label.as_ref()));
    let Some(label) = label else { return Ok(None) };
    if !modules.selinux {
        return Err(Error::invalid(vec![without("linux.mountLabel", label, "SELinux")]));
    }
    let kind = annotations::value(spec, MOUNT_CONTEXT_TYPE).unwrap_or("context");
    if !CONTEXTS.contains(&kind) {
        let path = format!("annotations[{MOUNT_CONTEXT_TYPE:?}]");
        let text = format!("{kind:?} is none of {}", CONTEXTS.join(", "));
        return Err(Error::invalid(vec![Violation { path, text }]));
    }
    let value = Some(super::c_string("linux.mountLabel", label)?);
    Ok(Some(Parameter { key: super::c_string("linux.mountLabel", kind)?, value }))
}

/// Gives the label to the filesystems that can have one of their own, and have none by their options: as
/// under the peers, not to those that show the kernel.
///
/// # Errors
/// A NUL byte.
pub fn label(mounts: &mut [Mount], label: Option<&Parameter>) -> Result<()> {
    let Some(label) = label else { return Ok(()) };
    for mount in mounts {
        let Source::Filesystem(fs) = &mut mount.source else { continue };
        match fs.fstype.to_bytes() {
            b"proc" | b"sysfs" | b"cgroup" | b"cgroup2" => continue,
            // One for all mounts in an ipc namespace: not the filesystem but its root gets the label.
            b"mqueue" => fs.root_label = label.value.clone(),
            _ if fs.parameters.iter().any(|p| CONTEXTS.iter().any(|c| p.key.to_bytes() == c.as_bytes())) => {
                continue;
            }
            _ => {
                fs.parameters.push(label.clone());
                if let Some(classic) = &mut fs.classic {
                    classic.data = with_label(&classic.data, label)?;
                }
            }
        }
        let value = label.value.as_deref().unwrap_or_default().to_string_lossy();
        mount.label.push_str(&format!(", {}={value}", label.key.to_string_lossy()));
    }
    Ok(())
}

/// As mount(2) takes it, in quotes for the commas of a label.
fn with_label(data: &CStr, label: &Parameter) -> Result<CString> {
    let value = label.value.as_deref().unwrap_or_default().to_string_lossy();
    let option = format!("{}=\"{value}\"", label.key.to_string_lossy());
    let data = data.to_string_lossy();
    let separator = if data.is_empty() { "" } else { "," };
    super::c_string("linux.mountLabel", &format!("{data}{separator}{option}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mounts::Filesystem;
    use crate::plan::path::InRoot;

    fn modules(apparmor: AppArmor, selinux: bool) -> Modules {
        Modules { apparmor, selinux }
    }

    fn process(profile: &str, no_new_privileges: bool) -> config::Process {
        config::Process { apparmor_profile: Some(profile.into()), no_new_privileges, ..Default::default() }
    }

    fn command(profile: &str, nnp: bool, state: AppArmor) -> Option<CString> {
        plan(&process(profile, nnp), modules(state, false)).unwrap().apparmor.map(|p| p.command)
    }

    #[test]
    fn a_profile_is_stacked_only_where_nothing_else_is_allowed() {
        assert_eq!(command("p", true, AppArmor::Unconfined).unwrap().as_c_str(), c"exec p");
        assert_eq!(command("p", false, AppArmor::Confined).unwrap().as_c_str(), c"exec p");
        assert_eq!(command("p", true, AppArmor::Confined).unwrap().as_c_str(), c"stack p");
        assert_eq!(command("unconfined", true, AppArmor::Confined).unwrap().as_c_str(), c"exec unconfined");
        assert_eq!(command("", true, AppArmor::Confined), None);
        assert_eq!(command("unconfined", false, AppArmor::Off), None);
    }

    #[test]
    fn modules_that_are_not_there_are_all_told() {
        let process = config::Process { selinux_label: Some("l".into()), ..process("p", true) };
        let error = plan(&process, Modules::default()).unwrap_err().to_string();
        assert!(
            error.contains("AppArmor is not enabled") && error.contains("SELinux is not enabled"),
            "{error}"
        );
    }

    fn filesystem(fstype: &str, parameters: &[&str]) -> Mount {
        let parameters = parameters
            .iter()
            .map(|key| Parameter { key: CString::new(*key).unwrap(), value: None })
            .collect();
        let fstype = CString::new(fstype).unwrap();
        let fs = Filesystem {
            fstype,
            parameters,
            classic: None,
            mode_of_target: false,
            copy_up: false,
            owner_of_target: false,
            no_symlinks: false,
            root_label: None,
        };
        Mount {
            target: InRoot::new("/x").unwrap(),
            source: Source::Filesystem(fs),
            attr: Default::default(),
            recursive_attr: Default::default(),
            propagation: 0,
            recursive_propagation: 0,
            idmap: None,
            on_link: false,
            label: String::new(),
            location: String::new(),
        }
    }

    #[test]
    fn filesystems_get_the_label_unless_they_have_one_or_show_the_kernel() {
        let parameter = Parameter { key: c"context".to_owned(), value: Some(c"l:c1,c2".to_owned()) };
        let labelled = |fstype: &str, parameters: &[&str]| {
            let mut mounts = [filesystem(fstype, parameters)];
            label(&mut mounts, Some(&parameter)).unwrap();
            let Source::Filesystem(fs) = &mounts[0].source else { unreachable!() };
            (fs.parameters.contains(&parameter), fs.root_label.is_some())
        };
        assert_eq!(labelled("tmpfs", &["mode"]), (true, false));
        assert_eq!(labelled("devpts", &[]), (true, false));
        assert_eq!(labelled("mqueue", &[]), (false, true));
        assert_eq!(labelled("tmpfs", &["rootcontext"]), (false, false));
        for fstype in ["proc", "sysfs", "cgroup", "cgroup2"] {
            assert_eq!(labelled(fstype, &[]), (false, false), "{fstype}");
        }
    }
}
