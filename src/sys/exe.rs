//! What this process shows as its own program: `/proc/PID/exe`, and the mappings behind it.

use super::exec::CStringArray;
use super::{check, owned};
use std::ffi::{CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

const PR_SET_MM_MAP: u64 = 14;

/// `struct prctl_mm_map` of linux/prctl.h.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct MmMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Maps this program anew from `file`, which must be the same one, opened through another mount, and makes
/// that its `/proc/PID/exe`. Nothing of this process names the mount that it was executed from any more.
///
/// `stat` is the content of `/proc/self/stat`.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN and CAP_CHECKPOINT_RESTORE, EINVAL by a kernel without
/// CONFIG_CHECKPOINT_RESTORE (prctl(2), PR_SET_MM); EINVAL for a `stat` that is none.
pub fn become_file(file: BorrowedFd, stat: &str) -> io::Result<()> {
    let map = MmMap { exe_fd: file.as_raw_fd() as u32, ..mm_map(stat)? };
    remap(file)?;
    let size = size_of::<MmMap>() as u64;
    // SAFETY: the struct is valid and of the size that is told.
    check(unsafe { libc::prctl(libc::PR_SET_MM, PR_SET_MM_MAP, &raw const map, size, 0u64) }.into()).map(drop)
}

/// What proc_pid_stat(5) says of the address space, to be told as it is.
fn mm_map(stat: &str) -> io::Result<MmMap> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    // The name in parentheses is field 2 and may hold anything.
    let (_, rest) = stat.rsplit_once(") ").ok_or_else(invalid)?;
    let mut fields = [0u64; 49];
    for (field, text) in fields.iter_mut().zip(rest.split_ascii_whitespace()) {
        *field = text.parse().unwrap_or(0);
    }
    let field = |number: usize| fields[number - 3];
    // SAFETY: sbrk(3) with 0 changes nothing.
    let brk = unsafe { libc::sbrk(0) } as u64;
    Ok(MmMap {
        start_code: field(26),
        end_code: field(27),
        start_stack: field(28),
        start_data: field(45),
        end_data: field(46),
        start_brk: field(47),
        brk,
        arg_start: field(48),
        arg_end: field(49),
        env_start: field(50),
        env_end: field(51),
        ..MmMap::default()
    })
}

/// Puts every page that is mapped from this program's file onto `file`, or into memory without a file.
fn remap(file: BorrowedFd) -> io::Result<()> {
    // SAFETY: getauxval(3) reads what the kernel has left on the stack.
    let (phdr, count) = unsafe { (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM)) };
    if phdr == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    // SAFETY: the kernel says that this many program headers are there, and they are never written.
    let headers = unsafe { std::slice::from_raw_parts(phdr as *const libc::Elf64_Phdr, count as usize) };
    let own = headers.iter().find(|h| h.p_type == libc::PT_PHDR).map_or(0, |h| h.p_vaddr);
    let base = phdr - own;
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_filesz > 0) {
        let start = (base + header.p_vaddr) & !(PAGE - 1);
        let end = (base + header.p_vaddr + header.p_filesz + PAGE - 1) & !(PAGE - 1);
        let offset = header.p_offset & !(PAGE - 1);
        match header.p_flags & libc::PF_W {
            0 => map_file(start, end - start, header.p_flags, file, offset)?,
            _ => map_copy(start, end - start)?,
        }
    }
    for header in headers.iter().filter(|h| h.p_type == libc::PT_GNU_RELRO) {
        let start = (base + header.p_vaddr) & !(PAGE - 1);
        let end = (base + header.p_vaddr + header.p_memsz) & !(PAGE - 1);
        // SAFETY: nothing has written there since the relocations were done (ELF, PT_GNU_RELRO).
        check(unsafe { libc::mprotect(start as *mut _, (end - start) as usize, libc::PROT_READ) }.into())?;
    }
    Ok(())
}

/// Of the alignment that the linker was told; larger pages would refuse it.
const PAGE: u64 = 4096;

/// Maps the same bytes of the same file in place of what is there.
fn map_file(start: u64, len: u64, flags: u32, file: BorrowedFd, offset: u64) -> io::Result<()> {
    let prot = libc::PROT_READ | if flags & libc::PF_X != 0 { libc::PROT_EXEC } else { 0 };
    let how = libc::MAP_PRIVATE | libc::MAP_FIXED;
    // SAFETY: the new pages have the content of the old ones, and the call replaces them at once.
    let at = unsafe { libc::mmap(start as *mut _, len as usize, prot, how, file.as_raw_fd(), offset as i64) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves a copy of these pages, which have no file, to where they are.
fn map_copy(start: u64, len: u64) -> io::Result<()> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // All of it is written at once: one fault less for each page.
    let how = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    // SAFETY: new pages of the kernel's choosing.
    let copy = unsafe { libc::mmap(std::ptr::null_mut(), len as usize, prot, how, -1, 0) };
    if copy == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: both have `len` bytes; between the copy and its move, which replaces the old pages at once,
    // this lone thread writes to its stack only.
    let at = unsafe {
        std::ptr::copy_nonoverlapping(start as *const u8, copy.cast(), len as usize);
        libc::mremap(copy, len as usize, len as usize, how, start as *mut libc::c_void)
    };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// STATX_ATTR_VERITY
const ATTR_VERITY: u64 = 0x0010_0000;

/// Can nobody write to this file through the mount that it was opened by: read-only, or fs-verity?
pub fn is_read_only(file: BorrowedFd) -> io::Result<bool> {
    let mut filesystem = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the buffer is valid for a struct statvfs.
    check(unsafe { libc::fstatvfs(file.as_raw_fd(), filesystem.as_mut_ptr()) }.into())?;
    // SAFETY: the call succeeded, so it filled the buffer.
    if unsafe { filesystem.assume_init() }.f_flag & libc::ST_RDONLY != 0 {
        return Ok(true);
    }
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    // The bare call: std names glibc's wrapper weakly, so that a static program may be without it.
    let (number, path, flags) = (libc::SYS_statx, c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the path is empty and the buffer is valid for a struct statx.
    check(unsafe { libc::syscall(number, file.as_raw_fd(), path, flags, 0, status.as_mut_ptr()) })?;
    // SAFETY: all zeroes are a valid struct statx.
    let status = unsafe { status.assume_init() };
    Ok(status.stx_attributes & status.stx_attributes_mask & ATTR_VERITY != 0)
}

const SEALS: i32 = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// Is this the copy of [`execute_sealed_copy`]?
pub fn is_sealed(file: BorrowedFd) -> bool {
    // SAFETY: F_GET_SEALS takes no argument.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & SEALS == SEALS
}

/// Copies `exe`, this program's file, into memory, seals it, and executes it with the arguments and the environment
/// of this process; returns only if that failed.
pub fn execute_sealed_copy(exe: BorrowedFd) -> io::Error {
    let sealed = match sealed_copy(exe) {
        Ok(sealed) => sealed,
        Err(error) => return error,
    };
    let strings = |list: Vec<OsString>| {
        CStringArray::new(list.into_iter().filter_map(|s| CString::new(s.into_vec()).ok()).collect())
    };
    let args = strings(std::env::args_os().collect());
    let env = strings(
        std::env::vars_os()
            .map(|(mut entry, value)| {
                entry.push("=");
                entry.push(value);
                entry
            })
            .collect(),
    );
    super::exec::execve_file(sealed.as_fd(), &args, &env)
}

/// memfd_create(2): nobody can write to it, whatever his capabilities.
fn sealed_copy(exe: BorrowedFd) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let create = |flags| {
        // SAFETY: the name is NUL-terminated.
        owned(unsafe { libc::memfd_create(c"tierce".as_ptr(), flags) }.into())
    };
    // Kernels before 6.3 do not know the flag and need none (memfd_create(2)).
    let copy = create(flags | libc::MFD_EXEC).or_else(|_| create(flags))?;
    let mut left = super::fs::fstat(exe)?.size;
    let mut offset = 0;
    while left > 0 {
        // SAFETY: the offset is a valid integer, both are fds.
        let sent =
            unsafe { libc::sendfile(copy.as_raw_fd(), exe.as_raw_fd(), &raw mut offset, left as usize) };
        match check(sent as libc::c_long)? {
            0 => return Err(io::Error::from_raw_os_error(libc::EIO)),
            sent => left -= sent,
        }
    }
    // SAFETY: F_ADD_SEALS takes an integer.
    check(unsafe { libc::fcntl(copy.as_raw_fd(), libc::F_ADD_SEALS, SEALS) }.into())?;
    Ok(copy)
}
