//! The suite itself.

use crate::harness::prelude::*;
use crate::{coverage, peers, security};

cases!("suite", root: [
    a_container_that_is_left_behind_is_seen,
], anyone: [
    the_list_of_known_differences_is_current,
    the_coverage_table_is_current,
    what_the_security_table_names_exists,
]);

fn the_list_of_known_differences_is_current(_: &Case) {
    let current = include_str!("PEERS.md") == peers::markdown();
    assert!(current, "PEERS.md differs from peers.rs: run with --write-peers");
}

fn the_coverage_table_is_current(_: &Case) {
    let current = include_str!("COVERAGE.md") == coverage::markdown();
    assert!(current, "COVERAGE.md differs from coverage.rs: run with --write-coverage");
}

/// And is in its page.
fn what_the_security_table_names_exists(_: &Case) {
    security::check().unwrap_or_else(|wrong| panic!("{wrong}"));
    let page = include_str!("security/README.md");
    let missing: Vec<&str> = security::cases()
        .iter()
        .map(|case| case.name)
        .filter(|name| !page.contains(&name.replace('_', " ")))
        .collect();
    assert!(missing.is_empty(), "run `make security SECURITY_FLAGS=--write` for {missing:?}");
}

fn a_container_that_is_left_behind_is_seen(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let left = crate::harness::leftovers::find_now(t).join("\n");
    for what in ["state directory", "cgroup /", "process "] {
        assert!(left.contains(what), "the oracle does not see the {what}: {left}");
    }
    container.delete_by_force().ok();
}
