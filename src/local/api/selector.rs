//! Label and field selectors, in Kubernetes' syntax.
//!
//! Labels: `a=b, c!=d, e in (f,g), h notin (i), j, !k, l>3, m<4`. Fields: `metadata.name=x,status.phase!=Running`, for each kind
//! only the fields Kubernetes indexes.

use serde_json::Value;

use super::validate::text::{label_key, label_value};
use crate::local::store::Kind;

/// A parsed label selector; the empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Parses a selector; the error is the message of the 400.
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        parser.selector().map_err(|why| format!("unable to parse requirement: {why}"))
    }

    /// Whether the object's labels satisfy every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|r| r.matches(labels[&r.key].as_str()))
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            Test::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| w != v)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Greater(limit) => number().is_some_and(|n| n > *limit),
            Test::Less(limit) => number().is_some_and(|n| n < *limit),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
        }
    }
}

const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            found.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!(),<>".contains(c)).unwrap_or(rest.len());
        found.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    found
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", Token::text)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(format!("found '{}', expected: identifier", self.peek())),
        }
    }

    fn selector(&mut self) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        while self.at < self.tokens.len() {
            requirements.push(self.requirement()?);
            if self.at == self.tokens.len() {
                break;
            }
            if !self.take_sign(",") {
                return Err(format!("found '{}', expected: ',' or 'end of string'", self.peek()));
            }
            if self.at == self.tokens.len() {
                return Err("found '', expected: identifier after ','".to_owned());
            }
        }
        Ok(LabelSelector(requirements))
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.take_sign("!");
        let key = self.word()?;
        if let Err(why) = label_key(&key) {
            return Err(format!("key: Invalid value: {}: {why}", Value::from(key)));
        }
        let test = if absent { Test::Absent } else { self.test()? };
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, String> {
        match self.tokens.get(self.at).cloned() {
            None | Some(Token::Sign(",")) => Ok(Test::Exists),
            Some(Token::Sign("=" | "==")) => self.exact().map(|v| Test::In(vec![v])),
            Some(Token::Sign("!=")) => self.exact().map(|v| Test::NotIn(vec![v])),
            Some(Token::Sign(">")) => self.number().map(Test::Greater),
            Some(Token::Sign("<")) => self.number().map(Test::Less),
            Some(Token::Word(word)) if word == "in" => self.set().map(Test::In),
            Some(Token::Word(word)) if word == "notin" => self.set().map(Test::NotIn),
            Some(other) => Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.text())),
        }
    }

    fn exact(&mut self) -> Result<String, String> {
        self.at += 1;
        if self.at == self.tokens.len() || self.peek() == "," {
            return Ok(String::new());
        }
        checked(self.word()?)
    }

    fn number(&mut self) -> Result<i64, String> {
        self.at += 1;
        let word = self.word()?;
        let shown = Value::from(word.as_str());
        word.parse().map_err(|_| {
            format!("values[0]: Invalid value: {shown}: for 'Gt', 'Lt' operators, the value must be an integer")
        })
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.at += 1;
        if !self.take_sign("(") {
            return Err(format!("found '{}' expected: '('", self.peek()));
        }
        let mut values = Vec::new();
        loop {
            match self.peek() {
                "," | ")" => values.push(String::new()),
                _ => values.push(checked(self.word()?)?),
            }
            if self.take_sign(")") {
                return Ok(values);
            }
            if !self.take_sign(",") {
                return Err(format!("found '{}', expected: ',' or ')'", self.peek()));
            }
        }
    }
}

fn checked(value: String) -> Result<String, String> {
    match label_value(&value) {
        Ok(()) => Ok(value),
        Err(why) => Err(format!("values[0]: Invalid value: {}: {why}", Value::from(value))),
    }
}

/// A parsed field selector; the empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldTest>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTest {
    pointer: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Parses a selector for a kind; the error is the message of the 400.
    pub fn parse(kind: Kind, text: &str) -> Result<FieldSelector, String> {
        let terms = text.split(',').map(str::trim).filter(|t| !t.is_empty());
        terms.map(|term| field_test(kind, text, term)).collect::<Result<_, _>>().map(FieldSelector)
    }

    /// Whether the object's fields satisfy every term; absent reads as empty.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|test| {
            let same = match object.pointer(&test.pointer) {
                None | Some(Value::Null) => test.value.is_empty(),
                Some(Value::String(text)) => *text == test.value,
                // Of the fields that can be selected by, all others are flags.
                Some(other) => other.as_bool().is_some_and(|flag| flag == (test.value == "true")),
            };
            same == test.equal
        })
    }
}

fn field_test(kind: Kind, whole: &str, term: &str) -> Result<FieldTest, String> {
    let split = [("!=", false), ("==", true), ("=", true)]
        .into_iter()
        .find_map(|(sign, equal)| term.split_once(sign).map(|(field, value)| (field, value, equal)));
    let Some((field, value, equal)) = split else {
        return Err(format!("invalid selector: '{whole}'; can't understand '{term}'"));
    };
    if !fields_of(kind).contains(&field) {
        return Err(match kind {
            Kind::Pod | Kind::Event | Kind::Node | Kind::Secret | Kind::Namespace => {
                format!("field label not supported: {field}")
            }
            _ => format!(
                "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                Value::from(field)
            ),
        });
    }
    Ok(FieldTest { pointer: format!("/{}", pointer_of(kind, field).replace('.', "/")), value: value.to_owned(), equal })
}

fn fields_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pod => &[
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        Kind::Event => &[
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Kind::Namespace => &["metadata.name", "metadata.namespace", "status.phase"],
        Kind::Node => &["metadata.name", "metadata.namespace", "spec.unschedulable"],
        Kind::Secret => &["metadata.name", "metadata.namespace", "type"],
        Kind::ConfigMap | Kind::Lease | Kind::ServiceAccount => &["metadata.name", "metadata.namespace"],
    }
}

fn pointer_of(kind: Kind, field: &str) -> &str {
    match (kind, field) {
        (Kind::Event, "source") => "source.component",
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_match_as_kubernetes_matches() {
        let object = json!({"metadata": {"labels": {"app": "x", "n": "5", "e": "", "a.io/b": "c"}}});
        let cases = [
            ("", true),
            ("app=x", true),
            ("app==x,n=5", true),
            ("app = x , n != 4", true),
            ("app!=x", false),
            ("none!=x", true),
            ("app in (x,y)", true),
            ("app in (y)", false),
            ("none notin (y)", true),
            ("app notin (x)", false),
            ("app", true),
            ("!app", false),
            ("!none", true),
            ("e=", true),
            ("e", true),
            ("n>4", true),
            ("n<4", false),
            ("app>1", false),
            ("a.io/b in (c),app", true),
            ("e in (,x)", true),
        ];
        for (text, expected) in cases {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn broken_label_selectors_are_worded() {
        let cases = [
            ("a===", "unable to parse requirement: found '=', expected: identifier"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a,", "unable to parse requirement: found '', expected: identifier after ','"),
        ];
        for (text, expected) in cases {
            assert_eq!(LabelSelector::parse(text).unwrap_err(), expected, "{text}");
        }
        for text in ["a in (b", "a b", "=b", "a=b=c", "a>x", "-a", "a=b c"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_selector_or_an_error(text in "[a-z =!(),<>/.x]{0,20}") {
            let labels = LabelSelector::parse(&text).map(|s| s.matches(&json!({})));
            let fields = FieldSelector::parse(Kind::Pod, &text).map(|s| s.matches(&json!({})));
            proptest::prop_assert!(labels.is_ok() || labels.is_err_and(|why| !why.is_empty()));
            proptest::prop_assert!(fields.is_ok() || fields.is_err_and(|why| !why.is_empty()));
        }
    }

    #[test]
    fn fields_match_what_is_indexed() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "local"}, "status": {"phase": "Running"}});
        let cases = [
            ("metadata.name=p", true),
            ("metadata.name==p,status.phase!=Failed", true),
            ("status.podIP=", true),
            ("spec.nodeName!=local", false),
        ];
        for (text, expected) in cases {
            let selector = FieldSelector::parse(Kind::Pod, text).unwrap();
            assert_eq!(selector.matches(&pod), expected, "{text}");
        }
        let refused = |kind, text| FieldSelector::parse(kind, text).unwrap_err();
        assert_eq!(refused(Kind::Pod, "metadata.nope=x"), "field label not supported: metadata.nope");
        assert_eq!(
            refused(Kind::ConfigMap, "spec.nope=x"),
            "\"spec.nope\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
        assert_eq!(
            refused(Kind::Pod, "metadata.name"),
            "invalid selector: 'metadata.name'; can't understand 'metadata.name'"
        );
    }
}
