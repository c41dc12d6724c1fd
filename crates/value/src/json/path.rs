//! Paths: `$.name[0]."two words"[last].*[*]**.deep`.

use super::Json;

/// A place where a path stops being one: the character's position, from 1, as MySQL counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON path expression around character position {0}")]
pub struct PathError(pub usize);

/// A position in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// From the first.
    First(usize),
    /// Back from the last.
    Last(usize),
}

impl Position {
    /// Where that is in an array of this length; for a place before the first one, None.
    #[must_use]
    pub fn of(self, length: usize) -> Option<usize> {
        match self {
            Position::First(at) => Some(at),
            Position::Last(back) => length.checked_sub(back + 1),
        }
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// `.name`
    Member(String),
    /// `.*`
    AnyMember,
    /// `[3]`, `[last-1]`
    Element(Position),
    /// `[2 to last]`
    Range(Position, Position),
    /// `[*]`
    AnyElement,
    /// `**`
    Everything,
}

/// A path into a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// Its steps behind `$`.
    pub legs: Vec<Leg>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// Where it stops being one.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        let mut parser = Parser { text, at: 0 };
        parser.skip_space();
        if !parser.take('$') {
            return Err(parser.error());
        }
        let mut legs = Vec::new();
        loop {
            parser.skip_space();
            match parser.peek() {
                None => break,
                Some('.') => {
                    parser.next();
                    parser.skip_space();
                    legs.push(parser.member()?);
                }
                Some('[') => {
                    parser.next();
                    legs.push(parser.element()?);
                }
                Some('*') => {
                    parser.next();
                    // Everything of everything is everything, and what follows has to say which of it.
                    if !parser.take('*') || parser.peek() == Some('*') {
                        return Err(parser.error());
                    }
                    legs.push(Leg::Everything);
                }
                Some(_) => return Err(parser.error()),
            }
        }
        match legs.last() {
            Some(Leg::Everything) => Err(parser.error()),
            _ => Ok(Path { legs }),
        }
    }

    /// Whether it can lead to several places.
    #[must_use]
    pub fn is_multiple(&self) -> bool {
        let many = |leg: &Leg| !matches!(leg, Leg::Member(_) | Leg::Element(_));
        self.legs.iter().any(many)
    }

    /// All values it leads to, each once, in document order.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Json) -> Vec<&'a Json> {
        let mut found = Vec::new();
        walk(document, &self.legs, &mut found);
        found
    }

    /// The value it leads to, to change it. For paths that lead to one place.
    #[must_use]
    pub fn find_mut<'a>(&self, document: &'a mut Json) -> Option<&'a mut Json> {
        follow(document, &self.legs)
    }

    /// The path without its last step, and that step.
    #[must_use]
    pub fn split_last(&self) -> Option<(Path, &Leg)> {
        let (last, before) = self.legs.split_last()?;
        Some((Path { legs: before.to_vec() }, last))
    }

    /// Appends its text.
    pub fn write_text(&self, out: &mut String) {
        out.push('$');
        for leg in &self.legs {
            match leg {
                Leg::Member(name) if is_identifier(name) => {
                    out.push('.');
                    out.push_str(name);
                }
                Leg::Member(name) => {
                    out.push('.');
                    super::quote(name, out);
                }
                Leg::AnyMember => out.push_str(".*"),
                Leg::Element(at) => {
                    out.push('[');
                    write_position(*at, out);
                    out.push(']');
                }
                Leg::Range(from, to) => {
                    out.push('[');
                    write_position(*from, out);
                    out.push_str(" to ");
                    write_position(*to, out);
                    out.push(']');
                }
                Leg::AnyElement => out.push_str("[*]"),
                Leg::Everything => out.push_str("**"),
            }
        }
    }
}

fn write_position(at: Position, out: &mut String) {
    match at {
        Position::First(at) => out.push_str(&at.to_string()),
        Position::Last(0) => out.push_str("last"),
        Position::Last(back) => out.push_str(&format!("last-{back}")),
    }
}

/// A value that is not an array counts as an array of itself.
fn as_elements(value: &Json) -> &[Json] {
    match value {
        Json::Array(elements) => elements,
        other => std::slice::from_ref(other),
    }
}

fn walk<'a>(value: &'a Json, legs: &[Leg], found: &mut Vec<&'a Json>) {
    let Some((leg, rest)) = legs.split_first() else {
        // `**` can reach a place on several ways.
        if !found.iter().any(|earlier| std::ptr::eq(*earlier, value)) {
            found.push(value);
        }
        return;
    };
    match (leg, value) {
        (Leg::Member(name), Json::Object(members)) => {
            if let Some(member) = members.get(name) {
                walk(member, rest, found);
            }
        }
        (Leg::AnyMember, Json::Object(members)) => {
            for (_, member) in members.iter() {
                walk(member, rest, found);
            }
        }
        (Leg::Element(at), value) => {
            let elements = as_elements(value);
            if let Some(element) = at.of(elements.len()).and_then(|at| elements.get(at)) {
                walk(element, rest, found);
            }
        }
        (Leg::Range(from, to), value) => {
            let elements = as_elements(value);
            let from = from.of(elements.len()).unwrap_or(0);
            let Some(to) = to.of(elements.len()) else { return };
            for element in elements.iter().take(to.saturating_add(1)).skip(from) {
                walk(element, rest, found);
            }
        }
        (Leg::AnyElement, Json::Array(elements)) => {
            for element in elements {
                walk(element, rest, found);
            }
        }
        (Leg::Everything, value) => {
            walk(value, rest, found);
            match value {
                Json::Array(elements) => elements.iter().for_each(|element| walk(element, legs, found)),
                Json::Object(members) => members.iter().for_each(|(_, member)| walk(member, legs, found)),
                _ => {}
            }
        }
        _ => {}
    }
}

fn follow<'a>(value: &'a mut Json, legs: &[Leg]) -> Option<&'a mut Json> {
    let Some((leg, rest)) = legs.split_first() else { return Some(value) };
    let next = match (leg, value) {
        (Leg::Member(name), Json::Object(members)) => members.get_mut(name)?,
        (Leg::Element(at), Json::Array(elements)) => {
            let at = at.of(elements.len())?;
            elements.get_mut(at)?
        }
        (Leg::Element(at), scalar) if !matches!(scalar, Json::Array(_)) && at.of(1) == Some(0) => scalar,
        _ => return None,
    };
    follow(next, rest)
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '$'))
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.next();
        }
        is_next
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.next();
        }
    }

    fn error(&self) -> PathError {
        let before = self.text.get(..self.at).map_or(0, |before| before.chars().count());
        // At the end it is the last character that is wrong.
        PathError(if self.peek().is_none() { before.max(1) } else { before + 1 })
    }

    fn member(&mut self) -> Result<Leg, PathError> {
        match self.peek() {
            Some('*') => {
                self.next();
                Ok(Leg::AnyMember)
            }
            Some('"') => {
                let from = self.at;
                self.next();
                loop {
                    match self.next() {
                        Some('\\') => {
                            self.next();
                        }
                        Some('"') => break,
                        Some(_) => {}
                        None => return Err(self.error()),
                    }
                }
                match Json::parse(self.text.get(from..self.at).unwrap_or_default()) {
                    Ok(Json::String(name)) => Ok(Leg::Member(name)),
                    _ => Err(PathError(self.error().0.saturating_sub(1))),
                }
            }
            _ => {
                let from = self.at;
                while self.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    self.next();
                }
                let name = self.text.get(from..self.at).unwrap_or_default();
                match is_identifier(name) {
                    true => Ok(Leg::Member(name.to_owned())),
                    false => {
                        self.at = from;
                        Err(self.error())
                    }
                }
            }
        }
    }

    fn element(&mut self) -> Result<Leg, PathError> {
        self.skip_space();
        if self.take('*') {
            self.skip_space();
            return if self.take(']') { Ok(Leg::AnyElement) } else { Err(self.error()) };
        }
        let from = self.position()?;
        self.skip_space();
        if self.take(']') {
            return Ok(Leg::Element(from));
        }
        if !self.word("to") || !self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            return Err(self.error());
        }
        self.skip_space();
        let to = self.position()?;
        self.skip_space();
        // A range that is empty wherever it is applied is a mistake.
        let is_backward = match (from, to) {
            (Position::First(from), Position::First(to)) => from > to,
            (Position::Last(from), Position::Last(to)) => from < to,
            _ => false,
        };
        match self.take(']') && !is_backward {
            true => Ok(Leg::Range(from, to)),
            false => Err(self.error()),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let is_next = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn position(&mut self) -> Result<Position, PathError> {
        if !self.word("last") {
            return Ok(Position::First(self.number()?));
        }
        self.skip_space();
        if !self.take('-') {
            return Ok(Position::Last(0));
        }
        self.skip_space();
        Ok(Position::Last(self.number()?))
    }

    fn number(&mut self) -> Result<usize, PathError> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        let digits = self.text.get(from..self.at).unwrap_or_default();
        digits.parse::<u32>().map(|number| number as usize).map_err(|_| self.error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str, path: &str) -> Vec<String> {
        let document = Json::parse(document).unwrap();
        Path::parse(path).unwrap().find(&document).iter().map(|value| value.to_text()).collect()
    }

    #[test]
    fn steps() {
        let document = r#"{"a": [1, 2, {"b": 3}], "c d": {"b": [4]}}"#;
        assert_eq!(found(document, "$.a[1]"), ["2"]);
        assert_eq!(found(document, "$.a[last].b"), ["3"]);
        assert_eq!(found(document, "$ . a [ last - 1 ]"), ["2"]);
        assert_eq!(found(document, "$.a[0 to 1]"), ["1", "2"]);
        assert_eq!(found(document, "$.a[1 to last]"), ["2", r#"{"b": 3}"#]);
        assert_eq!(found(document, "$.*[*]"), ["1", "2", r#"{"b": 3}"#]);
        assert_eq!(found(document, r#"$."c d".b"#), ["[4]"]);
        assert_eq!(found(document, "$**.b"), ["3", "[4]"]);
        assert_eq!(found(document, "$.a[9]"), Vec::<String>::new());
    }

    #[test]
    fn a_scalar_is_an_array_of_itself() {
        assert_eq!(found("5", "$[0]"), ["5"]);
        assert_eq!(found("5", "$[last]"), ["5"]);
        assert_eq!(found("5", "$[0][0]"), ["5"]);
        assert_eq!(found("5", "$[1]"), Vec::<String>::new());
        assert_eq!(found("5", "$[*]"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_path() {
        for text in [
            "",
            "a",
            "$.",
            "$.1",
            "$[",
            "$[a]",
            "$[1",
            "$**",
            "$***.a",
            "$.a.",
            "$[2 to 1]",
            "$x",
            "$[last-]",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_and_back() {
        for text in ["$", "$.a[0]", "$.\"a b\"", "$**.x", "$[last-1]", "$[1 to last].*", "$[*]"] {
            let path = Path::parse(text).unwrap();
            let mut out = String::new();
            path.write_text(&mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn one_place_can_be_changed() {
        let mut document = Json::parse(r#"{"a": [1, 2]}"#).unwrap();
        *Path::parse("$.a[last]").unwrap().find_mut(&mut document).unwrap() = Json::Null;
        assert_eq!(document.to_text(), r#"{"a": [1, null]}"#);
        assert!(Path::parse("$.b").unwrap().find_mut(&mut document).is_none());
    }
}
