//! Statements that are sent together, each with its line.

use crate::script::Statement;

/// Characters of a statement that an error shows.
const SHOWN: usize = 100;

/// Statements in one text.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Where each statement starts in the text, and its line.
    starts: Vec<(usize, u64)>,
}

impl Batch {
    /// Adds a statement.
    pub(super) fn push(&mut self, statement: &Statement) {
        if !self.text.is_empty() {
            // On a line of its own: the statement before may end with a comment.
            self.text.extend_from_slice(b"\n;");
        }
        self.starts.push((self.text.len(), statement.line));
        self.text.extend_from_slice(&statement.text);
    }

    /// How many statements there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes of the text.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The text from a statement on.
    pub(super) fn from(&self, statement: usize) -> &[u8] {
        self.starts.get(statement).and_then(|(start, _)| self.text.get(*start..)).unwrap_or_default()
    }

    /// The line of a statement.
    pub(super) fn line(&self, statement: usize) -> Option<u64> {
        self.starts.get(statement).map(|(_, line)| *line)
    }

    /// The first characters of a statement.
    pub(super) fn head(&self, statement: usize) -> String {
        let end =
            self.starts.get(statement + 1).map_or(self.text.len(), |(start, _)| start.saturating_sub(2));
        let start = self.starts.get(statement).map_or(end, |(start, _)| *start);
        let text = String::from_utf8_lossy(self.text.get(start..end).unwrap_or_default());
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = words.char_indices().nth(SHOWN) {
            words.truncate(cut);
            words.push_str(" ...");
        }
        words
    }

    /// Forgets all, and memory that an unusual statement took.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(4 * super::BATCH_BYTES);
        self.starts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_again_by_number() {
        let mut batch = Batch::default();
        for (text, line) in [("SELECT 1 -- one", 1), ("SELECT\n  2", 4), (&"x".repeat(200), 9)] {
            batch.push(&Statement { text: text.into(), line, vertical: false, compound: false });
        }
        assert!(batch.from(0).starts_with(b"SELECT 1 -- one\n;SELECT\n  2\n;xxx"));
        assert!(batch.from(1).starts_with(b"SELECT\n  2\n;x"));
        assert_eq!((batch.line(1), batch.line(3)), (Some(4), None));
        assert_eq!(batch.head(1), "SELECT 2");
        assert_eq!(batch.head(2).len(), SHOWN + 4);
        assert_eq!(batch.from(3), b"");
        batch.clear();
        assert_eq!((batch.len(), batch.bytes()), (0, 0));
    }
}
