use serde_json::json;

use super::*;

fn parse(text: &str) -> Value {
    Manifest::parse(text.as_bytes()).unwrap().0
}

fn problem(text: &str) -> SpecError {
    Manifest::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn every_shape_becomes_a_template() {
    let template = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}});
    for text in [
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a}]}\nstatus: {phase: Running}",
        "kind: PodTemplateSpec\nmetadata: {name: x}\nspec: {containers: [{name: a}]}",
        "metadata: {name: x}\nspec: {containers: [{name: a}]}",
        "---\nmetadata: {name: x}\nspec: {containers: [{name: a}]}\n---\n# nothing\n",
        "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: ignored}\ntemplate: {metadata: {name: x}, spec: {containers: [{name: a}]}}",
        "{\n\t\"metadata\": {\"name\": \"x\"},\n\t\"spec\": {\"containers\": [{\"name\": \"a\"}]}}",
    ] {
        assert_eq!(parse(text), template, "{text}");
    }
    assert_eq!(parse("containers: [{name: a}]"), json!({"spec": {"containers": [{"name": "a"}]}}));
}

#[test]
fn unknown_fields_pass_through() {
    let pod = parse("spec: {containers: [], somethingNew: {a: [1, null]}}\nfuture: 1");
    assert_eq!(pod, json!({"spec": {"containers": [], "somethingNew": {"a": [1, null]}}, "future": 1}));
}

/// What kubectl 1.34 makes of the same scalars.
#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    for (scalar, expected) in [
        ("yes", json!(true)),
        ("y", json!(true)),
        ("on", json!(true)),
        ("Off", json!(false)),
        ("n", json!(false)),
        ("TRUE", json!(true)),
        ("'yes'", json!("yes")),
        ("0644", json!(420)),
        ("0o17", json!(15)),
        ("0x10", json!(16)),
        ("0b11", json!(3)),
        ("1_000", json!(1000)),
        ("+3", json!(3)),
        ("30.0", json!(30)),
        ("1e3", json!(1000)),
        ("1.5", json!(1.5)),
        ("0.1", json!(0.1)),
        ("1:30", json!("1:30")),
        ("2024-01-01", json!("2024-01-01")),
        ("500m", json!("500m")),
        ("1Gi", json!("1Gi")),
        ("~", json!(null)),
        ("null", json!(null)),
        ("''", json!("")),
        ("|\n    x\n    y\n", json!("x\ny\n")),
        ("18446744073709551615", json!(18446744073709551615u64)),
    ] {
        assert_eq!(parse(&format!("spec:\n  a: {scalar}"))["spec"]["a"], expected, "{scalar}");
    }
}

#[test]
fn anchors_and_merge_keys_work() {
    let pod = parse("spec:\n  a: &x {b: 1}\n  c: *x\n  d: {<<: *x, e: 2}");
    assert_eq!(pod["spec"], json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}));
}

#[test]
fn what_is_not_one_pod_is_refused() {
    for (text, field, words) in [
        ("", "spec.manifest", "is empty"),
        ("# nothing", "spec.manifest", "is empty"),
        ("- a", "spec.manifest", "not a list"),
        ("just text", "spec.manifest", "not a string"),
        ("a: 1", "spec.manifest", "neither spec nor containers"),
        ("kind: Job\nspec: {}", "spec.manifest: kind", "\"Job\""),
        ("kind: [a]\nspec: {}", "spec.manifest: kind", "string"),
        ("apiVersion: batch/v1\nspec: {}", "spec.manifest: apiVersion", "v1"),
        ("kind: PodTemplate\nspec: {}", "spec.manifest: template", "mapping"),
        ("spec: []", "spec.manifest: spec", "mapping"),
        ("metadata: x\nspec: {}", "spec.manifest: metadata", "mapping"),
        ("spec: {}\n---\nspec: {}", "spec.manifest", "2 documents"),
        ("spec: {}\nspec: {}", "spec.manifest", "\"spec\" twice in one mapping at line 2"),
        ("{\"spec\": {\"a\": 1,\n \"a\": 2}}", "spec.manifest", "\"a\" twice in one mapping at line 2"),
        ("spec: {a: 1e400}", "spec.manifest", "not finite"),
        ("spec: {~: 1}", "spec.manifest", "null; quote it"),
        ("spec: 'open", "spec.manifest", "not valid YAML or JSON at line 1"),
    ] {
        let error = problem(text);
        assert_eq!(error.field, field, "{text}: {error}");
        assert!(error.problem.contains(words), "{text}: {error}");
    }
}

#[test]
fn errors_do_not_repeat_values() {
    for text in ["spec: {env: 'hunter2' 'hunter2'}", "spec:\n  a: hunter2\n b: hunter2", "spec: {a: !!int hunter2}"] {
        let error = problem(text);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn size_depth_and_expansion_are_bounded() {
    let long = format!("spec: {{a: '{}'}}", "x".repeat(MAX_MANIFEST_BYTES));
    assert!(problem(&long).problem.contains("at most"));
    let deep = format!("spec: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(problem(&deep).problem.contains("too far"), "{}", problem(&deep));
    let mut bomb = String::from("spec:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..8 {
        let row = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb += &format!("  a{i}: &a{i} [{row}]\n");
    }
    assert!(problem(&bomb).problem.contains("too far"), "{}", problem(&bomb));
    assert!(problem("\u{0}").problem.contains("not valid"));
    assert!(Manifest::parse(&[0xff, 0xfe]).unwrap_err().problem.contains("UTF-8"));
}
