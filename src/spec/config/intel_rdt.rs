//! `linux.intelRdt`

use super::null_default;
use serde::Deserialize;

/// `linux.intelRdt`: a class of resctrl, and how much of caches and memory bandwidth it has.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IntelRdt {
    /// The class; absent: one of the container's own. `/` is the default class.
    #[serde(rename = "closID")]
    pub clos_id: Option<String>,
    /// Lines of the schemata file, written last.
    #[serde(deserialize_with = "null_default")]
    pub schemata: Vec<String>,
    /// `L3:` and what follows.
    pub l3_cache_schema: Option<String>,
    /// `MB:` and what follows.
    pub mem_bw_schema: Option<String>,
    /// Count the container by itself.
    #[serde(deserialize_with = "null_default")]
    pub enable_monitoring: bool,
    /// Deprecated, monitoring of the cache.
    #[serde(rename = "enableCMT", deserialize_with = "null_default")]
    pub enable_cmt: bool,
    /// Deprecated, monitoring of the memory bandwidth.
    #[serde(rename = "enableMBM", deserialize_with = "null_default")]
    pub enable_mbm: bool,
}
