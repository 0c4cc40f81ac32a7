//! The words of `process.scheduler`, `process.ioPriority`, `linux.memoryPolicy` and `linux.personality`
//! with the kernel's numbers for them, and lists of CPUs and memory nodes.

/// A word of the specification and its number.
pub type Word = (&'static str, u32);

/// Policies of sched(7).
pub const POLICIES: &[Word] = &[
    (OTHER, 0),
    (FIFO, 1),
    (ROUND_ROBIN, 2),
    (BATCH, 3),
    // The kernel has the number reserved, and nothing behind it.
    (ISO, 4),
    ("SCHED_IDLE", 5),
    (DEADLINE, 6),
];

pub const OTHER: &str = "SCHED_OTHER";
pub const BATCH: &str = "SCHED_BATCH";
pub const FIFO: &str = "SCHED_FIFO";
pub const ROUND_ROBIN: &str = "SCHED_RR";
pub const DEADLINE: &str = "SCHED_DEADLINE";
pub const ISO: &str = "SCHED_ISO";

/// Flags of sched_setattr(2).
pub const SCHEDULER_FLAGS: &[Word] = &[
    (RESET_ON_FORK, 0x01),
    (RECLAIM, 0x02),
    (OVERRUN, 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

pub const RESET_ON_FORK: &str = "SCHED_FLAG_RESET_ON_FORK";
pub const RECLAIM: &str = "SCHED_FLAG_RECLAIM";
pub const OVERRUN: &str = "SCHED_FLAG_DL_OVERRUN";

/// Classes of ioprio_set(2).
pub const IO_CLASSES: &[Word] = &[("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];

/// Modes of set_mempolicy(2).
pub const MEMORY_MODES: &[Word] = &[
    (MPOL_DEFAULT, 0),
    (MPOL_PREFERRED, 1),
    (MPOL_BIND, 2),
    ("MPOL_INTERLEAVE", 3),
    (MPOL_LOCAL, 4),
    (MPOL_PREFERRED_MANY, 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

pub const MPOL_DEFAULT: &str = "MPOL_DEFAULT";
pub const MPOL_PREFERRED: &str = "MPOL_PREFERRED";
pub const MPOL_BIND: &str = "MPOL_BIND";
pub const MPOL_LOCAL: &str = "MPOL_LOCAL";
pub const MPOL_PREFERRED_MANY: &str = "MPOL_PREFERRED_MANY";

/// Mode flags of set_mempolicy(2).
pub const MEMORY_FLAGS: &[Word] =
    &[(NUMA_BALANCING, 1 << 13), (RELATIVE_NODES, 1 << 14), (STATIC_NODES, 1 << 15)];

pub const NUMA_BALANCING: &str = "MPOL_F_NUMA_BALANCING";
pub const RELATIVE_NODES: &str = "MPOL_F_RELATIVE_NODES";
pub const STATIC_NODES: &str = "MPOL_F_STATIC_NODES";

/// Domains of personality(2).
pub const DOMAINS: &[Word] = &[("LINUX", 0), ("LINUX32", 8)];

/// The number of a word.
pub fn number(words: &[Word], name: &str) -> Option<u32> {
    words.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// All words of a list, with commas between.
pub fn names(words: &[Word]) -> String {
    words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Highest number of a CPU (`NR_CPUS` of x86-64).
pub const CPU_MAX: usize = 8191;
/// Highest number of a memory node (`MAX_NUMNODES`).
pub const NODE_MAX: usize = 1023;

/// The numbers of a list such as `0-3, 7`, in order; an empty list has none.
///
/// # Errors
/// What is wrong with it.
pub fn number_list(text: &str, max: usize) -> Result<Vec<usize>, String> {
    let mut numbers = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let [first, last] = [first, last].map(|n| one(n.trim(), max));
        let (first, last) = (first?, last?);
        if first > last {
            return Err(format!("{part:?} is a range that ends before it begins"));
        }
        numbers.extend(first..=last);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn one(text: &str, max: usize) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<usize>() {
        Ok(n) if digits && n <= max => Ok(n),
        _ if digits => Err(format!("{text} is above {max}")),
        _ => Err(format!("{text:?} is no number; a list is such as 0-3,7")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_numbers_and_ranges_with_or_without_spaces() {
        let list = |text: &str| number_list(text, 20).unwrap();
        assert_eq!(list("0-3,7"), [0, 1, 2, 3, 7]);
        assert_eq!(list(" 7 , 0 - 1,,1-2, "), [0, 1, 2, 7]);
        assert_eq!(list(""), [0; 0]);
        assert_eq!(list("20"), [20]);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told() {
        let wrong = |text: &str| number_list(text, 20).unwrap_err();
        assert_eq!(wrong("1,21"), "21 is above 20");
        assert_eq!(wrong("99999999999999999999"), "99999999999999999999 is above 20");
        assert_eq!(wrong("3-1"), "\"3-1\" is a range that ends before it begins");
        for text in ["a", "1-", "-1", "1-2-3", "+1", "0x1"] {
            assert!(wrong(text).contains("is no number"), "{text}");
        }
    }
}
