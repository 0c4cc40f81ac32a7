//! Paths inside the root filesystem.

use std::ffi::CString;

/// A path inside the root filesystem, relative to it, that is resolved by the child on fds only
/// (a host path planned early would be a time-of-check hole). Keeps each prefix as a C string, so
/// that missing directories can be made without allocating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InRoot {
    /// `dev/pts`, or `.` for the root itself.
    pub full: CString,
    /// `dev`, `dev/pts`: every prefix with its last component.
    pub prefixes: Vec<Prefix>,
}

/// One more component of an [`InRoot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The path up to and including `name`.
    pub path: CString,
    /// The last component.
    pub name: CString,
}

impl InRoot {
    /// Takes a path of the configuration, absolute or relative to the root; `None` if it holds a
    /// NUL byte. `.` and empty components vanish, `..` is taken off textually, as the kernel would
    /// on a path without symbolic links; symbolic links are the resolver's.
    pub fn new(path: &str) -> Option<Self> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let prefixes = (0..parts.len())
            .map(|i| {
                Some(Prefix {
                    path: CString::new(parts[..=i].join("/")).ok()?,
                    name: CString::new(parts[i]).ok()?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let full = prefixes.last().map_or_else(|| c".".to_owned(), |p| p.path.clone());
        Some(InRoot { full, prefixes })
    }

    /// As an absolute path of the container, for people.
    pub fn display(&self) -> String {
        match self.prefixes.is_empty() {
            true => "/".to_owned(),
            false => format!("/{}", self.full.to_string_lossy()),
        }
    }

    /// The root itself?
    pub fn is_root(&self) -> bool {
        self.prefixes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cleaned_and_stays_inside() {
        let of = |p: &str| InRoot::new(p).unwrap().display();
        assert_eq!(of("/dev//pts/."), "/dev/pts");
        assert_eq!(of("../../etc/../x"), "/x");
        assert_eq!(of("/"), "/");
        assert!(InRoot::new("a\0b").is_none());
        let path = InRoot::new("/a/b").unwrap();
        let prefixes: Vec<_> = path.prefixes.iter().map(|p| (p.path.as_c_str(), p.name.as_c_str())).collect();
        assert_eq!(prefixes, [(c"a", c"a"), (c"a/b", c"b")]);
    }
}
