//! `$HOME` where the configuration has none: that of the user in the container's /etc/passwd.

use crate::plan::process::Process;
use crate::sys;
use crate::sys::exec::OPEN_MAX;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// As much of the file as is read; no system has a longer one.
const MOST: usize = 4 << 20;

/// Looks the home directory up, inside the container's root and before the ids change. Without an
/// entry, or with a file that is none to be read, it stays `/`.
pub(super) fn look_up(process: &Process) {
    if process.env.is_open() {
        let _ = find(process);
    }
}

fn find(process: &Process) -> io::Result<()> {
    let file = open_regular()?;
    let mut search = Search::new(process.identity.uid);
    let mut buffer = [0u8; 4096];
    let mut rest = MOST;
    while rest > 0 {
        let n = sys::fs::read(file.as_fd(), &mut buffer)?;
        if n == 0 {
            break;
        }
        rest = rest.saturating_sub(n);
        if buffer[..n].iter().any(|byte| search.take(*byte)) {
            break;
        }
    }
    if let Some(home) = search.result() {
        process.env.complete(home);
    }
    Ok(())
}

/// A file, and nothing that an image may have put in its place: a fifo would hang, a device act.
fn open_regular() -> io::Result<OwnedFd> {
    let root = sys::fs::openat(sys::fs::CWD, c"/", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let open = |flags| {
        let file = sys::fs::open_in_root(root.as_fd(), c"etc/passwd", flags)?;
        match sys::fs::fstat(file.as_fd())?.is(libc::S_IFREG) {
            true => Ok(file),
            false => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    };
    open(libc::O_PATH)?;
    // Looked at again, since somebody may share the root filesystem.
    open(libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)
}

/// The number of a field of passwd(5).
const UID: usize = 2;
const HOME: usize = 5;
/// None of them.
const COMMENT: usize = 1 << 16;

/// Reads passwd(5) byte by byte, so that no line is too long, and needs no memory but its own.
struct Search {
    wanted: u32,
    /// The field that the next byte is of; behind all of them in a comment.
    field: usize,
    /// Bytes of that field, or of the home directory if that is over.
    length: usize,
    uid: Option<u32>,
    home: [u8; OPEN_MAX],
    found: bool,
}

impl Search {
    fn new(wanted: u32) -> Self {
        Search { wanted, field: 0, uid: None, home: [0; OPEN_MAX], length: 0, found: false }
    }

    /// Takes the next byte; true when the entry is found.
    fn take(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' => self.end_line(),
            b':' => {
                self.field += 1;
                if self.field <= HOME {
                    self.length = 0;
                }
            }
            b'#' if self.field == 0 && self.length == 0 => self.field = COMMENT,
            byte if self.field == UID => self.digit(byte),
            byte if self.field == HOME => {
                if let Some(place) = self.home.get_mut(self.length) {
                    *place = byte;
                }
                self.length += 1;
            }
            _ if self.field < HOME => self.length += 1,
            _ => {}
        }
        self.found
    }

    /// What is no number is no id.
    fn digit(&mut self, byte: u8) {
        let before = if self.length == 0 { Some(0) } else { self.uid };
        let digit = char::from(byte).to_digit(10);
        self.uid = before.zip(digit).and_then(|(n, digit): (u32, u32)| n.checked_mul(10)?.checked_add(digit));
        self.length += 1;
    }

    fn end_line(&mut self) {
        self.found = self.matches();
        if !self.found {
            (self.field, self.uid, self.length) = (0, None, 0);
        }
    }

    fn matches(&self) -> bool {
        (HOME..COMMENT).contains(&self.field) && self.uid == Some(self.wanted)
    }

    /// The home directory, unless it is empty or longer than a path can be.
    fn result(&self) -> Option<&[u8]> {
        let home = self.home.get(..self.length).filter(|home| !home.is_empty() && !home.contains(&0));
        home.filter(|_| self.matches())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(uid: u32, text: &[u8]) -> Option<Vec<u8>> {
        let mut search = Search::new(uid);
        let _ = text.iter().any(|byte| search.take(*byte));
        search.result().map(<[u8]>::to_vec)
    }

    #[test]
    fn the_first_entry_of_the_user_counts() {
        let text = b"root:x:0:0:Root of all:/root:/bin/sh\n\nbad\na:x:7:7::/first:\nb:x:7:7::/second:/bin/sh";
        assert_eq!(home(0, text).unwrap(), b"/root");
        assert_eq!(home(7, text).unwrap(), b"/first");
        assert_eq!(home(8, text), None);
        assert_eq!(home(8, b"c:x:8:8::/without/shell").unwrap(), b"/without/shell");
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        for line in [
            "x:x:7",
            "x:x:7:7:gecos",
            "x:x:7a:7::/h:",
            "x:x:-7:7::/h:",
            "x:x::7::/h:",
            "x:x:7:7:::",
            "7:7",
            "#x:x:7:7::/h:",
        ] {
            assert_eq!(home(7, line.as_bytes()), None, "{line}");
        }
        assert_eq!(home(0, b"x:x::0::/h:\nx:x:4294967296:0::/h:\n"), None);
        assert_eq!(home(4294967295, b"x:x:4294967295:0::/h:\n").unwrap(), b"/h");
        assert_eq!(home(7, b"x:x:7:7::/a\0b:"), None);
    }

    #[test]
    fn a_home_that_is_no_path_is_none() {
        let of = |length| [b"x:x:7:7::", vec![b'h'; length].as_slice(), b":/bin/sh\n"].concat();
        assert_eq!(home(7, &of(OPEN_MAX)).unwrap().len(), OPEN_MAX);
        assert_eq!(home(7, &of(OPEN_MAX + 1)), None);
    }
}
