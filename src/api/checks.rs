//! Collects what is wrong with a request, each with the path of its field.
//!
//! ```text
//! decode ─▶ wrong(field, problem)      ─┐
//!        ─▶ needs(field, feature)       ├─▶ settle() ─▶ Refusal ─▶ one Status naming all of them
//!        ─▶ too_large(field, limit …)  ─┘
//! ```
//!
//! What a server cannot do is said before what is wrong, so that a client learns first whether
//! mending the request helps at all. A problem never quotes a value of the request, only names.

use crate::task::spec::SpecError;

/// A part of a request that needs a feature this server does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The field; empty for a whole call.
    pub field: String,
    /// Name of the feature, as [`super::info::FEATURES`] has it.
    pub feature: String,
}

/// Something larger than a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// The field; empty for the request as a whole.
    pub field: &'static str,
    /// Name of the limit, as `Limits` has it.
    pub limit: &'static str,
    /// The limit in bytes.
    pub most: usize,
    /// What it has, in bytes.
    pub has: usize,
}

/// Why a request is refused before anything is done.
#[derive(Debug)]
pub enum Refusal {
    /// `required_features` names one that is not known.
    FeatureUnknown(Unavailable),
    /// A feature this server does not have; never empty.
    FeatureUnavailable(Vec<Unavailable>),
    /// Larger than a limit.
    TooLarge(TooLarge),
    /// No such cluster.
    ClusterUnknown {
        /// As asked.
        cluster: String,
    },
    /// Fields that are wrong; never empty.
    Invalid(Vec<SpecError>),
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    unknown: Option<Unavailable>,
    unavailable: Vec<Unavailable>,
    too_large: Option<TooLarge>,
    cluster: Option<String>,
    wrong: Vec<SpecError>,
}

impl Checks {
    /// `field` is wrong.
    pub fn wrong(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.wrong.push(SpecError::new(field, problem));
    }

    /// `field` is set and needs `feature`, which this server does not have.
    pub fn needs(&mut self, field: impl Into<String>, feature: &str) {
        self.unavailable.push(Unavailable { field: field.into(), feature: feature.to_owned() });
    }

    /// `field` asks for a feature that is not known here.
    pub fn unknown_feature(&mut self, field: String, feature: &str) {
        self.unknown.get_or_insert(Unavailable { field, feature: feature.to_owned() });
    }

    /// Something is larger than a limit.
    pub fn too_large(&mut self, found: TooLarge) {
        self.too_large.get_or_insert(found);
    }

    /// There is no such cluster.
    pub fn unknown_cluster(&mut self, cluster: &str) {
        self.cluster.get_or_insert_with(|| cluster.to_owned());
    }

    /// `text` must be there.
    pub fn required(&mut self, field: impl FnOnce() -> String, text: &str) {
        if text.is_empty() {
            self.wrong(field(), "is required");
        }
    }

    /// `text` has at most `most` bytes.
    pub fn at_most(&mut self, field: impl FnOnce() -> String, text: &str, most: usize) {
        if text.len() > most {
            self.wrong(field(), format!("has {} bytes; at most {most} are allowed", text.len()));
        }
    }

    /// `value`, if nothing was found.
    pub fn settle<T>(self, value: T) -> Result<T, Refusal> {
        if let Some(unknown) = self.unknown {
            return Err(Refusal::FeatureUnknown(unknown));
        }
        if !self.unavailable.is_empty() {
            return Err(Refusal::FeatureUnavailable(self.unavailable));
        }
        if let Some(found) = self.too_large {
            return Err(Refusal::TooLarge(found));
        }
        if let Some(cluster) = self.cluster {
            return Err(Refusal::ClusterUnknown { cluster });
        }
        if !self.wrong.is_empty() {
            return Err(Refusal::Invalid(self.wrong));
        }
        Ok(value)
    }
}

/// The text, or `None` where it is empty: proto3's "unset".
pub(super) fn set(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}
