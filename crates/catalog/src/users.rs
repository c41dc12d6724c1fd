//! Accounts and what their passwords are checked against.
//!
//! The catalog keeps verifiers as the doors made them (`rustydb-mysql-protocol` has the arithmetic) and only
//! checks their shape: a verifier of another shape would lock everybody out, or in.

use std::sync::Arc;

use rustydb_transaction::Transaction;
use rustydb_transaction::locks::LockMode;

use crate::catalog::{Catalog, impossible};
use crate::change::CatalogChange;
use crate::codec;
use crate::contents::Edit;
use crate::definitions::{AuthPlugin, UserDef, Verifier};
use crate::error::{Error, Result};
use crate::names::check_account;
use crate::rows::user_key;

impl Catalog {
    /// Creates an account; `version` and `password_changed_micros` of `new` are filled in here.
    ///
    /// # Errors
    /// [`Error::UserExists`], [`Error::Name`], [`Error::Definition`], [`Error::Transaction`]
    pub fn create_user(&self, transaction: &mut Transaction, new: UserDef) -> Result<CatalogChange> {
        check_account(&new.name, &new.host)?;
        check_verifiers(&new.verifiers)?;
        let key = user_key(&new.name, &new.host);
        let version = self.next_number()?;
        let def = UserDef { version, password_changed_micros: self.clock.wall_micros(), ..new };
        let exists = || Error::UserExists { name: def.name.clone(), host: def.host.clone() };
        self.insert(transaction, &key, &codec::encode_user(&def), exists)?;
        Ok(CatalogChange { edits: vec![Edit::PutUser(Arc::new(def))], ..CatalogChange::default() })
    }

    /// Sets what an account's password is checked against, and the method that the server proposes. No
    /// verifiers: the account has no password.
    ///
    /// # Errors
    /// [`Error::UnknownUser`], [`Error::Definition`], [`Error::Transaction`]
    pub fn set_verifiers(
        &self,
        transaction: &mut Transaction,
        name: &str,
        host: &str,
        plugin: AuthPlugin,
        verifiers: Vec<Verifier>,
    ) -> Result<CatalogChange> {
        check_verifiers(&verifiers)?;
        let key = user_key(name, host);
        let mut def = self.own_user(transaction, &key, name, host)?;
        (def.plugin, def.verifiers, def.password_expired) = (plugin, verifiers, false);
        def.password_changed_micros = self.clock.wall_micros();
        def.version = self.next_number()?;
        transaction.update(&self.tree, &key, &codec::encode_user(&def))?;
        Ok(CatalogChange { edits: vec![Edit::PutUser(Arc::new(def))], ..CatalogChange::default() })
    }

    /// Drops an account.
    ///
    /// # Errors
    /// [`Error::UnknownUser`], [`Error::Transaction`]
    pub fn drop_user(&self, transaction: &mut Transaction, name: &str, host: &str) -> Result<CatalogChange> {
        let key = user_key(name, host);
        self.own_user(transaction, &key, name, host)?;
        transaction.delete(&self.tree, &key)?;
        let edit = Edit::DropUser { name: name.to_owned(), host: host.to_owned() };
        Ok(CatalogChange { edits: vec![edit], ..CatalogChange::default() })
    }

    fn own_user(&self, transaction: &mut Transaction, key: &[u8], name: &str, host: &str) -> Result<UserDef> {
        let decode = |value: &[u8]| codec::decode_user(name, host, value);
        self.read(transaction, key, LockMode::Exclusive, decode)?
            .ok_or_else(|| Error::UnknownUser { name: name.to_owned(), host: host.to_owned() })
    }
}

fn check_verifiers(verifiers: &[Verifier]) -> Result<()> {
    for (at, verifier) in verifiers.iter().enumerate() {
        let fits = match verifier.plugin {
            // $A$ + rounds in thousands (3 hex digits) + $ + salt (20) + digest (43)
            AuthPlugin::CachingSha2Password => {
                verifier.text.len() == 70
                    && verifier.text.starts_with(b"$A$")
                    && verifier.text.get(3..6).is_some_and(|n| n.iter().all(u8::is_ascii_hexdigit))
                    && verifier.text.get(6) == Some(&b'$')
            }
            AuthPlugin::MysqlNativePassword => {
                verifier.text.len() == 41
                    && verifier
                        .text
                        .strip_prefix(b"*")
                        .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            }
        };
        if !fits {
            return Err(impossible("a password's verifier has another form"));
        }
        if verifiers.iter().take(at).any(|earlier| earlier.plugin == verifier.plugin) {
            return Err(impossible("two verifiers serve one method"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verifiers_of_their_methods_form_are_taken() {
        let sha2 = |text: &[u8]| Verifier { plugin: AuthPlugin::CachingSha2Password, text: text.to_vec() };
        let native = |text: &[u8]| Verifier { plugin: AuthPlugin::MysqlNativePassword, text: text.to_vec() };
        let good_sha2 = [b"$A$005$".as_slice(), &[b's'; 20], &[b'd'; 43]].concat();
        let good_native = [b"*".as_slice(), &[b'A'; 40]].concat();
        assert!(check_verifiers(&[]).is_ok());
        assert!(check_verifiers(&[sha2(&good_sha2), native(&good_native)]).is_ok());
        for bad in [
            vec![sha2(&good_native)],
            vec![sha2(&good_sha2[..69])],
            vec![sha2(b"")],
            vec![native(b"*")],
            vec![native(&[b'A'; 41])],
            vec![native(b"secret")],
            vec![sha2(&good_sha2), sha2(&good_sha2)],
        ] {
            assert!(check_verifiers(&bad).is_err(), "{bad:?}");
        }
    }
}
