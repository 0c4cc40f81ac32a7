//! The files of a cgroup.

use super::{Pressure, Stall, Stats};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What v2 calls `max`.
pub const NO_LIMIT: u64 = u64::MAX;

/// Those of one group. What is not there is nothing.
pub(super) struct Files(pub(super) PathBuf);

impl Files {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }

    /// A number, or `max`.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.text(name)?.trim() {
            "max" => Some(NO_LIMIT),
            number => number.parse().ok(),
        }
    }

    pub(super) fn number_or_0(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    /// Lines of `key value`.
    pub(super) fn keyed(&self, name: &str) -> BTreeMap<String, u64> {
        keyed(&self.text(name).unwrap_or_default())
    }

    /// Numbers with blanks between.
    pub(super) fn numbers(&self, name: &str) -> Vec<u64> {
        let text = self.text(name).unwrap_or_default();
        text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    }

    /// A list such as `0-3,7`.
    pub(super) fn list(&self, name: &str) -> Vec<u16> {
        list(self.text(name).unwrap_or_default().trim())
    }

    pub(super) fn pressure(&self, name: &str) -> Option<Pressure> {
        self.text(name).map(|text| pressure(&text))
    }

    /// What stands between `hugetlb.` and the end in the names of these files.
    pub(super) fn page_sizes(&self, end: &str) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let size = |name: String| Some(name.strip_prefix("hugetlb.")?.strip_suffix(end)?.to_owned());
        names.filter_map(size).filter(|size| !size.contains('.')).collect()
    }
}

/// The same file in v1 and v2.
pub(super) fn pids(files: &Files, stats: &mut Stats) {
    stats.pids.current = files.number_or_0("pids.current");
    stats.pids.limit = files.number("pids.max").filter(|limit| *limit != NO_LIMIT).unwrap_or(0);
}

fn keyed(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

fn pressure(text: &str) -> Pressure {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let stall = match words.next() {
            Some("some") => &mut pressure.some,
            Some("full") => &mut pressure.full,
            _ => continue,
        };
        *stall = words.fold(Stall::default(), |mut stall, word| {
            match word.split_once('=') {
                Some(("avg10", value)) => stall.avg10 = value.parse().unwrap_or(0.0),
                Some(("avg60", value)) => stall.avg60 = value.parse().unwrap_or(0.0),
                Some(("avg300", value)) => stall.avg300 = value.parse().unwrap_or(0.0),
                Some(("total", value)) => stall.total = value.parse().unwrap_or(0),
                _ => {}
            }
            stall
        });
    }
    pressure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_understood() {
        assert_eq!(list("0-2,7"), [0, 1, 2, 7]);
        assert_eq!(list(""), [0u16; 0]);
        let counts = keyed("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        assert_eq!((counts.len(), counts["oom_kill"]), (3, 3));
        let text = "some avg10=98.04 avg60=1.5 avg300=0.00 total=1331287239\n\
                    full avg10=0.00 avg60=0.00 avg300=0.25 total=7\n";
        let pressure = pressure(text);
        assert_eq!((pressure.some.avg10, pressure.some.avg60), (98.04, 1.5));
        assert_eq!(
            (pressure.some.total, pressure.full.avg300, pressure.full.total),
            (1_331_287_239, 0.25, 7)
        );
    }
}
