//! The file: a header, then one exchange a line, in UTF-8 and JSON.
//!
//! ```text
//! {"journal":"rustydb-simulation","version":1,"subject":"mysql","source":"MySQL 9.7.0","recorded":1763781000,"redaction":"values","key":"5b0c..."}
//! {"session":1,"at_us":0,"operation":"connect",...}
//! {"session":1,"at_us":1520,"operation":"query","text":"SELECT 1",...}
//! ```
//!
//! The format is final from version 1 on: a field may be added and is ignored by older readers, a meaning never
//! changes without a new version, and a newer version is refused. Blank lines are skipped, so journals can
//! be written and joined by hand. A program that was killed may leave half a line at the end: it is dropped
//! and said ([`Journal::torn`]). Half a line anywhere else is an error with its number.
//!
//! Files are created for their owner alone (mode 0600 on Unix), never over another file. Each exchange is one
//! write to the system, without a sync: a recording survives its program, not the machine's power.

mod reader;
mod writer;

pub use reader::Journal;
pub use writer::JournalWriter;

use crate::value::{hex, unhex};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What the first line says the file is.
const NAME: &str = "rustydb-simulation";

/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// What a journal may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one exchange, counted roughly; a larger result is noted as incomplete (16 MiB)
    pub exchange: usize,
    /// Bytes of the journal; recording ends there (4 GiB)
    pub journal: u64,
    /// Bytes of a line that is read (64 MiB)
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { exchange: 16 << 20, journal: 4 << 30, line: 64 << 20 }
    }
}

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    journal: String,
    /// The version of the format
    pub version: u32,
    /// What kind of server: `mysql`, `mongodb`
    pub subject: String,
    /// Which server it was, for people
    #[serde(default)]
    pub source: String,
    /// When the recording began, in seconds since 1970; 0 where nobody said
    #[serde(default)]
    pub recorded: u64,
    /// What was hidden: `values`, `secrets`, or nothing where no redaction was made
    #[serde(default)]
    pub redaction: String,
    /// The key of identities and pseudonyms, where it is not kept apart
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// A digest by which a key kept apart is recognised
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_check: Option<String>,
}

impl Header {
    /// A header for conversations with a kind of server.
    pub fn new(subject: &str) -> Header {
        Header {
            journal: NAME.to_owned(),
            version: VERSION,
            subject: subject.to_owned(),
            source: String::new(),
            recorded: 0,
            redaction: String::new(),
            key: None,
            key_check: None,
        }
    }

    /// Says which server it is, for people: product and version, no password.
    #[must_use]
    pub fn from(self, source: &str) -> Header {
        Header { source: source.to_owned(), ..self }
    }

    /// Says when the recording begins, in seconds since 1970.
    #[must_use]
    pub fn at(self, recorded: u64) -> Header {
        Header { recorded, ..self }
    }

    fn read(line: &str) -> Result<Header> {
        let header: Header = serde_json::from_str(line)
            .map_err(|error| Error::NotAJournal(format!("its first line: {error}")))?;
        match (header.journal.as_str(), header.version) {
            (NAME, 1..=VERSION) => Ok(header),
            (NAME, found) => Err(Error::NewerVersion { found, known: VERSION }),
            (other, _) => Err(Error::NotAJournal(format!("it is '{other}'"))),
        }
    }

    /// Refuses a journal of another kind of server.
    ///
    /// # Errors
    /// [`Error::OtherSubject`]
    pub fn expect_subject(&self, wanted: &str) -> Result<()> {
        match self.subject == wanted {
            true => Ok(()),
            false => Err(Error::OtherSubject { found: self.subject.clone(), wanted: wanted.to_owned() }),
        }
    }

    fn stored_key(&self) -> Option<Vec<u8>> {
        self.key.as_deref().and_then(unhex)
    }
}

/// What of a key may be written, to recognise it again.
fn key_check(key: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new().chain_update(b"journal key").chain_update(key).finalize();
    hex(&digest[..8])
}
