//! Credentials as their users see them, with a scripted provider and time that the tests move.

mod freshness;
