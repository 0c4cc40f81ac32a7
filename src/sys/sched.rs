//! When, where and as what a process runs: sched_setattr(2), sched_setaffinity(2), ioprio_set(2),
//! set_mempolicy(2), personality(2).

use super::check;
use std::io;

/// `struct sched_attr` of sched_setattr(2), in its second version.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SchedAttr {
    /// Filled in by [`set_scheduler`].
    pub size: u32,
    /// `SCHED_…`
    pub policy: u32,
    /// `SCHED_FLAG_…`
    pub flags: u64,
    /// Of SCHED_OTHER and SCHED_BATCH.
    pub nice: i32,
    /// Of SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub runtime: u64,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub deadline: u64,
    /// Nanoseconds, of SCHED_DEADLINE.
    pub period: u64,
    /// With SCHED_FLAG_UTIL_CLAMP_MIN and _MAX.
    pub utilization: [u32; 2],
}

/// sched_setattr(2); pid 0 is the caller.
pub fn set_scheduler(pid: i32, attr: &SchedAttr) -> io::Result<()> {
    let attr = SchedAttr { size: size_of::<SchedAttr>() as u32, ..*attr };
    // SAFETY: attr has the size that it tells.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attr, 0) }).map(drop)
}

/// ioprio_set(2) `IOPRIO_WHO_PGRP`; group 0 is the caller's.
pub fn set_io_priority(group: i32, class: u32, level: u32) -> io::Result<()> {
    const IOPRIO_WHO_PGRP: i32 = 2;
    const IOPRIO_CLASS_SHIFT: u32 = 13;
    let priority = class << IOPRIO_CLASS_SHIFT | level;
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PGRP, group, priority) }).map(drop)
}

/// A set of small numbers in the kernel's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask<const WORDS: usize>([u64; WORDS]);

/// A set of CPUs.
pub type Cpus = Mask<128>;
/// A set of memory nodes.
pub type Nodes = Mask<16>;

impl<const WORDS: usize> Mask<WORDS> {
    /// Every number that there may be.
    pub const ALL: Self = Mask([u64::MAX; WORDS]);

    /// These numbers; what is too large is left out.
    pub fn of(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut words = [0; WORDS];
        for n in numbers {
            if let Some(word) = words.get_mut(n / 64) {
                *word |= 1 << (n % 64);
            }
        }
        Mask(words)
    }
}

/// sched_setaffinity(2) of the caller; the kernel leaves out what is not there, or not in its cpuset.
pub fn set_affinity(cpus: &Cpus) -> io::Result<()> {
    let size = size_of_val(&cpus.0);
    // SAFETY: pointer and size are of one array.
    check(unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size, cpus.0.as_ptr()) }).map(drop)
}

/// set_mempolicy(2) of the caller.
pub fn set_memory_policy(mode: u32, nodes: &Nodes) -> io::Result<()> {
    // The kernel takes one bit less than it is told.
    let bits = size_of_val(&nodes.0) * 8 + 1;
    // SAFETY: pointer and size are of one array.
    check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes.0.as_ptr(), bits) }).map(drop)
}

/// personality(2)
pub fn set_personality(domain: u32) -> io::Result<()> {
    // SAFETY: a plain integer.
    check(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(domain)) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_its_numbers_and_no_others() {
        let mask = Mask::<2>::of([0, 3, 64, 127, 128]);
        assert_eq!(mask, Mask([0b1001, 1 | 1 << 63]));
    }

    #[test]
    fn the_structure_is_that_of_the_kernel() {
        assert_eq!(size_of::<SchedAttr>(), 56);
    }
}
