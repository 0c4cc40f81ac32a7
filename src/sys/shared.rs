//! Memory that two processes see.

use super::check;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

/// A word in a shared anonymous page (mmap(2), `MAP_SHARED`): what one process writes, a clone of it
/// reads, without a system call. It is never unmapped; execve(2) does that.
#[derive(Debug, Clone, Copy)]
pub struct Word(&'static AtomicI32);

impl Word {
    /// Maps a page whose first word is `value`.
    pub fn new(value: i32) -> io::Result<Word> {
        let (read_write, shared) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever the kernel has room.
        let page =
            unsafe { libc::mmap(std::ptr::null_mut(), size_of::<AtomicI32>(), read_write, shared, -1, 0) };
        check(page as libc::c_long)?;
        // SAFETY: the page is aligned, all zeros, and mapped for as long as this program runs.
        let word = Word(unsafe { &*page.cast::<AtomicI32>() });
        word.set(value);
        Ok(word)
    }

    /// Writes it.
    pub fn set(self, value: i32) {
        self.0.store(value, Ordering::Release);
    }

    /// Reads it.
    pub fn get(self) -> i32 {
        self.0.load(Ordering::Acquire)
    }
}
