//! COM_CHANGE_USER: another user takes over a connection.

use super::ConnectAttributes;
use crate::wire::{Put, Reader};
use crate::{Capabilities, Result};

/// The body of COM_CHANGE_USER, behind its command byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeUser<'a> {
    /// The user's name.
    pub user: &'a [u8],
    /// The answer to the scramble of the greeting.
    pub auth_response: &'a [u8],
    /// The default database.
    pub database: Option<&'a [u8]>,
    /// Collation number; none from old clients, which keep the one they had.
    pub collation: Option<u16>,
    /// The method of `auth_response`.
    pub auth_plugin: Option<&'a [u8]>,
    /// Names and values that describe the client.
    pub attributes: ConnectAttributes<'a>,
}

impl<'a> ChangeUser<'a> {
    /// Reads the body. `capabilities` are those that the connection agreed on.
    pub fn parse(body: &'a [u8], capabilities: Capabilities) -> Result<ChangeUser<'a>> {
        let mut reader = Reader::new(body);
        let user = reader.nul_bytes("user name")?;
        let auth_response = if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8("authentication answer")?;
            reader.bytes(usize::from(length), "authentication answer")?
        } else {
            reader.nul_bytes("authentication answer")?
        };
        let database = Some(reader.nul_bytes("database")?).filter(|name| !name.is_empty());
        let collation = if reader.is_empty() { None } else { Some(reader.u16("collation")?) };
        let auth_plugin = (capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty())
            .then(|| reader.nul_bytes_or_rest());
        let attributes = if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            ConnectAttributes::parse(reader.lenenc_bytes("connection attributes")?)?
        } else {
            ConnectAttributes::default()
        };
        Ok(ChangeUser { user, auth_response, database, collation, auth_plugin, attributes })
    }

    /// Appends the body. An answer longer than 255 bytes cannot be sent and is cut.
    pub fn write(&self, out: &mut Vec<u8>, capabilities: Capabilities) {
        out.put_nul_bytes(self.user);
        let answer = &self.auth_response[..self.auth_response.len().min(255)];
        if capabilities.has(Capabilities::SECURE_CONNECTION) {
            out.put_u8(answer.len() as u8);
            out.put_bytes(answer);
        } else {
            out.put_nul_bytes(answer);
        }
        out.put_nul_bytes(self.database.unwrap_or_default());
        let Some(collation) = self.collation else { return };
        out.put_u16(collation);
        if capabilities.has(Capabilities::PLUGIN_AUTH) {
            out.put_nul_bytes(self.auth_plugin.unwrap_or_default());
        }
        if capabilities.has(Capabilities::CONNECT_ATTRS) {
            out.put_lenenc_bytes(self.attributes.encoded());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_field_comes_back() {
        let mut attributes = Vec::new();
        ConnectAttributes::write_pair(&mut attributes, b"a", b"b");
        let body = ChangeUser {
            user: b"ann",
            auth_response: &[7; 32],
            database: Some(b"shop"),
            collation: Some(255),
            auth_plugin: Some(b"caching_sha2_password"),
            attributes: ConnectAttributes::parse(&attributes).unwrap(),
        };
        let mut out = Vec::new();
        body.write(&mut out, Capabilities(u32::MAX));
        assert_eq!(ChangeUser::parse(&out, Capabilities(u32::MAX)), Ok(body));
    }

    #[test]
    fn the_short_form_of_old_clients_is_taken() {
        let body = b"ann\0\x00shop\0";
        let read = ChangeUser::parse(body, Capabilities(u32::MAX)).unwrap();
        assert_eq!((read.user, read.database, read.collation), (&b"ann"[..], Some(&b"shop"[..]), None));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), bits: u32) {
            let _ = ChangeUser::parse(&bytes, Capabilities(bits));
        }
    }
}
