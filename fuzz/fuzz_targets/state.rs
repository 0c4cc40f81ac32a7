//! A `state.json`, as somebody may have left it.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;
use tierce::state::{self, Dir, State};
use tierce_fuzz::complaints::is_one_line;
use tierce_fuzz::mutate;

static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = tempfile::tempdir().expect("a directory");
    state::claim(root.path(), "box").expect("a state directory");
    root
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::json(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let file = ROOT.path().join("box/state.json");
    fs::write(&file, bytes).expect("write the state");
    fs::write(ROOT.path().join("box/exit"), bytes).expect("write the exit status");
    let dir = state::open(ROOT.path(), "box").expect("the container");
    if let Some(status) = dir.exit_status() {
        assert_eq!(std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()), Some(status));
    }
    match dir.read_complete("box") {
        Ok(state) => written_again(&dir, &state),
        Err(error) => {
            is_one_line(&error.one_line());
            let text = error.to_string();
            assert!(text.contains(&file.display().to_string()), "which file? {text}");
            assert!(text.ends_with("hint: `tierce delete --force box` removes the container"), "{text}");
        }
    }
    Corpus::Keep
});

/// What was read is what is written, and read again.
fn written_again(dir: &Dir, state: &State) {
    dir.write(state).expect("write the state again");
    let again = dir.read_complete("box").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(format!("{state:?}"), format!("{again:?}"));
    // What commands make of it, without a look at the machine.
    let groups = state.cgroup.groups();
    assert_eq!(groups.len(), state.cgroup.groups.len());
    groups.iter().for_each(|group| assert!(group.directory().starts_with(&group.mount)));
    state.cgroup.with_controller("memory").map(|group| group.directory());
}
