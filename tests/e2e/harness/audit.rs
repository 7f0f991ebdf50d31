//! The API server's audit log: who asked for what, how often, and what the answer was.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

/// How podlaunch introduces itself to the API server.
const USER_AGENT: &str = "podlaunch/";

/// How installations are named whose connections are broken on purpose: what they repeat says nothing.
pub const FAULTY: &str = "faulty-";

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(rename = "auditID")]
    pub id: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    pub verb: String,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Answer,
    pub request_received_timestamp: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    namespace: String,
    name: String,
    subresource: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Answer {
    code: u16,
}

impl Entry {
    /// `pods`, or `pods/log`.
    pub fn resource(&self) -> String {
        match self.object_ref.subresource.as_str() {
            "" => self.object_ref.resource.clone(),
            sub => format!("{}/{sub}", self.object_ref.resource),
        }
    }

    pub fn namespace(&self) -> &str {
        &self.object_ref.namespace
    }

    pub fn name(&self) -> &str {
        &self.object_ref.name
    }

    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    /// A list, or the watch that begins with one. Further pages of a list are part of it.
    pub fn is_list(&self) -> bool {
        let page = self.uri.contains("continue=");
        (self.verb == "list" && !page) || (self.verb == "watch" && self.uri.contains("sendInitialEvents=true"))
    }
}

/// What podlaunch asked since `from`, one entry a request; dry runs change nothing and are left out.
pub fn of_podlaunch(log: &Path, from: Timestamp) -> Vec<Entry> {
    let text = std::fs::read_to_string(log).expect("a readable audit log");
    let mut known = HashSet::new();
    // The last line may be half written.
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .filter(|entry| entry.user_agent.starts_with(USER_AGENT) && !entry.uri.contains("dryRun="))
        .filter(|entry| !entry.user_agent.contains(&format!("instance/{FAULTY}")))
        .filter(|entry| {
            let received: Result<Timestamp, _> = entry.request_received_timestamp.parse();
            received.is_ok_and(|received| received >= from)
        })
        .filter(|entry| known.insert(entry.id.clone()))
        .collect()
}
