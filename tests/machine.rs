//! Properties of the state machine: whatever replicas see of a pod's life, in whatever pieces.
//!
//! ```text
//!   model.rs: a random life of a pod (kubelet, scheduler, controllers) ─┐
//!   corpus/: every recorded one                                        ─┴─▶ world.rs: one API server,
//!        three replicas; the watch of each skips, repeats, relists, restarts; patches race ─▶ checks
//! ```
//!
//! Checked: transitions only go forward (but from UNREACHABLE back to where it was), phases of a
//! container come in their order, no event comes twice to a replica, an event has one uid on all,
//! every replica tells one outcome and it is the stored one, byte for byte.
//!
//! `PODLAUNCH_MACHINE_CASES=100000` runs more cases.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, dead_code)] // tests; replay.rs is shared

#[path = "corpus/legal.rs"]
mod legal;
#[path = "machine/model.rs"]
mod model;
#[path = "corpus/replay.rs"]
mod replay;
#[path = "machine/world.rs"]
mod world;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use replay::{Recording, all_recordings};
use world::{Op, World};

static ALL: LazyLock<Vec<Recording>> = LazyLock::new(all_recordings);

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PODLAUNCH_MACHINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::default() }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(any::<(u8, u8, u8)>().prop_map(|(op, replica, arg)| Op::of(op, replica, arg)), 0..90)
}

/// How often what can go wrong did: a test that never got there proves nothing.
#[derive(Default)]
struct Counts {
    restarts: AtomicU64,
    races: AtomicU64,
    skips: AtomicU64,
    vanished: AtomicU64,
    stored: AtomicU64,
}

impl Counts {
    fn add(&self, world: &World) {
        self.restarts.fetch_add(world.restarts, Ordering::Relaxed);
        self.races.fetch_add(world.races, Ordering::Relaxed);
        self.skips.fetch_add(world.skips, Ordering::Relaxed);
        self.vanished.fetch_add(u64::from(world.stored.is_none()), Ordering::Relaxed);
        self.stored.fetch_add(u64::from(world.stored.is_some()), Ordering::Relaxed);
    }

    fn check(&self) {
        let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seen = [n(&self.restarts), n(&self.races), n(&self.skips), n(&self.vanished), n(&self.stored)];
        println!("restarts, lost races, skipped versions, ends not stored on the pod, stored: {seen:?}");
        assert!(seen.iter().all(|n| *n > 10), "{seen:?}");
    }
}

#[test]
fn any_life_gives_legal_transitions_and_one_outcome_on_every_replica() {
    let counts = Counts::default();
    let cleaned = AtomicU64::new(0);
    // Few lives are cleaned up and stored: with fewer cases than these, chance may bring hardly any.
    let mut runner = TestRunner::new(cases(6000));
    let result = runner.run(&(model::plan(), ops()), |(plan, ops)| {
        let life = model::life(&plan);
        let end = model::end_before_cleanup(&life);
        let mut world = World::new("model", life);
        world.run(&ops);
        counts.add(&world);
        world.check(true);
        if let Some((end, stored)) = end.zip(world.stored.as_ref()) {
            cleaned.fetch_add(1, Ordering::Relaxed);
            let succeeded = stored.outcome.state == podlaunch::task::State::Succeeded;
            assert_eq!((stored.outcome.exit_code, succeeded), (end.exit_code(), end.code == 0), "{stored:?}");
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    counts.check();
    println!("stored after a cleanup: {cleaned:?}");
    assert!(cleaned.load(Ordering::Relaxed) > 10, "{cleaned:?}");
}

#[test]
fn every_recorded_life_does_however_it_is_mutated() {
    let counts = Counts::default();
    let mut runner = TestRunner::new(cases(1500));
    let result = runner.run(&(0usize..10_000, ops()), |(which, ops)| {
        let recording = &ALL[which % ALL.len()];
        let mut world = World::new(&recording.name, recording.seen.clone());
        world.run(&ops);
        counts.add(&world);
        world.check(false);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    counts.check();
}
