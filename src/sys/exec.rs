//! execve(2) and its argument vectors.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// A NULL-terminated vector of strings, ready for execve(2).
#[derive(Debug)]
pub struct CStringArray {
    strings: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
    open: Option<Open>,
    own_pid: Option<Open>,
}

/// The longest value that fits into an [`Open`] string: a path.
pub const OPEN_MAX: usize = libc::PATH_MAX as usize;

/// A last string of which only the beginning is known yet. The rest is written without allocating.
#[derive(Debug)]
struct Open {
    bytes: Box<[Cell<u8>]>,
    known: usize,
}

impl Open {
    fn new(known: &str) -> Open {
        let byte = |i: usize| known.as_bytes().get(i).map_or(0, |b| *b);
        let bytes = (0..known.len() + OPEN_MAX + 1).map(|i| Cell::new(byte(i))).collect();
        Open { bytes, known: known.len() }
    }

    fn complete(&self, value: &[u8]) {
        for (cell, byte) in self.bytes[self.known..].iter().zip(value.iter().chain([&0])) {
            cell.set(*byte);
        }
    }
}

impl CStringArray {
    /// Takes the strings.
    pub fn new(strings: Vec<CString>) -> Self {
        // A CString's bytes are on the heap: moving the vector does not move them.
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self { strings, pointers, open: None, own_pid: None }
    }

    /// With one more string, which is `known` and then what [`CStringArray::complete`] says, and `value`
    /// until then.
    pub fn with_open(strings: Vec<CString>, known: &str, value: &str) -> Self {
        let mut array = Self::new(strings);
        let open = Open::new(known);
        array.add(&open);
        array.open = Some(open);
        array.complete(value.as_bytes());
        array
    }

    /// With one more string, which is `known` and then the pid of [`CStringArray::tell_pid`].
    pub fn with_own_pid(mut self, known: &str) -> Self {
        let open = Open::new(known);
        self.add(&open);
        self.own_pid = Some(open);
        self
    }

    fn add(&mut self, open: &Open) {
        // The box keeps its place when the array moves.
        self.pointers.insert(self.pointers.len() - 1, open.bytes.as_ptr().cast());
    }

    /// Puts the pid in its place, if there is one for it.
    pub fn tell_pid(&self, pid: i32) {
        let Some(open) = &self.own_pid else { return };
        let (mut digits, mut first, mut rest) = ([0; 10], 10, pid.unsigned_abs());
        while rest > 0 || first == 10 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        open.complete(&digits[first..]);
    }

    /// Is there a string to complete?
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Completes the open string, if there is one and the value fits.
    pub fn complete(&self, value: &[u8]) {
        if let Some(open) = self.open.as_ref().filter(|_| value.len() <= OPEN_MAX) {
            open.complete(value);
        }
    }

    /// The strings.
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// execveat(2) of an open file, which may be close-on-exec if it is no script; returns only if it failed.
pub fn execve_file(file: BorrowedFd, argv: &CStringArray, envp: &CStringArray) -> io::Error {
    let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: both vectors are NULL-terminated arrays of NUL-terminated strings that live here.
    unsafe {
        let (argv, envp) = (argv.pointers.as_ptr(), envp.pointers.as_ptr());
        libc::syscall(libc::SYS_execveat, file.as_raw_fd(), empty, argv, envp, flags)
    };
    io::Error::last_os_error()
}

/// execve(2); returns only if it failed.
pub fn execve(path: &CStr, argv: &CStringArray, envp: &CStringArray) -> io::Error {
    // SAFETY: both vectors are NULL-terminated arrays of NUL-terminated strings that live here.
    unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), envp.pointers.as_ptr()) };
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(array: &CStringArray) -> &CStr {
        let pointer = array.pointers[array.pointers.len() - 2];
        // SAFETY: the pointer is of a NUL-terminated string of the array.
        unsafe { CStr::from_ptr(pointer) }
    }

    #[test]
    fn a_pid_is_written_in_decimal() {
        let array = CStringArray::with_open(vec![], "HOME=", "/").with_own_pid("LISTEN_PID=");
        assert_eq!(array.pointers.len(), 3);
        for (pid, expected) in
            [(4_194_304, c"LISTEN_PID=4194304"), (1, c"LISTEN_PID=1"), (20, c"LISTEN_PID=20")]
        {
            array.tell_pid(pid);
            assert_eq!(last(&array), expected);
        }
        array.tell_pid(i32::MAX);
        assert_eq!(last(&array), c"LISTEN_PID=2147483647");
    }

    #[test]
    fn an_open_string_is_completed_where_it_stands() {
        let array = CStringArray::with_open(vec![c"A=1".to_owned()], "HOME=", "/");
        let array = Box::new(array);
        assert_eq!((array.pointers.len(), last(&array)), (3, c"HOME=/"));
        array.complete(b"/home/alice");
        assert_eq!(last(&array), c"HOME=/home/alice");
        array.complete(b"/root");
        assert_eq!(last(&array), c"HOME=/root");
        let longest = vec![b'x'; OPEN_MAX];
        array.complete(&longest);
        assert_eq!(last(&array).to_bytes().len(), "HOME=".len() + OPEN_MAX);
        array.complete(&[b'y'; OPEN_MAX + 1]);
        assert!(last(&array).to_bytes().ends_with(b"x"));
    }
}
