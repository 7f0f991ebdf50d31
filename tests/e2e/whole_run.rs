//! What the run so far asked of the API server, by its audit log: nothing that the design does not need.
//!
//! Test programs start tests by name, so this one begins among the last; every rule holds at any moment all the same.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::harness::audit::{self, Entry};
use crate::harness::ctx::RUNNING;
use crate::harness::server::{FIRST_START, STARTED};
use crate::harness::spec::{Build as _, sh, until_stopped};
use crate::harness::{Ctx, run, wait};

/// More patches of one pod than this are a loop.
const MAX_PATCHES: usize = 6;

#[test]
fn the_api_server_was_asked_for_nothing_needless() {
    run(async |t| {
        let Some(log) = &t.backend.audit else {
            println!("skipped: PODLAUNCH_E2E_AUDIT names no audit log");
            return;
        };
        workload(t).await;
        let end = Instant::now() + Duration::from_secs(60);
        while RUNNING.load(Ordering::SeqCst) > 1 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Requests are logged when they are answered: wait for those of the workload.
        let entries = wait::until("the workload in the audit log", async || {
            let entries = audit::of_podlaunch(log, *FIRST_START);
            let created =
                entries.iter().filter(|entry| entry.namespace() == t.namespace && is(entry, "create", "pods"));
            if created.count() < 3 { Err("not all of it yet") } else { Ok(entries) }
        })
        .await;
        let faults = [reads(&entries), lists(&entries), creations(&entries), repetitions(&entries)].concat();
        assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    });
}

/// Something of each kind, so that the rules have something to judge even if nothing else ran.
async fn workload(t: &Ctx) {
    t.run(sh("seq 1 1000")).await;
    t.run(sh("exit 1").init("first", "true")).await;
    let mut stream = t.start("stopped", until_stopped("exit 0")).await;
    stream.until_line("ready\n").await;
    t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
    stream.collect().await;
}

fn is(entry: &Entry, verb: &str, resource: &str) -> bool {
    entry.verb == verb && entry.resource() == resource
}

type Pod<'a> = (&'a str, &'a str);

fn count<'a>(entries: &'a [Entry], wanted: impl Fn(&Entry) -> bool) -> BTreeMap<Pod<'a>, usize> {
    let mut counts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| wanted(entry)) {
        *counts.entry((entry.namespace(), entry.name())).or_default() += 1;
    }
    counts
}

/// A pod is read only after an answer that leaves a doubt: 403, 409, an unknown one, a failed patch. (A read that finds
/// nothing is the last look before a task is called unknown.)
fn reads(entries: &[Entry]) -> Vec<String> {
    let reads = count(entries, |entry| is(entry, "get", "pods") && entry.code() != 404);
    let doubts = count(entries, |entry| match entry.verb.as_str() {
        "create" => entry.resource() == "pods" && matches!(entry.code(), 0 | 403 | 409 | 429 | 500..),
        "patch" => entry.resource().starts_with("pods") && (entry.code() == 0 || entry.code() >= 400),
        "delete" => entry.resource() == "pods" && (entry.code() == 0 || entry.code() >= 400),
        _ => false,
    });
    let too_many = reads.iter().filter(|(pod, count)| **count > doubts.get(*pod).copied().unwrap_or_default());
    too_many.map(|(pod, count)| format!("{count} GETs of {pod:?}, doubts: {:?}", doubts.get(pod))).collect()
}

/// A server lists its instance's pods once when it starts, and once more for each watch that the API server ended with
/// 410. Its watch of Events, which names no instance, begins as often.
fn lists(entries: &[Entry]) -> Vec<String> {
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut faults = Vec::new();
    for (instance, servers) in started {
        let selector = format!("podlaunch.dev%2Finstance%3D{instance}&");
        let ours = || entries.iter().filter(|entry| entry.resource() == "pods" && entry.uri.contains(&selector));
        let lists = ours().filter(|entry| entry.is_list()).count();
        let expired = ours().filter(|entry| entry.code() == 410).count();
        if lists > servers + expired {
            faults.push(format!("{lists} lists of pods by {servers} servers of {instance}, {expired} answers 410"));
        }
    }
    let (pods, events) = (lists_of(entries, "pods"), lists_of(entries, "events"));
    if events > pods {
        faults.push(format!("{events} lists of Events, {pods} of pods"));
    }
    faults
}

/// Lists by every podlaunch on the cluster, those of others too.
fn lists_of(entries: &[Entry], resource: &str) -> usize {
    entries.iter().filter(|entry| entry.resource() == resource && entry.is_list()).count()
}

fn creations(entries: &[Entry]) -> Vec<String> {
    let created = count(entries, |entry| is(entry, "create", "pods") && entry.code() == 201);
    let twice = created.iter().filter(|((_, name), count)| !name.is_empty() && **count > 1);
    twice.map(|(pod, count)| format!("{pod:?} was created {count} times")).collect()
}

/// Nothing is asked again and again but the reads of logs.
fn repetitions(entries: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for verb in ["patch", "delete"] {
        let many = count(entries, |entry| entry.verb == verb);
        let many = many.iter().filter(|(_, count)| **count > MAX_PATCHES);
        faults.extend(many.map(|(object, count)| format!("{count} times {verb} of {object:?}")));
    }
    let started = lists_of(entries, "pods");
    let mut others: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in entries {
        let about_a_pod = entry.resource().starts_with("pods") && !entry.name().is_empty();
        let is_watch_or_write = matches!(entry.verb.as_str(), "watch" | "create" | "patch" | "delete");
        // A page has an address of its own each time; `lists` counts the lists.
        // The keeper's renewals are what a Lease is.
        let is_renewal = entry.resource() == "leases" && entry.verb == "update";
        if !about_a_pod && !is_watch_or_write && !is_renewal && entry.verb != "list" {
            *others.entry((entry.verb.as_str(), entry.uri.as_str())).or_default() += 1;
        }
    }
    let many = others.iter().filter(|(_, count)| **count > 2 * started);
    faults.extend(many.map(|((verb, uri), count)| format!("{count} times {verb} {uri} by {started} servers")));
    faults
}
