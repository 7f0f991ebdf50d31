//! What the operator gives launches: templates, and what is enforced. Replaced as a whole while the server runs.
//!
//! ```text
//! files ───────┐                                  ┌─▶ catalog()   by LaunchTask, ListTemplates
//!              ├─ set_* ─▶ files over ConfigMaps ─┤
//! ConfigMaps ──┘                                  └─▶ enforced()  by LaunchTask
//! ```
//!
//! Who reads files and watches ConfigMaps is the composition root; here is only what holds now.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::pod::enforce::Enforced;
use crate::pod::template::{Catalog, Template};

/// Where templates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateSource {
    /// A directory. Its templates win over those of ConfigMaps.
    Files,
    /// ConfigMaps of the cluster.
    ConfigMaps,
}

/// Templates and policy of a server. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    inner: Arc<RwLock<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    files: Catalog,
    config_maps: Catalog,
    all: Arc<Catalog>,
    enforced: Arc<Enforced>,
}

impl Templates {
    /// All templates as they are now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.read().all.clone()
    }

    /// The template of this name as it is now.
    pub fn get(&self, name: &str) -> Option<Arc<Template>> {
        self.inner.read().all.get(name).cloned()
    }

    /// What is enforced now.
    pub fn enforced(&self) -> Arc<Enforced> {
        self.inner.read().enforced.clone()
    }

    /// All templates of a source, in place of what it had.
    pub fn set(&self, source: TemplateSource, catalog: Catalog) {
        let mut held = self.inner.write();
        match source {
            TemplateSource::Files => held.files = catalog,
            TemplateSource::ConfigMaps => held.config_maps = catalog,
        }
        held.all = Arc::new(held.files.over(&held.config_maps));
    }

    /// What is enforced from now on.
    pub fn set_enforced(&self, enforced: Enforced) {
        self.inner.write().enforced = Arc::new(enforced);
    }
}
