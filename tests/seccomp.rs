//! `plan::seccomp` against libseccomp, against its own documentation, and in the kernel.
#![cfg(target_arch = "x86_64")]

#[path = "seccomp/differential.rs"]
mod differential;
#[path = "seccomp/interpreter.rs"]
mod interpreter;
#[path = "seccomp/kernel.rs"]
mod kernel;
#[path = "seccomp/oracle.rs"]
mod oracle;
#[path = "seccomp/profiles.rs"]
mod profiles;
#[path = "seccomp/reference.rs"]
mod reference;

use interpreter::{Call, run, verify};
use profiles::{json, with_rules};
use reference::X32_BIT;
use tierce::plan::seccomp::{self, check, compile};
use tierce::spec::config::Seccomp;

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const LOG: u32 = 0x7ffc_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;

fn answer(profile: &Seccomp, arch: u32, nr: u32, args: [u64; 6]) -> u32 {
    let filter = compile(profile).unwrap_or_else(|e| panic!("{e}"));
    verify(&filter.program);
    run(&filter.program, &Call { nr, arch, args })
}

fn personality(profile: &Seccomp, arg: u64) -> u32 {
    answer(profile, X86_64, 135, [arg, 0, 0, 0, 0, 0])
}

fn violations(profile: &Seccomp) -> Vec<String> {
    check(profile).into_iter().map(|v| format!("{}: {}", v.path, v.text)).collect()
}

#[test]
fn the_first_rule_without_conditions_decides() {
    let arg = r#""args":[{"index":0,"op":"SCMP_CMP_EQ","value":8}]"#;
    let rules = format!(
        r#"{{"names":["personality"],"action":"SCMP_ACT_TRAP",{arg}}},
           {{"names":["personality"],"action":"SCMP_ACT_LOG"}},
           {{"names":["personality"],"action":"SCMP_ACT_ERRNO"}}"#
    );
    assert_eq!(personality(&with_rules("SCMP_ACT_ALLOW", &rules), 8), LOG);
}

#[test]
fn a_rule_with_the_default_action_is_dropped() {
    let rules = r#"{"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":1},
                   {"names":["personality"],"action":"SCMP_ACT_TRAP"}"#;
    assert_eq!(personality(&with_rules("SCMP_ACT_ERRNO", rules), 0), TRAP);
    let rules = r#"{"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":2},
                   {"names":["personality"],"action":"SCMP_ACT_TRAP"}"#;
    assert_eq!(personality(&with_rules("SCMP_ACT_ERRNO", rules), 0), EPERM + 1);
}

#[test]
fn rules_with_conditions_have_the_documented_precedence() {
    let case = |first: (u32, &str, u64), second: (u32, &str, u64), args: [u64; 2]| {
        let rule = |(index, op, value): (u32, &str, u64), action| {
            let arg =
                format!(r#"{{"index":{index},"op":"SCMP_CMP_{op}","value":{value},"valueTwo":{value}}}"#);
            format!(r#"{{"names":["personality"],"action":"SCMP_ACT_{action}","args":[{arg}]}}"#)
        };
        let rules = format!("{},{}", rule(first, "TRAP"), rule(second, "LOG"));
        let args = [args[0], args[1], 0, 0, 0, 0];
        answer(&with_rules("SCMP_ACT_ALLOW", &rules), X86_64, 135, args)
    };
    assert_eq!(case((0, "EQ", 9), (1, "GT", 0), [9, 1]), LOG, "a higher argument");
    assert_eq!(case((0, "LT", 9), (0, "EQ", 5), [5, 0]), LOG, "EQ before LT");
    assert_eq!(case((0, "GT", 1), (0, "LT", 9), [5, 0]), LOG, "LT before GT");
    assert_eq!(case((0, "GT", 1), (0, "GT", 3), [5, 0]), LOG, "the greater value");
    assert_eq!(case((0, "LT", 9), (0, "LT", 7), [5, 0]), LOG, "of LT the smaller value");
    assert_eq!(case((0, "NE", 2), (0, "NE", 2), [5, 0]), TRAP, "the order of the profile");
    assert_eq!(case((0, "MASKED_EQ", 1), (0, "EQ", 5), [5, 0]), LOG, "a value, not a mask");
}

#[test]
fn all_conditions_must_hold_but_two_on_one_argument_are_alternatives() {
    let rules = |args| {
        let rule = format!(r#"{{"names":["personality"],"action":"SCMP_ACT_TRAP","args":[{args}]}}"#);
        with_rules("SCMP_ACT_ALLOW", &rule)
    };
    let both = rules(r#"{"index":1,"op":"SCMP_CMP_EQ","value":2},{"index":0,"op":"SCMP_CMP_EQ","value":1}"#);
    assert_eq!(answer(&both, X86_64, 135, [1, 2, 0, 0, 0, 0]), TRAP);
    assert_eq!(answer(&both, X86_64, 135, [1, 0, 0, 0, 0, 0]), ALLOW);
    let either = rules(
        r#"{"index":0,"op":"SCMP_CMP_EQ","value":2},{"index":0,"op":"SCMP_CMP_EQ","value":1},
           {"index":1,"op":"SCMP_CMP_EQ","value":7}"#,
    );
    assert_eq!(answer(&either, X86_64, 135, [1, 0, 0, 0, 0, 0]), TRAP);
    assert_eq!(answer(&either, X86_64, 135, [2, 0, 0, 0, 0, 0]), TRAP);
    assert_eq!(answer(&either, X86_64, 135, [0, 7, 0, 0, 0, 0]), TRAP);
    assert_eq!(answer(&either, X86_64, 135, [0, 0, 0, 0, 0, 0]), ALLOW);
}

#[test]
fn values_above_32_bits_are_whole_on_64_bit_and_out_of_range_on_32_bit_architectures() {
    let rule = |op, value: u64| {
        let arg = format!(r#"{{"index":0,"op":"SCMP_CMP_{op}","value":{value},"valueTwo":{value}}}"#);
        let rule = format!(r#"{{"names":["personality"],"action":"SCMP_ACT_TRAP","args":[{arg}]}}"#);
        with_rules("SCMP_ACT_ALLOW", &rule)
    };
    let x86 = |op, value| answer(&rule(op, value), X86, 136, [5, 0, 0, 0, 0, 0]);
    for (op, on_x86) in [("EQ", ALLOW), ("NE", TRAP), ("LT", TRAP), ("GT", ALLOW), ("MASKED_EQ", ALLOW)] {
        assert_eq!(x86(op, 0x1_0000_0005), on_x86, "{op}");
    }
    assert_eq!(personality(&rule("EQ", 0x1_0000_0005), 0x1_0000_0005), TRAP);
    assert_eq!(personality(&rule("EQ", 0x1_0000_0005), 5), ALLOW);
    assert_eq!(personality(&rule("LT", 0x1_0000_0005), 7), TRAP);
    assert_eq!(personality(&rule("LE", 0), 0x1_0000_0000), ALLOW);
}

#[test]
fn architectures_that_are_not_listed_kill_the_thread() {
    let profile = json(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_AARCH64"]}"#);
    let answer = |arch, nr| answer(&profile, arch, nr, [0; 6]);
    assert_eq!(answer(X86_64, 0), ALLOW, "the native one needs no mention");
    assert_eq!(answer(AARCH64, 0), ALLOW);
    assert_eq!(answer(X86, 3), KILL);
    assert_eq!(answer(X86_64, X32_BIT), KILL, "x32");
    assert_eq!(answer(X86_64, u32::MAX), ALLOW, "a call that a tracer skips");
}

#[test]
fn calls_newer_than_an_allow_list_get_enosys() {
    let rules = r#"{"names":["read","openat2","ioctl"],"action":"SCMP_ACT_ALLOW"}"#;
    let profile = with_rules("SCMP_ACT_ERRNO", rules);
    for (arch, base) in [(X86_64, 0), (X86, 0), (X86_64, X32_BIT), (AARCH64, 0)] {
        let answer = |nr| answer(&profile, arch, base + nr, [0; 6]);
        assert_eq!(answer(437), ALLOW, "openat2 on {arch:x}");
        assert_eq!(answer(436), EPERM, "close_range on {arch:x}");
        assert_eq!(answer(438), ENOSYS, "pidfd_getfd on {arch:x}");
        assert_eq!(answer(548), ENOSYS, "a call of the future on {arch:x}");
    }
    assert_eq!(answer(&profile, X86_64, X32_BIT + 514, [0; 6]), ALLOW, "ioctl on x32");
    assert_eq!(answer(&profile, X86_64, X32_BIT + 520, [0; 6]), EPERM, "execve on x32");
    assert_eq!(answer(&profile, X86_64, 520, [0; 6]), ENOSYS, "which is none on x86_64");
}

#[test]
fn enosys_is_only_for_profiles_that_deny_with_an_errno() {
    let rule = |action| format!(r#"{{"names":["read"],"action":"SCMP_ACT_{action}"}}"#);
    let new = |default, action| answer(&with_rules(default, &rule(action)), X86_64, 500, [0; 6]);
    assert_eq!(new("SCMP_ACT_ERRNO", "ALLOW"), ENOSYS);
    assert_eq!(new("SCMP_ACT_ERRNO", "ERRNO"), ENOSYS, "rules with the default action count");
    assert_eq!(new("SCMP_ACT_ALLOW", "ERRNO"), ALLOW);
    assert_eq!(new("SCMP_ACT_LOG", "ERRNO"), LOG);
    assert_eq!(new("SCMP_ACT_KILL", "ALLOW"), KILL);
    assert_eq!(new("SCMP_ACT_TRAP", "ALLOW"), TRAP);
    let nothing = json(r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":6}"#);
    assert_eq!(answer(&nothing, X86_64, 500, [0; 6]), 0x5_0006, "no call is named");
    let unknown = with_rules("SCMP_ACT_ERRNO", r#"{"names":["no_such"],"action":"SCMP_ACT_ALLOW"}"#);
    assert_eq!(answer(&unknown, X86_64, 500, [0; 6]), EPERM, "no known call is named");
}

#[test]
fn what_is_behind_a_multiplexer_is_ruled_there_too() {
    let arg = r#""args":[{"index":0,"op":"SCMP_CMP_NE","value":40}]"#;
    let rule = format!(r#"{{"names":["socket"],"action":"SCMP_ACT_ALLOW",{arg}}}"#);
    let profile = with_rules("SCMP_ACT_ERRNO", &rule);
    let x86 = |nr, first| answer(&profile, X86, nr, [first, 0, 0, 0, 0, 0]);
    assert_eq!(x86(359, 2), ALLOW, "socket(AF_INET)");
    assert_eq!(x86(359, 40), EPERM, "socket(AF_VSOCK)");
    assert_eq!(x86(102, 1), ALLOW, "socketcall(SYS_SOCKET)");
    assert_eq!(x86(102, 2), EPERM, "socketcall(SYS_BIND)");
    assert_eq!(x86(360, 2), ENOSYS);
}

#[test]
fn names_that_mean_nothing_are_told_once() {
    let rules = r#"{"names":["read","no_such","breakpoint","other"],"action":"SCMP_ACT_ALLOW"},
                   {"names":["no_such"],"action":"SCMP_ACT_TRAP"}"#;
    assert_eq!(compile(&with_rules("SCMP_ACT_ERRNO", rules)).unwrap().unknown, ["no_such", "other"]);
}

#[test]
fn flags_are_those_that_seccomp_2_takes() {
    let flags_of = |action: &str, flags: Option<&[&str]>| {
        let mut profile =
            with_rules("SCMP_ACT_ALLOW", &format!(r#"{{"names":["read"],"action":"{action}"}}"#));
        profile.flags = flags.map(|f| f.iter().map(|flag| format!("SECCOMP_FILTER_FLAG_{flag}")).collect());
        let filter = compile(&profile).unwrap();
        assert_eq!(filter.notify, action == "SCMP_ACT_NOTIFY");
        filter.flags
    };
    assert_eq!(flags_of("SCMP_ACT_TRAP", None), 4, "SPEC_ALLOW");
    let flags = |action: &str, flags: &[&str]| flags_of(action, Some(flags));
    assert_eq!(flags("SCMP_ACT_TRAP", &[]), 0);
    assert_eq!(flags("SCMP_ACT_TRAP", &["LOG"]), 2);
    assert_eq!(flags("SCMP_ACT_TRAP", &["TSYNC", "SPEC_ALLOW"]), 5);
    assert_eq!(flags("SCMP_ACT_TRAP", &["WAIT_KILLABLE_RECV"]), 0, "needs a listener");
    assert_eq!(flags("SCMP_ACT_NOTIFY", &["WAIT_KILLABLE_RECV"]), 32 | 8);
    assert_eq!(flags("SCMP_ACT_NOTIFY", &["TSYNC"]), 1 | 8 | 16);
}

#[test]
fn all_mistakes_are_found_with_their_place_and_value() {
    let profile = json(
        r#"{"defaultAction":"SCMP_ACT_DENY","architectures":["SCMP_ARCH_X86","SCMP_ARCH_Z80"],
            "flags":["SECCOMP_FILTER_FLAG_LOG","FAST"],
            "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1},
                        {"names":[""],"action":"SCMP_ACT_ERRNO","errnoRet":5000},
                        {"names":[],"action":"","args":[{"index":0,"op":"SCMP_CMP_EQ","value":1}]},
                        {"names":["read"],"action":"SCMP_ACT_TRACE","errnoRet":65536,
                         "args":[{"index":7,"op":"EQ","value":1}]}]}"#,
    );
    let found = violations(&profile);
    assert_eq!(
        found,
        [
            r#"linux.seccomp.defaultAction: "SCMP_ACT_DENY" is not a seccomp action"#,
            r#"linux.seccomp.architectures[1]: "SCMP_ARCH_Z80" is not an architecture we know"#,
            r#"linux.seccomp.flags[1]: "FAST" is not a seccomp flag"#,
            "linux.seccomp.syscalls[0].errnoRet: 1 is given, but SCMP_ACT_ALLOW takes no errno",
            r#"linux.seccomp.syscalls[1].names[0]: "" is not the name of a system call"#,
            "linux.seccomp.syscalls[1].errnoRet: 5000 is not 0 to 4095",
            "linux.seccomp.syscalls[2].names: is empty",
            r#"linux.seccomp.syscalls[2].action: "" is not a seccomp action"#,
            "linux.seccomp.syscalls[3].errnoRet: 65536 is not 0 to 65535",
            "linux.seccomp.syscalls[3].args[0].index: 7 is not 0 to 5",
            r#"linux.seccomp.syscalls[3].args[0].op: "EQ" is not a comparison operator"#,
        ]
    );
    let error = compile(&profile).unwrap_err().to_string();
    assert!(found.iter().all(|line| error.contains(line)), "{error}");
}

#[test]
fn the_words_we_offer_are_the_words_we_take() {
    for action in seccomp::actions() {
        let rules = format!(r#"{{"names":["read"],"action":"{action}"}}"#);
        assert_eq!(violations(&with_rules(action, &rules)), [""; 0]);
    }
    let mut profile = with_rules("SCMP_ACT_ALLOW", "");
    profile.architectures = seccomp::architectures().iter().map(|name| name.to_string()).collect();
    profile.flags = seccomp::flags().iter().map(|name| Some(name.to_string())).collect();
    assert!(profile.architectures.len() >= 19 && seccomp::flags().len() == 4);
    assert_eq!(violations(&profile), [""; 0]);
    assert_eq!(seccomp::operators(), profiles::OPERATORS);
    compile(&profile).unwrap();
}

#[test]
fn a_profile_too_long_for_the_kernel_is_refused_with_both_numbers() {
    let rule = |value| {
        let arg = format!(r#"{{"index":0,"op":"SCMP_CMP_EQ","value":{value}}}"#);
        format!(r#"{{"names":["personality"],"action":"SCMP_ACT_TRAP","args":[{arg}]}}"#)
    };
    let rules = |n| (0..n).map(rule).collect::<Vec<_>>().join(",");
    let fits = with_rules("SCMP_ACT_ALLOW", &rules(300));
    assert_eq!(personality(&fits, 299), TRAP);
    assert_eq!(personality(&fits, 300), ALLOW);
    let error = compile(&with_rules("SCMP_ACT_ALLOW", &rules(2000))).unwrap_err().to_string();
    assert!(error.starts_with("linux.seccomp: needs "), "{error}");
    assert!(error.ends_with(" instructions, the kernel takes 4096"), "{error}");
}
