//! What an update changes of a unit's group is told to systemd: what it does not know it would undo when it is
//! reloaded.

use super::limits::write_limits;
use super::read_small;
use crate::error::{Context, Result};
use crate::host::systemd::{self, RecordedUnit};
use crate::plan::cgroup::unit::{self, FILES};
use crate::plan::cgroup::{Group, Write, former};
use std::path::{Path, PathBuf};

/// A unit, with what was in its files before they were changed.
pub(super) struct Told<'a> {
    unit: &'a RecordedUnit,
    group: &'a Group,
    directory: PathBuf,
    before: Vec<Write>,
    is_told: bool,
}

impl<'a> Told<'a> {
    pub(super) fn new(unit: &'a RecordedUnit, group: &'a Group) -> Told<'a> {
        let directory = group.directory();
        Told { unit, group, before: contents(&directory), directory, is_told: false }
    }

    /// Tells what was written. systemd then writes all that it knows of these controllers, with quotas that are
    /// rounded, so afterwards the files are made what they were.
    pub(super) fn tell(&mut self) -> Result<()> {
        let written = contents(&self.directory);
        let properties = unit::changed(&self.group.writes, &written);
        if properties.is_empty() {
            return Ok(());
        }
        systemd::set_properties(self.unit, &properties)?;
        self.is_told = true;
        restore(&self.directory, written)
    }

    /// Tells what was before.
    pub(super) fn take_back(&self) -> Result<()> {
        if !self.is_told {
            return Ok(());
        }
        systemd::set_properties(self.unit, &unit::unchanged(&self.group.writes, &self.before))
    }

    /// Makes the files what they were before all.
    pub(super) fn restore(self) -> Result<()> {
        if self.is_told { restore(&self.directory, self.before) } else { Ok(()) }
    }
}

/// The files that systemd writes too, those that there are.
fn contents(directory: &Path) -> Vec<Write> {
    let read = |file: &&str| {
        let content = read_small(&directory.join(file)).ok()?;
        Some(Write::content(file, former(file, "", &content)?))
    };
    FILES.iter().filter_map(read).collect()
}

fn restore(directory: &Path, wanted: Vec<Write>) -> Result<()> {
    let there = contents(directory);
    let changed: Vec<_> = wanted.into_iter().filter(|write| !there.contains(write)).collect();
    write_limits(directory, &changed, None).context(|| "after systemd has written its values")
}
