//! Whether a v2 group has got what its cpuset asks for.

use super::limits::what;
use super::read_small;
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::Write;
use std::path::Path;

/// A v2 group that may have none of the CPUs or memory nodes that it asks for is given all of its
/// parent's (cgroup-v2.rst, "cpuset.cpus.effective"). v1 refuses such a list.
pub(super) fn check(target: &Path, writes: &[Write]) -> Result<()> {
    for write in writes.iter().filter(|w| matches!(w.file.as_str(), "cpuset.cpus" | "cpuset.mems")) {
        let read = |file: &str| read_small(&target.join(file)).context(|| format!("read {file}"));
        let (wanted, given) = (read(&write.file)?, read(&format!("{}.effective", write.file))?);
        let given = given.trim();
        if !shares_first(given, wanted.trim()) {
            let text = format!("none of these is available here, only {given}");
            return Err(Error::new(text).context(what(write)));
        }
    }
    Ok(())
}

/// Is the first number of the list `given` in the list `wanted`? Both are as the kernel writes them:
/// `0-3,8`. True for lists that are empty.
fn shares_first(given: &str, wanted: &str) -> bool {
    let range = |part: &str| -> Option<(u32, u32)> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let Some((first, _)) = given.split(',').next().and_then(range) else { return true };
    wanted.is_empty() || wanted.split(',').filter_map(range).any(|(low, high)| (low..=high).contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_compared_by_the_first_that_is_given() {
        assert!(shares_first("0-3", "0-3") && shares_first("2", "0-3,8") && shares_first("8-9", "0-3,8-15"));
        assert!(!shares_first("0-3", "4-7") && !shares_first("4,9", "0-3,9"));
        assert!(shares_first("", "5") && shares_first("0-3", ""));
    }
}
