//! `ociVersion`

use super::Report;
use super::at::{At, quoted};

/// Required, a SemVer, and of major version 1: within it the specification promises to stay
/// compatible, so a newer minor version is accepted (config.md, "Specification version").
pub(super) fn check(version: &str, at: &At<'_>, report: &mut Report) {
    if version.is_empty() {
        report.error(at, "is missing or empty");
    } else if !is_semver(version) {
        report.error(at, format!("{} is not a SemVer version such as \"1.2.0\"", quoted(version)));
    } else if !version.starts_with("1.") {
        report.error(at, format!("{} is not supported: only versions 1.x are", quoted(version)));
    }
}

/// `MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]` (SemVer 2.0.0).
fn is_semver(version: &str) -> bool {
    let (version, build) = split(version, '+');
    let (core, prerelease) = split(version, '-');
    let mut numbers = core.split('.');
    let three = numbers.by_ref().take(3).filter(|number| is_number(number)).count() == 3;
    let identifiers = |list: &str, numeric: fn(&str) -> bool| {
        list.split('.').all(|id| {
            let digits = id.bytes().all(|b| b.is_ascii_digit());
            let known = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            !id.is_empty() && known && (!digits || numeric(id))
        })
    };
    three
        && numbers.next().is_none()
        && prerelease.is_none_or(|list| identifiers(list, is_number))
        && build.is_none_or(|list| identifiers(list, |_| true))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Digits without leading zeros.
fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semver() {
        for good in
            ["1.0.0", "1.0.2-dev", "1.3.0", "1.0.0-rc.1+build.007", "10.20.30", "1.1.0+dev", "1.0.0--"]
        {
            assert!(is_semver(good), "{good}");
        }
        let bad = [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.0.-1",
            "v1.0.0",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0+",
            "1.0.0-a..b",
        ];
        for bad in bad.into_iter().chain(["1.0.0 ", "1.0.x", "1.0.0-ä"]) {
            assert!(!is_semver(bad), "{bad}");
        }
    }
}
