//! Attempts of one task: what a launch of attempt n does while an earlier one runs.
//!
//! ```text
//! REFUSE ─▶ PREVIOUS_ATTEMPT_ACTIVE
//! ALLOW  ─▶ a pod of its own beside it
//! ATTACH ─▶ n is written to the earlier pod's annotation (tests: uid, resourceVersion), then attached:
//!           from then on every call with attempt n resolves to that pod, also after its end
//! ```

use std::sync::Arc;

use tracing::info;

use super::launch::{Launch, Launched};
use super::table::Entry;
use super::{ExecError, Executor};
use crate::cluster::{PatchAnswer, PatchOp};
use crate::task::{TaskKey, meta};

/// Most tries against a pod that keeps changing.
const TRIES: usize = 20;

/// What a launch does while an earlier attempt has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IfPreviousActive {
    /// It is refused.
    #[default]
    Refuse,
    /// It attaches to the highest earlier attempt that has not ended.
    Attach,
    /// It makes a pod of its own.
    Allow,
}

impl Executor {
    /// The task a later attempt has attached to before. The spec is not compared.
    pub(super) fn attached_to(&self, key: &TaskKey) -> Option<Launched> {
        let entry = self.inner.table.attached(&key.namespace, &key.task_id, key.attempt)?;
        Some(self.joined(entry))
    }

    /// Applies the policy; `None`: make a pod.
    pub(super) async fn settle_previous(&self, launch: &Launch) -> Result<Option<Launched>, ExecError> {
        let key = &launch.key;
        for _ in 0..TRIES {
            let Some(earlier) = self.inner.table.active_before(&key.namespace, &key.task_id, key.attempt) else {
                return Ok(None);
            };
            match launch.if_previous_active {
                IfPreviousActive::Allow => return Ok(None),
                IfPreviousActive::Refuse => return Err(ExecError::PreviousActive { key: earlier.key.to_string() }),
                IfPreviousActive::Attach => {
                    if self.record_attached(&earlier, key.attempt).await? {
                        info!(task = %earlier.key, pod_uid = %earlier.uid, attempt = key.attempt, "a later attempt attached");
                        return Ok(Some(self.joined(earlier)));
                    }
                }
            }
        }
        Err(ExecError::Internal("the earlier attempt's pod changed at every try to attach to it".into()))
    }

    /// Writes the attempt to the pod; false where the pod changed meanwhile.
    async fn record_attached(&self, entry: &Arc<Entry>, attempt: u32) -> Result<bool, ExecError> {
        let seen = entry.view().observation;
        let mut attempts = seen.attached_attempts.clone();
        attempts.push(attempt);
        attempts.sort_unstable();
        attempts.dedup();
        let text = attempts.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let ops = [
            PatchOp::test_uid(&entry.uid),
            PatchOp::test_version(seen.resource_version),
            PatchOp::annotate(meta::ATTACHED_ATTEMPTS, &text),
        ];
        let answer = self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await;
        match answer.map_err(ExecError::ClusterUnavailable)? {
            PatchAnswer::Applied(pod) => {
                self.feed_pod(&pod);
                Ok(true)
            }
            PatchAnswer::TestFailed => {
                self.reread(entry).await.map_err(ExecError::ClusterUnavailable)?;
                Ok(false)
            }
            PatchAnswer::Gone => {
                self.confirm_gone(entry).await;
                Ok(false)
            }
        }
    }
}
