//! The rules as an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel calls it with a `struct bpf_cgroup_dev_ctx` (linux/bpf.h): the kind of device in the
//! low 16 bits of `access_type`, the wanted access above them, major, minor. 1 allows, 0 denies.
//! The rules are tried from the last to the first; `WANTED` is what none of them has granted yet.
//! Loading it costs what the verifier spends on conditional jumps (most of 200 us with one for each
//! of kind, major and minor), so a rule on one device is one jump.

use super::{Access, Kind, Policy, Rule};

/// The result.
const RESULT: u8 = 0;
/// Pointer to the context.
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const WANTED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
/// Major and minor in one, as the kernel packs a `dev_t`.
const DEVICE: u8 = 6;

/// Width of a minor number in a `dev_t` (`MINORBITS`).
const MINOR_BITS: u32 = 20;

/// `BPF_LDX | BPF_MEM | BPF_W`
const LOAD: u8 = 0x61;
/// `BPF_ALU | BPF_OR | BPF_X`
const OR: u8 = 0x4c;
/// `BPF_ALU | BPF_AND | BPF_K`
const AND: u8 = 0x54;
/// `BPF_ALU | BPF_LSH | BPF_K`
const SHIFT_LEFT: u8 = 0x64;
/// `BPF_ALU | BPF_RSH | BPF_K`
const SHIFT_RIGHT: u8 = 0x74;
/// `BPF_ALU | BPF_MOV | BPF_K`
const SET: u8 = 0xb4;
/// `BPF_ALU | BPF_MOV | BPF_X`
const COPY: u8 = 0xbc;
/// `BPF_JMP | BPF_JA`
const JUMP: u8 = 0x05;
/// `BPF_JMP32 | BPF_JEQ | BPF_K`
const JUMP_IF: u8 = 0x16;
/// `BPF_JMP32 | BPF_JNE | BPF_K`
const JUMP_UNLESS: u8 = 0x56;
/// `BPF_JMP | BPF_EXIT`
const EXIT: u8 = 0x95;

/// `BPF_DEVCG_DEV_CHAR`
const CHAR: u32 = 2;

impl Policy {
    /// The program as `struct bpf_insn`s.
    pub fn program(&self) -> Vec<u64> {
        let mut code = Assembler::default();
        code.push(LOAD, KIND, CONTEXT, 0);
        code.push(COPY, WANTED, KIND, 0);
        code.push(AND, KIND, 0, 0xffff);
        code.push(SHIFT_RIGHT, WANTED, 0, 16);
        code.load(MAJOR, 4);
        code.load(MINOR, 8);
        code.push(COPY, DEVICE, MAJOR, 0);
        code.push(SHIFT_LEFT, DEVICE, 0, MINOR_BITS);
        code.push(OR, DEVICE, MINOR, 0);
        code.jump(JUMP_UNLESS, KIND, CHAR, Label::Block);
        self.rules_of(Kind::Char, &mut code);
        code.place(Label::Block);
        self.rules_of(Kind::Block, &mut code);
        for (label, answer) in [(Label::Allow, 1), (Label::Deny, 0)] {
            // The verifier refuses instructions that nothing leads to.
            if code.place(label) {
                code.push(SET, RESULT, 0, answer);
                code.push(EXIT, 0, 0, 0);
            }
        }
        code.finish()
    }

    fn rules_of(&self, kind: Kind, code: &mut Assembler) {
        for rule in self.rules.iter().rev().filter(|rule| rule.kind == kind) {
            code.rule(rule);
            // Nothing gets past a rule that decides everything, and nothing may follow it.
            if rule.major.is_none() && rule.minor.is_none() && rule.access == Access::ALL {
                return;
            }
        }
        code.jump(JUMP, 0, 0, Label::answer(self.default_allow));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// The next rule.
    Next,
    /// The rules for block devices.
    Block,
    Allow,
    Deny,
}

impl Label {
    fn answer(allow: bool) -> Label {
        if allow { Label::Allow } else { Label::Deny }
    }
}

#[derive(Default)]
struct Assembler {
    code: Vec<Instruction>,
    /// Jumps to labels that are not placed yet.
    pending: Vec<(usize, Label)>,
}

impl Assembler {
    fn push(&mut self, opcode: u8, destination: u8, source: u8, immediate: u32) {
        self.code.push(Instruction { opcode, destination, source, offset: 0, immediate });
    }

    /// Loads a field of the context.
    fn load(&mut self, destination: u8, offset: i16) {
        self.code.push(Instruction { opcode: LOAD, destination, source: CONTEXT, offset, immediate: 0 });
    }

    fn jump(&mut self, opcode: u8, register: u8, value: u32, label: Label) {
        self.pending.push((self.code.len(), label));
        self.push(opcode, register, 0, value);
    }

    /// Lets the jumps to `label` come out here; false if there are none.
    fn place(&mut self, label: Label) -> bool {
        let here = self.code.len();
        let before = self.pending.len();
        self.pending.retain(|(at, wanted)| {
            if *wanted == label {
                self.code[*at].offset = (here - at - 1) as i16;
            }
            *wanted != label
        });
        self.pending.len() < before
    }

    /// What one rule decides; the rest falls through to the next.
    fn rule(&mut self, rule: &Rule) {
        let (register, value) = match (rule.major, rule.minor) {
            (Some(major), Some(minor)) => (DEVICE, major << MINOR_BITS | minor),
            (Some(major), None) => (MAJOR, major),
            (None, Some(minor)) => (MINOR, minor),
            (None, None) => return self.decide(rule),
        };
        if rule.access == Access::ALL {
            return self.jump(JUMP_IF, register, value, Label::answer(rule.allow));
        }
        self.jump(JUMP_UNLESS, register, value, Label::Next);
        self.decide(rule);
        self.place(Label::Next);
    }

    /// The device matches: allowed if nothing else is wanted, denied if any of it is.
    fn decide(&mut self, rule: &Rule) {
        let bits = u32::from(rule.access.0);
        if rule.access == Access::ALL {
            self.jump(JUMP, 0, 0, Label::answer(rule.allow));
        } else if rule.allow {
            self.push(AND, WANTED, 0, u32::from(Access::ALL.0) & !bits);
            self.jump(JUMP_IF, WANTED, 0, Label::Allow);
        } else {
            self.push(COPY, RESULT, WANTED, 0);
            self.push(AND, RESULT, 0, bits);
            self.jump(JUMP_UNLESS, RESULT, 0, Label::Deny);
        }
    }

    fn finish(self) -> Vec<u64> {
        self.code.into_iter().map(Instruction::encode).collect()
    }
}

/// A `struct bpf_insn`.
struct Instruction {
    opcode: u8,
    destination: u8,
    source: u8,
    offset: i16,
    immediate: u32,
}

impl Instruction {
    /// In the byte order of this machine.
    fn encode(self) -> u64 {
        let registers = match cfg!(target_endian = "little") {
            true => self.source << 4 | self.destination,
            false => self.destination << 4 | self.source,
        };
        let [o0, o1] = self.offset.to_ne_bytes();
        let [i0, i1, i2, i3] = self.immediate.to_ne_bytes();
        u64::from_ne_bytes([self.opcode, registers, o0, o1, i0, i1, i2, i3])
    }
}
