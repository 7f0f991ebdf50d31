//! Cursors that are not good are refused, each with its reason.

use bytes::Bytes;
use tonic::Code;

use crate::harness::failure::failure;
use crate::harness::spec::sh;
use crate::harness::v1::{self, attach_task_request::StartAt};
use crate::harness::{Ctx, run};

async fn refused(t: &Ctx, key: v1::TaskKey, cursor: Bytes, reason: &str) {
    let request =
        v1::AttachTaskRequest { key: Some(key), start_at: Some(StartAt::Cursor(cursor.clone())), ..Default::default() };
    let failure = failure(t.attach(request).await);
    assert_eq!((failure.code, failure.reason.as_str()), (Code::InvalidArgument, reason), "{cursor:?}: {failure}");
}

#[test]
fn of_another_task() {
    run(async |t| {
        let one = t.run_as("one", sh("echo 1")).await;
        let two = t.run_as("two", sh("echo 2")).await;
        refused(t, one.key(), two.last_cursor(), "CURSOR_FOREIGN").await;
        refused(t, two.key(), one.accepted.cursor.clone(), "CURSOR_FOREIGN").await;
    });
}

#[test]
fn damaged() {
    run(async |t| {
        let task = t.run_as("whole", sh("echo 1")).await;
        let good = task.last_cursor();
        // The first byte may be the version: a change of it makes another kind of cursor.
        for at in 1..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 0x10;
            refused(t, task.key(), bytes.into(), "CURSOR_INVALID").await;
        }
        for length in 1..good.len() {
            refused(t, task.key(), good.slice(..length), "CURSOR_INVALID").await;
        }
        let longer = [good.as_ref(), b"x"].concat();
        refused(t, task.key(), longer.into(), "CURSOR_INVALID").await;
    });
}

#[test]
fn far_too_long() {
    run(async |t| {
        let task = t.run_as("whole", sh("echo 1")).await;
        let mut long = task.last_cursor().to_vec();
        long.resize(100_000, 0);
        refused(t, task.key(), long.into(), "CURSOR_INVALID").await;
    });
}
