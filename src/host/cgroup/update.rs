//! Changes the limits of groups that are in use, all or none.

use super::create::enable_controllers;
use super::limits::{Journal, write_limits};
use super::told::Told;
use super::{Record, cpuset, devices, open_directory, read_small};
use crate::error::{Context, Error, Result};
use crate::host::systemd::RecordedUnit;
use crate::plan::cgroup::{CgroupPlan, Group, Present, Version, Write};
use crate::plan::device_rules::{transition, way_back};
use std::os::fd::AsFd;
use std::path::Path;

/// The limits that a change may leave half said.
pub fn present(record: &Record) -> Present {
    let read = |controller: &str, names: [&str; 2]| {
        let group = record.groups.iter().find(|g| g.controllers.iter().any(|c| c == controller))?;
        let name = names[usize::from(group.version == Version::V2)];
        read_small(&group.directory().join(name)).ok()
    };
    Present {
        memory_limit: read("memory", ["memory.limit_in_bytes", "memory.max"])
            .and_then(|text| Present::memory(&text)),
        cpu_max: read("cpu", ["", "cpu.max"]).and_then(|text| Present::cpu(&text)),
    }
}

/// Changes all that is planned. On an error what was written is put back.
///
/// # Errors
/// What the kernel or systemd refuses, with file or property and value.
pub fn update(plan: &CgroupPlan, unit: Option<&RecordedUnit>) -> Result<()> {
    let mut journal = Journal::default();
    let mut told = unit.zip(plan.groups.first()).map(|(unit, group)| Told::new(unit, group));
    let limits = || plan.groups.iter().try_for_each(|group| limits(group, &mut journal));
    // Programs for devices come last: whatever fails, they need not be put back.
    let done = { limits }()
        .and_then(|()| told.as_mut().map_or(Ok(()), Told::tell))
        .and_then(|()| plan.groups.iter().try_for_each(programs));
    done.map_err(|error| {
        let lost = undo(journal, told);
        if lost.is_empty() { error } else { error.hint(format!("not put back: {}", lost.join(", "))) }
    })
}

/// Puts everything back; gives what could not be.
fn undo(journal: Journal, told: Option<Told>) -> Vec<String> {
    let unit = told.as_ref().and_then(|told| told.take_back().err());
    let files = journal.undo().into_iter().map(|path| path.display().to_string());
    // The kernel's values come last: systemd has rounded some.
    let rounded = told.and_then(|told| told.restore().err());
    files.chain(unit.iter().chain(&rounded).map(Error::one_line)).collect()
}

fn limits(group: &Group, journal: &mut Journal) -> Result<()> {
    let target = group.directory();
    if !target.exists() {
        return Err(Error::errno(format!("cgroup {}", target.display()), libc::ENOENT));
    }
    let (rules, writes): (Vec<Write>, Vec<Write>) =
        group.writes.iter().cloned().partition(|write| write.controller() == "devices");
    if group.version == Version::V2 {
        enable_controllers(group, &target)?;
    }
    write_limits(&target, &writes, Some(journal))?;
    if group.version == Version::V2 {
        cpuset::check(&target, &writes)?;
    }
    if rules.is_empty() { Ok(()) } else { device_list(&target, &rules, journal) }
}

/// The device rules of v1.
fn device_list(target: &Path, rules: &[Write], journal: &mut Journal) -> Result<()> {
    let present = read_small(&target.join("devices.list")).context(|| "read devices.list")?;
    let change = transition(&present, rules);
    for (file, value) in way_back(&present, &change).into_iter().rev() {
        journal.note(target.join(file), value);
    }
    write_limits(target, &change, None)
}

fn programs(group: &Group) -> Result<()> {
    if group.version != Version::V2 {
        return Ok(());
    }
    let target = group.directory();
    let directory = open_directory(&target).context(|| format!("open {}", target.display()))?;
    devices::restrict(directory.as_fd(), &group.devices, false)
}
