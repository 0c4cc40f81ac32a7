//! Sets `TIERCE_COMMIT` for `--version`: from the environment, or from git where this is a clone.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-env-changed=TIERCE_COMMIT");
    let commit = std::env::var("TIERCE_COMMIT").ok().or_else(commit_of_clone);
    println!("cargo:rustc-env=TIERCE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

/// `None` too where the sources lie unpacked inside of somebody else's clone.
fn commit_of_clone() -> Option<String> {
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    // HEAD names a branch; a commit changes the branch's file in refs/heads, or makes it.
    for name in ["HEAD", "refs/heads", "packed-refs"] {
        if let Some(file) = git(&["rev-parse", "--git-path", name]).filter(|f| Path::new(f).exists()) {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
