//! Lines about `linux.intelRdt`.

use super::Lines;
use crate::plan::resctrl::{Class, Resctrl};

/// The class, and what is written into it.
pub(super) fn make(out: &mut Lines, planned: &Resctrl) {
    let name = planned.class.directory().unwrap_or("the default class");
    let (action, object) = match &planned.class {
        Class::Default => ("use class", format!("{name} of resctrl")),
        Class::Existing(_) => ("use class", format!("{name} in resctrl, which must be there")),
        Class::Own(_) => ("make class", format!("{name} in resctrl")),
        Class::Shared(_) => ("make class", format!("{name} in resctrl, unless it is there")),
    };
    out.add(action, object, planned.class.location());
    if let Some(limits) = &planned.limits {
        let object = match &planned.class {
            Class::Own(_) => format!("{limits:?} to schemata"),
            Class::Default | Class::Existing(_) => format!("{limits:?} to be in schemata"),
            Class::Shared(_) => format!("{limits:?} to schemata, or to be there if the class is"),
        };
        let action = if planned.class == Class::Default { "check" } else { "write" };
        out.add(action, object, "linux.intelRdt");
    }
    if let Some(schemata) = &planned.schemata {
        out.add("write", format!("{schemata:?} to schemata"), "linux.intelRdt.schemata");
    }
    if let Some(group) = &planned.monitoring {
        out.add("make group", format!("mon_groups/{group} in the class"), "linux.intelRdt.enableMonitoring");
    }
}

/// Init enters when it is inside the container.
pub(super) fn enter(out: &mut Lines, planned: &Resctrl) {
    let group = planned.monitoring.as_ref().map(|group| format!(", then of mon_groups/{group}"));
    let class = planned.class.directory().unwrap_or("the default class");
    let object = format!("the pid of init to tasks of {class}{}", group.unwrap_or_default());
    let by = std::mem::replace(&mut out.by, "host");
    out.add("write", object, "linux.intelRdt");
    out.by = by;
}
