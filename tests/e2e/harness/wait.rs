//! Bounded waiting for a condition. The bound is a guard against hanging, never a measure.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long anything may take at most.
pub const GUARD: Duration = Duration::from_secs(240);

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
    match tokio::time::timeout(GUARD, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {GUARD:?}"),
    }
}
