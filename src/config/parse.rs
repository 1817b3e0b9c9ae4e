//! Parsers of single values. Each says in its error what it expected, to stand behind the value.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use toml::Value;

/// A parser's answer; the error begins with "expected".
pub type Parsed<T> = Result<T, String>;

/// Text that is not empty.
///
/// # Errors
///
/// What was expected.
pub fn text(value: &Value) -> Parsed<String> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("expected text".to_owned()),
    }
}

/// A whole number within `range`.
pub fn integer(range: RangeInclusive<u32>) -> impl FnOnce(&Value) -> Parsed<u32> {
    move |value| {
        value
            .as_integer()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                format!("expected a whole number from {} to {}", range.start(), range.end())
            })
    }
}

/// A port.
///
/// # Errors
///
/// What was expected.
pub fn port(value: &Value) -> Parsed<u16> {
    value
        .as_integer()
        .and_then(|number| u16::try_from(number).ok())
        .filter(|port| *port > 0)
        .ok_or_else(|| "expected a port from 1 to 65535".to_owned())
}

/// A duration with its unit (`"5s"`, `"1h 30m"`) within `range`.
pub fn duration(range: RangeInclusive<Duration>) -> impl FnOnce(&Value) -> Parsed<Duration> {
    move |value| {
        value
            .as_str()
            .and_then(|text| text.parse::<jiff::SignedDuration>().ok())
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| range.contains(duration))
            .ok_or_else(|| {
                let (from, to) = (shown(*range.start()), shown(*range.end()));
                format!("expected a duration from {from} to {to}, such as 5s")
            })
    }
}

/// `true` or `false`.
///
/// # Errors
///
/// What was expected.
pub fn flag(value: &Value) -> Parsed<bool> {
    value.as_bool().ok_or_else(|| "expected true or false".to_owned())
}

/// A path. Whether anything is there is for the one who opens it to say.
///
/// # Errors
///
/// What was expected.
pub fn path(value: &Value) -> Parsed<PathBuf> {
    text(value).map(PathBuf::from).map_err(|_| "expected a path".to_owned())
}

/// An address to listen on: `127.0.0.1:8443`, `[::]:8443`.
///
/// # Errors
///
/// What was expected.
pub fn socket_address(value: &Value) -> Parsed<SocketAddr> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "expected an address with a port, such as 127.0.0.1:8443".to_owned())
}

/// Anything that parses from text; `expected` says what.
pub fn parsed<T: FromStr>(expected: &'static str) -> impl FnOnce(&Value) -> Parsed<T> {
    move |value| {
        value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("expected {expected}"))
    }
}

/// One of a few words.
pub fn one_of<T: Clone>(words: &[(&'static str, T)]) -> impl FnOnce(&Value) -> Parsed<T> {
    move |value| {
        let found = words.iter().find(|(word, _)| value.as_str() == Some(*word));
        found.map(|(_, meant)| meant.clone()).ok_or_else(|| {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            match names.split_last() {
                Some((last, [])) => format!("expected {last}"),
                Some((last, rest)) => format!("expected {} or {last}", rest.join(", ")),
                None => "expected nothing".to_owned(),
            }
        })
    }
}

/// A list of at most `most`, each read by `each`. The first wrong one is named.
pub fn list<T>(
    most: usize,
    each: impl Fn(&Value) -> Parsed<T>,
) -> impl FnOnce(&Value) -> Parsed<Vec<T>> {
    move |value| {
        let Some(items) = value.as_array().filter(|items| items.len() <= most) else {
            return Err(format!("expected a list of at most {most}"));
        };
        items
            .iter()
            .enumerate()
            .map(|(at, item)| each(item).map_err(|what| format!("entry {}: {what}", at + 1)))
            .collect()
    }
}

/// A duration as people write it: `1h 30m`.
#[must_use]
pub fn shown(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{}s", duration.as_secs()), |signed| format!("{signed:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        let mut table: toml::Table = format!("v = {text}").parse().unwrap();
        table.remove("v").unwrap()
    }

    #[test]
    fn a_duration_needs_its_unit_and_its_range() {
        let range = || Duration::from_millis(10)..=Duration::from_secs(7_200);
        assert_eq!(duration(range())(&value("'1h 30m'")), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration(range())(&value("'250ms'")), Ok(Duration::from_millis(250)));
        for bad in ["5", "'5'", "'-5s'", "'3h'", "'five'", "true"] {
            assert!(duration(range())(&value(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_listed_where_none_fits() {
        let words = [("auto", 1), ("tcp", 2), ("quic", 3)];
        assert_eq!(one_of(&words)(&value("'tcp'")), Ok(2));
        let error = one_of(&words)(&value("'foo'")).unwrap_err();
        assert_eq!(error, "expected auto, tcp or quic");
    }

    #[test]
    fn a_list_names_its_first_wrong_entry() {
        let error = list(3, port)(&value("[80, 0]")).unwrap_err();
        assert_eq!(error, "entry 2: expected a port from 1 to 65535");
        assert!(list(1, port)(&value("[80, 81]")).is_err());
    }
}
