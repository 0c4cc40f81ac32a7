//! systemd makes the container's cgroup (`--systemd-cgroup`): a transient scope, which is its way to have
//! processes in a unit that it has not started itself (docs/CONTROL_GROUP_INTERFACE.md of systemd).
//!
//! A scope begins with a process. So the child is cloned first, outside, and waits as its very first step until it
//! is in: what it makes, the mounts above all, is accounted to the cgroup that it is made in, for good. It could
//! mount while systemd works, which takes longer, but then the memory of the container's filesystems would be the
//! caller's. (With a process of no use in place of the child, that could be born into the group; but only systemd
//! can move a process out of the session of an ordinary user.)
//!
//! When this program is killed meanwhile, the child goes on living until it is in (`child::outside`): systemd forgets
//! a scope when its last process leaves, and one that no process ever came into stays for ever.
//!
//! The end of the job is waited for, not the appearance of the group: systemd makes that first, and sets limits and
//! moves the process afterwards, which takes its time (see `plan::cgroup::unit`).

mod bus;
mod message;

pub use bus::Bus;

use crate::error::{Context, Error, Result};
use crate::log::debug;
use crate::plan::cgroup::unit::{Property, Unit, UnitManager};
use crate::spec::gvariant::Value;
use bus::Answer;
use message::Writer;
use serde::{Deserialize, Serialize};

/// A unit, as it is kept in the state of its container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedUnit {
    /// `tierce-web.scope`
    pub name: String,
    /// Whose systemd has it.
    pub manager: UnitManager,
    /// systemd forgets it when its last process has ended.
    pub collects: bool,
}

impl RecordedUnit {
    /// The unit of a plan.
    pub fn planned(unit: &Unit) -> RecordedUnit {
        RecordedUnit { name: unit.name.clone(), manager: unit.manager, collects: unit.collects() }
    }
}

const ERRORS: &str = "org.freedesktop.systemd1.";

/// Makes the unit, with this process in it; returns when it is there.
pub fn start(bus: &mut Bus, unit: &Unit, pid: i32) -> Result<()> {
    bus.watch(&unit.name);
    let mut fresh = true;
    loop {
        let mut ended = Vec::new();
        let serial = start_transient_unit(bus, unit, pid);
        match bus.answer(serial, &mut ended)? {
            Answer::Done(job) => {
                let result = bus.end_of(&job, ended)?;
                return if result == "done" { Ok(()) } else { Err(failed(unit, &result)) };
            }
            // It may be what is left of one that failed: that goes away when it is told so.
            Answer::Refused { name, .. } if fresh && name == format!("{ERRORS}UnitExists") => {
                fresh = false;
                reset_failed(bus, &unit.name);
            }
            Answer::Refused { name, text } => return Err(refused(unit, &name, &text)),
        }
    }
}

fn start_transient_unit(bus: &mut Bus, unit: &Unit, pid: i32) -> u32 {
    let mut body = Writer::default();
    body.string(&unit.name);
    body.string("fail");
    body.array(8, |w| {
        unit.properties.iter().for_each(|Property { name, value, .. }| w.property(name, value));
        w.property("PIDs", &Value::Array("u".into(), vec![Value::U32(pid.cast_unsigned())]));
    });
    // Units to be made along with it: a(sa(sv)).
    body.array(8, |_| {});
    bus.manager("StartTransientUnit", "ssa(sv)a(sa(sv))", body)
}

fn reset_failed(bus: &mut Bus, name: &str) -> u32 {
    let mut body = Writer::default();
    body.string(name);
    bus.manager("ResetFailedUnit", "s", body)
}

fn refused(unit: &Unit, name: &str, text: &str) -> Error {
    let what = format!("systemd: start {}", unit.name);
    if name == format!("{ERRORS}UnitExists") {
        return Error::new("there is a unit of this name already")
            .context(what)
            .context("linux.cgroupsPath")
            .hint(
                "two containers cannot share a unit; the prefix and the name of slice:prefix:name make it up",
            );
    }
    let error = Error::new(text).context(what);
    let annotated = || unit.properties.iter().filter(|p| p.location.starts_with("annotations"));
    match named(&unit.properties, text) {
        Some(property) => error.context(property.location.clone()),
        // It does not say of which.
        None if annotated().next().is_some() => {
            let all: Vec<_> = annotated().map(|p| format!("{} ({})", p.name, p.value.signature())).collect();
            error.hint(format!("one may have another type than systemd expects: {}", all.join(", ")))
        }
        None => error,
    }
}

/// The property that systemd's words are about: it says which, as in "Cannot set property Foo, or unknown property".
fn named<'a>(properties: &'a [Property], text: &str) -> Option<&'a Property> {
    let is_named = |p: &&Property| text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == p.name);
    properties.iter().filter(|p| !p.location.is_empty()).find(is_named)
}

fn failed(unit: &Unit, result: &str) -> Error {
    let user = if unit.manager == UnitManager::User { "--user " } else { "" };
    Error::new(format!("the job ended as {result:?}"))
        .context(format!("systemd: start {}", unit.name))
        .hint(format!("`journalctl {user}--unit {}` has what systemd says about it", unit.name))
}

/// Changes a unit that has started, until it ends; returns when systemd has written the files.
pub fn set_properties(unit: &RecordedUnit, properties: &[Property]) -> Result<()> {
    let what = || format!("systemd: change {}", unit.name);
    let mut bus = Bus::connect(unit.manager).map_err(|e| e.without_hint().context(what()))?;
    let mut body = Writer::default();
    body.string(&unit.name);
    // Not for units of this name that are made later.
    body.boolean(true);
    body.array(8, |w| properties.iter().for_each(|p| w.property(&p.name, &p.value)));
    let serial = bus.manager("SetUnitProperties", "sba(sv)", body);
    if let Answer::Refused { text, .. } = bus.answer(serial, &mut Vec::new()).context(what)? {
        let error = Error::new(&text).context(what());
        return Err(match named(properties, &text) {
            Some(property) => error.context(property.location.clone()),
            None => error,
        });
    }
    // It answers before it writes, and writes before it looks at what comes next.
    let mut body = Writer::default();
    body.string(&unit.name);
    let serial = bus.manager("GetUnit", "s", body);
    bus.answer(serial, &mut Vec::new()).context(what).map(drop)
}

/// Puts a process into the unit's group: systemd may, where the kernel does not let its user.
pub fn attach(unit: &RecordedUnit, pid: i32) -> Result<()> {
    let mut bus = Bus::connect(unit.manager)?;
    let mut body = Writer::default();
    body.string(&unit.name);
    body.string("");
    body.array(4, |w| w.u32(pid.cast_unsigned()));
    let serial = bus.manager("AttachProcessesToUnit", "ssau", body);
    match bus.answer(serial, &mut Vec::new())? {
        Answer::Done(_) => Ok(()),
        Answer::Refused { text, .. } => {
            Err(Error::new(text).context(format!("systemd: put process {pid} into {}", unit.name)))
        }
    }
}

/// Stops a unit whose processes have ended, and waits until systemd has forgotten it. That systemd cannot be asked,
/// or does not know it, is fine: it is there no longer then, or will be forgotten without us.
pub fn stop(unit: &RecordedUnit) {
    match Bus::connect(unit.manager).and_then(|mut bus| stop_on(&mut bus, unit)) {
        Ok(()) => {}
        Err(e) => debug(format_args!("stop {}: {}", unit.name, e.one_line())),
    }
}

fn stop_on(bus: &mut Bus, unit: &RecordedUnit) -> Result<()> {
    bus.watch(&unit.name);
    let mut body = Writer::default();
    body.string(&unit.name);
    body.string("replace");
    let serial = bus.manager("StopUnit", "ss", body);
    let mut ended = Vec::new();
    match bus.answer(serial, &mut ended)? {
        Answer::Done(job) => drop(bus.end_of(&job, ended)?),
        Answer::Refused { name, .. } if name == format!("{ERRORS}NoSuchUnit") => return Ok(()),
        Answer::Refused { text, .. } => return Err(Error::new(text)),
    }
    if !unit.collects {
        // Answered, as systemd asks the bus who we are, which it does not know when we are gone.
        let serial = reset_failed(bus, &unit.name);
        bus.answer(serial, &mut Vec::new())?;
    }
    Ok(())
}
