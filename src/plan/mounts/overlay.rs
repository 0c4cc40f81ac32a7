//! The layers of an overlay. A whole list of them is one value, which fsconfig(2) takes up to 255 bytes;
//! one by one (`lowerdir+`, Linux 6.8) they are at most paths, and longer ones go by fd (6.13).

use std::path::Path;

/// `\\` and the character behind it are one, `:` separates.
fn layers(list: &str) -> Vec<String> {
    let mut layers = vec![String::new()];
    let mut escaped = false;
    for c in list.chars() {
        match c {
            ':' if !escaped => layers.push(String::new()),
            _ => layers.last_mut().expect("never empty").push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    layers
}

/// With relative paths taken from the bundle, as those of bind mounts are.
pub(super) fn absolute(words: &[String], bundle: &Path) -> Vec<String> {
    let one = |path: &str| match path.is_empty() || path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", escape(&bundle.to_string_lossy())),
    };
    let word = |word: &String| match word.split_once('=') {
        Some(("lowerdir", list)) => {
            format!("lowerdir={}", layers(list).iter().map(|l| one(l)).collect::<Vec<_>>().join(":"))
        }
        Some((key @ ("upperdir" | "workdir"), path)) => format!("{key}={}", one(path)),
        // These are paths as they are, without anything escaped.
        Some((key @ ("lowerdir+" | "datadir+"), path)) if !path.starts_with('/') => {
            format!("{key}={}", bundle.join(path).display())
        }
        _ => word.clone(),
    };
    words.iter().map(word).collect()
}

/// A `lowerdir` that is longer than `longest` becomes its layers; behind `::` they hold data only.
pub(super) fn one_by_one(words: &[String], longest: usize) -> Vec<String> {
    let mut split = Vec::new();
    for word in words {
        match word.strip_prefix("lowerdir=") {
            Some(list) if list.len() > longest => {
                let mut key = "lowerdir+";
                for layer in layers(list) {
                    match layer.is_empty() {
                        true => key = "datadir+",
                        // Of these the kernel takes every character as it is.
                        false => split.push(format!("{key}={}", unescape(&layer))),
                    }
                }
            }
            _ => split.push(word.clone()),
        }
    }
    split
}

fn escape(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:").replace(',', "\\,")
}

fn unescape(path: &str) -> String {
    let mut text = String::new();
    let mut escaped = false;
    for c in path.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            text.push(c);
        }
    }
    text
}
