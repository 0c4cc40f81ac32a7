//! A profile compiled by libseccomp, in the way of runc and crun.

use libc::sock_filter;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use tierce::spec::config::{Seccomp, SeccompArg, SeccompRule};

/// Whether the linked version has heard of the call.
pub fn knows(name: &str) -> bool {
    ScmpSyscall::from_name(name).is_ok()
}

fn action(name: &str, errno: Option<u32>) -> ScmpAction {
    let data = errno.unwrap_or(libc::EPERM as u32);
    match name {
        "SCMP_ACT_ERRNO" => ScmpAction::Errno(data as i32),
        "SCMP_ACT_TRACE" => ScmpAction::Trace(data as u16),
        "SCMP_ACT_KILL" => ScmpAction::KillThread,
        other => ScmpAction::from_str(other, None).unwrap(),
    }
}

fn compare(arg: &SeccompArg) -> ScmpArgCompare {
    let (op, value) = match arg.op.as_str() {
        "SCMP_CMP_NE" => (ScmpCompareOp::NotEqual, arg.value),
        "SCMP_CMP_LT" => (ScmpCompareOp::Less, arg.value),
        "SCMP_CMP_LE" => (ScmpCompareOp::LessOrEqual, arg.value),
        "SCMP_CMP_EQ" => (ScmpCompareOp::Equal, arg.value),
        "SCMP_CMP_GE" => (ScmpCompareOp::GreaterEqual, arg.value),
        "SCMP_CMP_GT" => (ScmpCompareOp::Greater, arg.value),
        "SCMP_CMP_MASKED_EQ" => (ScmpCompareOp::MaskedEqual(arg.value), arg.value_two),
        other => panic!("{other}"),
    };
    ScmpArgCompare::new(arg.index, op, value)
}

fn add(context: &mut ScmpFilterContext, action: ScmpAction, rule: &SeccompRule) -> Option<()> {
    let compares: Vec<_> = rule.args.iter().map(compare).collect();
    let same_arg_twice = (0..6).any(|i| rule.args.iter().filter(|arg| arg.index == i).count() > 1);
    for name in &rule.names {
        let Ok(syscall) = ScmpSyscall::from_name(name) else { continue };
        if same_arg_twice {
            for compare in &compares {
                context.add_rule_conditional(action, syscall, &[*compare]).ok()?;
            }
        } else {
            context.add_rule_conditional(action, syscall, &compares).ok()?;
        }
    }
    Some(())
}

/// libseccomp's program; `None` if it refuses the profile.
pub fn compile(profile: &Seccomp) -> Option<Vec<sock_filter>> {
    compile_for(profile, true)
}

/// The same, without the native architecture unless `native`: it cannot be mixed with ones of the
/// other endianness.
pub fn compile_for(profile: &Seccomp, native: bool) -> Option<Vec<sock_filter>> {
    let default = action(&profile.default_action, profile.default_errno_ret);
    let mut context = ScmpFilterContext::new(default).unwrap();
    if !native {
        context.remove_arch(ScmpArch::Native).unwrap();
    }
    for name in &profile.architectures {
        context.add_arch(name.parse().unwrap()).unwrap();
    }
    for rule in &profile.syscalls {
        let action = action(&rule.action, rule.errno_ret);
        if action != default {
            add(&mut context, action, rule)?;
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    context.export_bpf(file.as_fd()).unwrap();
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Some(bytes.chunks(8).map(|insn| decode(insn.try_into().unwrap(), native)).collect())
}

/// libseccomp writes instructions in the byte order of the architectures they are for.
fn decode(bytes: [u8; 8], native: bool) -> sock_filter {
    let (code, k) = ([bytes[0], bytes[1]], [bytes[4], bytes[5], bytes[6], bytes[7]]);
    let (code, k) = (u16::from_ne_bytes(code), u32::from_ne_bytes(k));
    let (code, k) = if native { (code, k) } else { (code.swap_bytes(), k.swap_bytes()) };
    sock_filter { code, jt: bytes[2], jf: bytes[3], k }
}
