//! Mounts by fd: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2).

use super::{check, owned};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_SET_FD: u32 = 5;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
const FSPICK_CLOEXEC: u32 = 1;
const FSPICK_EMPTY_PATH: u32 = 8;
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// The longest string that fsconfig(2) takes as a value.
pub const STRING_MAX: usize = 255;

/// `MOUNT_ATTR_NOSYMFOLLOW` of linux/mount.h.
pub const ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;

/// `MOUNT_ATTR_IDMAP` of linux/mount.h.
const ATTR_IDMAP: u64 = 0x0010_0000;

/// `MOUNT_ATTR__ATIME`: the access time modes are one field, to be cleared as a whole; all bits clear
/// are relatime (mount_setattr(2)).
pub const ATTR_ATIME: u64 = 0x70;

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE` or 0.
    pub propagation: u64,
    /// For `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

impl MountAttr {
    /// Nothing to change?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// fsopen(2): a new filesystem context.
pub fn fsopen(fstype: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: fstype is NUL-terminated.
    owned(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) })
}

/// fsconfig(2): a `key=value` parameter, or a flag where there is no value.
pub fn fsconfig(fs: BorrowedFd, key: &CStr, value: Option<&CStr>) -> io::Result<()> {
    let (cmd, value) = match value {
        Some(value) => (FSCONFIG_SET_STRING, value.as_ptr()),
        None => (FSCONFIG_SET_FLAG, ptr::null()),
    };
    // SAFETY: key and value are NUL-terminated or null.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), cmd, key.as_ptr(), value, 0) }).map(drop)
}

/// fsconfig(2): a parameter whose value is an open file or directory.
pub fn fsconfig_fd(fs: BorrowedFd, key: &CStr, value: BorrowedFd) -> io::Result<()> {
    let (fs, value, null) = (fs.as_raw_fd(), value.as_raw_fd(), ptr::null::<libc::c_char>());
    // SAFETY: key is NUL-terminated; the value is the fd alone.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, fs, FSCONFIG_SET_FD, key.as_ptr(), null, value) })
        .map(drop)
}

/// fsconfig(2) `FSCONFIG_CMD_CREATE`: makes or finds the superblock.
pub fn fsconfig_create(fs: BorrowedFd) -> io::Result<()> {
    fsconfig_command(fs, FSCONFIG_CMD_CREATE)
}

/// fsconfig(2) `FSCONFIG_CMD_RECONFIGURE`: changes the superblock that was picked.
pub fn fsconfig_reconfigure(fs: BorrowedFd) -> io::Result<()> {
    fsconfig_command(fs, FSCONFIG_CMD_RECONFIGURE)
}

fn fsconfig_command(fs: BorrowedFd, command: u32) -> io::Result<()> {
    let null = ptr::null::<libc::c_char>();
    // SAFETY: these commands take no key and no value.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, null, null, 0) }).map(drop)
}

/// fspick(2): the context of the superblock that is mounted at `mount`.
pub fn fspick(mount: BorrowedFd) -> io::Result<OwnedFd> {
    let flags = FSPICK_CLOEXEC | FSPICK_EMPTY_PATH;
    // SAFETY: the path is empty.
    owned(unsafe { libc::syscall(libc::SYS_fspick, mount.as_raw_fd(), c"".as_ptr(), flags) })
}

/// mount(2) of a new filesystem.
pub fn mount_new(source: &CStr, on: &CStr, fstype: &CStr, flags: u64, data: &CStr) -> io::Result<()> {
    let data = data.as_ptr().cast();
    // SAFETY: all strings are NUL-terminated; the kernel reads at most one page of the data.
    check(unsafe { libc::mount(source.as_ptr(), on.as_ptr(), fstype.as_ptr(), flags, data) }.into()).map(drop)
}

/// fsmount(2): a detached mount of the context, with these `MOUNT_ATTR_*`.
pub fn fsmount(fs: BorrowedFd, attr: u64) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), FSMOUNT_CLOEXEC, attr as u32) })
}

/// open_tree(2) with `OPEN_TREE_CLONE`: a detached copy of the mount at `path` below `dir`
/// (of `dir` itself if `path` is empty), with the mounts below it if `recursive`.
pub fn clone_tree(dir: BorrowedFd, path: &CStr, recursive: bool) -> io::Result<OwnedFd> {
    open_tree(dir, path, recursive, 0)
}

/// As [`clone_tree`], but of the symbolic link itself if the path is one.
pub fn clone_tree_of_link(dir: BorrowedFd, path: &CStr, recursive: bool) -> io::Result<OwnedFd> {
    open_tree(dir, path, recursive, libc::AT_SYMLINK_NOFOLLOW as u32)
}

fn open_tree(dir: BorrowedFd, path: &CStr, recursive: bool, flags: u32) -> io::Result<OwnedFd> {
    let mut flags = flags | libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH as u32;
    }
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    // SAFETY: path is NUL-terminated.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })
}

/// move_mount(2): attaches the mount `from` on what the fd `to` is.
pub fn move_mount(from: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let empty = c"".as_ptr();
    // SAFETY: both paths are empty strings.
    check(unsafe {
        libc::syscall(libc::SYS_move_mount, from.as_raw_fd(), empty, to.as_raw_fd(), empty, flags)
    })
    .map(drop)
}

/// mount_setattr(2) on the mount that `fd` is.
pub fn mount_setattr(fd: BorrowedFd, recursive: bool, attr: &MountAttr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is empty and attr has the size that is told.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// mount_setattr(2) `MOUNT_ATTR_IDMAP`: shows the owners in a mount that is not attached yet by the
/// maps of a user namespace.
pub fn map_ids(fd: BorrowedFd, recursive: bool, userns: BorrowedFd) -> io::Result<()> {
    let attr = MountAttr { set: ATTR_IDMAP, userns_fd: userns.as_raw_fd() as u64, ..MountAttr::default() };
    mount_setattr(fd, recursive, &attr)
}

/// mount(2) that changes only the propagation of `path`; unlike mount_setattr(2) it takes
/// `MS_REC` for a tree whose root may be anything.
pub fn set_propagation(path: &CStr, flags: u64) -> io::Result<()> {
    let null = ptr::null();
    // SAFETY: path is NUL-terminated; the other pointers may be null for a propagation change.
    check(unsafe { libc::mount(null, path.as_ptr(), null, flags, ptr::null()) }.into()).map(drop)
}

/// pivot_root(".", "."): the working directory becomes the root, the old root lies on top of it.
pub fn pivot_to_cwd() -> io::Result<()> {
    let dot = c".".as_ptr();
    // SAFETY: both strings are NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, dot, dot) }).map(drop)
}

/// umount2(2) with `MNT_DETACH`.
pub fn detach(path: &CStr) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }.into()).map(drop)
}
