//! Containers as local process groups.
//!
//! ```text
//! Setting (env, directory, limits: cgroup) → lookup → spawner (one thread) → run: pumps, hooks, stop, exit → Finished
//! ```

pub mod cgroup;
pub mod group;
pub mod hook;
pub mod lookup;
pub mod run;
pub mod spawner;
