//! The words for what did not work: a record of the child, rendered from the same plan.

mod held;
pub mod hooks;
pub mod lsm;
mod mounts;
pub mod scheduling;

use super::namespaces::{Kind, NamespacePlan, UserNamespace};
use super::net_devices::NetDevice;
use super::{Container, Plan, Sandbox, identity, seccomp};
use crate::error::{Error, errno_text};
use crate::spec::annotations::ROOT_IDMAP;
use crate::sys::process::Ended;
use crate::wire::{Failure, Step};
use std::ffi::CStr;
use std::io;
use std::path::Path;

/// The error of a child's failure record.
pub fn failure(plan: &Plan, failure: &Failure) -> Error {
    let error = match &plan.sandbox {
        Sandbox::New(container) => in_container(container, failure),
        Sandbox::Join(_) => None,
    };
    error.unwrap_or_else(|| in_process(plan, failure))
}

fn errno(e: &io::Error) -> i32 {
    e.raw_os_error().unwrap_or(libc::EIO)
}

/// Steps that exist only for a new container.
fn in_container(container: &Container, f: &Failure) -> Option<Error> {
    let index = f.index as usize;
    let simple = |what: &str| Some(Error::errno(what, f.errno));
    match f.step {
        Step::MountTarget
        | Step::MountOpen
        | Step::MountParameter
        | Step::MountCreate
        | Step::MountAttributes
        | Step::MountAttach
        | Step::MountLabel
        | Step::MountClassic
        | Step::MountIdmap
        | Step::MountLink
        | Step::RemountOpen
        | Step::CopyUp
        | Step::CgroupMount => container.mounts.get(index).map(|mount| mounts::failed(mount, f)),
        Step::EnterCgroup => {
            let group = container.cgroup.groups.iter().filter(|g| g.version == super::cgroup::Version::V1);
            // An optional one may have been left out, and the numbers with it.
            let group = group.filter(|g| !g.optional);
            let group = group.map(|g| format!("enter the cgroup {}{}", g.mount.display(), g.path)).nth(index);
            simple(&group.unwrap_or_else(|| "enter the cgroup".into()))
        }
        Step::JoinNamespace => {
            let join = container.namespaces.child_joins.get(index)?;
            let what = format!(
                "linux.namespaces[{}]: join the {} namespace {}",
                join.index,
                join.kind.name(),
                join.path.to_string_lossy()
            );
            let error = simple(&what)?;
            Some(match (join.kind, f.errno) {
                (Kind::User, libc::EINVAL) => {
                    error.hint("the caller is in that namespace already; leave it out")
                }
                _ => error,
            })
        }
        Step::RootOpen | Step::RootAttach => {
            let error = simple(&format!("root.path: {}", text(&container.root.path)))?;
            let by_user_namespace = container.namespaces.user() != UserNamespace::Caller;
            Some(match f.errno {
                libc::EACCES if by_user_namespace => {
                    error.hint("root of the user namespace may not enter it, or a directory above it")
                }
                _ => error,
            })
        }
        Step::RootPropagation => simple("linux.rootfsPropagation"),
        Step::ReadonlyRoot => simple("root.readonly"),
        Step::DeviceDirectory | Step::DeviceNode => {
            let Some(node) = container.devices.nodes.get(index) else {
                return simple("default devices (/dev)");
            };
            let error = simple(&format!("{} ({} {})", node.location, node.letter(), node.display()))?;
            Some(match f.errno {
                libc::EEXIST => error.hint("it is there already, as another kind of file or device"),
                _ => error,
            })
        }
        Step::DeviceLink => {
            let link = container.devices.links.get(index)?;
            simple(&format!("default devices (link /dev/{})", text(link.name)))
        }
        Step::MaskPath => {
            let path = container.masked.get(index)?;
            simple(&format!("linux.maskedPaths[{index}] ({})", path.display()))
        }
        Step::ReadonlyPath => {
            let path = container.readonly.get(index)?;
            simple(&format!("linux.readonlyPaths[{index}] ({})", path.display()))
        }
        Step::NetDevices => simple("linux.netDevices: hand over the network namespace"),
        Step::Hostname => simple("hostname"),
        Step::Domainname => simple("domainname"),
        Step::Sysctl => {
            let sysctl = container.sysctls.get(index)?;
            let error = simple(&format!("linux.sysctl[{:?}]: write {:?}", sysctl.key, sysctl.value))?;
            Some(match f.errno {
                libc::ENOENT => error.hint("this kernel does not have that parameter"),
                _ => error,
            })
        }
        Step::NewTimeNamespace => {
            let error = simple("linux.namespaces: make the time namespace")?;
            Some(match (f.errno, f.index) {
                // Also of a kernel that is older than they are.
                (libc::EINVAL, 1) | (libc::ENOENT, _) => {
                    error.hint("this kernel has no time namespaces (CONFIG_TIME_NS)")
                }
                _ => namespace_hint(error, f.errno),
            })
        }
        Step::TimeOffset => {
            let offset = container.namespaces.time_offsets.get(index)?;
            let error = simple(&format!("linux.timeOffsets.{}: {}", offset.clock, offset.line.trim_end()))?;
            Some(match f.errno {
                libc::ERANGE => error.hint("the clock would be before 0, or beyond 146 years"),
                libc::EPERM => error.hint("setting a clock needs CAP_SYS_TIME"),
                _ => error,
            })
        }
        Step::NewNamespaces => {
            let error = simple(&format!("linux.namespaces: make {}", names(&container.namespaces)))?;
            Some(namespace_hint(error, f.errno))
        }
        _ => None,
    }
}

/// Steps of every process.
fn in_process(plan: &Plan, f: &Failure) -> Error {
    let index = f.index as usize;
    let Some(process) = &plan.process else {
        return Error::new("process: is missing, there is nothing to start");
    };
    let identity = &process.identity;
    let simple = |what: String| Error::errno(what, f.errno);
    let cap = || identity::CAPABILITIES.get(index).copied().unwrap_or("a capability");
    match f.step {
        Step::Gate => held::never_released(f.errno),
        Step::EnterCgroup => held::not_entered(f.errno),
        Step::FindProgram | Step::Execute => {
            let error = program(&program_name(plan), f);
            match (f.errno, &process.seccomp) {
                (libc::EPERM | libc::ENOSYS, Some(_)) => error.hint("linux.seccomp may refuse execve"),
                (libc::EPERM, None) if process.lsm.selinux.is_some() && identity.no_new_privs => {
                    error.hint("with process.noNewPrivileges the SELinux policy must allow nnp_transition")
                }
                _ => error,
            }
        }
        Step::WorkingDirectory | Step::WorkingDirectoryCreate => {
            let cwd = text(&process.cwd);
            let error = simple(format!("process.cwd: {cwd}"));
            match (f.step, f.index, f.errno) {
                (Step::WorkingDirectory, 1, _) => {
                    error.hint("the working directory lies outside the container")
                }
                (_, _, libc::EROFS) => error.hint(read_only(&cwd)),
                _ => error,
            }
        }
        Step::Rlimit => match identity.rlimits.get(index) {
            Some(limit) => {
                let name = identity::RLIMITS[limit.resource as usize];
                let limits = format!("soft {}, hard {}", limit.soft, limit.hard);
                let error = simple(format!("process.rlimits[{index}] ({name}, {limits})"));
                match f.errno {
                    libc::EPERM => error.hint("raising a hard limit needs CAP_SYS_RESOURCE"),
                    _ => error,
                }
            }
            None => simple("process.rlimits".into()),
        },
        Step::Ids if f.index == 1 => simple(format!("process.user.gid: {}", identity.gid)),
        Step::Ids => simple(format!("process.user.uid: {}", identity.uid)),
        Step::Groups => {
            let groups = identity.groups.as_deref().unwrap_or_default();
            let error = simple(format!("process.user.additionalGids: {groups:?}"));
            match f.errno {
                libc::EPERM => error.hint("setgroups(2) is denied in that user namespace"),
                libc::EINVAL => error.hint("that user namespace does not map all of them"),
                _ => error,
            }
        }
        Step::BoundingSet => simple(format!("process.capabilities.bounding: drop {}", cap())),
        Step::AmbientSet => simple(format!("process.capabilities.ambient: {}", cap())),
        Step::Capabilities => simple("process.capabilities".into()),
        Step::NoNewPrivileges => simple("process.noNewPrivileges".into()),
        Step::Seccomp => {
            let length = process.seccomp.as_ref().map_or(0, |s| s.program.len());
            seccomp::refused(format!("linux.seccomp: load the filter ({length} instructions)"), f)
        }
        Step::SeccompListener => seccomp::not_handed_over(f),
        Step::Scheduler | Step::IoPriority | Step::Cpus | Step::MemoryPolicy | Step::Personality => {
            let error = scheduling::failure(&process.scheduling, f);
            error.unwrap_or_else(|| simple(words(f.step).into()))
        }
        Step::Apparmor | Step::Selinux | Step::KeyLabel => {
            let error = lsm::failure(&process.lsm, f);
            error.unwrap_or_else(|| simple(words(f.step).into()))
        }
        Step::OomScore => {
            let errno = io::Error::from_raw_os_error(f.errno);
            oom_score_adj(process.oom_score_adj.as_deref().unwrap_or_default(), &errno)
        }
        Step::Terminal if f.index == 0 => simple("process.terminal: open /dev/pts/ptmx".into())
            .hint("a terminal needs a mount of type devpts at /dev/pts"),
        Step::Terminal | Step::TerminalConsole => simple("process.terminal".into()),
        step => simple(words(step).into()),
    }
}

/// Steps whose name says it all.
fn words(step: Step) -> &'static str {
    match step {
        Step::EnterCgroup => "enter the container's cgroup",
        Step::NewSession => "start a new session (setsid)",
        Step::SetDumpable => "make the process not dumpable",
        Step::JoinNamespace => "join the container's namespaces",
        Step::Hop => "clone once more",
        Step::BecomeRoot => "become root of the user namespace (is id 0 mapped?)",
        Step::NewCgroupNamespace => "make the cgroup namespace",
        Step::Loopback => "bring the loopback interface up",
        Step::Hook => "run the hooks",
        Step::HookExecute => "execute a hook",
        Step::PivotRoot => "change the root (pivot_root)",
        Step::DetachOldRoot => "detach the old root",
        Step::OomScore => "write oom_score_adj",
        Step::Keyring => "make a session keyring",
        Step::Gate => "wait for the start",
        Step::CloseFds => "close inherited file descriptors",
        _ => "set the container up",
    }
}

fn program_name(plan: &Plan) -> String {
    let first = plan.process.as_ref().and_then(|p| p.args.strings().first());
    first.map_or_else(String::new, |name| text(name))
}

/// Why the program cannot run, in the words that managers tell exit status 126 and 127 by.
fn program(name: &str, f: &Failure) -> Error {
    let found = f.step == Step::Execute;
    let what = || format!("process.args[0]: {name:?}");
    match f.errno {
        libc::ENOENT | libc::ENOTDIR if !found && !name.contains('/') => {
            Error::new(format!("{}: executable file not found in $PATH", what())).exit(127)
        }
        libc::ENOENT | libc::ENOTDIR => {
            let error = Error::errno(what(), libc::ENOENT).exit(127);
            match found {
                true => error.hint("if the file is there, its interpreter or dynamic loader is not"),
                false => error,
            }
        }
        libc::ENOEXEC => Error::errno(what(), f.errno)
            .hint("not a program of this machine's kind, or a script without `#!`")
            .exit(126),
        libc::EACCES if found => Error::errno(what(), f.errno)
            .hint(
                "it is no regular file, not executable for this user, on a mount with noexec, or AppArmor or \
                 SELinux does not allow it",
            )
            .exit(126),
        libc::EACCES => Error::errno(what(), f.errno)
            .hint("it is no regular file, not executable for this user, or on a mount with noexec")
            .exit(126),
        libc::E2BIG => Error::errno(what(), f.errno)
            .hint("process.args and process.env, or one string of them, are longer than the kernel takes")
            .exit(126),
        _ => Error::errno(what(), f.errno).exit(126),
    }
}

fn read_only(path: &str) -> String {
    format!("{path} does not exist and cannot be made on a read-only filesystem")
}

/// The clone itself was refused.
pub fn clone_failed(namespaces: &NamespacePlan, e: &io::Error) -> Error {
    let what = match namespaces.clone {
        0 => "clone".to_owned(),
        _ => format!("linux.namespaces: make {}", names(namespaces)),
    };
    namespace_hint(Error::errno(what, errno(e)), errno(e))
}

/// The clone was refused because of the v2 cgroup that the child was to be born in.
pub fn not_into_cgroup(path: &str, mount: &Path, e: &io::Error) -> Option<Error> {
    let hint = match errno(e) {
        libc::EOPNOTSUPP => {
            "a cgroup above it is threaded (see cgroup.type): no process can begin below that"
        }
        libc::EBUSY => {
            "it passes controllers on (cgroup.subtree_control), so it cannot have processes itself"
        }
        libc::ENODEV => "somebody has removed it",
        _ => return None,
    };
    Some(Error::errno(format!("cgroup {path} in {}", mount.display()), errno(e)).hint(hint))
}

fn namespace_hint(error: Error, errno: i32) -> Error {
    match errno {
        libc::EPERM => error.hint("an ordinary user needs a new user namespace for the others"),
        libc::EAGAIN => {
            error.hint("the limit of processes is reached: pids.limit, or RLIMIT_NPROC of the caller")
        }
        libc::ENOSPC | libc::EUSERS => error.hint("too many namespaces, see /proc/sys/user/max_*_namespaces"),
        _ => error,
    }
}

fn names(namespaces: &NamespacePlan) -> String {
    let names: Vec<_> = namespaces.new.iter().map(|k| k.name()).collect();
    format!("{} namespaces", names.join(", "))
}

/// The root filesystem is not there.
pub fn root_missing(path: &CStr, e: &io::Error) -> Error {
    let error = Error::errno(format!("root.path: {}", text(path)), errno(e));
    match errno(e) {
        libc::ENOENT => error.hint("root.path is taken from the bundle directory unless it is absolute"),
        _ => error,
    }
}

/// A bind source that the host cannot open, or whose ids it cannot map.
pub fn bind_source(container: &Container, index: usize, step: Step, e: &io::Error) -> Error {
    match container.mounts.get(index) {
        Some(mount) => mounts::failed(mount, &Failure::new(step, index, e)),
        None => Error::errno("mounts", errno(e)),
    }
}

/// The ids of the root filesystem cannot be mapped.
pub fn root_idmap(path: &CStr, e: &io::Error) -> Error {
    let what = format!("annotations[{ROOT_IDMAP:?}]: map the ids of root.path {}", text(path));
    mounts::idmap_hint(Error::errno(what, errno(e)), errno(e))
}

/// A network device cannot be moved.
pub fn net_device(device: &NetDevice, e: &io::Error) -> Error {
    let error = Error::errno(format!("{}: move to {:?}", device.location(), device.new_name), errno(e));
    match errno(e) {
        libc::ENODEV => error.hint("the network namespace of the caller has no device of that name"),
        libc::EPERM => error.hint("CAP_NET_ADMIN is needed in both network namespaces"),
        libc::EINVAL => error.hint("this kind of device cannot leave its network namespace"),
        libc::EACCES => error.hint("IPv6 addresses need net.ipv6.conf.*.disable_ipv6=0 in the container"),
        _ => error,
    }
}

/// Its name is that of another.
pub fn net_device_name_taken(device: &NetDevice) -> Error {
    let location = device.location();
    let name = &device.new_name;
    match device.is_template() {
        true => Error::new(format!("{location}.name: {name:?} has no number that gives a name of 15 bytes")),
        false => Error::new(format!("{location}: the container has a network device {name:?} already")),
    }
}

/// A map of ids was refused by the kernel.
pub fn id_map(what: &str, text: &str, e: &io::Error) -> Error {
    /// A page; what is written must be shorter (user_namespaces(7)).
    const PAGE: usize = 4096;
    let error = Error::errno(what, errno(e));
    match errno(e) {
        libc::EINVAL if text.len() >= PAGE => error.hint(format!(
            "its {} bytes are more than the kernel takes, which is less than a page",
            text.len()
        )),
        libc::EPERM => error.hint("the caller may not map these ids in its own user namespace"),
        _ => error,
    }
}

/// oom_score_adj was refused.
pub fn oom_score_adj(adj: &str, e: &io::Error) -> Error {
    let error = Error::errno(format!("process.oomScoreAdj: {adj}"), errno(e));
    match errno(e) {
        libc::EACCES => error.hint("lowering oom_score_adj needs CAP_SYS_RESOURCE"),
        _ => error,
    }
}

/// The child died without a word: explained from how it ended and what it had reached.
pub fn died(plan: &Plan, ended: Ended, barrier: &str) -> Error {
    match ended {
        Ended::Killed(libc::SIGKILL) => {
            let error = Error::new(format!("init was killed after {barrier:?} (SIGKILL)"));
            match memory_limit(plan) {
                Some(limit) => error.hint(format!("the memory limit of {limit} bytes may be too low")),
                None => error,
            }
        }
        Ended::Killed(libc::SIGSYS) => {
            let notifies = plan.process.as_ref().is_some_and(|p| p.listener.is_some());
            let calls = if notifies { "execve and waitid" } else { "execve" };
            Error::new(format!(
                "init was killed after {barrier:?} by the seccomp filter (SIGSYS): linux.seccomp must allow {calls}"
            ))
        }
        Ended::Killed(signal) => {
            let error = Error::new(format!("init was killed after {barrier:?} by signal {signal}"));
            match plan.process.as_ref().is_some_and(|p| p.seccomp.is_some()) {
                true => error.hint("linux.seccomp must allow execve, sendmsg and exit_group"),
                false => error,
            }
        }
        Ended::Exited(status) => {
            Error::new(format!("init ended with status {status} after {barrier:?} without a word"))
        }
    }
}

fn memory_limit(plan: &Plan) -> Option<String> {
    let Sandbox::New(container) = &plan.sandbox else { return None };
    let writes = container.cgroup.groups.iter().flat_map(|g| &g.writes);
    writes.filter(|w| w.location == "linux.resources.memory.limit").map(|w| w.value.clone()).next()
}

/// What `start` is told by the child; the plan is gone, the program's name is in the state.
pub fn start_failure(name: &str, f: &Failure) -> Error {
    match f.step {
        Step::Execute if f.index == u32::MAX => Error::new("process: is missing, there is nothing to start"),
        Step::Execute | Step::FindProgram => program(name, f),
        Step::Seccomp => seccomp::refused("linux.seccomp: load the filter".into(), f),
        Step::SeccompListener => seccomp::not_handed_over(f),
        Step::Capabilities | Step::AmbientSet => Error::errno("process.capabilities", f.errno),
        step => Error::new(format!("{}: {}", words(step), errno_text(f.errno))),
    }
}

fn text(s: &CStr) -> String {
    s.to_string_lossy().into_owned()
}
