//! Sections of `linux.resources` that are refused, not ignored.

use crate::error::{Error, Result};
use crate::spec::config::Resources;
use serde_json::Value;

/// Refuses limits that this release cannot set. Managers write empty and zero ones, which say
/// nothing.
pub(super) fn check(resources: &Resources) -> Result<()> {
    let rdma = resources.rdma.as_ref().is_some_and(|devices| devices.values().any(says_something));
    let pages = resources.hugepage_limits.as_ref().is_some_and(|limits| !limits.is_empty());
    for (section, present) in [
        ("blockIO", resources.block_io.as_ref().is_some_and(says_something)),
        ("network", resources.network.as_ref().is_some_and(says_something)),
        ("rdma", rdma),
        ("hugepageLimits", pages),
    ] {
        if present {
            return Err(Error::not_supported_yet(format!("linux.resources.{section}")));
        }
    }
    Ok(())
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(says_something),
    }
}
