//! The meaning of a profile, call by call, as the documentation of `plan::seccomp` states it.

use crate::interpreter::Call;
use libseccomp::{ScmpArch, ScmpSyscall};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tierce::spec::config::{Seccomp, SeccompArg, SeccompRule};

pub const X32_BIT: u32 = 0x4000_0000;

/// Those of little endian that are tried; the native one first.
pub static ABIS: LazyLock<Vec<Abi>> = LazyLock::new(|| {
    let abis = [
        ("SCMP_ARCH_X86_64", 0xc000_003e),
        ("SCMP_ARCH_X86", 0x4000_0003),
        ("SCMP_ARCH_X32", 0xc000_003e),
        ("SCMP_ARCH_ARM", 0x4000_0028),
        ("SCMP_ARCH_AARCH64", 0xc000_00b7),
        ("SCMP_ARCH_MIPSEL", 0x4000_0008),
        ("SCMP_ARCH_MIPSEL64N32", 0xe000_0008),
        ("SCMP_ARCH_PPC64LE", 0xc000_0015),
        ("SCMP_ARCH_RISCV64", 0xc000_00f3),
    ];
    abis.into_iter().map(|(name, audit)| Abi::new(name, audit)).collect()
});

/// One architecture in the words of the kernel.
pub struct Abi {
    pub name: &'static str,
    pub audit: u32,
    /// Added to all numbers.
    pub base: u32,
    /// Whether arguments have 64 bits.
    pub wide: bool,
    /// libseccomp's names by number, found by asking for every number.
    names: BTreeMap<u32, String>,
    socketcall: u32,
    ipc: u32,
}

impl Abi {
    pub fn new(name: &'static str, audit: u32) -> Self {
        let token: ScmpArch = name.parse().unwrap();
        let base = match name {
            "SCMP_ARCH_X32" => X32_BIT,
            "SCMP_ARCH_MIPS" | "SCMP_ARCH_MIPSEL" => 4000,
            "SCMP_ARCH_MIPS64" | "SCMP_ARCH_MIPSEL64" => 5000,
            "SCMP_ARCH_MIPS64N32" | "SCMP_ARCH_MIPSEL64N32" => 6000,
            _ => 0,
        };
        let numbers = (base..base + 600).chain(0xf_0000..0xf_0010);
        let named = |n: u32| ScmpSyscall::from(n as i32).get_name_by_arch(token).ok().map(|name| (n, name));
        let number = |name| ScmpSyscall::from_name_by_arch(name, token).unwrap().as_raw_syscall();
        let wide = audit & 0xa000_0000 == 0x8000_0000 && name != "SCMP_ARCH_X32";
        let (socketcall, ipc) = (number("socketcall") as u32, number("ipc") as u32);
        Abi { name, audit, base, wide, names: numbers.filter_map(named).collect(), socketcall, ipc }
    }

    /// The names that a call could have: its own, and the one that a multiplexer gives it.
    fn names_of(&self, call: &Call) -> (Option<&str>, Option<String>) {
        let selector = call.args[0] as u32;
        let behind = match call.nr {
            nr if nr == self.socketcall && (1..=20).contains(&selector) => Some(100 + selector),
            nr if nr == self.ipc && (1..=24).contains(&selector) => Some(200 + selector),
            _ => None,
        };
        let token: ScmpArch = self.name.parse().unwrap();
        let name = |number: u32| ScmpSyscall::from(-(number as i32)).get_name_by_arch(token).ok();
        (self.names.get(&call.nr).map(String::as_str), behind.and_then(name))
    }

    pub fn is_listed(&self, profile: &Seccomp) -> bool {
        profile.architectures.iter().any(|name| name == self.name)
    }

    pub fn is_multiplexer(&self, nr: u32) -> bool {
        nr == self.socketcall || nr == self.ipc
    }

    /// Whether a rule with conditions names the call.
    pub fn has_conditions(&self, profile: &Seccomp, nr: u32) -> bool {
        let with =
            |name: &String| profile.syscalls.iter().any(|r| !r.args.is_empty() && r.names.contains(name));
        self.names.get(&nr).is_some_and(with)
    }

    /// Whether the number is one of this ABI's, among those with the same audit value.
    pub fn owns(&self, nr: u32) -> bool {
        match self.name {
            "SCMP_ARCH_X86_64" => nr < X32_BIT,
            "SCMP_ARCH_X32" => nr >= X32_BIT,
            _ => true,
        }
    }

    /// A mask without bits makes no condition.
    fn ignores(&self, arg: &SeccompArg) -> bool {
        let bits = if self.wide { u64::MAX } else { 0xffff_ffff };
        let fits = arg.value & arg.value_two & !bits == 0;
        arg.op == "SCMP_CMP_MASKED_EQ" && arg.value & bits == 0 && fits
    }

    fn tells_age(&self, nr: u32) -> bool {
        match self.name {
            "SCMP_ARCH_X32" => !(X32_BIT + 512..=X32_BIT + 547).contains(&nr),
            "SCMP_ARCH_ARM" => !(0xf_0000..0xf_0800).contains(&nr),
            _ => true,
        }
    }

    /// Whether a rule names a call that is reached through this number.
    fn is_named(&self, profile: &Seccomp, nr: u32) -> bool {
        let listed = |name: &str| profile.syscalls.iter().any(|rule| rule.names.iter().any(|n| n == name));
        let token: ScmpArch = self.name.parse().unwrap();
        let name = |n: i32| ScmpSyscall::from(-n).get_name_by_arch(token).ok();
        let mut behind = if nr == self.socketcall { 101..=120 } else { 201..=224 }.filter_map(name);
        self.names.get(&nr).is_some_and(|name| listed(name))
            || (self.is_multiplexer(nr) && behind.any(|name| listed(&name)))
    }

    /// The newest call that the profile names.
    fn newest(&self, profile: &Seccomp) -> Option<u32> {
        let numbers = self.names.keys().copied();
        numbers.filter(|nr| self.tells_age(*nr) && self.is_named(profile, *nr)).max()
    }
}

fn ret(action: &str, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1);
    match action {
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 + errno,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 + errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("{other}"),
    }
}

fn holds(arg: &SeccompArg, args: &[u64; 6], wide: bool) -> bool {
    let is = args[arg.index as usize] & if wide { u64::MAX } else { 0xffff_ffff };
    match arg.op.as_str() {
        "SCMP_CMP_NE" => is != arg.value,
        "SCMP_CMP_LT" => is < arg.value,
        "SCMP_CMP_LE" => is <= arg.value,
        "SCMP_CMP_EQ" => is == arg.value,
        "SCMP_CMP_GE" => is >= arg.value,
        "SCMP_CMP_GT" => is > arg.value,
        "SCMP_CMP_MASKED_EQ" => is & arg.value == arg.value_two & arg.value,
        other => panic!("{other}"),
    }
}

/// Smaller goes first. A condition that all arguments of 32 bits fulfil ranks as `>= 0`.
fn rank(arg: &SeccompArg, wide: bool) -> (Reverse<u32>, u8, u64) {
    let (class, value) = match arg.op.as_str() {
        "SCMP_CMP_NE" | "SCMP_CMP_LT" | "SCMP_CMP_LE" if !wide && arg.value >> 32 != 0 => (2, u64::MAX),
        "SCMP_CMP_LT" | "SCMP_CMP_LE" => (1, arg.value),
        "SCMP_CMP_GT" | "SCMP_CMP_GE" => (2, u64::MAX - arg.value),
        "SCMP_CMP_MASKED_EQ" => (0, u64::MAX - (arg.value & arg.value_two)),
        _ => (0, u64::MAX - arg.value),
    };
    (Reverse(arg.index), class, value)
}

/// The conditions of a rule, each alternative on its own.
fn alternatives(rule: &SeccompRule) -> Vec<Vec<SeccompArg>> {
    let mut args = rule.args.clone();
    args.sort_by_key(|arg| arg.index);
    if args.windows(2).any(|pair| pair[0].index == pair[1].index) {
        return args.into_iter().map(|arg| vec![arg]).collect();
    }
    vec![args]
}

/// A profile on a machine of the first of some ABIs.
pub struct Meaning<'a> {
    profile: &'a Seccomp,
    abis: &'a [Abi],
    newest: Vec<Option<u32>>,
    default: u32,
}

impl<'a> Meaning<'a> {
    pub fn new(profile: &'a Seccomp, abis: &'a [Abi]) -> Self {
        let newest = abis.iter().map(|abi| abi.newest(profile)).collect();
        Meaning { profile, abis, newest, default: ret(&profile.default_action, profile.default_errno_ret) }
    }

    /// The ABI of a call, if it is native or listed.
    pub fn abi(&self, call: &Call) -> Option<&'a Abi> {
        let listed = |abi: &&Abi| abi.name == self.abis[0].name || abi.is_listed(self.profile);
        self.abis.iter().filter(listed).find(|abi| abi.audit == call.arch && abi.owns(call.nr))
    }

    /// Whether a call gets ENOSYS instead of the default action.
    pub fn is_too_new(&self, call: &Call) -> bool {
        let Some(abi) = self.abi(call) else { return false };
        let place = self.abis.iter().position(|other| other.name == abi.name).unwrap();
        let newer = |newest| call.nr > newest && abi.tells_age(call.nr);
        let unknown_to_s390 = call.nr == 0 && abi.name.starts_with("SCMP_ARCH_S390");
        let errno = self.profile.default_action == "SCMP_ACT_ERRNO";
        errno && self.newest[place].is_some_and(|newest| newer(newest) || unknown_to_s390)
    }

    /// What becomes of a call.
    pub fn of(&self, call: &Call) -> u32 {
        let Some(abi) = self.abi(call) else {
            let native = call.arch == self.abis[0].audit;
            return if native && call.nr == u32::MAX { self.default } else { ret("SCMP_ACT_KILL", None) };
        };
        match self.matching(abi, call).first() {
            Some(action) => *action,
            None if self.is_too_new(call) => ret("SCMP_ACT_ERRNO", Some(libc::ENOSYS as u32)),
            None => self.default,
        }
    }

    /// All actions that rules with conditions ask for, the deciding one first; or only that of the
    /// deciding rule without conditions.
    pub fn matching(&self, abi: &Abi, call: &Call) -> Vec<u32> {
        let (own, behind) = abi.names_of(call);
        let mut found = Vec::new();
        for rule in &self.profile.syscalls {
            let action = ret(&rule.action, rule.errno_ret);
            for name in rule.names.iter().filter(|_| action != self.default) {
                let is_behind = Some(name) == behind.as_ref();
                if !is_behind && Some(name.as_str()) != own {
                    continue;
                }
                for mut all in alternatives(rule) {
                    if is_behind {
                        all.retain(|arg| arg.index != 0);
                        all.insert(0, selector(call));
                    }
                    all.retain(|arg| !abi.ignores(arg));
                    if all.is_empty() {
                        return vec![action];
                    }
                    if all.iter().all(|arg| holds(arg, &call.args, abi.wide)) {
                        found.push((all.iter().map(|arg| rank(arg, abi.wide)).collect::<Vec<_>>(), action));
                    }
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().map(|(_, action)| action).collect()
    }
}

/// What a multiplexer is told to do, which a rule for what is behind it must match.
fn selector(call: &Call) -> SeccompArg {
    let value = call.args[0] & 0xffff_ffff;
    SeccompArg { index: 0, value, value_two: 0, op: "SCMP_CMP_EQ".into() }
}
