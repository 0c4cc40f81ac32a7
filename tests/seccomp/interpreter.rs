//! A machine for classic BPF on `seccomp_data`, as strict as the kernel's verifier.

use libc::sock_filter;

/// What a filter sees of a system call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub nr: u32,
    pub arch: u32,
    pub args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32, big_endian: bool) -> u32 {
        assert!(offset.is_multiple_of(4) && offset < 64, "load at {offset}");
        match offset {
            0 => self.nr,
            4 => self.arch,
            8 | 12 => 0,
            _ => {
                let high = ((offset - 16) % 8 == 4) != big_endian;
                let arg = self.args[(offset as usize - 16) / 8];
                if high { (arg >> 32) as u32 } else { arg as u32 }
            }
        }
    }
}

/// The value that `program` returns for `call`, on a little-endian machine.
pub fn run(program: &[sock_filter], call: &Call) -> u32 {
    run_endian(program, call, cfg!(target_endian = "big"))
}

/// The same, with the halves of the arguments where a machine of that endianness has them.
pub fn run_endian(program: &[sock_filter], call: &Call, big_endian: bool) -> u32 {
    let (mut pc, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[pc];
        pc += 1;
        let mut branch = |taken: bool| pc += usize::from(if taken { jt } else { jf });
        match u32::from(code) {
            0x20 => accumulator = call.word(k, big_endian),
            0x54 => accumulator &= k,
            0x05 => pc += k as usize,
            0x15 => branch(accumulator == k),
            0x25 => branch(accumulator > k),
            0x35 => branch(accumulator >= k),
            0x06 => return k,
            other => panic!("instruction {other:#x} at {}", pc - 1),
        }
    }
}

/// What the kernel's verifier asks for: known instructions, jumps inside, a return at the end.
pub fn verify(program: &[sock_filter]) {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    for (pc, insn) in program.iter().enumerate() {
        let left = program.len() - pc - 1;
        match u32::from(insn.code) {
            0x20 => assert!(insn.k.is_multiple_of(4) && insn.k < 64),
            0x05 => assert!((insn.k as usize) < left),
            0x15 | 0x25 | 0x35 => assert!(usize::from(insn.jt.max(insn.jf)) < left),
            0x54 | 0x06 => {}
            other => panic!("instruction {other:#x} at {pc}"),
        }
    }
    assert_eq!(program.last().map(|insn| insn.code), Some(0x06));
}
