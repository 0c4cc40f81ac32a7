//! `stats`: what containers use, for people, and for programs that need less than `events` tells.

use super::Env;
use crate::cli::{ListFormat, StatsOptions};
use crate::error::{Context, Error, Result};
use crate::host::oom::size;
use crate::host::stats::{self, BlkioEntry, Pressure};
use crate::log;
use crate::state;
use serde::Serialize;

/// More is no limit: v1 has the largest number of whole pages there.
const NO_LIMIT: u64 = 1 << 60;

/// One container. Times are in ns, sizes in bytes; what nobody counts is `null`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    status: &'static str,
    cpu: Cpu,
    memory: Memory,
    pids: Pids,
    io: Io,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    total: u64,
    user: u64,
    kernel: u64,
    throttled: u64,
    pressure: Option<Pressure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    usage: u64,
    peak: u64,
    limit: Option<u64>,
    oom_kills: u64,
    pressure: Option<Pressure>,
}

#[derive(Debug, Serialize)]
struct Pids {
    current: u64,
    limit: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Io {
    read: u64,
    written: u64,
    pressure: Option<Pressure>,
}

/// Prints what these containers use, or all there are.
///
/// # Errors
/// One of those that were named is not there, or has no cgroup of its own.
pub fn run(env: &Env, options: &StatsOptions) -> Result<()> {
    let mut rows = Vec::new();
    for id in &options.ids {
        rows.push(row(env, id).context(|| format!("stats {id}"))?);
    }
    if options.ids.is_empty() {
        for id in state::ids(&env.root).context(|| "stats")? {
            match row(env, &id) {
                Ok(row) => rows.push(row),
                // Deleted since the directory was read.
                Err(_) if matches!(state::find(&env.root, &id), Ok(None)) => {}
                Err(e) => log::warn(format_args!("stats {id}: {}", e.one_line())),
            }
        }
    }
    match options.format {
        ListFormat::Json => {
            let text = serde_json::to_string(&rows).map_err(|e| Error::new(e.to_string()))?;
            super::print(&(text + "\n"))
        }
        ListFormat::Table => super::print(&table(&rows)),
    }
}

fn row(env: &Env, id: &str) -> Result<Row> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    let stats = stats::collect(&state)?;
    let sum = |op: &str| {
        let bytes: &[BlkioEntry] = &stats.blkio.io_service_bytes_recursive;
        bytes.iter().filter(|entry| entry.op == op).map(|entry| entry.value).sum()
    };
    let limit = |limit: u64| (limit > 0 && limit < NO_LIMIT).then_some(limit);
    Ok(Row {
        id: state.id.clone(),
        status: dir.status(&state).name(),
        io: Io { read: sum("Read"), written: sum("Write"), pressure: stats.blkio.psi.clone() },
        cpu: Cpu {
            total: stats.cpu.usage.total,
            user: stats.cpu.usage.user,
            kernel: stats.cpu.usage.kernel,
            throttled: stats.cpu.throttling.throttled_time,
            pressure: stats.cpu.psi,
        },
        memory: Memory {
            usage: stats.memory.usage.usage,
            peak: stats.memory.usage.max,
            limit: limit(stats.memory.usage.limit),
            oom_kills: stats.memory.event_count.get("oom_kill").copied().unwrap_or(0),
            pressure: stats.memory.psi,
        },
        pids: Pids { current: stats.pids.current, limit: limit(stats.pids.limit) },
    })
}

const TITLES: [&str; 12] = [
    "ID",
    "STATUS",
    "CPU",
    "THROTTLED",
    "MEMORY",
    "PEAK",
    "LIMIT",
    "OOM",
    "PIDS",
    "READ",
    "WRITTEN",
    "PRESSURE",
];

fn table(rows: &[Row]) -> String {
    let mut lines = vec![TITLES.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [usize; 12] =
        std::array::from_fn(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0) + 2);
    let mut text = String::new();
    for line in &lines {
        let padded: String = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 12] {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let pids = match row.pids.limit {
        Some(limit) => format!("{}/{limit}", row.pids.current),
        None => row.pids.current.to_string(),
    };
    [
        row.id.clone(),
        row.status.to_owned(),
        seconds(row.cpu.total),
        seconds(row.cpu.throttled),
        size(row.memory.usage),
        size(row.memory.peak),
        or_none(row.memory.limit.map(size)),
        row.memory.oom_kills.to_string(),
        pids,
        size(row.io.read),
        size(row.io.written),
        pressure(row),
    ]
}

/// `1.234 s`
fn seconds(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

/// How much of the last 10 s somebody waited for cpu, memory and io, in percent.
fn pressure(row: &Row) -> String {
    let all = [&row.cpu.pressure, &row.memory.pressure, &row.io.pressure];
    let shown = all.map(|p| p.as_ref().map_or_else(|| "-".to_owned(), |p| format!("{:.0}%", p.some.avg10)));
    shown.join(" ")
}
