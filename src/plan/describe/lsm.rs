//! The words for what AppArmor and SELinux refuse. Podman looks for the file in backquotes.

use crate::error::Error;
use crate::plan::lsm::Lsm;
use crate::wire::{Failure, Step};

/// A step of the child.
pub fn failure(lsm: &Lsm, f: &Failure) -> Option<Error> {
    match f.step {
        Step::Apparmor => {
            let profile = &lsm.apparmor.as_ref()?.name;
            let file = "`/proc/thread-self/attr/apparmor/exec`";
            let error =
                Error::errno(format!("process.apparmorProfile: {profile:?}: write to {file}"), f.errno);
            Some(match f.errno {
                libc::ENOENT => error.hint(
                    "no profile of that name is loaded: apparmor_parser loads it, aa-status lists them",
                ),
                libc::EACCES | libc::EPERM => {
                    error.hint("the caller's own profile does not allow the change")
                }
                _ => error,
            })
        }
        Step::Selinux | Step::KeyLabel => {
            let label = lsm.selinux.as_ref()?.to_string_lossy().into_owned();
            let (file, permission) = match f.step {
                Step::Selinux => ("exec", "setexec"),
                _ => ("keycreate", "setkeycreate"),
            };
            let what = format!("process.selinuxLabel: {label:?}: write to `/proc/thread-self/attr/{file}`");
            let error = Error::errno(what, f.errno);
            Some(match f.errno {
                libc::EINVAL => error.hint("the policy that is loaded does not know this label"),
                libc::EACCES | libc::EPERM => {
                    error.hint(format!("the policy does not give the caller the permission {permission}"))
                }
                _ => error,
            })
        }
        _ => None,
    }
}
