//! From verdicts to a classic BPF program.
//!
//! Jumps only go forward, so the program is written from its end: whatever an instruction jumps to
//! is there already, and its distance is known.

use super::policy::{Case, Condition, Span, Verdict};
use super::words::Op;
use libc::sock_filter;
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
};
use std::mem::offset_of;

/// Where the fields of `seccomp_data` are.
const NR: u32 = offset_of!(libc::seccomp_data, nr) as u32;
const ARCH: u32 = offset_of!(libc::seccomp_data, arch) as u32;
const ARGS: u32 = offset_of!(libc::seccomp_data, args) as u32;

const LOW: u32 = if cfg!(target_endian = "little") { 0 } else { 4 };
const HIGH: u32 = 4 - LOW;

/// A branch reaches 255 instructions; less room for the long jumps that may come between.
const REACH: usize = 250;

/// A place in the program, counted from its end.
type Label = usize;

/// A program under construction.
#[derive(Default)]
pub(super) struct Assembler {
    /// The last instruction first.
    reversed: Vec<sock_filter>,
    returns: Vec<(u32, Label)>,
    cases: Vec<(Vec<Case>, Label)>,
    default: u32,
}

impl Assembler {
    /// `default` is the action when no case of a [`Verdict::Cases`] holds.
    pub(super) fn new(default: u32) -> Self {
        Assembler { default, ..Assembler::default() }
    }

    /// The program that tells architectures apart by their audit value, the first one fastest, and
    /// kills the thread on others, as libseccomp does.
    pub(super) fn program(mut self, architectures: &[(u32, Vec<Span>)]) -> Vec<sock_filter> {
        let mut bodies = Vec::new();
        for (audit, spans) in architectures.iter().rev() {
            let search = self.search(spans);
            self.fall_into(search);
            bodies.push((*audit, self.load(NR)));
        }
        let mut next = self.ret(libc::SECCOMP_RET_KILL_THREAD);
        for (audit, body) in bodies {
            next = self.branch(BPF_JEQ, audit, body, next);
        }
        self.load(ARCH);
        self.reversed.reverse();
        self.reversed
    }

    /// Finds the span of the number in the accumulator by bisection.
    fn search(&mut self, spans: &[Span]) -> Label {
        match spans {
            [only] => self.verdict(&only.verdict),
            [below, one, above] if below.verdict == above.verdict && one.first + 1 == above.first => {
                let other = self.verdict(&below.verdict);
                let one_label = self.verdict(&one.verdict);
                self.branch(BPF_JEQ, one.first, one_label, other)
            }
            _ => {
                let (left, right) = spans.split_at(spans.len() / 2);
                let above = self.search(right);
                let below = self.search(left);
                self.branch(BPF_JGE, right[0].first, above, below)
            }
        }
    }

    fn verdict(&mut self, verdict: &Verdict) -> Label {
        let cases = match verdict {
            Verdict::Always(action) => return self.ret(*action),
            Verdict::Cases(cases) => cases,
        };
        if let Some((_, label)) = self.cases.iter().find(|(known, _)| known == cases) {
            return *label;
        }
        let mut next = self.ret(self.default);
        for case in cases.iter().rev() {
            let mut holds = self.ret(case.action);
            for condition in case.conditions.iter().rev() {
                holds = self.test(condition, holds, next);
            }
            next = holds;
        }
        self.cases.push((cases.clone(), next));
        next
    }

    /// Goes on at `yes` if the condition holds, else at `no`.
    fn test(&mut self, condition: &Condition, yes: Label, no: Label) -> Label {
        match condition.op {
            Op::Eq | Op::MaskedEq => self.equal(condition, yes, no),
            Op::Ne => self.equal(condition, no, yes),
            Op::Gt => self.compare(BPF_JGT, condition, yes, no),
            Op::Le => self.compare(BPF_JGT, condition, no, yes),
            Op::Ge => self.compare(BPF_JGE, condition, yes, no),
            Op::Lt => self.compare(BPF_JGE, condition, no, yes),
        }
    }

    fn equal(&mut self, condition: &Condition, yes: Label, no: Label) -> Label {
        let mut label = yes;
        for (half, shift) in [(LOW, 0), (HIGH, 32)] {
            let (value, mask) = ((condition.value >> shift) as u32, (condition.mask >> shift) as u32);
            if mask == 0 {
                continue;
            }
            self.branch(BPF_JEQ, value, label, no);
            if mask != u32::MAX {
                self.push(BPF_ALU | BPF_AND | BPF_K, mask);
            }
            label = self.load(ARGS + 8 * condition.arg + half);
        }
        label
    }

    /// `code` is BPF_JGT or BPF_JGE. The high halves decide unless they are equal.
    fn compare(&mut self, code: u32, condition: &Condition, yes: Label, no: Label) -> Label {
        let Condition { arg, value, mask, .. } = *condition;
        let (high, low) = ((value >> 32) as u32, value as u32);
        self.branch(code, low, yes, no);
        let low_half = self.load(ARGS + 8 * arg + LOW);
        if mask >> 32 == 0 {
            return low_half;
        }
        let not_above = self.branch(BPF_JEQ, high, low_half, no);
        self.branch(BPF_JGT, high, yes, not_above);
        self.load(ARGS + 8 * arg + HIGH)
    }

    fn push(&mut self, code: u32, k: u32) -> Label {
        self.reversed.push(sock_filter { code: code as u16, jt: 0, jf: 0, k });
        self.reversed.len()
    }

    fn load(&mut self, offset: u32) -> Label {
        self.push(BPF_LD | BPF_W | BPF_ABS, offset)
    }

    fn branch(&mut self, code: u32, k: u32, yes: Label, no: Label) -> Label {
        let yes = self.near(yes);
        let no = self.near(no);
        let here = self.push(BPF_JMP | code | BPF_K, k);
        let branch = &mut self.reversed[here - 1];
        branch.jt = (here - 1 - yes) as u8;
        branch.jf = (here - 1 - no) as u8;
        here
    }

    /// A return of `action`, an earlier one if that is not too far.
    fn ret(&mut self, action: u32) -> Label {
        let known = self.returns.iter().position(|(known, _)| *known == action);
        if let Some(i) = known.filter(|i| self.distance(self.returns[*i].1) <= REACH / 2) {
            return self.returns[i].1;
        }
        let label = self.push(BPF_RET | BPF_K, action);
        match known {
            Some(i) => self.returns[i].1 = label,
            None => self.returns.push((action, label)),
        }
        label
    }

    /// `label`, or a long jump to it if it is out of a branch's reach.
    fn near(&mut self, label: Label) -> Label {
        if self.distance(label) <= REACH { label } else { self.jump(label) }
    }

    /// Makes `label` what comes after the next instruction.
    fn fall_into(&mut self, label: Label) {
        if self.distance(label) > 0 {
            self.jump(label);
        }
    }

    fn jump(&mut self, label: Label) -> Label {
        let distance = self.distance(label) as u32;
        self.push(BPF_JMP | BPF_JA, distance)
    }

    /// How many instructions the next one would jump over to get to `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - label
    }
}
