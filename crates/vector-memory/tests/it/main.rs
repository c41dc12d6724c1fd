//! A vector memory as its users see it: what is found, what stays, what is refused.

mod files;
mod nearest;
