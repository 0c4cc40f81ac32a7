//! Device rules of a v2 group: loads the planned program and attaches it.

use crate::error::{Context, Error, Result};
use crate::plan::cgroup::DeviceAccess;
use crate::sys::bpf;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Applies `access` to the v2 group. `fresh`: it was just made, so nothing is attached to it yet.
pub(super) fn restrict(group: BorrowedFd, access: &DeviceAccess, fresh: bool) -> Result<()> {
    let code = match access {
        DeviceAccess::Inherited => return Ok(()),
        DeviceAccess::Everything => None,
        DeviceAccess::Program { code, .. } => Some(code),
    };
    let mut old = [0; bpf::MOST_PROGRAMS];
    let count = match fresh {
        true => 0,
        false => bpf::device_programs(group, &mut old).context(|| "list the device programs")?,
    };
    let mut old = old[..count].iter();
    if let Some(code) = code {
        let program = bpf::load_device_program(code).map_err(|e| load_failed(code.len(), &e))?;
        let attached = match old.next() {
            // At once: there is no moment with none of them, nor with both.
            Some(id) => bpf::program_by_id(*id)
                .and_then(|old| bpf::replace_device_program(group, old.as_fd(), program.as_fd())),
            None => bpf::attach_device_program(group, program.as_fd()),
        };
        attached.context(|| "linux.resources.devices: attach the device program")?;
    }
    for id in old {
        let program = bpf::program_by_id(*id).context(|| format!("open device program {id}"))?;
        let detached = bpf::detach_device_program(group, program.as_fd());
        detached.context(|| format!("detach device program {id}"))?;
    }
    Ok(())
}

fn load_failed(instructions: usize, cause: &io::Error) -> Error {
    let what = format!("linux.resources.devices: load an eBPF program of {instructions} instructions");
    let error = Error::io(what, cause);
    match cause.raw_os_error() {
        Some(libc::EPERM) => error.hint("cgroup v2 restricts devices by eBPF, which takes CAP_BPF"),
        Some(libc::E2BIG) => {
            error.hint("too many rules that overlap in part; the kernel limits what it verifies")
        }
        _ => error,
    }
}
