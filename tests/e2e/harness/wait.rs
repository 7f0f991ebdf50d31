//! Bounded waiting for a condition. The bound is a guard against hanging, never a measure.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long anything may take at most.
pub const GUARD: Duration = Duration::from_secs(240);

/// The same for a test of hundreds of tasks.
pub const LONG_GUARD: Duration = Duration::from_secs(1200);

/// How often a condition that cannot be awaited is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Awaits `probe` giving a value; panics with `what` and its last complaint after [`GUARD`].
pub async fn until<T, E: Display>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + GUARD;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(error) if Instant::now() > end => panic!("waited in vain for {what}: {error}"),
            Err(_) => tokio::time::sleep(PERIOD).await,
        }
    }
}

/// The same for code that is not asynchronous.
pub fn until_blocking<T, E: Display>(what: &str, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + GUARD;
    loop {
        match probe() {
            Ok(value) => return value,
            Err(error) if Instant::now() > end => panic!("waited in vain for {what}: {error}"),
            Err(_) => std::thread::sleep(PERIOD),
        }
    }
}

/// Gives `future` the guard's time.
pub async fn guarded<F: Future>(what: &str, future: F) -> F::Output {
    guarded_for(GUARD, what, future).await
}

/// Gives `future` so much time.
pub async fn guarded_for<F: Future>(limit: Duration, what: &str, future: F) -> F::Output {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {limit:?}"),
    }
}

/// What a client waits before it repeats a call that was refused for the moment.
pub async fn a_moment() {
    tokio::time::sleep(PERIOD).await;
}
