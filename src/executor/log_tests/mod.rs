//! The log engine, as it is, over a model of a node: every stream through pump, reader, feed and follower.
//!
//! Time is the test's: nothing waits in earnest, and a test that would wait for ever fails at once.

mod ends;
mod node;
mod restarts;
mod sharing;
mod split;
mod starts;
mod world;
