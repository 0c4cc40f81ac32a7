//! Whole filters, compared call by call with libseccomp's and with the documented meaning.

use crate::interpreter::{Call, run, run_endian, verify};
use crate::oracle;
use crate::profiles::{self, NARROW, OPERATORS, Random, WIDE, boundaries, json, with_rules};
use crate::reference::{ABIS, Abi, Meaning, X32_BIT};
use libc::sock_filter;
use tierce::plan::seccomp::compile;
use tierce::spec::config::{Seccomp, SeccompRule};

const ODD_NUMBERS: [u32; 7] =
    [X32_BIT - 1, X32_BIT, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, u32::MAX - 1, u32::MAX];

/// Calls of `abi`: all numbers, with more arguments where rules have conditions.
fn calls_of(abi: &Abi, profile: &Seccomp, random: &mut Random) -> Vec<Call> {
    let values = boundaries(profile);
    let mut calls = Vec::new();
    for nr in abi.base..abi.base + 700 {
        let multiplexer = abi.is_multiplexer(nr);
        let samples = if multiplexer || abi.has_conditions(profile, nr) { 60 } else { 1 };
        for _ in 0..samples {
            let mut args = [0; 6];
            args.fill_with(|| random.value(&values));
            if multiplexer && random.below(4) > 0 {
                args[0] = args[0] & 0xffff_ffff_0000_0000 | random.below(26) as u64;
            }
            calls.push(Call { nr, arch: abi.audit, args });
        }
    }
    let odd = (0xf_0000..0xf_0010).chain(ODD_NUMBERS);
    calls.extend(odd.map(|nr| Call { nr, arch: abi.audit, args: [0; 6] }));
    calls
}

/// Calls of all ABIs of the profile, and of some that it does not list.
fn calls(profile: &Seccomp, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed);
    let mut calls = Vec::new();
    for abi in ABIS.iter() {
        if abi.is_listed(profile) || abi.name == ABIS[0].name {
            calls.extend(calls_of(abi, profile, &mut random));
        } else {
            calls.extend((0..500).map(|nr| Call { nr: abi.base + nr, arch: abi.audit, args: [0; 6] }));
        }
    }
    calls.extend((0..500).chain(ODD_NUMBERS).map(|nr| Call { nr, arch: 0xdead_beef, args: [0; 6] }));
    calls
}

fn program(profile: &Seccomp) -> Vec<sock_filter> {
    let program = compile(profile).unwrap_or_else(|e| panic!("{e}: {profile:?}")).program;
    verify(&program);
    program
}

/// The profile without the names that the linked libseccomp is too old for.
fn for_libseccomp(profile: &Seccomp) -> Seccomp {
    let mut profile = profile.clone();
    profile.syscalls.iter_mut().for_each(|rule| rule.names.retain(|name| oracle::knows(name)));
    profile.syscalls.retain(|rule| !rule.names.is_empty());
    profile
}

/// Our program answers like libseccomp's, but for ENOSYS instead of the default action where a call is
/// too new for the profile, and for calls that are `ambiguous`. `None` if libseccomp refuses the profile.
fn compare(profile: &Seccomp, ambiguous: impl Fn(&Meaning, &Call, u32) -> bool) -> Option<()> {
    let profile = &for_libseccomp(profile);
    let meaning = Meaning::new(profile, &ABIS);
    let theirs = oracle::compile(profile)?;
    let ours = program(profile);
    let default = run(&theirs, &Call { nr: u32::MAX, arch: ABIS[0].audit, args: [0; 6] });
    for call in calls(profile, 7) {
        let (our, their) = (run(&ours, &call), run(&theirs, &call));
        if our == their {
            continue;
        }
        let too_new = our == 0x5_0026 && their == default && meaning.is_too_new(&call);
        assert!(
            too_new || ambiguous(&meaning, &call, our),
            "{our:#x}, libseccomp {their:#x}: {call:x?} {profile:?}"
        );
    }
    Some(())
}

fn never(_: &Meaning, _: &Call, _: u32) -> bool {
    false
}

#[test]
fn profiles_of_managers_mean_what_they_mean_to_libseccomp() {
    for (name, profile) in profiles::real() {
        assert!(compare(&profile, never).is_some(), "{name}");
        assert_eq!(compile(&profile).unwrap().unknown, [""; 0], "{name}");
    }
}

#[test]
fn profiles_of_managers_mean_what_is_documented() {
    for (_, profile) in profiles::real() {
        let profile = for_libseccomp(&profile);
        let (program, meaning) = (program(&profile), Meaning::new(&profile, &ABIS));
        for call in calls(&profile, 3) {
            assert_eq!(run(&program, &call), meaning.of(&call), "{call:x?}");
        }
    }
}

#[test]
fn every_operator_on_every_argument_is_libseccomps() {
    for op in OPERATORS {
        for (i, value) in NARROW.into_iter().enumerate() {
            let arg = format!(r#"{{"index":{},"op":"{op}","value":{value},"valueTwo":9}}"#, i % 6);
            let names = r#"["personality","socket","shmat"]"#;
            let rule = format!(r#"{{"names":{names},"action":"SCMP_ACT_TRAP","args":[{arg}]}}"#);
            assert!(compare(&with_rules("SCMP_ACT_ALLOW", &rule), never).is_some());
        }
    }
}

#[test]
fn every_operator_is_libseccomps_with_values_of_64_bits() {
    for op in OPERATORS {
        for value in WIDE {
            let arg = format!(r#"{{"index":1,"op":"{op}","value":{value},"valueTwo":8589934597}}"#);
            let rule = format!(r#"{{"names":["personality"],"action":"SCMP_ACT_TRAP","args":[{arg}]}}"#);
            let profile = format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#);
            assert!(compare(&json(&profile), never).is_some());
        }
    }
}

#[test]
fn every_action_is_libseccomps() {
    for default in profiles::ACTIONS {
        for action in profiles::ACTIONS {
            let rules = format!(r#"{{"names":["read","bind"],"action":"{action}"}}"#);
            assert!(compare(&with_rules(default, &rules), never).is_some());
        }
    }
}

/// libseccomp is right about these: calls that all architectures have, any rules without conditions,
/// and for a call either one rule with several conditions, or several with one each, the same action,
/// and values of 32 bits.
fn profile_for_libseccomp(random: &mut Random) -> Seccomp {
    let mut profile = profiles::empty(random);
    for _ in 0..random.below(5) {
        let (names, action) = (1 + random.below(5), random.pick(&profiles::ACTIONS));
        let mut rule = profiles::rule(random, names, action);
        rule.names.retain(|name| profiles::EVERYWHERE.contains(&name.as_str()));
        profile.syscalls.push(rule);
    }
    for name in ["uname", "kill", "ioctl"] {
        let action = random.pick(&profiles::ACTIONS);
        let mut rule = SeccompRule { names: vec![name.into()], ..profiles::rule(random, 1, action) };
        if random.below(2) == 0 {
            let indexes: Vec<_> = (0..4).filter(|_| random.below(2) == 0).collect();
            let args = indexes.into_iter().map(|i| profiles::arg(random, i, &OPERATORS, &NARROW));
            rule.args = args.collect();
            profile.syscalls.push(rule);
        } else {
            for _ in 0..random.below(4) {
                let index = random.below(3) as u32;
                rule.args = vec![profiles::arg(random, index, &OPERATORS, &NARROW)];
                profile.syscalls.push(rule.clone());
            }
        }
    }
    profile
}

#[test]
fn random_profiles_mean_what_they_mean_to_libseccomp() {
    let mut accepted = 0;
    for seed in 0..300 {
        // It refuses two actions for a call behind a multiplexer.
        accepted += usize::from(compare(&profile_for_libseccomp(&mut Random::new(seed)), never).is_some());
    }
    assert!(accepted > 250, "libseccomp took {accepted} only");
}

/// With several actions for one system call libseccomp's order depends on the size of the words. On
/// 32-bit architectures it is ours; on others, calls for which rules ask for two actions may differ.
#[test]
fn random_conflicts_are_decided_as_libseccomp_does() {
    let operators = &OPERATORS[..6];
    let mut accepted = 0;
    for seed in 0..250 {
        let random = &mut Random::new(seed);
        let mut profile = with_rules("SCMP_ACT_ALLOW", "");
        for i in 0..4 {
            let mut rule = profiles::rule(random, 1, "SCMP_ACT_ERRNO");
            rule.names = vec!["personality".into()];
            rule.errno_ret = Some(10 + i);
            let index = random.below(3) as u32;
            rule.args = vec![profiles::arg(random, index, operators, &NARROW)];
            profile.syscalls.push(rule);
        }
        let ambiguous = |meaning: &Meaning, call: &Call, our: u32| {
            let abi = meaning.abi(call).unwrap();
            let actions = meaning.matching(abi, call);
            abi.wide && actions.iter().any(|action| *action != our) && actions.contains(&our)
        };
        accepted += usize::from(compare(&profile, ambiguous).is_some());
    }
    assert!(accepted > 200, "libseccomp took {accepted} only");
}

#[test]
fn random_profiles_mean_what_is_documented() {
    for seed in 0..400 {
        let profile = profiles::anything(&mut Random::new(seed));
        let (program, meaning) = (program(&profile), Meaning::new(&profile, &ABIS));
        for call in calls(&profile, seed) {
            let (is, should) = (run(&program, &call), meaning.of(&call));
            assert_eq!(is, should, "{is:#x} for {should:#x}, seed {seed}: {call:x?} {profile:?}");
        }
    }
}

/// On a machine of the other endianness, words are elsewhere, but numbers and multiplexers are these.
#[test]
fn big_endian_architectures_are_libseccomps() {
    let big = [
        ("SCMP_ARCH_MIPS", 8),
        ("SCMP_ARCH_MIPS64", 0x8000_0008),
        ("SCMP_ARCH_MIPS64N32", 0xa000_0008),
        ("SCMP_ARCH_PPC", 20),
        ("SCMP_ARCH_PPC64", 0x8000_0015),
        ("SCMP_ARCH_S390", 22),
        ("SCMP_ARCH_S390X", 0x8000_0016),
        ("SCMP_ARCH_PARISC", 15),
        ("SCMP_ARCH_PARISC64", 0x8000_000f),
    ];
    let names = profiles::NAMES.map(|name| format!("{name:?}")).join(",");
    let arg = r#"{"index":1,"op":"SCMP_CMP_GT","value":7},{"index":0,"op":"SCMP_CMP_NE","value":40}"#;
    for (name, audit) in big {
        let mut profile = with_rules(
            "SCMP_ACT_ERRNO",
            &format!(r#"{{"names":[{names}],"action":"SCMP_ACT_ALLOW","args":[{arg}]}}"#),
        );
        profile.syscalls[0].names.retain(|name| oracle::knows(name));
        profile.architectures = vec![name.into()];
        let abis = [Abi::new(name, audit)];
        let (ours, theirs) = (program(&profile), oracle::compile_for(&profile, false).unwrap());
        let meaning = Meaning::new(&profile, &abis);
        for call in calls_of(&abis[0], &profile, &mut Random::new(1)) {
            let (our, their) = (run(&ours, &call), run_endian(&theirs, &call, true));
            let too_new = our == 0x5_0026 && their == 0x5_0001 && meaning.is_too_new(&call);
            assert!(our == their || too_new, "{name}: {our:#x}, libseccomp {their:#x}: {call:x?}");
            assert_eq!(our, meaning.of(&call), "{name}: {call:x?}");
        }
    }
}
