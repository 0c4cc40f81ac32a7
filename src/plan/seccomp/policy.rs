//! What happens to every system call number of one architecture.

use super::arch::{Arch, X32_BIT};
use super::names;
use super::words::{self, Op};
use crate::spec::config::{Seccomp, SeccompArg};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// A condition on an argument: its bits in `mask`, compared by `op` with `value`, which has no others.
/// The mask is all bits, or the low 32, but for MASKED_EQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub arg: u32,
    pub op: Op,
    pub value: u64,
    pub mask: u64,
}

/// An action under conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub conditions: Vec<Condition>,
    pub action: u32,
}

/// What happens to a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The `SECCOMP_RET_*` value, whatever the arguments.
    Always(u32),
    /// The first case that holds, or else the default action.
    Cases(Vec<Case>),
}

/// A verdict for the numbers from `first` up to the next span.
#[derive(Debug)]
pub(super) struct Span {
    pub first: u32,
    pub verdict: Verdict,
}

/// A profile in numbers, but for the names of its system calls.
pub(super) struct Policy<'a> {
    pub default: u32,
    rules: Vec<Rule<'a>>,
}

struct Rule<'a> {
    names: &'a [String],
    action: u32,
    /// Each alone is enough; one without conditions always holds.
    alternatives: Vec<Vec<Condition>>,
}

impl<'a> Policy<'a> {
    /// `None` if the profile has words that [`words::check`] complains of.
    pub(super) fn new(profile: &'a Seccomp) -> Option<Self> {
        let default = words::action(&profile.default_action, profile.default_errno_ret)?;
        let rules = profile.syscalls.iter().map(|rule| {
            Some(Rule {
                names: &rule.names,
                action: words::action(&rule.action, rule.errno_ret)?,
                alternatives: alternatives(&rule.args)?,
            })
        });
        Some(Policy { default, rules: rules.collect::<Option<_>>()? })
    }

    /// The verdicts for all numbers of the ABIs that share an audit value. Names that mean nothing to
    /// libseccomp and us are put into `unknown`.
    pub(super) fn spans(&self, abis: &[&Arch], unknown: &mut BTreeSet<&'a str>) -> Vec<Span> {
        let mut spans = Vec::new();
        for abi in abis {
            let calls = self.calls(abi, unknown);
            self.add_spans(abi, &calls, &mut spans);
        }
        // x86_64 without x32, or the other way round: the other half is a foreign architecture. But -1,
        // which a tracer makes of the number of a call to skip, is no x32 call.
        if let [only] = abis {
            let numbers = only.numbers();
            if *numbers.start() > 0 {
                spans.push(Span { first: 0, verdict: Verdict::Always(libc::SECCOMP_RET_KILL_THREAD) });
            }
            if *numbers.end() < u32::MAX {
                spans.push(Span { first: X32_BIT, verdict: Verdict::Always(libc::SECCOMP_RET_KILL_THREAD) });
                spans.push(Span { first: u32::MAX, verdict: Verdict::Always(self.default) });
            }
        }
        spans.sort_by_key(|span| span.first);
        spans.dedup_by(|next, span| next.verdict == span.verdict);
        spans
    }

    fn add_spans(&self, abi: &Arch, calls: &[Call<'_>], spans: &mut Vec<Span>) {
        let background = Background::new(self.default, abi, calls);
        let mut starts = background.starts();
        starts.retain(|start| calls.binary_search_by_key(start, |call| call.number).is_err());
        spans.extend(starts.into_iter().map(|first| Span { first, verdict: background.verdict(first) }));
        for same in calls.chunk_by(|a, b| a.number == b.number) {
            let number = same[0].number;
            let verdict = self.verdict(same, abi).unwrap_or_else(|| background.verdict(number));
            spans.push(Span { first: number, verdict });
            let next = number + 1;
            if calls.binary_search_by_key(&next, |call| call.number).is_err() {
                spans.push(Span { first: next, verdict: background.verdict(next) });
            }
        }
    }

    /// The calls that the rules name, by number; those of one number in the order of the profile.
    fn calls(&self, abi: &Arch, unknown: &mut BTreeSet<&'a str>) -> Vec<Call<'_>> {
        let mut calls = Vec::new();
        for rule in &self.rules {
            for name in rule.names {
                let Some(numbers) = names::resolve(name, abi) else {
                    unknown.insert(name);
                    continue;
                };
                if let Some(number) = numbers.direct {
                    calls.push(Call { number, rule, selector: None });
                }
                if let Some((number, selector)) = numbers.multiplexed {
                    calls.push(Call { number, rule, selector: Some(selector) });
                }
            }
        }
        calls.sort_by_key(|call| call.number);
        calls
    }

    /// `None` if no rule says other than the default action.
    fn verdict(&self, calls: &[Call<'_>], abi: &Arch) -> Option<Verdict> {
        let mut cases = Vec::new();
        for call in calls.iter().filter(|call| call.rule.action != self.default) {
            for conditions in call.rule.alternatives.iter().filter_map(|all| call.conditions(all, abi)) {
                if conditions.is_empty() {
                    return Some(Verdict::Always(call.rule.action));
                }
                cases.push(Case { conditions, action: call.rule.action });
            }
        }
        cases.sort_by(|a, b| precedence(&a.conditions, &b.conditions));
        (!cases.is_empty()).then_some(Verdict::Cases(cases))
    }
}

/// A number that a rule is about.
struct Call<'a> {
    number: u32,
    rule: &'a Rule<'a>,
    /// The first argument, where the call is behind a multiplexer.
    selector: Option<u32>,
}

impl Call<'_> {
    /// The conditions under which the rule applies to this number; `None` if they cannot hold.
    fn conditions(&self, all: &[Condition], abi: &Arch) -> Option<Vec<Condition>> {
        let Some(selector) = self.selector else {
            return Condition::on(all, abi);
        };
        let value = u64::from(selector);
        let mut conditions = vec![Condition { arg: 0, op: Op::Eq, value, mask: u64::MAX }];
        conditions.extend(all.iter().filter(|condition| condition.arg != 0));
        Condition::on(&conditions, abi)
    }
}

impl Condition {
    fn new(arg: &SeccompArg) -> Option<Self> {
        let op = words::operator(&arg.op)?;
        let (mask, value) = match op {
            Op::MaskedEq => (arg.value, arg.value_two & arg.value),
            Op::Ne | Op::Lt | Op::Le | Op::Eq | Op::Ge | Op::Gt => (u64::MAX, arg.value),
        };
        Some(Condition { arg: arg.index, op, value, mask })
    }

    /// What is left to test of `all` on `abi`; `None` if one can never hold there.
    fn on(all: &[Condition], abi: &Arch) -> Option<Vec<Condition>> {
        let mut left = Vec::with_capacity(all.len());
        for condition in all {
            let condition = if abi.wide { *condition } else { condition.narrow()? };
            if condition.mask != 0 {
                left.push(condition);
            }
        }
        Some(left)
    }

    /// The condition for an argument of 32 bits, which is never above them; `None` if it cannot hold.
    fn narrow(self) -> Option<Self> {
        let mask = self.mask & u64::from(u32::MAX);
        if self.value >> 32 == 0 {
            return Some(Condition { mask, ..self });
        }
        match self.op {
            Op::Ne | Op::Lt | Op::Le => Some(Condition { op: Op::Ge, value: 0, mask, ..self }),
            Op::Eq | Op::Ge | Op::Gt | Op::MaskedEq => None,
        }
    }

    /// EQ, NE and MASKED_EQ come before LT and LE, and those before GT and GE.
    fn class(&self) -> u8 {
        match self.op {
            Op::Eq | Op::Ne | Op::MaskedEq => 0,
            Op::Lt | Op::Le => 1,
            Op::Gt | Op::Ge => 2,
        }
    }
}

/// Which of two cases decides when both hold; see the module's documentation.
fn precedence(a: &[Condition], b: &[Condition]) -> Ordering {
    let key = |c: &Condition| {
        let value = if c.class() == 1 { c.value } else { !c.value };
        (5 - c.arg, c.class(), value)
    };
    a.iter().map(key).cmp(b.iter().map(key))
}

/// The alternatives of a rule: one with all its conditions, in the order of the arguments. But if
/// two are on the same argument, each condition is an alternative, as it is in runc and crun.
fn alternatives(args: &[SeccompArg]) -> Option<Vec<Vec<Condition>>> {
    let mut conditions = args.iter().map(Condition::new).collect::<Option<Vec<_>>>()?;
    conditions.sort_by_key(|condition| condition.arg);
    if conditions.windows(2).any(|pair| pair[0].arg == pair[1].arg) {
        return Some(conditions.into_iter().map(|condition| vec![condition]).collect());
    }
    Some(vec![conditions])
}

/// What happens to numbers that no rule is about.
struct Background {
    default: u32,
    numbers: RangeInclusive<u32>,
    /// The newest number that the profile names, if greater ones get ENOSYS.
    newest: Option<u32>,
    ageless: Option<RangeInclusive<u32>>,
    zero_is_unknown: bool,
}

impl Background {
    fn new(default: u32, abi: &Arch, calls: &[Call<'_>]) -> Self {
        let ageless = abi.ageless();
        let ages = |number: &u32| ageless.as_ref().is_none_or(|range| !range.contains(number));
        let is_errno = default & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_ERRNO;
        let newest = calls.iter().map(|call| call.number).filter(ages).max().filter(|_| is_errno);
        let zero_is_unknown = abi.zero_is_unknown() && newest.is_some();
        Background { default, numbers: abi.numbers(), newest, ageless, zero_is_unknown }
    }

    /// The numbers at which the verdict may change.
    fn starts(&self) -> Vec<u32> {
        let mut starts = vec![*self.numbers.start()];
        starts.extend(self.newest.and_then(|newest| newest.checked_add(1)));
        if let Some(range) = &self.ageless {
            starts.extend([*range.start(), *range.end() + 1]);
        }
        if self.zero_is_unknown {
            starts.push(1);
        }
        starts.retain(|start| self.numbers.contains(start));
        starts
    }

    fn verdict(&self, number: u32) -> Verdict {
        let ages = self.ageless.as_ref().is_none_or(|range| !range.contains(&number));
        let newer = self.newest.is_some_and(|newest| number > newest) && ages;
        let unknown = newer || (self.zero_is_unknown && number == 0);
        Verdict::Always(if unknown { ENOSYS } else { self.default })
    }
}
