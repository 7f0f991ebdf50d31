//! The fault plan of the embedded cluster (`podlaunch local --faults`; `src/local/faults` says what it can do), as tests use it:
//! rules that bear the test's namespace in their names and match nothing outside of it, and acts.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::process::{SCRATCH, unique};
use super::{Ctx, wait};

/// A rule to be planned.
#[derive(Debug, Clone)]
pub struct Rule(Value);

impl Rule {
    /// For requests of Kubernetes' verb `verb` on `resource` (`pods`, `pods/log` …).
    pub fn on(verb: &str, resource: &str, action: Value) -> Rule {
        Rule(json!({"match": {"verb": verb, "resource": resource}, "action": action}))
    }

    /// Only so many requests.
    pub fn times(mut self, times: u64) -> Rule {
        self.0["times"] = json!(times);
        self
    }

    /// Not the first `skip` ones.
    pub fn skip(mut self, skip: u64) -> Rule {
        self.0["skip"] = json!(skip);
        self
    }

    pub fn probability(mut self, probability: f64) -> Rule {
        self.0["probability"] = json!(probability);
        self
    }

    /// Each after so long.
    pub fn delayed(mut self, delay: std::time::Duration) -> Rule {
        self.0["delay_ms"] = json!(u64::try_from(delay.as_millis()).expect("a short delay"));
        self
    }

    /// Only with this query parameter.
    pub fn query(mut self, key: &str, value: &str) -> Rule {
        self.0["match"]["query"][key] = json!(value);
        self
    }

    /// Only about objects of names like this.
    pub fn named(mut self, pattern: &str) -> Rule {
        self.0["match"]["name"] = json!(pattern);
        self
    }

    /// Requests of the servers of this installation, in whatever namespace, instead of those about the test's namespace:
    /// for lists and watches of all namespaces.
    pub fn by_instance(mut self, instance: &str) -> Rule {
        self.0["match"]["agent"] = json!(format!("*instance/{instance}"));
        self
    }
}

/// What a test asks for faults by. Its rules are gone with the test's namespace: names begin with it.
pub struct Faults {
    cluster: Cluster,
}

/// The faults of this test; `None` on a real cluster, which has none on demand, and says so.
pub fn of(t: &Ctx) -> Option<Faults> {
    if t.backend.is_real() {
        println!("skipped: a real cluster has no fault plan");
        return None;
    }
    Some(Faults { cluster: t.cluster.clone() })
}

impl Faults {
    /// Plans one rule.
    pub async fn plan(&self, name: &str, rule: Rule) {
        self.plan_seeded(name, rule, fastrand::u64(..)).await;
    }

    /// Plans one rule whose chance follows from `seed`, which is printed.
    pub async fn plan_seeded(&self, name: &str, Rule(mut rule): Rule, seed: u64) {
        println!("fault {name}, seed {seed}");
        rule["name"] = json!(self.full(name));
        if rule["match"]["agent"].is_null() {
            rule["match"]["namespace"] = json!(self.cluster.namespace);
            // The test itself is not to meet its faults.
            rule["match"]["agent"] = json!("podlaunch/*");
        }
        self.send("POST", RULES, json!({"seed": seed, "rules": [rule]})).await;
    }

    /// How often the fault has happened.
    pub async fn fired(&self, name: &str) -> u64 {
        self.count(name, "fired").await
    }

    /// How many requests were like the rule's match.
    pub async fn matched(&self, name: &str) -> u64 {
        self.count(name, "matched").await
    }

    async fn count(&self, name: &str, which: &str) -> u64 {
        let told = self.send("GET", &format!("{RULES}?name={}", self.full(name)), Value::Null).await;
        told["rules"][0][which].as_u64().unwrap_or_else(|| panic!("no rule {name}: {told}"))
    }

    /// Waits until the fault has happened.
    pub async fn until_fired(&self, name: &str, times: u64) {
        wait::until(&format!("fault {name}"), async || match self.fired(name).await {
            fired if fired >= times => Ok(()),
            fired => Err(format!("happened {fired} times of {times}")),
        })
        .await;
    }

    /// Waits until so many requests were like the rule's match.
    pub async fn until_matched(&self, name: &str, times: u64) {
        wait::until(&format!("requests for {name}"), async || match self.matched(name).await {
            matched if matched >= times => Ok(()),
            matched => Err(format!("{matched} of {times}")),
        })
        .await;
    }

    /// Removes a rule: what it holds goes on.
    pub async fn remove(&self, name: &str) {
        self.send("DELETE", &format!("{RULES}?name={}", self.full(name)), Value::Null).await;
    }

    /// An act, such as `{"act": "compact"}`.
    pub async fn act(&self, act: Value) {
        self.send("POST", ACTS, act).await;
    }

    /// An act on container `main` of a pod of the test's namespace.
    pub async fn act_on_log(&self, pod: &str, mut act: Value) {
        act["container"] = json!("main");
        self.act_on(pod, act).await;
    }

    /// An act on a pod of the test's namespace.
    pub async fn act_on(&self, pod: &str, mut act: Value) {
        act["namespace"] = json!(self.cluster.namespace);
        act["pod"] = json!(pod);
        self.act(act).await;
    }

    fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.cluster.namespace)
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path.replace(" ", "%20"));
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        let answer = self.cluster.client.request_text(request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{method} {path}: {error}: {answer}"))
    }
}

/// A sign that a test gives to a script which sees this machine's files: on the embedded cluster, or where the scratch
/// folder is mounted.
pub struct Gate(std::path::PathBuf);

impl Gate {
    pub fn new() -> Gate {
        Gate(SCRATCH.join(format!("gate-{}", unique())))
    }

    /// The script's part: waits for the sign.
    pub fn wait(&self) -> String {
        format!("until [ -e {} ]; do sleep 0.05; done", self.0.display())
    }

    /// A file by which the script may say that it has passed.
    pub fn passed(&self) -> std::path::PathBuf {
        self.0.with_extension("passed")
    }

    pub fn open(&self) {
        std::fs::write(&self.0, "").expect("a writable folder");
    }
}

const RULES: &str = "/podlaunch.dev/faults";
const ACTS: &str = "/podlaunch.dev/faults/acts";
