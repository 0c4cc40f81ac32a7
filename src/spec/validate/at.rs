//! Where in the JSON document something is.

use std::fmt;

/// A JSON path as a chain on the stack: it costs nothing until a mistake is to be named.
///
/// It reads `mounts[3].options[0]`; a key that is not a plain word is quoted, as in
/// `linux.sysctl["net.ipv4.ip_forward"]`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    /// The document itself.
    Root,
    /// A member of an object.
    Key(&'a At<'a>, &'a str),
    /// An entry of a list.
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    /// The member `key` of this object.
    pub(crate) fn key<'b>(&'b self, key: &'b str) -> At<'b> {
        At::Key(self, key)
    }

    /// The entry `index` of this list.
    pub(crate) fn index(&self, index: usize) -> At<'_> {
        At::Index(self, index)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
            At::Key(parent, key) if !is_word(key) => write!(f, "{parent}[{key:?}]"),
            At::Key(At::Root, key) => f.write_str(key),
            At::Key(parent, key) => write!(f, "{parent}.{key}"),
        }
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whether one of two rendered paths is the other, or lies within it.
pub(crate) fn overlap(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    match long.strip_prefix(short) {
        Some(rest) => short.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    }
}

/// A string as it is shown in a message: quoted, escaped, and cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    match text.char_indices().nth(MOST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_javascript() {
        let mounts = At::Root.key("mounts");
        let mount = mounts.index(3);
        assert_eq!(mount.key("options").index(0).to_string(), "mounts[3].options[0]");
        let linux = At::Root.key("linux");
        let sysctl = linux.key("sysctl");
        assert_eq!(sysctl.key("net.ipv4.ip_forward").to_string(), r#"linux.sysctl["net.ipv4.ip_forward"]"#);
        assert_eq!(At::Root.key("annotations").key("").to_string(), r#"annotations[""]"#);
        assert_eq!(At::Root.index(1).to_string(), "[1]");
    }

    #[test]
    fn paths_overlap_at_whole_steps() {
        assert!(overlap("linux", "linux.devices[1].path"));
        assert!(overlap("linux.devices[1].path", "linux.devices"));
        assert!(overlap("a[1]", "a[1]"));
        assert!(!overlap("a[1]", "a[10]"));
        assert!(!overlap("linux", "linuxes"));
        assert!(overlap("", "anything"));
    }

    #[test]
    fn long_strings_are_cut_at_a_character() {
        assert_eq!(quoted("a\0\n"), r#""a\0\n""#);
        let shown = quoted(&"ä".repeat(100));
        assert_eq!(shown, format!("\"{}\"... (200 bytes)", "ä".repeat(64)));
    }
}
