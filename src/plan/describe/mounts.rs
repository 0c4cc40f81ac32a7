//! Why a mount did not work.

use super::text;
use crate::error::Error;
use crate::plan::lsm::is_context;
use crate::plan::mounts::{Mount, Parameter, Source};
use crate::wire::{Failure, Step};
use std::ffi::CStr;

/// What went wrong with it, and a hint.
pub(super) fn failed(mount: &Mount, f: &Failure) -> Error {
    let what = format!("{} ({})", mount.location, mount.label);
    let error = match f.step {
        Step::CopyUp => Error::errno(format!("{what}: copy {:?}", name_in(f)), f.errno),
        Step::MountIdmap => Error::errno(format!("{what}: map the ids"), f.errno),
        _ => Error::errno(what, f.errno),
    };
    match (f.step, f.errno) {
        (Step::MountAttach, libc::ENOSPC) => {
            return error
                .hint("there are as many mounts as a mount namespace may have, /proc/sys/fs/mount-max");
        }
        (Step::CopyUp, libc::ENOSPC) => {
            return error.hint("the tmpfs is too small for what it covers: see size= and nr_inodes=");
        }
        (Step::CopyUp, libc::EPERM) => {
            return error.hint(
                "a device is not copied in a user namespace, nor where linux.devices and linux.resources.devices do \
                 not list it and annotations[\"tierce.mknod\"] is not \"any\"",
            );
        }
        (Step::CopyUp, libc::ESTALE) => return error.hint("somebody moves or changes files there meanwhile"),
        (Step::CopyUp, _) => return error,
        (Step::MountIdmap, errno) => return idmap_hint(error, errno),
        (Step::MountLink, libc::EEXIST) => {
            return error.hint("there is something else than that link already");
        }
        (Step::RemountOpen | Step::MountAttributes, libc::EINVAL)
            if matches!(mount.source, Source::Remount(_)) =>
        {
            return error.hint(format!("nothing is mounted on {}", mount.target.display()));
        }
        _ => {}
    }
    let fs = match &mount.source {
        Source::Filesystem(fs) => fs,
        Source::Bind(bind) => {
            return match (f.step, f.errno) {
                (Step::MountOpen, libc::ENOENT) => {
                    error.hint(format!("{}.source: {} is missing", mount.location, text(&bind.source)))
                }
                (Step::MountAttach, libc::ENOTDIR | libc::EINVAL) => {
                    error.hint("a directory mounts on a directory, a file on a file")
                }
                _ => target_hint(error, mount, f),
            };
        }
        Source::CgroupV1(_) => return error,
        Source::Remount(parameters) => {
            return match f.step {
                Step::MountParameter => parameter(error, "the filesystem", parameters.as_deref(), f),
                Step::MountCreate if sets(parameters.as_deref(), c"dirsync") => {
                    error.hint("the kernel does not change dirsync by a remount")
                }
                _ => target_hint(error, mount, f),
            };
        }
    };
    let fstype = text(&fs.fstype);
    match f.step {
        Step::MountParameter => parameter(error, &fstype, Some(&fs.parameters), f),
        Step::MountOpen | Step::MountClassic if f.errno == libc::ENODEV => {
            error.hint(format!("this kernel has no filesystem {fstype:?} (/proc/filesystems lists them)"))
        }
        _ => match f.note() {
            Some(note) => error.hint(note),
            None => target_hint(error, mount, f),
        },
    }
}

fn parameter(error: Error, fstype: &str, parameters: Option<&[Parameter]>, f: &Failure) -> Error {
    let parameter = parameters.and_then(|p| p.get(f.part as usize));
    let told = parameter.map(|p| match &p.value {
        Some(value) => format!("{}={}", text(&p.key), text(value)),
        None => text(&p.key),
    });
    let told = told.unwrap_or_default();
    if is_context(&told) {
        return error
            .hint(format!("the SELinux policy that is loaded does not know, or not allow, `{told}`"));
    }
    error.hint(match told.strip_prefix("size=").is_some() {
        true => format!("{fstype} does not know `{told}`; sizes are bytes with k, m, g or %"),
        false => format!("{fstype} does not take `{told}`"),
    })
}

fn sets(parameters: Option<&[Parameter]>, flag: &CStr) -> bool {
    parameters.is_some_and(|list| list.iter().any(|p| p.key.as_c_str() == flag))
}

/// The name that was being copied.
fn name_in(f: &Failure) -> String {
    let name = f.note.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

pub(super) fn idmap_hint(error: Error, errno: i32) -> Error {
    match errno {
        libc::EINVAL => error
            .hint("this kernel cannot show this filesystem by other ids, or it is shown by others already"),
        libc::EPERM => {
            error.hint("that takes CAP_SYS_ADMIN over the filesystem: root of the host, no user namespace")
        }
        _ => error,
    }
}

fn target_hint(error: Error, mount: &Mount, f: &Failure) -> Error {
    let target = mount.target.display();
    let no_symlinks = matches!(&mount.source, Source::Filesystem(fs) if fs.no_symlinks);
    match (f.step, f.errno) {
        (Step::MountTarget, libc::ELOOP) if no_symlinks => {
            error.hint(format!("{target} must not be, or lie behind, a symbolic link"))
        }
        (Step::MountTarget, libc::ELOOP) => {
            error.hint(format!("the symbolic links of {target} lead in a circle"))
        }
        (Step::MountTarget, libc::ENOENT) if matches!(mount.source, Source::Remount(_)) => {
            error.hint(format!("nothing is mounted on {target}"))
        }
        // What is missing is made, but not through a link.
        (Step::MountTarget, libc::ENOENT) => {
            error.hint(format!("a symbolic link in {target} leads to nothing"))
        }
        (Step::MountTarget, libc::ENOTDIR) => {
            error.hint(format!("{target}, or a parent of it, is not a directory"))
        }
        (Step::MountTarget, libc::EACCES) => {
            error.hint(format!("root of the user namespace may not make {target}, or not reach it"))
        }
        (Step::MountTarget, libc::EROFS) => error.hint(super::read_only(&target)),
        (Step::MountCreate, libc::EPERM) => {
            error.hint("in a user namespace some filesystems need the namespace they show to be new as well")
        }
        _ => error,
    }
}
