//! `--log`, `--log-format` and `--log-level`: one line a message, in the two forms of runc.
//!
//! Managers read the last line of the JSON form and show its `msg`. The writer never waits: a log
//! that is a full pipe loses lines rather than stop a container.

use crate::error::{Error, Result, visible};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much a message matters; the least talkative first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It did not work.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
    /// Worth knowing.
    Info,
    /// Steps and decisions.
    Debug,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `time="…" level=error msg="…"`
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`
    Json,
}

/// The flags of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Appended to; without it messages go to standard error.
    pub file: Option<PathBuf>,
    /// The form of a line.
    pub format: Format,
    /// The most talkative level that is written.
    pub level: Level,
}

struct Logger {
    file: Option<File>,
    format: Format,
    level: Level,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();
static BEFORE_INIT: Logger = Logger { file: None, format: Format::Text, level: Level::Warning };

/// Opens the log. The file is there afterwards even if nothing is ever written: managers open it.
///
/// # Errors
/// The file cannot be opened; also a FIFO that nobody reads (ENXIO), instead of waiting for a reader.
pub fn init(options: &Options) -> Result<()> {
    let file = options.file.as_ref().map(open).transpose()?;
    LOGGER.get_or_init(|| Logger { file, format: options.format, level: options.level });
    Ok(())
}

fn open(path: &PathBuf) -> Result<File> {
    let mut how = OpenOptions::new();
    how.append(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    how.open(path).map_err(|e| {
        let error = Error::io(format!("open log {}", path.display()), &e);
        match e.raw_os_error() {
            Some(libc::ENXIO) => error.hint("nobody reads this FIFO, or it is a socket"),
            _ => error,
        }
    })
}

fn logger() -> &'static Logger {
    LOGGER.get().unwrap_or(&BEFORE_INIT)
}

/// Whether a message of this level is written: ask before preparing a costly one.
pub fn enabled(level: Level) -> bool {
    level <= logger().level
}

/// Logs a warning.
pub fn warn(message: fmt::Arguments<'_>) {
    logger().message(Level::Warning, message);
}

/// Logs what is worth knowing.
pub fn info(message: fmt::Arguments<'_>) {
    logger().message(Level::Info, message);
}

/// Logs a step or a decision.
pub fn debug(message: fmt::Arguments<'_>) {
    logger().message(Level::Debug, message);
}

/// Tells the error that ends the program: as the last line of the log, and to standard error.
pub fn fatal(error: &Error) {
    logger().fatal(error);
}

impl Logger {
    fn message(&self, level: Level, message: fmt::Arguments<'_>) {
        if level > self.level {
            return;
        }
        if self.file.is_some() || self.format == Format::Json {
            self.line(level, &message.to_string());
        } else {
            to_stderr(&format!("tierce: {}: {}\n", level.name(), visible(&message.to_string())));
        }
    }

    fn fatal(&self, error: &Error) {
        let wants_line = self.file.is_some() || self.format == Format::Json;
        if wants_line {
            self.line(Level::Error, &error.one_line());
        }
        if self.file.is_some() || !wants_line {
            to_stderr(&format!("tierce: {error}\n"));
        }
    }

    /// One write(2), so that lines of several processes do not mix; a line that the file does not
    /// take goes to standard error.
    fn line(&self, level: Level, message: &str) {
        let line = render(self.format, level, message, SystemTime::now());
        let written = self.file.as_ref().is_some_and(|mut file| file.write_all(line.as_bytes()).is_ok());
        if !written {
            to_stderr(&line);
        }
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

fn render(format: Format, level: Level, message: &str, time: SystemTime) -> String {
    let (level, time) = (level.name(), Utc(time));
    match format {
        Format::Text => format!("time=\"{time:.6}\" level={level} msg={}\n", Quoted(message)),
        Format::Json => {
            format!(
                "{{\"level\":\"{level}\",\"msg\":{},\"time\":\"{time:.6}\"}}\n",
                serde_json::Value::from(message)
            )
        }
    }
}

/// Names from a bundle may hold escape sequences that would act on the terminal.
fn to_stderr(text: &str) {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => line.push(c),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    // Standard error is the last resort: there is nobody to tell that it is closed.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A string in double quotes, on one line.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A time as RFC 3339 has it, in UTC; `{:.6}` asks for microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Utc(
    /// Not before 1970.
    pub SystemTime,
);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86400, since.as_secs() % 86400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if let Some(digits @ 1..) = f.precision() {
            let nanos = format!("{:09}", since.subsec_nanos());
            write!(f, ".{}", &nanos[..digits.min(9)])?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the
/// leap day is the last; 400 years are 146097 days.
fn date(days: u64) -> (u64, u64, u64) {
    const TO_MARCH_OF_YEAR_0: u64 = 719_468;
    let (era, day) = ((days + TO_MARCH_OF_YEAR_0) / 146_097, (days + TO_MARCH_OF_YEAR_0) % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn utc(seconds: u64) -> String {
        Utc(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn dates_are_those_of_date_1() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(68_169_599), "1972-02-28T23:59:59Z");
        assert_eq!(utc(68_169_600), "1972-02-29T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(utc(4_107_542_399), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn fractions_are_cut_not_rounded() {
        let time = Utc(UNIX_EPOCH + Duration::new(1, 999_999_999));
        assert_eq!(format!("{time:.6}"), "1970-01-01T00:00:01.999999Z");
        assert_eq!(format!("{time:.9}"), "1970-01-01T00:00:01.999999999Z");
        assert_eq!(format!("{time}"), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn a_json_line_is_one_object_with_the_keys_that_managers_read() {
        let line = render(Format::Json, Level::Warning, "a \"b\"\nc\u{1b}", UNIX_EPOCH);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "level": "warning", "msg": "a \"b\"\nc\u{1b}", "time": "1970-01-01T00:00:00.000000Z"
        });
        assert_eq!(value, expected);
        assert!(line.starts_with(r#"{"level":"warning","msg":"#));
    }

    #[test]
    fn a_text_line_is_one_line() {
        let line = render(Format::Text, Level::Error, "a \"b\" \\\nc\u{1b}", UNIX_EPOCH);
        assert_eq!(
            line,
            "time=\"1970-01-01T00:00:00.000000Z\" level=error msg=\"a \\\"b\\\" \\\\\\nc\\u001b\"\n"
        );
    }

    fn logger(path: &std::path::Path, level: Level) -> Logger {
        Logger { file: Some(open(&path.to_owned()).unwrap()), format: Format::Json, level }
    }

    #[test]
    fn the_error_is_the_last_line_and_levels_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let log = logger(&path, Level::Warning);
        log.message(Level::Debug, format_args!("not this"));
        log.message(Level::Warning, format_args!("look out"));
        log.fatal(&Error::new("the end").context("run x"));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "before"));
        assert!(lines[1].starts_with(r#"{"level":"warning","msg":"look out","time":""#), "{}", lines[1]);
        assert!(lines[2].starts_with(r#"{"level":"error","msg":"run x: the end","time":""#), "{}", lines[2]);
        let fresh = dir.path().join("fresh");
        logger(&fresh, Level::Debug);
        assert_eq!(std::fs::metadata(fresh).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_named() {
        let error = open(&"/proc/none/log".into()).unwrap_err();
        assert_eq!(error.to_string(), "open log /proc/none/log: ENOENT no such file or directory");
    }

    #[test]
    fn a_fifo_without_reader_and_a_full_one_do_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let error = open(&path).unwrap_err();
        assert_eq!(error.as_errno(), Some(libc::ENXIO));
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let mut log = open(&path).unwrap();
        while log.write(&[b'x'; 4096]).is_ok() {}
        let log = Logger { file: Some(log), format: Format::Text, level: Level::Warning };
        log.line(Level::Warning, "this line finds the pipe full and is told on stderr");
        drop(reader);
    }
}
