//! `tierce list`: how containers are shown.

use crate::cli::ListFormat;
use crate::host::oom::Oom;
use serde::Serialize;
use std::collections::BTreeMap;

/// One container, with the fields of runc's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Of its configuration.
    pub oci_version: String,
    /// Its name.
    pub id: String,
    /// Its first process, as seen from the host; 0 when it is stopped.
    pub pid: i32,
    /// `creating`, `created`, `running`, `stopped` or `paused`.
    pub status: String,
    /// Absolute path of the bundle.
    pub bundle: String,
    /// Absolute path of the root filesystem.
    pub rootfs: String,
    /// When it was created: RFC 3339, UTC, with nanoseconds.
    pub created: String,
    /// Of its configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Processes of it were killed for lack of memory; only `state` looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom: Option<Oom>,
    /// Name of the user who owns it, or `#UID` where the uid has no name.
    pub owner: String,
}

/// The text of the list, to be printed as it is. `quiet` prints ids only, whatever the format.
pub fn render(entries: &[Entry], format: ListFormat, quiet: bool) -> String {
    match (quiet, format) {
        (true, _) => entries.iter().map(|e| e.id.clone() + "\n").collect(),
        (false, ListFormat::Table) => table(entries),
        (false, ListFormat::Json) => json(entries),
    }
}

/// An empty list is `null`, as Go programs write it.
fn json(entries: &[Entry]) -> String {
    let list = (!entries.is_empty()).then_some(entries);
    serde_json::to_string(&list).expect("strings and numbers are serializable") + "\n"
}

fn table(entries: &[Entry]) -> String {
    const TITLES: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(entries.iter().map(|e| {
        [
            visible(&e.id),
            e.pid.to_string(),
            visible(&e.status),
            visible(&e.bundle),
            visible(&e.created),
            visible(&e.owner),
        ]
    }));
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count() + 3).max().unwrap_or(0).max(12);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}"));
        }
        text.push_str(&row[5]);
        text.push('\n');
    }
    text
}

/// A bundle's path may hold line breaks and escape sequences, which would draw another table.
fn visible(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for c in cell.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, bundle: &str) -> Entry {
        Entry {
            oci_version: "1.0.2-dev".into(),
            id: id.into(),
            pid: 6934,
            status: "created".into(),
            bundle: bundle.into(),
            rootfs: format!("{bundle}/rootfs"),
            created: "2026-11-20T23:08:20.90907223Z".into(),
            annotations: BTreeMap::new(),
            oom: None,
            owner: "root".into(),
        }
    }

    /// What `runc list` 1.1.5 prints for the same containers.
    #[test]
    fn the_table_is_that_of_runc() {
        let expected = "\
ID          PID         STATUS      BUNDLE       CREATED                         OWNER
web         6934        created     /tmp/abc/c   2026-11-20T23:08:20.90907223Z   root
";
        assert_eq!(render(&[entry("web", "/tmp/abc/c")], ListFormat::Table, false), expected);
        let expected = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n";
        assert_eq!(render(&[], ListFormat::Table, false), expected);
    }

    #[test]
    fn the_json_is_that_of_runc() {
        let expected = concat!(
            r#"[{"ociVersion":"1.0.2-dev","id":"web","pid":6934,"status":"created","bundle":"/tmp/abc/c","#,
            r#""rootfs":"/tmp/abc/c/rootfs","created":"2026-11-20T23:08:20.90907223Z","owner":"root"}]"#,
        );
        let text = render(&[entry("web", "/tmp/abc/c")], ListFormat::Json, false);
        assert_eq!(text, format!("{expected}\n"));
        assert_eq!(render(&[], ListFormat::Json, false), "null\n");
        let mut noted = entry("x", "/b");
        noted.annotations.insert("a".into(), "b".into());
        assert!(render(&[noted], ListFormat::Json, false).contains(r#""annotations":{"a":"b"},"owner""#));
    }

    #[test]
    fn quiet_is_ids_only() {
        let two = [entry("a", "/b"), entry("c", "/d")];
        assert_eq!(render(&two, ListFormat::Json, true), "a\nc\n");
        assert_eq!(render(&two, ListFormat::Table, true), "a\nc\n");
        assert_eq!(render(&[], ListFormat::Table, true), "");
    }

    #[test]
    fn a_bundle_cannot_draw_another_row() {
        let text = render(&[entry("x", "/b\nroot\u{1b}[2J")], ListFormat::Table, false);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("/b\\nroot\\u{1b}[2J"), "{text}");
    }
}
