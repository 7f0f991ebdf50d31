//! Finding a container's image, or saying why there is none.
//!
//! ```text
//! resolve ─┬─ mapped directory ─→ its bin
//!          ├─ host ─────────────→ the host's PATH
//!          ├─ malformed, never pulled ─→ waits for good
//!          └─ not pullable ─→ ErrImagePull → ImagePullBackOff → (back-off passed) ErrImagePull …
//! ```

use std::sync::Arc;

use tokio::time::Instant;

use super::Worker;
use super::container::Due;
use crate::local::node::events::Severity;
use crate::local::node::spec::image::{self, ImageError, Source};

/// PATH of unmapped images when the host has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Worker {
    /// The PATH of the container's image; `None` when there is no image and the container waits.
    pub(super) fn pull(&mut self, index: usize) -> Option<String> {
        let spec = &self.containers[index].spec;
        let image = spec["image"].as_str().unwrap_or_default().to_owned();
        let policy = spec["imagePullPolicy"].as_str().unwrap_or_default().to_owned();
        let node = Arc::clone(&self.node);
        let source = match image::resolve(&node.config.images, &image, &policy) {
            Ok(source) => source,
            Err(error) => {
                self.not_pulled(index, &image, &error);
                return None;
            }
        };
        if policy == "Always" {
            self.event(Some(index), Severity::Normal, "Pulling", format!("Pulling image \"{image}\""));
            let message =
                format!("Successfully pulled image \"{image}\" in 0s (0s including waiting). Image size: 0 bytes.");
            self.event(Some(index), Severity::Normal, "Pulled", message);
        } else {
            let message = format!("Container image \"{image}\" already present on machine");
            self.event(Some(index), Severity::Normal, "Pulled", message);
        }
        Some(match source {
            Source::Directory(directory) => directory.join("bin").to_string_lossy().into_owned(),
            Source::Host => {
                node.say_host_path(&image);
                std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned())
            }
        })
    }

    fn not_pulled(&mut self, index: usize, image: &str, error: &ImageError) {
        let message = error.to_string();
        let waiting = self.containers[index].pull_at.filter(|at| *at > Instant::now());
        let reason = match (error, waiting) {
            (ImageError::Invalid { .. }, _) => {
                self.event(Some(index), Severity::Warning, "InspectFailed", message.clone());
                "InvalidImageName"
            }
            (ImageError::NeverPull { .. }, _) => {
                self.event(Some(index), Severity::Warning, "ErrImageNeverPull", message.clone());
                "ErrImageNeverPull"
            }
            (ImageError::Pull { .. }, None) => {
                self.event(Some(index), Severity::Normal, "Pulling", format!("Pulling image \"{image}\""));
                let failed = format!("Failed to pull image \"{image}\": {message}");
                self.event(Some(index), Severity::Warning, "Failed", failed);
                "ErrImagePull"
            }
            (ImageError::Pull { .. }, Some(_)) => {
                self.event(Some(index), Severity::Normal, "BackOff", format!("Back-off pulling image \"{image}\""));
                "ImagePullBackOff"
            }
        };
        self.event(Some(index), Severity::Warning, "Failed", format!("Error: {reason}"));
        let timing = self.node.config.timing;
        let container = &mut self.containers[index];
        match reason {
            "ErrImagePull" => {
                let delay = container.pull_delay.next(timing.pull_back_off);
                container.pull_at = Some(Instant::now() + delay);
                container.due = Due::after(timing.pull_settle.min(delay));
                container.wait(reason, message);
            }
            "ImagePullBackOff" => {
                container.due = waiting.map_or(Due::Now, Due::At);
                container.wait(reason, format!("Back-off pulling image \"{image}\": ErrImagePull: {message}"));
            }
            _ => container.wait(reason, message),
        }
    }
}
