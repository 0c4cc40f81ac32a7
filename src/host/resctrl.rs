//! The class of resctrl that a container is in: made or found as planned, entered, and removed with
//! the container.

use crate::error::{Context, Error, Result};
use crate::plan::resctrl::{Class, Resctrl, mismatch};
use crate::plan::{Plan, Sandbox};
use crate::state::is_dying;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a container is in resctrl, as it is kept in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The class.
    class: PathBuf,
    /// The class is the container's own, or was made for it.
    made: bool,
    /// Others may have entered it since: it goes with the last of them.
    shared: bool,
    /// The monitoring group of the container alone.
    monitoring: Option<PathBuf>,
}

/// Looks for a mounted resctrl, if the plan needs one, before anything is done.
///
/// # Errors
/// There is none, or not the class that must be there.
pub fn check(plan: &Plan) -> Result<()> {
    let Sandbox::New(container) = &plan.sandbox else { return Ok(()) };
    let Some(planned) = &container.resctrl else { return Ok(()) };
    let mount = mount()?;
    match &planned.class {
        Class::Existing(name) if !mount.join(name).is_dir() => Err(class_missing(&mount.join(name))),
        Class::Default | Class::Own(_) | Class::Shared(_) | Class::Existing(_) => Ok(()),
    }
}

fn class_missing(class: &Path) -> Error {
    Error::new(format!("linux.intelRdt.closID: {}: ENOENT no such file or directory", class.display())).hint(
        "without a schema the class must be there beforehand; l3CacheSchema, memBwSchema or schemata make it",
    )
}

/// Where resctrl is mounted.
fn mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context(|| "/proc/self/mountinfo")?;
    find(&mounts).ok_or_else(|| {
        Error::new("linux.intelRdt: no resctrl filesystem is mounted").hint(
            "`mount -t resctrl resctrl /sys/fs/resctrl` does it, on a processor that can divide its caches",
        )
    })
}

/// The first mount of resctrl in the form of proc_pid_mountinfo(5).
fn find(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let is_resctrl = filesystem.split(' ').next() == Some("resctrl");
        mount.split(' ').nth(4).filter(|_| is_resctrl).map(PathBuf::from)
    })
}

impl Record {
    /// What may be there when its creator was killed; or another container's, of the same id.
    pub fn planned(planned: &Resctrl) -> Option<Record> {
        let record = mount().ok().map(|mount| Record::at(&mount, planned))?;
        Some(Record { shared: true, ..record })
    }

    fn at(mount: &Path, planned: &Resctrl) -> Record {
        let class = planned.class.directory().map_or(mount.to_owned(), |name| mount.join(name));
        let monitoring = planned.monitoring.as_ref().map(|name| class.join("mon_groups").join(name));
        let made = matches!(planned.class, Class::Own(_));
        Record { class, made, shared: !made, monitoring }
    }

    /// Gives the class other schemata; returns those that it had.
    ///
    /// # Errors
    /// The kernel refuses; it has changed nothing then.
    pub fn change(&self, lines: &str, location: &str) -> Result<String> {
        let file = self.class.join("schemata");
        let before = fs::read_to_string(&file).context(|| format!("{location}: {}", file.display()))?;
        write_schemata(self, &file, lines.trim_end(), location)?;
        Ok(before)
    }

    /// Lets a process into the class, with all that it will fork.
    ///
    /// # Errors
    /// The class is gone, or the kernel refuses.
    pub fn enter(&self, pid: i32) -> Result<()> {
        // The class first: its monitoring groups take only processes of its own.
        for group in [Some(&self.class), self.monitoring.as_ref()].into_iter().flatten() {
            let tasks = group.join("tasks");
            write(&tasks, &pid.to_string()).map_err(|e| {
                self.refused(&e, format!("linux.intelRdt: write {pid} to {}", tasks.display()))
            })?;
        }
        Ok(())
    }

    /// What the kernel says of its last refusal.
    fn refused(&self, error: &io::Error, doing: String) -> Error {
        let failed = Error::io(doing, error);
        let roots = self.class.ancestors().take(2);
        let status =
            roots.map(|root| root.join("info/last_cmd_status")).find_map(|f| fs::read_to_string(f).ok());
        match status.as_deref().map(str::trim) {
            None | Some("" | "ok") => failed,
            Some(reason) => failed.hint(format!("resctrl says: {reason}")),
        }
    }
}

/// Makes, or finds, the class and the monitoring group. On an error nothing stays.
///
/// # Errors
/// An existing class has other limits, the kernel has no more classes or does not take the schemata.
pub fn create(planned: &Resctrl) -> Result<Record> {
    create_in(&mount()?, planned)
}

fn create_in(mount: &Path, planned: &Resctrl) -> Result<Record> {
    let mut record = Record::at(mount, planned);
    let is_new = make_class(&record, planned)?;
    record.made |= is_new;
    let filled = fill(&record, planned, is_new);
    if filled.is_err() {
        // The error that led here is the one to be told.
        let _ = remove(&record);
    }
    filled.map(|()| record)
}

/// Whether the class was not there.
fn make_class(record: &Record, planned: &Resctrl) -> Result<bool> {
    let class = &record.class;
    match &planned.class {
        Class::Default => Ok(false),
        Class::Existing(_) if class.is_dir() => Ok(false),
        Class::Existing(_) => Err(class_missing(class)),
        Class::Own(_) | Class::Shared(_) => match fs::create_dir(class) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match &planned.class {
                Class::Own(_) if is_used(class) => Err(Error::new(format!(
                    "linux.intelRdt: {} is the class of other processes already",
                    class.display()
                ))),
                _ => Ok(false),
            },
            Err(e) => {
                let doing = format!("{}: make {}", planned.class.location(), class.display());
                let error = record.refused(&e, doing);
                Err(match e.raw_os_error() {
                    Some(libc::ENOSPC) => error.hint("the processor has no more classes; closID shares one"),
                    _ => error,
                })
            }
        },
    }
}

fn fill(record: &Record, planned: &Resctrl, is_new: bool) -> Result<()> {
    let schemata = record.class.join("schemata");
    if let Some(limits) = &planned.limits {
        match is_new || matches!(planned.class, Class::Own(_)) {
            true => write_schemata(record, &schemata, limits, "linux.intelRdt")?,
            false => compare(&schemata, limits)?,
        }
    }
    if let Some(lines) = &planned.schemata {
        write_schemata(record, &schemata, lines, "linux.intelRdt.schemata")?;
    }
    if let Some(group) = &record.monitoring {
        match fs::create_dir(group) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                let doing = format!("linux.intelRdt.enableMonitoring: make {}", group.display());
                return Err(record.refused(&e, doing));
            }
            _ => {}
        }
    }
    Ok(())
}

fn write_schemata(record: &Record, file: &Path, lines: &str, location: &str) -> Result<()> {
    // The kernel takes whole lines only.
    write(file, &format!("{lines}\n"))
        .map_err(|e| record.refused(&e, format!("{location}: write {lines:?} to {}", file.display())))
}

fn compare(file: &Path, limits: &str) -> Result<()> {
    let present = fs::read_to_string(file).context(|| format!("linux.intelRdt: {}", file.display()))?;
    match mismatch(limits, &present) {
        None => Ok(()),
        Some(line) => Err(Error::new(format!(
            "linux.intelRdt: the class is there and has not {line:?}: {}",
            file.display()
        ))
        .hint("another closID makes a class of its own")),
    }
}

/// Removes what was made for the container; what is gone already is fine.
///
/// # Errors
/// The kernel refuses.
pub fn remove(record: &Record) -> Result<()> {
    if let Some(group) = &record.monitoring {
        remove_group(group)?;
    }
    // A class of others goes with the last of them.
    if record.made && !(record.shared && is_used(&record.class)) {
        remove_group(&record.class)?;
    }
    Ok(())
}

/// Whether a process of the class, or of a monitoring group in it, is alive.
fn is_used(class: &Path) -> bool {
    let tasks = fs::read_to_string(class.join("tasks")).unwrap_or_default();
    tasks.lines().filter_map(|line| line.trim().parse().ok()).any(|pid: i32| !is_dying(pid))
}

fn remove_group(group: &Path) -> Result<()> {
    match fs::remove_dir(group) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).context(|| format!("remove {}", group.display()))
        }
        _ => Ok(()),
    }
}

/// In one write(2), as the kernel wants it.
fn write(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
