//! bpf(2), for programs that decide about devices (cgroup v2).

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_DETACH: i32 = 9;
const BPF_PROG_GET_FD_BY_ID: i32 = 13;
const BPF_PROG_QUERY: i32 = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
const BPF_F_REPLACE: u32 = 4;

/// The most programs that a cgroup can have of one type (`BPF_CGROUP_MAX_PROGS`).
pub const MOST_PROGRAMS: usize = 64;

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// For `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`.
#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// For `BPF_PROG_QUERY`.
#[repr(C)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

/// For `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
struct ById {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// # Safety
/// `T` is the head of `union bpf_attr` for `command`, and its pointers are valid for it.
unsafe fn bpf<T>(command: i32, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the caller's promise; the kernel takes the missing tail as zeros.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) })
}

/// Loads a program of type `BPF_PROG_TYPE_CGROUP_DEVICE`, given as `struct bpf_insn`s. EPERM: no
/// CAP_BPF, or before Linux 5.11 RLIMIT_MEMLOCK; EINVAL: the verifier refuses it.
pub fn load_device_program(code: &[u64]) -> io::Result<OwnedFd> {
    let mut attr = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"tierce_devices\0\0",
    };
    // SAFETY: Load is the head for this command; code and license outlive the call.
    owned(unsafe { bpf(BPF_PROG_LOAD, &mut attr) }?)
}

/// Adds a program to those that decide about devices in this cgroup; all of them must allow.
pub fn attach_device_program(cgroup: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    let mut attr = attach(cgroup, program, BPF_F_ALLOW_MULTI);
    // SAFETY: Attach is the head for this command and has no pointers.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

/// Puts a program in the place of one that is attached, at once.
pub fn replace_device_program(cgroup: BorrowedFd, old: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    let mut attr = attach(cgroup, program, BPF_F_ALLOW_MULTI | BPF_F_REPLACE);
    attr.replace_bpf_fd = old.as_raw_fd() as u32;
    // SAFETY: Attach is the head for this command and has no pointers.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

/// Takes a program off again.
pub fn detach_device_program(cgroup: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    let mut attr = attach(cgroup, program, 0);
    // SAFETY: Attach is the head for this command and has no pointers.
    unsafe { bpf(BPF_PROG_DETACH, &mut attr) }.map(drop)
}

fn attach(cgroup: BorrowedFd, program: BorrowedFd, attach_flags: u32) -> Attach {
    Attach {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags,
        replace_bpf_fd: 0,
    }
}

/// Fills in the ids of the device programs of this very cgroup, and says how many there are.
pub fn device_programs(cgroup: BorrowedFd, ids: &mut [u32; MOST_PROGRAMS]) -> io::Result<usize> {
    let mut attr = Query {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST_PROGRAMS as u32,
        padding: 0,
    };
    // SAFETY: Query is the head for this command; ids has room for prog_cnt.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr) }?;
    Ok(attr.prog_cnt as usize)
}

/// The program with this id.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = ById { prog_id: id, next_id: 0, open_flags: 0 };
    // SAFETY: ById is the head for this command and has no pointers.
    owned(unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr) }?)
}
