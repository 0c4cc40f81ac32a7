//! From the name of a system call to its numbers on one architecture.
//!
//! The tables are libseccomp's; ours only adds what the linked version is too old for.

use super::arch::{Arch, Multiplexer};
use libseccomp::{ScmpArch, ScmpSyscall};

/// Calls newer than libseccomp 2.5: they have one number on all architectures, plus
/// [`Arch::base`], unless they exist on one only (the kernel's `syscall.tbl` files).
const NEWER: [(&str, u32, Option<ScmpArch>); 23] = [
    ("cachestat", 451, None),
    ("fchmodat2", 452, None),
    ("futex_wake", 454, None),
    ("futex_wait", 455, None),
    ("futex_requeue", 456, None),
    ("statmount", 457, None),
    ("listmount", 458, None),
    ("lsm_get_self_attr", 459, None),
    ("lsm_set_self_attr", 460, None),
    ("lsm_list_modules", 461, None),
    ("mseal", 462, None),
    ("setxattrat", 463, None),
    ("getxattrat", 464, None),
    ("listxattrat", 465, None),
    ("removexattrat", 466, None),
    ("open_tree_attr", 467, None),
    ("file_getattr", 468, None),
    ("file_setattr", 469, None),
    ("listns", 470, None),
    ("rseq_slice_yield", 471, None),
    ("uretprobe", 335, Some(ScmpArch::X8664)),
    ("uprobe", 336, Some(ScmpArch::X8664)),
    ("riscv_hwprobe", 258, Some(ScmpArch::Riscv64)),
];

/// Where a system call can be made on an architecture.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Its own number.
    pub direct: Option<u32>,
    /// `socketcall` or `ipc` and the first argument that selects it.
    pub multiplexed: Option<(u32, u32)>,
}

impl Numbers {
    fn direct(number: u32) -> Self {
        Numbers { direct: Some(number), multiplexed: None }
    }
}

/// The numbers of `name` on `arch`; empty if the architecture lacks it, `None` if nothing is known
/// of that name.
pub(super) fn resolve(name: &str, arch: &Arch) -> Option<Numbers> {
    match ScmpSyscall::from_name_by_arch(name, arch.token) {
        Ok(syscall) => Some(from_libseccomp(syscall.as_raw_syscall(), arch)),
        Err(_) => newer(name, arch),
    }
}

/// libseccomp marks calls that an architecture lacks, or has behind a multiplexer, by negative numbers:
/// -100 - n is `socketcall` n, -200 - n is `ipc` n (`seccomp-syscalls.h`, `__PNR_*`).
fn from_libseccomp(number: i32, arch: &Arch) -> Numbers {
    if let Ok(number) = u32::try_from(number) {
        return Numbers::direct(number);
    }
    let (Some(by), call) = (arch.multiplexer, number.unsigned_abs()) else {
        return Numbers::default();
    };
    let (multiplexer, call, direct) = match call {
        101..=120 => (by.socketcall, call - 100, u32::from(by.sockets[call as usize - 100])),
        201..=224 => (by.ipc, call - 200, direct_ipc(call - 200, by, arch.base)),
        _ => return Numbers::default(),
    };
    Numbers { direct: (direct != 0).then_some(direct), multiplexed: Some((multiplexer, call)) }
}

/// The direct number of an `ipc` call; all ABIs got them at once, in Linux 5.1.
fn direct_ipc(call: u32, by: &Multiplexer, base: u32) -> u32 {
    match call {
        2 => base + 393,
        3 => base + 394,
        4 => u32::from(by.semtimedop),
        11 => base + 400,
        12 => base + 401,
        13 => base + 399,
        14 => base + 402,
        21 => base + 397,
        22 => base + 398,
        23 => base + 395,
        24 => base + 396,
        _ => 0,
    }
}

fn newer(name: &str, arch: &Arch) -> Option<Numbers> {
    let (_, number, only) = NEWER.iter().find(|(newer, ..)| *newer == name)?;
    Some(match only {
        Some(only) if *only != arch.token => Numbers::default(),
        _ => Numbers::direct(arch.base + number),
    })
}

#[cfg(test)]
mod tests {
    use super::super::arch;
    use super::*;
    use std::collections::BTreeMap;

    /// libseccomp's names by number, without the multiplexed numbers it resolves names to.
    fn by_number(arch: &Arch) -> BTreeMap<String, u32> {
        let numbers = arch.base..arch.base + 480;
        let name = |n: u32| ScmpSyscall::from(n as i32).get_name_by_arch(arch.token).ok();
        numbers.filter_map(|n| Some((name(n)?, n))).collect()
    }

    #[test]
    fn direct_numbers_are_those_that_libseccomp_names() {
        for name in arch::known() {
            let arch = arch::by_name(name).unwrap();
            for (name, number) in by_number(arch) {
                assert_eq!(resolve(&name, arch).unwrap().direct, Some(number), "{name} on {}", arch.name);
            }
        }
    }

    #[test]
    fn multiplexers_are_where_libseccomp_has_them() {
        for name in arch::known() {
            let arch = arch::by_name(name).unwrap();
            let own = |name| resolve(name, arch).unwrap().direct;
            assert_eq!(own("socketcall"), arch.multiplexer.map(|by| by.socketcall), "{name}");
            assert_eq!(own("ipc"), arch.multiplexer.map(|by| by.ipc), "{name}");
            let sub = arch.multiplexer.map(|by| (by.ipc, 24));
            assert_eq!(resolve("shmctl", arch).unwrap().multiplexed, sub, "{name}");
        }
    }

    #[test]
    fn our_numbers_agree_with_libseccomp_where_it_has_them() {
        let x86_64 = arch::by_name("SCMP_ARCH_X86_64").unwrap();
        let x32 = arch::by_name("SCMP_ARCH_X32").unwrap();
        for arch in [x86_64, x32, arch::by_name("SCMP_ARCH_MIPS").unwrap()] {
            for (name, ..) in NEWER.iter().filter(|(.., only)| only.is_none()) {
                if ScmpSyscall::from_name_by_arch(name, arch.token).is_ok() {
                    assert_eq!(resolve(name, arch), newer(name, arch), "{name} on {}", arch.name);
                }
            }
        }
        assert_eq!(newer("mseal", x86_64), Some(Numbers::direct(libc::SYS_mseal as u32)));
        assert_eq!(newer("mseal", x32), Some(Numbers::direct(arch::X32_BIT + 462)));
        assert_eq!(newer("uretprobe", x86_64), Some(Numbers::direct(335)));
        assert_eq!(newer("uretprobe", x32), Some(Numbers::default()));
    }

    #[test]
    fn a_call_that_an_architecture_lacks_is_not_an_unknown_one() {
        let x86_64 = arch::by_name("SCMP_ARCH_X86_64").unwrap();
        assert_eq!(resolve("breakpoint", x86_64), Some(Numbers::default()));
        assert_eq!(resolve("no_such_call", x86_64), None);
        assert_eq!(resolve("nul\0", x86_64), None);
    }
}
