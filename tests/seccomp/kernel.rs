//! Filters loaded into the running kernel, each in a child process of its own.
#![allow(unsafe_code)]

use crate::profiles::{self, json, with_rules};
use libc::{c_long, sock_fprog};
use tierce::plan::seccomp::{Filter, compile};

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Exit(i32),
    Signal(i32),
}

/// The end of a child that runs `body`, whose value is its exit status. `body` must not allocate: other
/// threads of the test may hold locks that are never released in the child.
fn child(body: impl FnOnce() -> i32) -> End {
    // SAFETY: the child only makes system calls and ends with _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let status = body();
        // SAFETY: ends this process.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the status of our own child.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Exit(libc::WEXITSTATUS(status))
    }
}

/// seccomp(2), after no_new_privs; its value or a negative errno.
fn load(filter: &Filter) -> c_long {
    let program = sock_fprog { len: filter.program.len() as u16, filter: filter.program.as_ptr().cast_mut() };
    // SAFETY: the kernel only reads `program`, which outlives the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        call(
            libc::SYS_seccomp,
            [libc::SECCOMP_SET_MODE_FILTER as u64, filter.flags.into(), &raw const program as u64],
        )
    }
}

/// A system call; its value or a negative errno.
///
/// # Safety
///
/// The arguments must be valid for the call.
unsafe fn call(nr: c_long, args: [u64; 3]) -> c_long {
    // SAFETY: as the caller has it.
    let value = unsafe { libc::syscall(nr, args[0], args[1], args[2]) };
    // SAFETY: errno of this thread.
    if value == -1 { -c_long::from(unsafe { *libc::__errno_location() }) } else { value }
}

/// A system call without arguments that can do harm.
fn harmless(nr: c_long, arg: u64) -> c_long {
    // SAFETY: null pointers are refused by the kernel.
    unsafe { call(nr, [arg, 0, 0]) }
}

/// getppid(2) through the 32-bit entry of the kernel.
fn getppid_of_x86() -> i32 {
    let value: i32;
    // SAFETY: call 64 of x86 takes no arguments and writes no memory.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("eax") 64 => value,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _);
    }
    value
}

#[test]
fn the_kernel_takes_the_profiles_of_managers_and_answers_as_they_say() {
    for (name, profile) in profiles::real() {
        let filter = compile(&profile).unwrap();
        let end = child(|| {
            let is = [
                load(&filter) == 0,
                harmless(libc::SYS_getuid, 0) >= 0,
                harmless(libc::SYS_bpf, 0) == -c_long::from(libc::EPERM),
                harmless(libc::SYS_personality, 0xffff_ffff) >= 0,
                harmless(libc::SYS_personality, 0x123) < 0,
                harmless(1000, 0) == -c_long::from(libc::ENOSYS),
            ];
            is.iter().position(|as_expected| !as_expected).map_or(0, |i| i as i32 + 1)
        });
        assert_eq!(end, End::Exit(0), "{name}: the number of the first that is not as expected");
    }
}

#[test]
fn the_kernel_takes_every_combination_of_flags() {
    let all = tierce::plan::seccomp::flags();
    for action in ["SCMP_ACT_TRAP", "SCMP_ACT_NOTIFY"] {
        let mut profile =
            with_rules("SCMP_ACT_ALLOW", &format!(r#"{{"names":["swapoff"],"action":"{action}"}}"#));
        for set in 0..1 << all.len() {
            let chosen = all.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
            profile.flags = Some(chosen.map(|(_, name)| name.to_string()).collect());
            let filter = compile(&profile).unwrap();
            let end = child(|| i32::from(load(&filter) < 0));
            assert_eq!(end, End::Exit(0), "{action} {:?}", profile.flags);
        }
    }
}

#[test]
fn the_kernel_tells_architectures_apart() {
    if child(|| i32::from(getppid_of_x86() < 0)) != End::Exit(0) {
        eprintln!("skipped: this kernel has no 32-bit system calls");
        return;
    }
    let rule = r#"{"names":["getppid"],"action":"SCMP_ACT_ERRNO","errnoRet":7}"#;
    let listed = compile(&with_rules("SCMP_ACT_ALLOW", rule)).unwrap();
    let end = child(|| i32::from(load(&listed) == 0 && getppid_of_x86() == -7));
    assert_eq!(end, End::Exit(1));
    let native = format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#);
    let native = compile(&json(&native)).unwrap();
    assert_eq!(child(|| i32::from(load(&native) == 0 && harmless(libc::SYS_getppid, 0) == -7)), End::Exit(1));
    assert_eq!(child(|| load(&native) as i32 + getppid_of_x86()), End::Signal(libc::SIGSYS));
    assert_eq!(
        child(|| (load(&native) + harmless(0x4000_0000 + 39, 0)) as i32),
        End::Signal(libc::SIGSYS),
        "x32"
    );
}

#[test]
fn actions_and_comparisons_are_the_kernels() {
    let arg = r#""args":[{"index":0,"op":"SCMP_CMP_GT","value":4294967296}]"#;
    let rules = format!(
        r#"{{"names":["umask"],"action":"SCMP_ACT_ERRNO","errnoRet":33,{arg}}},
           {{"names":["getppid"],"action":"SCMP_ACT_KILL_PROCESS"}}"#
    );
    let filter = compile(&with_rules("SCMP_ACT_ALLOW", &rules)).unwrap();
    let umask = |arg| child(|| (load(&filter) - harmless(libc::SYS_umask, arg)) as i32);
    assert_eq!(umask(0x1_0000_0001), End::Exit(33));
    assert_ne!(umask(0x1_0000_0000), End::Exit(33));
    assert_eq!(child(|| (load(&filter) + harmless(libc::SYS_getppid, 0)) as i32), End::Signal(libc::SIGSYS));
}
