//! Which account a client belongs to: hosts of accounts are names, addresses, or patterns with `%` (anything)
//! and `_` (one character). The most specific host wins, then a named account before the anonymous one.

use std::cmp::Reverse;

/// Whether an account's host covers a client's (a name or an address), without regard to case.
pub(crate) fn matches(pattern: &str, host: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let host: Vec<char> = host.chars().flat_map(char::to_lowercase).collect();
    // Where to go on if what follows the last `%` does not fit: one character later.
    let (mut p, mut h) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), host.get(h)) {
            (None, None) => return true,
            (Some('%'), _) => {
                again = Some((p + 1, h));
                p += 1;
            }
            (Some('_'), Some(_)) => (p, h) = (p + 1, h + 1),
            (Some('\\'), Some(c)) if pattern.get(p + 1) == Some(c) => (p, h) = (p + 2, h + 1),
            (Some(a), Some(b)) if a == b => (p, h) = (p + 1, h + 1),
            _ => match again {
                Some((after, from)) if from < host.len() => {
                    again = Some((after, from + 1));
                    (p, h) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

/// Smaller is more specific: hosts without a wildcard, then those with more before their first one.
pub(crate) fn rank(pattern: &str) -> (bool, Reverse<usize>) {
    match pattern.find(['%', '_']) {
        None => (false, Reverse(pattern.len())),
        Some(at) => (true, Reverse(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_like_does() {
        for (pattern, host, is) in [
            ("localhost", "LOCALHOST", true),
            ("localhost", "localhost.", false),
            ("%", "", true),
            ("%", "10.0.0.1", true),
            ("10.%.1", "10.20.30.1", true),
            ("10.%.1", "10.1", false),
            ("10.0.0._", "10.0.0.7", true),
            ("10.0.0._", "10.0.0.77", false),
            ("%.example.com", "a.b.example.com", true),
            ("%.example.com", "example.com", false),
            (r"a\_b", "a_b", true),
            (r"a\_b", "axb", false),
            ("%a%b%", "xxaxxb", true),
            ("%a%b%", "xxbxxa", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, host), is, "{pattern} {host}");
        }
    }

    #[test]
    fn the_more_specific_host_comes_first() {
        let mut hosts = ["%", "10.%", "localhost", "10.0.%", "%.com"];
        hosts.sort_by_key(|host| rank(host));
        assert_eq!(hosts, ["localhost", "10.0.%", "10.%", "%", "%.com"]);
    }
}
