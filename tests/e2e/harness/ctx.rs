//! One test: a namespace of its own on the run's cluster, a client of the shared server, and cleaning up whatever
//! happens.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tonic::Status;

use super::backend::{Backend, backend};
use super::cluster::Cluster;
use super::collected::Collected;
use super::podlaunch::Podlaunch;
use super::process::unique;
use super::server::Server;
use super::stream::TaskStream;
use super::v1;
use super::wait;

/// Tests running at the moment.
pub static RUNNING: AtomicU32 = AtomicU32::new(0);

/// What a test works with. Is its client of the shared server.
pub struct Ctx {
    pub backend: &'static Backend,
    pub cluster: Cluster,
    pub namespace: String,
    pub podlaunch: Podlaunch,
}

/// Runs a test. Its namespace is deleted afterwards, also when it fails; a failure shows the end of the server's log.
pub fn run(body: impl AsyncFnOnce(&Ctx)) {
    run_within(wait::GUARD, body);
}

/// As [`run`], for a test that does very much.
pub fn run_long(body: impl AsyncFnOnce(&Ctx)) {
    run_within(wait::LONG_GUARD, body);
}

fn run_within(limit: Duration, body: impl AsyncFnOnce(&Ctx)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let ctx = Ctx::new().await;
        let test = AssertUnwindSafe(wait::guarded_for(limit, "the test", body(&ctx)));
        let result = test.catch_unwind().await;
        ctx.cluster.delete_namespace().await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        if let Err(panic) = result {
            println!("--- {}", Server::shared().process.tail());
            println!("--- namespace {}", ctx.namespace);
            resume_unwind(panic);
        }
    });
}

impl Ctx {
    async fn new() -> Ctx {
        let backend = backend();
        let namespace = format!("e2e-{}-{}", std::process::id(), unique());
        let cluster = Cluster::connect(backend, &namespace).await;
        cluster.create_namespace().await;
        Ctx { backend, podlaunch: Server::shared().connect().await, cluster, namespace }
    }

    /// Attempt 1 of a task in this test's namespace.
    pub fn key(&self, task_id: &str) -> v1::TaskKey {
        v1::TaskKey { namespace: self.namespace.clone(), task_id: task_id.to_owned(), attempt: 1, ..Default::default() }
    }

    pub fn request(&self, task_id: &str, spec: v1::TaskSpec) -> v1::LaunchTaskRequest {
        v1::LaunchTaskRequest { key: Some(self.key(task_id)), spec: Some(spec), ..Default::default() }
    }

    /// Launches by the shared server; the launch must be accepted.
    pub async fn start(&self, task_id: &str, spec: v1::TaskSpec) -> TaskStream {
        let launched = self.launch(self.request(task_id, spec)).await;
        launched.unwrap_or_else(|status| panic!("launching {task_id}: {status:?}"))
    }

    /// Launches by the shared server and reads to the Termination.
    pub async fn run(&self, spec: v1::TaskSpec) -> Collected {
        self.run_as(&format!("task-{}", unique()), spec).await
    }

    /// The same under a name.
    pub async fn run_as(&self, task_id: &str, spec: v1::TaskSpec) -> Collected {
        self.start(task_id, spec).await.collect().await
    }

    /// Attaches from the beginning.
    pub async fn attach_anew(&self, key: v1::TaskKey) -> Result<TaskStream, Status> {
        self.attach(v1::AttachTaskRequest { key: Some(key), ..Default::default() }).await
    }
}

impl Deref for Ctx {
    type Target = Podlaunch;

    fn deref(&self) -> &Podlaunch {
        &self.podlaunch
    }
}

/// For tests that only a real cluster can run: says so and gives false elsewhere.
pub fn needs_real(ctx: &Ctx, why: &str) -> bool {
    if !ctx.backend.is_real() {
        println!("skipped: {why}");
    }
    ctx.backend.is_real()
}
