//! `linux.intelRdt`: the class of resctrl (caches and memory bandwidth) that a container is in.

use crate::spec::config::IntelRdt;

/// Where a container is in a resctrl filesystem, and what is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resctrl {
    /// The class.
    pub class: Class,
    /// What a new class gets, and what one that is there must have already: l3CacheSchema and
    /// memBwSchema.
    pub limits: Option<String>,
    /// What is written last, whether the class is new or not.
    pub schemata: Option<String>,
    /// The name of a monitoring group for the container alone.
    pub monitoring: Option<String>,
}

/// A class of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The one of everything that is in no other.
    Default,
    /// Of the container alone, named by its id.
    Own(String),
    /// Of this name, made if it is not there.
    Shared(String),
    /// Of this name, which must be there: nothing says what it would have.
    Existing(String),
}

impl Class {
    /// Its directory in the filesystem; none for the default class.
    pub fn directory(&self) -> Option<&str> {
        match self {
            Class::Default => None,
            Class::Own(name) | Class::Shared(name) | Class::Existing(name) => Some(name),
        }
    }

    /// Where in config.json it comes from.
    pub fn location(&self) -> &'static str {
        match self {
            Class::Own(_) => "linux.intelRdt",
            Class::Default | Class::Shared(_) | Class::Existing(_) => "linux.intelRdt.closID",
        }
    }
}

/// Plans the class of the container `id` (config-linux.md, "IntelRdt").
pub fn plan(rdt: &IntelRdt, id: &str) -> Resctrl {
    let limits = limits(rdt);
    let lines: Vec<&str> = rdt.schemata.iter().map(|line| line.trim_end_matches('\n')).collect();
    let schemata = (!lines.is_empty()).then(|| lines.join("\n"));
    let class = match rdt.clos_id.as_deref().unwrap_or_default() {
        "" => Class::Own(id.to_owned()),
        "/" => Class::Default,
        name if limits.is_none() && schemata.is_none() => Class::Existing(name.to_owned()),
        name => Class::Shared(name.to_owned()),
    };
    // The two deprecated members ask for one kind of monitoring each; the kernel has them together.
    let monitoring = rdt.enable_monitoring || rdt.enable_cmt || rdt.enable_mbm;
    Resctrl { class, limits, schemata, monitoring: monitoring.then(|| id.to_owned()) }
}

/// Both schemas in one; a line `MB:` among those of the cache gives way to memBwSchema.
fn limits(rdt: &IntelRdt) -> Option<String> {
    let text = |schema: &Option<String>| {
        schema.as_deref().map(str::trim).filter(|schema| !schema.is_empty()).map(str::to_owned)
    };
    match (text(&rdt.l3_cache_schema), text(&rdt.mem_bw_schema)) {
        (cache, None) => cache,
        (None, bandwidth) => bandwidth,
        (Some(cache), Some(bandwidth)) => {
            let lines = cache.lines().filter(|line| !line.trim_start().starts_with("MB:"));
            Some(lines.chain([bandwidth.as_str()]).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// What of `wanted` the schemata file of an existing class does not say: the first such line.
pub fn mismatch<'a>(wanted: &'a str, present: &str) -> Option<&'a str> {
    wanted.lines().find(|line| !line.trim().is_empty() && !says(present, line))
}

/// Whether the class has all that `line` asks for; it may say more of other caches.
fn says(present: &str, line: &str) -> bool {
    let Some((resource, domains)) = parse(line) else { return false };
    let there = present.lines().filter_map(parse).find(|(name, _)| *name == resource);
    there.is_some_and(|(_, there)| domains.iter().all(|domain| there.contains(domain)))
}

/// A line `L3:0=7ff;1=1f` as the name of the resource and the values of its domains.
fn parse(line: &str) -> Option<(&str, Vec<(u32, String)>)> {
    let (name, domains) = line.split_once(':')?;
    let domain = |text: &str| {
        let (id, value) = text.split_once('=')?;
        // The kernel pads with blanks and zeros, and prints masks in lower case.
        let value = value.trim().trim_start_matches("0x").trim_start_matches('0').to_ascii_lowercase();
        Some((id.trim().parse().ok()?, value))
    };
    let domains = domains.split(';').filter(|text| !text.trim().is_empty()).map(domain);
    Some((name.trim(), domains.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn planned(rdt: Value) -> Resctrl {
        plan(&serde_json::from_value(rdt).unwrap(), "box")
    }

    #[test]
    fn the_class_is_that_of_clos_id_or_of_the_container() {
        let class = |rdt: Value| planned(rdt).class;
        assert_eq!(class(json!({})), Class::Own("box".into()));
        assert_eq!(class(json!({"closID": ""})), Class::Own("box".into()));
        assert_eq!(class(json!({"closID": "/"})), Class::Default);
        assert_eq!(class(json!({"closID": "gold"})), Class::Existing("gold".into()));
        assert_eq!(
            class(json!({"closID": "gold", "enableMonitoring": true})),
            Class::Existing("gold".into())
        );
        for key in ["l3CacheSchema", "memBwSchema"] {
            assert_eq!(class(json!({"closID": "gold", key: "MB:0=7"})), Class::Shared("gold".into()));
        }
        assert_eq!(class(json!({"closID": "gold", "schemata": ["L3:0=7"]})), Class::Shared("gold".into()));
    }

    #[test]
    fn the_schemas_are_combined_and_the_schemata_come_last() {
        let limits = |rdt: Value| planned(rdt).limits;
        assert_eq!(limits(json!({})), None);
        assert_eq!(limits(json!({"l3CacheSchema": "", "memBwSchema": ""})), None);
        assert_eq!(limits(json!({"l3CacheSchema": "L3:0=f"})).as_deref(), Some("L3:0=f"));
        assert_eq!(limits(json!({"memBwSchema": "MB:0=20"})).as_deref(), Some("MB:0=20"));
        let both = json!({"l3CacheSchema": "MB:0=1\nL3:0=f\n  MB:1=2\nL2:0=3\n", "memBwSchema": "MB:0=20"});
        assert_eq!(limits(both).as_deref(), Some("L3:0=f\nL2:0=3\nMB:0=20"));
        let all = planned(json!({"l3CacheSchema": "L3:0=f", "schemata": ["L3:0=7f0;1=1f", "MB:0=20\n"]}));
        assert_eq!(all.limits.as_deref(), Some("L3:0=f"));
        assert_eq!(all.schemata.as_deref(), Some("L3:0=7f0;1=1f\nMB:0=20"));
        assert_eq!(planned(json!({"schemata": []})).schemata, None);
    }

    #[test]
    fn monitoring_has_a_group_named_after_the_container() {
        for key in ["enableMonitoring", "enableCMT", "enableMBM"] {
            assert_eq!(planned(json!({key: true})).monitoring.as_deref(), Some("box"), "{key}");
            assert_eq!(planned(json!({key: false})).monitoring, None, "{key}");
        }
    }

    #[test]
    fn a_class_that_is_there_must_have_what_is_asked_for() {
        let present = "    MB:0=100;1= 20\n    L3:0=7ff;1=01f\nL3CODE:0=1\n";
        for wanted in ["L3:0=7ff", "L3:1=1f;0=7FF", "L3:0=0x7ff\n\nMB:1=20", "MB:0=100;", ""] {
            assert_eq!(mismatch(wanted, present), None, "{wanted}");
        }
        for (wanted, line) in [
            ("L3:0=7fe", "L3:0=7fe"),
            ("MB:0=100\nL3:2=7ff", "L3:2=7ff"),
            ("L2:0=f", "L2:0=f"),
            ("L3:0", "L3:0"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(mismatch(wanted, present), Some(line), "{wanted}");
        }
    }
}
