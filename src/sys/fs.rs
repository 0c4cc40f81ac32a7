//! Files: openat2(2) and the `*at` family.

use super::{check, owned};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The root of all lookups that start at an absolute path or at the working directory.
pub const CWD: BorrowedFd<'static> = {
    // SAFETY: AT_FDCWD is no fd that could be closed; every *at call accepts it.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
};

/// `struct open_how` of openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// PROC_SUPER_MAGIC
pub const PROC_MAGIC: i64 = 0x9fa0;

/// DEVPTS_SUPER_MAGIC
pub const DEVPTS_MAGIC: i64 = 0x1cd1;

/// How often a lookup is repeated that the kernel could not finish.
const LOOKUPS: u32 = 1000;

/// openat2(2) with `O_CLOEXEC` and these `RESOLVE_*` bits.
///
/// # Errors
/// EAGAIN: whenever a `..` was met, somebody had just renamed or mounted something somewhere.
pub fn openat2(dir: BorrowedFd, path: &CStr, flags: i32, mode: u32, resolve: u64) -> io::Result<OwnedFd> {
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: mode.into(), resolve };
    let mut opened = Err(io::Error::from_raw_os_error(libc::EAGAIN));
    for _ in 0..LOOKUPS {
        // SAFETY: path is NUL-terminated and `how` has the size that is told.
        opened = owned(unsafe {
            libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), &how, size_of::<OpenHow>())
        });
        match &opened {
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {}
            _ => return opened,
        }
    }
    opened
}

/// Opens a path inside `root` as if that were `/`: symbolic links and `..` cannot leave it, and the
/// magic links of /proc are not followed (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS).
pub fn open_in_root(root: BorrowedFd, path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    openat2(root, path, flags, 0, libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS)
}

/// As [`open_in_root`], and no component may be a symbolic link.
pub fn open_in_root_no_symlinks(root: BorrowedFd, path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    openat2(root, path, flags, 0, libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS)
}

/// Opens a file of a process below `proc`, a checked /proc: nothing that is mounted there is entered, so that it is
/// the kernel's own file (openat2(2), RESOLVE_NO_XDEV). As good as a procfs of one's own, which would take longer.
pub fn open_in_proc(proc: BorrowedFd, path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS;
    openat2(proc, path, flags, 0, resolve)
}

/// Opens a kernel parameter below `proc`. Container managers mount parts of /proc/sys on itself, to make some read-only:
/// that is entered, but whatever is no procfs is refused (EXDEV).
pub fn open_sysctl(proc: BorrowedFd, path: &CStr) -> io::Result<OwnedFd> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS;
    let file = openat2(proc, path, libc::O_WRONLY, 0, resolve)?;
    match statfs_magic(file.as_fd())? {
        PROC_MAGIC => Ok(file),
        _ => Err(io::Error::from_raw_os_error(libc::EXDEV)),
    }
}

/// openat(2) with `O_CLOEXEC`; the last component may be a symbolic link.
pub fn openat(dir: BorrowedFd, path: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: path is NUL-terminated.
    owned(unsafe {
        libc::syscall(libc::SYS_openat, dir.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC, mode)
    })
}

/// Opens and creates a file that must not be there yet.
pub fn create_new(dir: BorrowedFd, name: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    openat(dir, name, flags | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW, mode)
}

/// mkdirat(2)
pub fn mkdirat(dir: BorrowedFd, path: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), path.as_ptr(), mode) }.into()).map(drop)
}

/// unlinkat(2)
pub fn unlinkat(dir: BorrowedFd, path: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), path.as_ptr(), flags) }.into()).map(drop)
}

/// renameat(2)
pub fn renameat(dir: BorrowedFd, from: &CStr, to: &CStr) -> io::Result<()> {
    let fd = dir.as_raw_fd();
    // SAFETY: both paths are NUL-terminated.
    check(unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) }.into()).map(drop)
}

/// symlinkat(2)
pub fn symlinkat(target: &CStr, dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    // SAFETY: both strings are NUL-terminated.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }.into()).map(drop)
}

/// mknodat(2)
pub fn mknodat(dir: BorrowedFd, name: &CStr, mode: u32, major: u32, minor: u32) -> io::Result<()> {
    let dev = libc::makedev(major, minor);
    // SAFETY: name is NUL-terminated.
    check(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, dev) }.into()).map(drop)
}

/// fchownat(2) of the entry itself, never of what a symbolic link names.
pub fn chownat(dir: BorrowedFd, name: &CStr, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: name is NUL-terminated.
    check(
        unsafe { libc::fchownat(dir.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) }.into(),
    )
    .map(drop)
}

/// fchown(2)
pub fn fchown(fd: BorrowedFd, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::fchown(fd.as_raw_fd(), uid, gid) }.into()).map(drop)
}

/// fchmod(2)
pub fn fchmod(fd: BorrowedFd, mode: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }.into()).map(drop)
}

/// What fstat(2) says of an open file.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The device that holds it.
    pub dev: u64,
    /// Bytes.
    pub size: i64,
    /// Of the last access and of the last change, in seconds and nanoseconds.
    pub times: [(i64, i64); 2],
    /// Major and minor number of a device node.
    pub rdev: (u32, u32),
    /// Inode number.
    pub ino: u64,
    /// Number of names; 0: it was removed.
    pub links: u64,
}

impl Stat {
    /// Is it of this `S_IF…` type?
    pub fn is(&self, kind: u32) -> bool {
        self.mode & libc::S_IFMT == kind
    }
}

/// fstat(2)
pub fn fstat(fd: BorrowedFd) -> io::Result<Stat> {
    stat_of(|buf| {
        // SAFETY: buf is valid for a struct stat.
        unsafe { libc::fstat(fd.as_raw_fd(), buf) }
    })
}

/// Was the file or directory behind `fd` removed?
pub fn is_removed(fd: BorrowedFd) -> io::Result<bool> {
    fstat(fd).map(|stat| stat.links == 0)
}

/// fstatat(2), following symbolic links.
pub fn statat_following(dir: BorrowedFd, path: &CStr) -> io::Result<Stat> {
    stat_of(|buf| {
        // SAFETY: path is NUL-terminated and buf is valid for a struct stat.
        unsafe { libc::fstatat(dir.as_raw_fd(), path.as_ptr(), buf, 0) }
    })
}

/// fstatat(2) of the entry itself.
pub fn statat(dir: BorrowedFd, name: &CStr) -> io::Result<Stat> {
    stat_of(|buf| {
        // SAFETY: name is NUL-terminated and buf is valid for a struct stat.
        unsafe { libc::fstatat(dir.as_raw_fd(), name.as_ptr(), buf, libc::AT_SYMLINK_NOFOLLOW) }
    })
}

fn stat_of(call: impl FnOnce(*mut libc::stat) -> i32) -> io::Result<Stat> {
    let mut buf = MaybeUninit::<libc::stat>::uninit();
    check(call(buf.as_mut_ptr()).into())?;
    // SAFETY: the call succeeded, so the kernel filled the buffer.
    let st = unsafe { buf.assume_init() };
    Ok(Stat {
        mode: st.st_mode,
        uid: st.st_uid,
        gid: st.st_gid,
        dev: st.st_dev,
        size: st.st_size,
        times: [(st.st_atime, st.st_atime_nsec), (st.st_mtime, st.st_mtime_nsec)],
        rdev: (libc::major(st.st_rdev), libc::minor(st.st_rdev)),
        ino: st.st_ino,
        links: st.st_nlink,
    })
}

/// The magic number of the filesystem that holds `fd` (statfs(2)).
pub fn statfs_magic(fd: BorrowedFd) -> io::Result<i64> {
    let mut buf = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: buf is valid for a struct statfs.
    check(unsafe { libc::fstatfs(fd.as_raw_fd(), buf.as_mut_ptr()) }.into())?;
    // SAFETY: the call succeeded, so the kernel filled the buffer.
    Ok(unsafe { buf.assume_init() }.f_type)
}

/// faccessat(2) with the real ids: may this process execute it?
pub fn is_executable(path: &CStr) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, 0) }.into()).map(drop)
}

/// faccessat2(2) with the effective ids: may this process write to it?
pub fn may_write(path: &CStr) -> io::Result<()> {
    let (cwd, flags) = (libc::AT_FDCWD, libc::AT_EACCESS);
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_faccessat2, cwd, path.as_ptr(), libc::W_OK, flags) }).map(drop)
}

/// getxattr(2): has the file this extended attribute with this short value?
pub fn has_xattr(path: &CStr, name: &CStr, value: &[u8]) -> bool {
    let mut buf = [0u8; 16];
    // SAFETY: both strings are NUL-terminated, pointer and length are of one array.
    let n = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buf.as_mut_ptr().cast(), buf.len()) };
    usize::try_from(n).is_ok_and(|n| buf[..n] == *value)
}

/// fsetxattr(2)
pub fn set_xattr(fd: BorrowedFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    let (fd, pointer, length) = (fd.as_raw_fd(), value.as_ptr().cast(), value.len());
    // SAFETY: name is NUL-terminated, pointer and length are of one slice.
    check(unsafe { libc::fsetxattr(fd, name.as_ptr(), pointer, length, 0) }.into()).map(drop)
}

/// write(2) of a whole small buffer; a short write is an error (files of /proc and cgroups).
pub fn write_once(fd: BorrowedFd, data: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are of one slice.
    let n = check(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) } as libc::c_long)?;
    if n as usize == data.len() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EIO)) }
}

/// lseek(2) to the beginning.
pub fn rewind(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_SET) } as libc::c_long).map(drop)
}

/// read(2)
pub fn read(fd: BorrowedFd, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are of one slice.
    let n = check(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) } as libc::c_long)?;
    Ok(n as usize)
}

/// pread(2)
pub fn pread(fd: BorrowedFd, buf: &mut [u8], offset: i64) -> io::Result<usize> {
    // SAFETY: pointer and length are of one slice.
    let n = unsafe { libc::pread(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), offset) };
    Ok(check(n as libc::c_long)? as usize)
}

/// write(2)
pub fn write(fd: BorrowedFd, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are of one slice.
    let n = check(unsafe { libc::write(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len()) } as libc::c_long)?;
    Ok(n as usize)
}

/// flock(2) `LOCK_EX | LOCK_NB`: false if somebody else has it.
pub fn try_lock(fd: BorrowedFd) -> io::Result<bool> {
    // SAFETY: plain integers.
    match check(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }.into()) {
        Err(e) if e.raw_os_error() == Some(libc::EWOULDBLOCK) => Ok(false),
        locked => locked.map(|_| true),
    }
}

/// flock(2) `LOCK_UN`, also of what a child inherited.
pub fn unlock(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_UN) }.into()).map(drop)
}

/// chdir(2)
pub fn chdir(path: &CStr) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::chdir(path.as_ptr()) }.into()).map(drop)
}

/// fchdir(2)
pub fn fchdir(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: a plain fd.
    check(unsafe { libc::fchdir(fd.as_raw_fd()) }.into()).map(drop)
}

/// chroot(2)
pub fn chroot(path: &CStr) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::chroot(path.as_ptr()) }.into()).map(drop)
}

/// Is the working directory below this process's root? The kernel prefixes the path with
/// `(unreachable)` where it is not (getcwd(2); CVE-2024-21626).
pub fn cwd_is_inside_root() -> io::Result<()> {
    let mut buf = [0u8; libc::PATH_MAX as usize];
    // SAFETY: pointer and length are of one array.
    check(unsafe { libc::syscall(libc::SYS_getcwd, buf.as_mut_ptr(), buf.len()) })?;
    if buf[0] == b'/' { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOENT)) }
}

/// Is `fd` open, and inherited? Those of this program are all close-on-exec.
pub fn is_inherited(fd: i32) -> bool {
    // SAFETY: F_GETFD touches nothing.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Sets close-on-exec on `first` and all fds above it (close_range(2)).
pub fn cloexec_from(first: u32) -> io::Result<()> {
    // SAFETY: only flags are changed, no fd is closed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// Closes `first` and all fds above it but these (close_range(2)), whoever owns them: for a process that
/// will execute a program and nothing else.
pub fn close_all_but(keep: &[BorrowedFd], first: u32) -> io::Result<()> {
    let mut from = first;
    loop {
        let kept = keep.iter().map(|fd| fd.as_raw_fd() as u32).filter(|fd| *fd >= from).min();
        if kept != Some(from) {
            let to = kept.map_or(u32::MAX, |fd| fd - 1);
            // SAFETY: the caller sees to it that none of these is used any more.
            check(unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) })?;
        }
        match kept {
            Some(fd) => from = fd + 1,
            None => return Ok(()),
        }
    }
}

/// dup2(2) onto one of the standard streams; the copy stays open over execve.
pub fn dup_onto_stdio(fd: impl AsFd, target: i32) -> io::Result<()> {
    assert!((0..=2).contains(&target));
    // SAFETY: the standard streams are owned by nobody in this program.
    check(unsafe { libc::dup2(fd.as_fd().as_raw_fd(), target) }.into()).map(drop)
}

/// The standard stream with this number.
pub fn stdio(number: i32) -> BorrowedFd<'static> {
    assert!((0..=2).contains(&number));
    // SAFETY: main makes sure that 0 to 2 are open, and nothing closes them.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// An fd that another process has put into the table of fds which it shares with this one.
pub fn shared(fd: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: not -1; should nothing be open there, every call says EBADF.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Is there an entry of this name (faccessat(2), F_OK, the entry itself)?
pub fn exists(dir: BorrowedFd, name: &CStr) -> bool {
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: name is NUL-terminated.
    unsafe { libc::faccessat(dir.as_raw_fd(), name.as_ptr(), libc::F_OK, flags) == 0 }
}

/// Sets `O_NONBLOCK` on the open file description.
pub fn set_nonblocking(fd: BorrowedFd) -> io::Result<()> {
    change_flags(fd, |flags| flags | libc::O_NONBLOCK)
}

/// Takes `O_NONBLOCK` off the open file description.
pub fn set_blocking(fd: BorrowedFd) -> io::Result<()> {
    change_flags(fd, |flags| flags & !libc::O_NONBLOCK)
}

fn change_flags(fd: BorrowedFd, change: impl FnOnce(i32) -> i32) -> io::Result<()> {
    // SAFETY: F_GETFL takes no argument.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }.into())?;
    // SAFETY: F_SETFL takes an integer.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, change(flags as i32)) }.into()).map(drop)
}

/// pipe2(2) with `O_CLOEXEC`: the end to read from, the end to write to.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1i32; 2];
    // SAFETY: fds has room for two.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }.into())?;
    Ok((owned(fds[0].into())?, owned(fds[1].into())?))
}
