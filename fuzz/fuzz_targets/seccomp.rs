//! Seccomp profiles: the program that comes of one, interpreted, against what the profile means by the
//! documentation, call by call.
#![no_main]
#![cfg(target_arch = "x86_64")]

#[path = "../../tests/seccomp/interpreter.rs"]
#[allow(dead_code)]
mod interpreter;
#[path = "../../tests/seccomp/profiles.rs"]
#[allow(dead_code)]
mod profiles;
#[path = "../../tests/seccomp/reference.rs"]
#[allow(dead_code)]
mod reference;

use interpreter::{Call, run, verify};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use profiles::{ACTIONS, LITTLE_ENDIAN, NAMES, OPERATORS, WIDE, boundaries};
use reference::{ABIS, Abi, Meaning, X32_BIT};
use tierce::plan::seccomp::{check, compile};
use tierce::spec::config::{Seccomp, SeccompArg, SeccompRule};
use tierce_fuzz::complaints::is_one_line;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut input = Unstructured::new(bytes);
    let Ok(profile) = profile(&mut input) else { return Corpus::Reject };
    let mistakes = check(&profile);
    mistakes.iter().for_each(|mistake| is_one_line(&mistake.to_string()));
    let filter = match compile(&profile) {
        Ok(filter) => filter,
        Err(error) => {
            is_one_line(&error.one_line());
            let too_long = error.to_string().ends_with(" instructions, the kernel takes 4096");
            assert!(too_long || !mistakes.is_empty(), "{error}");
            return Corpus::Keep;
        }
    };
    assert!(mistakes.is_empty(), "{mistakes:?} in {profile:?}");
    verify(&filter.program);
    let meaning = Meaning::new(&profile, &ABIS);
    for call in calls(&mut input, &profile) {
        let (is, should) = (run(&filter.program, &call), meaning.of(&call));
        assert_eq!(is, should, "{is:#x} for {should:#x}: {call:x?} {profile:?}");
    }
    Corpus::Keep
});

fn profile(input: &mut Unstructured) -> Result<Seccomp> {
    let default_action = word(input, &ACTIONS)?;
    let default_errno_ret = errno(input, &default_action)?;
    let listed: u16 = input.arbitrary()?;
    let architectures = LITTLE_ENDIAN.iter().enumerate().filter(|(i, _)| listed >> i & 1 != 0);
    let architectures = architectures.map(|(_, name)| (*name).to_owned()).collect();
    let mut syscalls = Vec::new();
    for _ in 0..input.int_in_range(0..=12)? {
        syscalls.push(rule(input)?);
    }
    Ok(Seccomp { default_action, default_errno_ret, architectures, syscalls, ..Seccomp::default() })
}

fn rule(input: &mut Unstructured) -> Result<SeccompRule> {
    let action = word(input, &ACTIONS)?;
    let errno_ret = errno(input, &action)?;
    let (mut names, mut args) = (Vec::new(), Vec::new());
    for _ in 0..input.int_in_range(1..=4)? {
        names.push(name(input)?);
    }
    for _ in 0..input.int_in_range(0..=5)? {
        let index = input.int_in_range(0..=5)?;
        let op = word(input, &OPERATORS)?;
        args.push(SeccompArg { index, op, value: value(input)?, value_two: value(input)? });
    }
    Ok(SeccompRule { names, action, errno_ret, args })
}

fn word(input: &mut Unstructured, of: &[&str]) -> Result<String> {
    // Now and then one that means nothing, which is complained of.
    Ok(if input.ratio(1, 64)? { "SCMP".to_owned() } else { (*input.choose(of)?).to_owned() })
}

/// One of those that behave in their own ways, or any that the native architecture has.
fn name(input: &mut Unstructured) -> Result<String> {
    let number = input.int_in_range(0..=511)?;
    let any = libseccomp::ScmpSyscall::from(number).get_name().ok().filter(|_| number % 2 == 0);
    any.map_or_else(|| Ok((*input.choose(&NAMES)?).to_owned()), Ok)
}

fn errno(input: &mut Unstructured, action: &str) -> Result<Option<u32>> {
    let takes = matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE") || input.ratio(1, 64)?;
    Ok(if takes && input.arbitrary()? { Some(input.int_in_range(0..=4096)?) } else { None })
}

fn value(input: &mut Unstructured) -> Result<u64> {
    if input.ratio(3, 4)? { Ok(*input.choose(&WIDE)?) } else { input.arbitrary() }
}

/// All numbers on each architecture of the profile, and what conditions tell apart, with arguments that the
/// rest of the input picks.
fn calls(input: &mut Unstructured, profile: &Seccomp) -> Vec<Call> {
    let values = boundaries(profile);
    let mut calls = Vec::new();
    let mut picked = seed(input);
    let mut next = move |end: usize| {
        picked ^= picked << 13;
        picked ^= picked >> 7;
        picked ^= picked << 17;
        (picked >> 11) as usize % end
    };
    for abi in ABIS.iter() {
        let used = abi.is_listed(profile) || abi.name == ABIS[0].name;
        // An architecture that is not listed kills, whatever the number is.
        let numbers = if used { abi.base..abi.base + 500 } else { abi.base..abi.base + 4 };
        for nr in numbers.chain([X32_BIT - 1, X32_BIT, 0xf_0002, 0x7fff_ffff, u32::MAX]) {
            let many = used && (abi.is_multiplexer(nr) || abi.has_conditions(profile, nr));
            for _ in 0..if many { 24 } else { 1 } {
                let mut args = [0; 6].map(|_| values[next(values.len())]);
                if abi.is_multiplexer(nr) && next(4) > 0 {
                    args[0] = args[0] & 0xffff_ffff_0000_0000 | next(26) as u64;
                }
                calls.push(Call { nr, arch: abi.audit, args });
            }
        }
    }
    calls.push(Call { nr: 0, arch: 0xdead_beef, args: [0; 6] });
    calls
}

fn seed(input: &mut Unstructured) -> u64 {
    input.arbitrary::<u64>().unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}
