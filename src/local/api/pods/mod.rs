//! What is special about pods: defaults, deletion with grace, eviction, and how they look in a table.

pub mod defaults;
pub mod delete;
pub mod quantity;
pub mod view;
