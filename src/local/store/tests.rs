//! What the store promises to its readers and writers.

use super::*;

fn config(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}})
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "finalizers": ["a/b"]}, "spec": {}})
}

async fn next(subscription: &mut Subscription) -> (Change, String, u64) {
    let changed = subscription.next().await.unwrap().unwrap();
    (changed.change, changed.object.name().to_owned(), changed.resource_version)
}

#[test]
fn a_new_store_has_its_beginnings() {
    let store = Store::new();
    assert!(store.get(Kind::Namespace, "", "default").is_some());
    assert!(store.get(Kind::Namespace, "ignored", "kube-system").is_some());
    assert_eq!(store.get(Kind::Node, "", NODE_NAME).unwrap()["status"]["conditions"][0]["status"], "True");
}

#[test]
fn versions_rise_with_every_write_and_only_with_writes() {
    let store = Store::new();
    let created = store.create(Kind::ConfigMap, config("c")).unwrap();
    assert_eq!(created.resource_version(), store.version().to_string());
    let same = store.update(Kind::ConfigMap, "default", "c", |_| Ok(())).unwrap();
    assert_eq!(same, created);
    let changed = store.update(Kind::ConfigMap, "default", "c", |c| {
        c["data"]["k"] = json!("v");
        c["metadata"]["uid"] = json!("forged");
        c["metadata"]["name"] = json!("forged");
        Ok(())
    });
    let changed = changed.unwrap();
    assert_eq!((changed.uid(), changed.name()), (created.uid(), "c"));
    assert!(changed.resource_version() > created.resource_version());
    let given_up = store.update(Kind::ConfigMap, "default", "c", |c| {
        c["data"] = json!({});
        Err(StoreError::Aborted)
    });
    assert_eq!(given_up, Err(StoreError::Aborted));
    assert_eq!(store.get(Kind::ConfigMap, "default", "c").unwrap(), changed);
}

#[test]
fn names_and_namespaces_are_guarded() {
    let store = Store::new();
    store.create(Kind::ConfigMap, config("c")).unwrap();
    assert!(matches!(
        store.create(Kind::ConfigMap, config("c")),
        Err(StoreError::AlreadyExists { deleting: Deleting::No, .. })
    ));
    store.create(Kind::Pod, pod("p")).unwrap();
    store.remove(Kind::Pod, "default", "p", None).unwrap();
    assert!(matches!(
        store.create(Kind::Pod, pod("p")),
        Err(StoreError::AlreadyExists { deleting: Deleting::Yes, .. })
    ));
    let lost = json!({"metadata": {"name": "x", "namespace": "none"}});
    assert!(matches!(store.create(Kind::ConfigMap, lost), Err(StoreError::NamespaceMissing { .. })));
    assert!(matches!(store.create(Kind::ConfigMap, json!({})), Err(StoreError::Incomplete { field: "name" })));
    assert!(matches!(store.remove(Kind::ConfigMap, "default", "c", Some("x")), Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn what_is_due_goes_with_its_last_finalizer() {
    let store = Store::new();
    store.create(Kind::Pod, pod("p")).unwrap();
    let mut changes = store.subscribe(Kind::Pod, None).unwrap();
    store.remove(Kind::Pod, "default", "p", None).unwrap();
    assert_eq!(next(&mut changes).await.0, Change::Modified);
    let last = store.update(Kind::Pod, "default", "p", |p| {
        p["metadata"]["finalizers"] = json!([]);
        Ok(())
    });
    assert!(last.unwrap().is_deleting());
    assert_eq!(next(&mut changes).await.0, Change::Deleted);
    assert!(store.get(Kind::Pod, "default", "p").is_none());
}

#[tokio::test]
async fn a_pod_whose_grace_ends_is_modified_then_deleted() {
    let store = Store::new();
    store.create(Kind::Pod, config("p")).unwrap();
    let mut changes = store.subscribe(Kind::Pod, None).unwrap();
    let at = "2026-01-01T00:00:00Z";
    for grace in [5, 0] {
        store
            .update(Kind::Pod, "default", "p", |p| {
                p["metadata"]["deletionTimestamp"] = json!(at);
                p["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
                Ok(())
            })
            .unwrap();
    }
    for expected in [Change::Modified, Change::Modified, Change::Deleted] {
        assert_eq!(next(&mut changes).await.0, expected);
    }
}

#[tokio::test]
async fn readers_resume_until_the_history_forgets() {
    let store = Store::with_history(3);
    let start = store.version();
    for name in ["a", "b", "c"] {
        store.create(Kind::ConfigMap, config(name)).unwrap();
    }
    let mut from_start = store.subscribe(Kind::ConfigMap, Some(start)).unwrap();
    let mut from_second = store.subscribe(Kind::ConfigMap, Some(start + 2)).unwrap();
    assert_eq!(next(&mut from_start).await.1, "a");
    assert_eq!(next(&mut from_second).await.1, "c");
    assert_eq!(from_second.caught_up(), Some(store.version()));
    assert_eq!(from_start.caught_up(), None);
    for name in ["d", "e", "f", "g"] {
        store.create(Kind::ConfigMap, config(name)).unwrap();
    }
    assert!(matches!(store.subscribe(Kind::ConfigMap, Some(start)), Err(StoreError::TooOld { .. })));
    assert!(matches!(from_second.next().await, Some(Err(StoreError::TooOld { .. }))));
    assert!(from_second.next().await.is_none());
}

#[tokio::test]
async fn a_reader_from_the_future_is_silent_until_then() {
    let store = Store::new();
    let future = store.version() + 2;
    let mut changes = store.subscribe(Kind::ConfigMap, Some(future)).unwrap();
    for name in ["a", "b", "c"] {
        store.create(Kind::ConfigMap, config(name)).unwrap();
    }
    assert_eq!(next(&mut changes).await, (Change::Added, "c".to_owned(), future + 1));
}

#[tokio::test]
async fn every_reader_sees_every_change_in_order() {
    let store = Store::new();
    let mut changes = store.subscribe(Kind::ConfigMap, None).unwrap();
    let writers = 8;
    let each = 50;
    let start = store.version();
    let threads: Vec<_> = (0..writers)
        .map(|w| {
            let store = store.clone();
            std::thread::spawn(move || {
                for i in 0..each {
                    store.create(Kind::ConfigMap, config(&format!("{w}-{i}"))).unwrap();
                }
            })
        })
        .collect();
    for expected in 1..=writers * each {
        assert_eq!(next(&mut changes).await.2, start + expected);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn lists_keep_to_their_namespace() {
    let store = Store::new();
    store.create(Kind::Namespace, json!({"metadata": {"name": "default-2"}})).unwrap();
    store.create(Kind::ConfigMap, config("c")).unwrap();
    store.create(Kind::ConfigMap, json!({"metadata": {"name": "d", "namespace": "default-2"}})).unwrap();
    let names = |ns| store.list(Kind::ConfigMap, ns).0.iter().map(|o| o.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Some("default")), ["c"]);
    assert_eq!(names(None), ["c", "d"]);
    assert_eq!(store.list(Kind::Node, Some("any")).0.len(), 1);
}
