//! Why there is no credential. No variant holds a secret, nor text of an answer that could.

use crate::key::CredentialKey;
use rustydb_resilience::{Class, Classify};

/// What went wrong while a credential was asked for, renewed or rotated.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The provider knows no such key
    #[error("{provider} has no credential '{key}'")]
    NotFound {
        /// Who was asked
        provider: &'static str,
        /// For what
        key: CredentialKey,
    },
    /// The provider does not give it to us, or does not know us
    #[error("{provider} denies '{key}': {why}")]
    Denied {
        /// Who was asked
        provider: &'static str,
        /// For what
        key: CredentialKey,
        /// The reason as far as it is known, without anything secret
        why: String,
    },
    /// The provider did not answer, or answered that it cannot now
    #[error("{provider} is unavailable: {why}")]
    Unavailable {
        /// Who was asked
        provider: &'static str,
        /// What happened
        why: String,
    },
    /// The answer is there but is no credential
    #[error("{provider} holds no credential under '{key}': {why}")]
    Malformed {
        /// Who was asked
        provider: &'static str,
        /// For what
        key: CredentialKey,
        /// What is wrong with it, without its content
        why: &'static str,
    },
    /// This provider cannot renew or rotate: somebody else changes its credentials
    #[error("{provider} cannot {what} a credential")]
    NotSupported {
        /// Who was asked
        provider: &'static str,
        /// `renew` or `rotate`
        what: &'static str,
    },
    /// The deadline passed first
    #[error("{provider} did not answer before the deadline")]
    Deadline {
        /// Who was asked
        provider: &'static str,
    },
}

impl Classify for SecretError {
    fn class(&self) -> Class {
        match self {
            SecretError::Unavailable { .. } | SecretError::Deadline { .. } => Class::Retryable,
            _ => Class::Terminal,
        }
    }
}
