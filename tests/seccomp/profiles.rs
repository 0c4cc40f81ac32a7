//! Profiles to compile: made from JSON, from files, and at random.

use std::collections::BTreeSet;
use tierce::spec::config::{Seccomp, SeccompArg, SeccompRule};

/// A profile from its JSON.
pub fn json(text: &str) -> Seccomp {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A profile with these rules for x86_64, x86, x32 and aarch64.
pub fn with_rules(default: &str, rules: &str) -> Seccomp {
    json(&format!(
        r#"{{"defaultAction":"{default}","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_AARCH64"],"syscalls":[{rules}]}}"#
    ))
}

/// The profiles that managers send.
pub fn real() -> [(&'static str, Seccomp); 3] {
    [
        ("docker", json(include_str!("../data/seccomp/docker-28.json"))),
        ("podman", json(include_str!("../data/seccomp/podman-5.8.json"))),
        ("cri-o", json(include_str!("../data/seccomp/crio.json"))),
    ]
}

/// xorshift64, so that a failure can be had again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `end` - 1.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    pub fn value(&mut self, of: &[u64]) -> u64 {
        of[self.below(of.len())]
    }
}

pub const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "close",
    "socket",
    "connect",
    "accept",
    "recv",
    "sendmmsg",
    "shmat",
    "semop",
    "msgctl",
    "clone",
    "personality",
    "ioctl",
    "execve",
    "getpid",
    "clone3",
    "openat2",
    "socketcall",
    "ipc",
    "cacheflush",
    "preadv2",
    "no_such_call",
];

/// Those that every architecture has, under a number of their own.
pub const EVERYWHERE: [&str; 12] = [
    "read",
    "write",
    "close",
    "socket",
    "connect",
    "clone",
    "personality",
    "execve",
    "getpid",
    "clone3",
    "openat2",
    "preadv2",
];

pub const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

pub const OPERATORS: [&str; 7] = [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
];

/// Values with bits in the low half, the high half, and both.
pub const WIDE: [u64; 10] =
    [0, 1, 2, 5, 0xff, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0005, 0x2_0000_0000, u64::MAX];
/// Values of 32 bits.
pub const NARROW: [u64; 8] = [0, 1, 2, 3, 5, 8, 0xff, 0xffff_ffff];

pub const LITTLE_ENDIAN: [&str; 9] = [
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
];

/// A condition with an operator of `operators` and values of `values`.
pub fn arg(random: &mut Random, index: u32, operators: &[&str], values: &[u64]) -> SeccompArg {
    let op = random.pick(operators).to_owned();
    SeccompArg { index, op, value: random.value(values), value_two: random.value(values) }
}

/// `names` calls, `action`, and no conditions.
pub fn rule(random: &mut Random, names: usize, action: &str) -> SeccompRule {
    let names: BTreeSet<_> = (0..names).map(|_| random.pick(&NAMES).to_owned()).collect();
    let takes_errno = matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE");
    let errno = random.below(4) as u32 * 19;
    SeccompRule {
        names: names.into_iter().collect(),
        action: action.to_owned(),
        errno_ret: (takes_errno && errno != 0).then_some(errno),
        args: Vec::new(),
    }
}

/// A profile without rules.
pub fn empty(random: &mut Random) -> Seccomp {
    let default_action = random.pick(&ACTIONS).to_owned();
    let default_errno_ret = (default_action == "SCMP_ACT_ERRNO" && random.below(2) == 0).then_some(13);
    let mut architectures = LITTLE_ENDIAN.map(str::to_owned).to_vec();
    architectures.retain(|_| random.below(3) == 0);
    Seccomp { default_action, default_errno_ret, architectures, ..Seccomp::default() }
}

/// Anything that a profile can say.
pub fn anything(random: &mut Random) -> Seccomp {
    let mut profile = empty(random);
    for _ in 0..random.below(12) {
        let (names, action) = (1 + random.below(4), random.pick(&ACTIONS));
        let mut rule = rule(random, names, action);
        for _ in 0..random.below(4) {
            let index = random.below(4) as u32;
            rule.args.push(arg(random, index, &OPERATORS, &WIDE));
        }
        profile.syscalls.push(rule);
    }
    profile
}

/// The values at which conditions of `profile` change, for one argument or another.
pub fn boundaries(profile: &Seccomp) -> Vec<u64> {
    let constants = profile.syscalls.iter().flat_map(|rule| &rule.args);
    let constants = constants.flat_map(|arg| [arg.value, arg.value_two, arg.value & arg.value_two]);
    let around = |v: u64| [v.wrapping_sub(1), v, v.wrapping_add(1), v & 0xffff_ffff, v ^ 1 << 32, !v];
    let values: BTreeSet<_> = constants.flat_map(around).chain([0, 1, 7, u64::MAX, 1 << 63]).collect();
    values.into_iter().collect()
}
