//! What a container is started with, derived from its pod.
//!
//! ```text
//! image → source of programs · env, envFrom (secrets, config maps, fields) → environment · command + args → argv
//! ```

pub mod env;
pub mod expand;
pub mod fields;
pub mod image;
pub mod quantity;
