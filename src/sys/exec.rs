//! execve(2) and its argument vectors.

use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

/// A NULL-terminated vector of strings, ready for execve(2).
#[derive(Debug)]
pub struct CStringArray {
    strings: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl CStringArray {
    /// Takes the strings.
    pub fn new(strings: Vec<CString>) -> Self {
        // A CString's bytes are on the heap: moving the vector does not move them.
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self { strings, pointers }
    }

    /// The strings.
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// execve(2); returns only if it failed.
pub fn execve(path: &CStr, argv: &CStringArray, envp: &CStringArray) -> io::Error {
    // SAFETY: both vectors are NULL-terminated arrays of NUL-terminated strings that live here.
    unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), envp.pointers.as_ptr()) };
    io::Error::last_os_error()
}
