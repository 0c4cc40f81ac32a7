//! The architectures of `linux.seccomp.architectures`, as the kernel tells them apart.

use libseccomp::{ScmpArch, ScmpSyscall};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// An x32 call is an `AUDIT_ARCH_X86_64` one with this bit in its number.
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// Numbers set apart long ago, so that they say nothing about how new a call is: x32's own variants
/// of 64-bit calls, and the private calls of 32-bit Arm.
const X32_LEGACY: RangeInclusive<u32> = X32_BIT + 512..=X32_BIT + 547;
const ARM_PRIVATE: RangeInclusive<u32> = 0x0f_0000..=0x0f_07ff;

/// One ABI. `x86_64` and `x32` share an audit value and split the numbers between them.
#[derive(Debug)]
pub(super) struct Arch {
    /// The name in a profile.
    pub name: &'static str,
    /// libseccomp's token for it.
    pub token: ScmpArch,
    /// `AUDIT_ARCH_*`, as in `seccomp_data.arch`.
    pub audit: u32,
    /// Whether arguments are compared as 64 bits; otherwise their low 32 bits count.
    pub wide: bool,
    /// What is added to the numbers that all architectures share since Linux 5.1.
    pub base: u32,
    /// The calls behind `socketcall(2)` and `ipc(2)`, where the ABI has those two.
    pub multiplexer: Option<&'static Multiplexer>,
}

/// The numbers of the calls that an ABI also reaches through `socketcall` and `ipc`, by sub-call;
/// 0 where there is no direct call.
#[derive(Debug)]
pub(super) struct Multiplexer {
    /// Number of `socketcall(2)`.
    pub socketcall: u32,
    /// Number of `ipc(2)`.
    pub ipc: u32,
    /// Direct calls, by the first argument of `socketcall`.
    pub sockets: [u16; 21],
    /// Direct number of `semtimedop`, the only one of `ipc` that differs.
    pub semtimedop: u16,
}

const X86: Multiplexer = Multiplexer {
    socketcall: 102,
    ipc: 117,
    sockets: [
        0, 359, 361, 362, 363, 0, 367, 368, 360, 0, 0, 369, 371, 373, 366, 365, 370, 372, 364, 337, 345,
    ],
    semtimedop: 0,
};
const S390: Multiplexer = Multiplexer {
    sockets: [
        0, 359, 361, 362, 363, 0, 367, 368, 360, 0, 0, 369, 371, 373, 366, 365, 370, 372, 364, 357, 358,
    ],
    ..X86
};
const S390X: Multiplexer = Multiplexer { semtimedop: 392, ..S390 };
const PPC: Multiplexer = Multiplexer {
    sockets: [
        0, 326, 327, 328, 329, 330, 331, 332, 333, 334, 336, 335, 337, 338, 339, 340, 341, 342, 344, 343, 349,
    ],
    ..X86
};
const PPC64: Multiplexer = Multiplexer { semtimedop: 392, ..PPC };
const MIPS: Multiplexer = Multiplexer {
    socketcall: 4102,
    ipc: 4117,
    sockets: [
        0, 4183, 4169, 4170, 4174, 4168, 4172, 4171, 4184, 4178, 4175, 4180, 4176, 4182, 4181, 4173, 4179,
        4177, 4334, 4335, 4343,
    ],
    semtimedop: 0,
};

const EM_64BIT: u32 = 0x8000_0000;
const EM_LE: u32 = 0x4000_0000;
const EM_N32: u32 = 0x2000_0000;

const fn arch(name: &'static str, token: ScmpArch, audit: u32) -> Arch {
    let wide = audit & EM_64BIT != 0 && audit & EM_N32 == 0;
    Arch { name, token, audit, wide, base: 0, multiplexer: None }
}

const fn mips(name: &'static str, token: ScmpArch, audit: u32, base: u32) -> Arch {
    let multiplexer = if base == 4000 { Some(&MIPS) } else { None };
    Arch { base, multiplexer, ..arch(name, token, audit) }
}

const fn multiplexed(name: &'static str, token: ScmpArch, audit: u32, by: &'static Multiplexer) -> Arch {
    Arch { multiplexer: Some(by), ..arch(name, token, audit) }
}

/// Every architecture we can compile for; what libseccomp has no table for is left out of [`known`].
static ALL: [Arch; 20] = [
    multiplexed("SCMP_ARCH_X86", ScmpArch::X86, EM_LE | 3, &X86),
    arch("SCMP_ARCH_X86_64", ScmpArch::X8664, EM_64BIT | EM_LE | 62),
    Arch { base: X32_BIT, wide: false, ..arch("SCMP_ARCH_X32", ScmpArch::X32, EM_64BIT | EM_LE | 62) },
    arch("SCMP_ARCH_ARM", ScmpArch::Arm, EM_LE | 40),
    arch("SCMP_ARCH_AARCH64", ScmpArch::Aarch64, EM_64BIT | EM_LE | 183),
    mips("SCMP_ARCH_MIPS", ScmpArch::Mips, 8, 4000),
    mips("SCMP_ARCH_MIPS64", ScmpArch::Mips64, EM_64BIT | 8, 5000),
    mips("SCMP_ARCH_MIPS64N32", ScmpArch::Mips64N32, EM_64BIT | EM_N32 | 8, 6000),
    mips("SCMP_ARCH_MIPSEL", ScmpArch::Mipsel, EM_LE | 8, 4000),
    mips("SCMP_ARCH_MIPSEL64", ScmpArch::Mipsel64, EM_64BIT | EM_LE | 8, 5000),
    mips("SCMP_ARCH_MIPSEL64N32", ScmpArch::Mipsel64N32, EM_64BIT | EM_N32 | EM_LE | 8, 6000),
    multiplexed("SCMP_ARCH_PPC", ScmpArch::Ppc, 20, &PPC),
    multiplexed("SCMP_ARCH_PPC64", ScmpArch::Ppc64, EM_64BIT | 21, &PPC64),
    multiplexed("SCMP_ARCH_PPC64LE", ScmpArch::Ppc64Le, EM_64BIT | EM_LE | 21, &PPC64),
    multiplexed("SCMP_ARCH_S390", ScmpArch::S390, 22, &S390),
    multiplexed("SCMP_ARCH_S390X", ScmpArch::S390X, EM_64BIT | 22, &S390X),
    arch("SCMP_ARCH_PARISC", ScmpArch::Parisc, 15),
    arch("SCMP_ARCH_PARISC64", ScmpArch::Parisc64, EM_64BIT | 15),
    arch("SCMP_ARCH_RISCV64", ScmpArch::Riscv64, EM_64BIT | EM_LE | 243),
    arch("SCMP_ARCH_LOONGARCH64", ScmpArch::Loongarch64, EM_64BIT | EM_LE | 258),
];

static KNOWN: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| ALL.iter().filter(|arch| arch.has_table()).map(|arch| arch.name).collect());

/// The names of the architectures that both we and the linked libseccomp know.
pub(super) fn known() -> &'static [&'static str] {
    &KNOWN
}

/// The architecture called `name`, if it is known.
pub(super) fn by_name(name: &str) -> Option<&'static Arch> {
    ALL.iter().find(|arch| arch.name == name).filter(|arch| arch.has_table())
}

/// The architecture that this program is built for, if it is known.
pub(super) fn native() -> Option<&'static Arch> {
    let token = ScmpArch::native();
    ALL.iter().find(|arch| arch.token == token)
}

impl Arch {
    /// Whether libseccomp can resolve names on it: every architecture has `write`.
    fn has_table(&self) -> bool {
        ScmpSyscall::from_name_by_arch("write", self.token).is_ok()
    }

    /// The numbers of this ABI under its audit value.
    pub(super) fn numbers(&self) -> RangeInclusive<u32> {
        match self.token {
            ScmpArch::X8664 => 0..=X32_BIT - 1,
            ScmpArch::X32 => X32_BIT..=u32::MAX,
            _ => 0..=u32::MAX,
        }
    }

    /// Numbers that do not tell how new a call is.
    pub(super) fn ageless(&self) -> Option<RangeInclusive<u32>> {
        match self.token {
            ScmpArch::X32 => Some(X32_LEGACY),
            ScmpArch::Arm => Some(ARM_PRIVATE),
            _ => None,
        }
    }

    /// Number 0 of s390 is what the kernel shows for every number it does not know.
    pub(super) fn zero_is_unknown(&self) -> bool {
        matches!(self.token, ScmpArch::S390 | ScmpArch::S390X)
    }
}
