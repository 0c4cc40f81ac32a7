//! The error type and its rendering.
//!
//! An error says once what was being done, to what, and why it did not work:
//!
//! ```text
//! tierce: create web: mounts[3] (tmpfs on /dev, mode=755,size=lots): EINVAL invalid argument
//! hint: tmpfs does not know `size=lots`; sizes are bytes with k, m, g or %
//! ```
//!
//! It is rendered in `main` only, to stderr and as the last line of `--log`.

use std::borrow::Cow;
use std::fmt;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON path, such as `mounts[3].destination`.
    pub path: String,
    /// What is wrong with it, including the value.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The kernel's answer.
    Errno(i32),
    /// Our own words.
    Text(String),
    /// A configuration with mistakes; all of them.
    Invalid(Vec<Violation>),
}

/// What was being done, to what, and why it did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    /// Outermost first.
    context: Vec<String>,
    cause: Cause,
    hint: Option<String>,
    exit: u8,
}

impl Error {
    fn from_cause(cause: Cause) -> Self {
        Error(Box::new(Inner { context: Vec::new(), cause, hint: None, exit: 1 }))
    }

    /// An error in our own words.
    pub fn new(text: impl Into<String>) -> Self {
        Self::from_cause(Cause::Text(text.into()))
    }

    /// The kernel refused `what` with `errno`.
    pub fn errno(what: impl Into<String>, errno: i32) -> Self {
        Self::from_cause(Cause::Errno(errno)).context(what)
    }

    /// An I/O error while doing `what`.
    pub fn io(what: impl Into<String>, error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::errno(what, errno),
            None => Self::new(error.to_string()).context(what),
        }
    }

    /// All mistakes of a configuration.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Self::from_cause(Cause::Invalid(violations))
    }

    /// A capability that is planned but not there.
    pub fn not_supported_yet(what: impl fmt::Display) -> Self {
        Self::new(format!("{what}: not supported yet"))
    }

    /// Says around this error what was being done.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Self {
        self.0.context.insert(0, what.into());
        self
    }

    /// A line that helps where the cause alone misleads.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Without the line that helps, for a message that is not about what to do now.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.0.hint = None;
        self
    }

    /// Changes every mistake of a configuration.
    #[must_use]
    pub fn with_each_mistake(mut self, mut change: impl FnMut(usize, &mut Violation)) -> Self {
        if let Cause::Invalid(violations) = &mut self.0.cause {
            violations.iter_mut().enumerate().for_each(|(i, violation)| change(i, violation));
        }
        self
    }

    /// The exit status of the program for this error, 1 unless told.
    #[must_use]
    pub fn exit(mut self, status: u8) -> Self {
        self.0.exit = status;
        self
    }

    /// The exit status of the program.
    pub fn exit_status(&self) -> u8 {
        self.0.exit
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The errno, where the kernel was the one to refuse.
    pub fn as_errno(&self) -> Option<i32> {
        match self.0.cause {
            Cause::Errno(errno) => Some(errno),
            Cause::Text(_) | Cause::Invalid(_) => None,
        }
    }

    /// The message as one line, as it goes to a JSON log.
    pub fn one_line(&self) -> String {
        let mut line = self.0.context.join(": ");
        if !line.is_empty() {
            line.push_str(": ");
        }
        match &self.0.cause {
            Cause::Errno(errno) => line.push_str(&errno_text(*errno)),
            Cause::Text(text) => line.push_str(text),
            Cause::Invalid(violations) => {
                let all: Vec<_> = violations.iter().map(Violation::to_string).collect();
                line.push_str(&all.join("; "));
            }
        }
        if let Some(hint) = &self.0.hint {
            line.push_str(" (hint: ");
            line.push_str(hint);
            line.push(')');
        }
        visible(&line).into_owned()
    }
}

/// The form for people: one line, or one a mistake, and the hint below.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        for context in &inner.context {
            write!(f, "{}: ", visible(context))?;
        }
        match &inner.cause {
            Cause::Errno(errno) => f.write_str(&errno_text(*errno))?,
            Cause::Text(text) => f.write_str(&visible(text))?,
            Cause::Invalid(violations) => match violations.as_slice() {
                [one] => f.write_str(&visible(&one.to_string()))?,
                all => {
                    write!(f, "{} mistakes", all.len())?;
                    for violation in all {
                        write!(f, "\n  {}", visible(&violation.to_string()))?;
                    }
                }
            },
        }
        if let Some(hint) = &inner.hint {
            write!(f, "\nhint: {}", visible(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Adds context to the error of a `Result`.
pub trait Context<T> {
    /// Says what was being done, if it failed.
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| e.context(what()))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::io(what(), &e))
    }
}

/// Text with its control characters escaped: a name from a bundle neither begins a line of its own, which
/// would look like another message, nor acts on the terminal.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// `EINVAL invalid argument`: the name and the text of errno(3), in lower case, because managers
/// look for `permission denied` and `no such file or directory`.
pub fn errno_text(errno: i32) -> String {
    let known = nix::errno::Errno::from_raw(errno);
    if known == nix::errno::Errno::UnknownErrno {
        return format!("errno {errno}");
    }
    format!("{known:?} {}", known.desc().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_named_and_in_the_words_that_managers_look_for() {
        assert_eq!(errno_text(libc::EACCES), "EACCES permission denied");
        assert_eq!(errno_text(libc::ENOENT), "ENOENT no such file or directory");
        assert_eq!(errno_text(libc::EPERM), "EPERM operation not permitted");
        assert_eq!(errno_text(9999), "errno 9999");
    }

    #[test]
    fn context_is_outermost_first_and_the_hint_comes_last() {
        let e = Error::errno("mounts[3]", libc::EINVAL).context("create web").hint("look again");
        assert_eq!(e.to_string(), "create web: mounts[3]: EINVAL invalid argument\nhint: look again");
        assert_eq!(e.one_line(), "create web: mounts[3]: EINVAL invalid argument (hint: look again)");
    }

    #[test]
    fn all_mistakes_are_listed() {
        let v = |path: &str, text: &str| Violation { path: path.into(), text: text.into() };
        let e = Error::invalid(vec![v("a", "is bad"), v("b[1]", "is worse")]).context("config.json");
        assert_eq!(e.to_string(), "config.json: 2 mistakes\n  a: is bad\n  b[1]: is worse");
        assert_eq!(e.one_line(), "config.json: a: is bad; b[1]: is worse");
    }

    #[test]
    fn a_name_begins_no_line_of_its_own() {
        let v = |path: &str| Violation { path: path.into(), text: "b\n  c".into() };
        let e = Error::new("a\nhint: b\u{1b}[2J").context("x\ny").hint("h\ni");
        assert_eq!(e.to_string(), "x\\ny: a\\nhint: b\\u{1b}[2J\nhint: h\\ni");
        assert_eq!(e.one_line(), "x\\ny: a\\nhint: b\\u{1b}[2J (hint: h\\ni)");
        let e = Error::invalid(vec![v("p"), v("q\r")]);
        assert_eq!(e.to_string(), "2 mistakes\n  p: b\\n  c\n  q\\r: b\\n  c");
        assert_eq!(e.one_line(), "p: b\\n  c; q\\r: b\\n  c");
    }
}
