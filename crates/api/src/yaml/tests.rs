use serde_json::json;

use super::*;

const DEPLOYMENT: &str = "\
# A comment first.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app.kubernetes.io/name: web
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: web
        image: \"nginx:1.14.2\"
        ports:
        - containerPort: 80
";

fn one(text: &str) -> Value {
    let mut found = documents(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0).value
}

fn error(text: &str) -> (u32, u32, String) {
    let error = documents(text).expect_err(text);
    (error.line, error.column, error.message)
}

#[test]
fn every_field_has_its_place() {
    let document = documents(DEPLOYMENT).unwrap().remove(0);
    assert_eq!(document.line(), 2);
    for (path, key, value) in [
        ("", (2, 1), (2, 1)),
        ("kind", (3, 1), (3, 7)),
        ("metadata.labels.app.kubernetes.io/name", (7, 5), (7, 29)),
        ("metadata.labels[app.kubernetes.io/name]", (7, 5), (7, 29)),
        ("spec.replicas", (9, 3), (9, 13)),
        ("spec.template.spec.containers", (12, 7), (13, 9)),
        ("spec.template.spec.containers[0]", (13, 9), (13, 9)),
        ("spec.template.spec.containers[0].image", (14, 9), (14, 16)),
        ("spec.template.spec.containers[0].ports[0].containerPort", (16, 11), (16, 26)),
        // What is not there is at what would hold it.
        ("spec.template.spec.containers[0].command", (13, 9), (13, 9)),
        ("spec.selector.matchLabels", (8, 1), (9, 3)),
        ("nonsense", (2, 1), (2, 1)),
    ] {
        let found = document.position_of_key(path);
        assert_eq!((found.line, found.column), key, "key of {path}");
        let found = document.position_of_value(path);
        assert_eq!((found.line, found.column), value, "value of {path}");
    }
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    for (text, want) in [
        ("a: yes", json!({"a": true})),
        ("a: \"yes\"", json!({"a": "yes"})),
        ("a: 'off'", json!({"a": "off"})),
        ("a: 0644", json!({"a": 420})),
        ("a: 1_000", json!({"a": 1000})),
        ("a: 1e3", json!({"a": 1000})),
        ("a: 0.5", json!({"a": 0.5})),
        ("a: ~", json!({"a": null})),
        ("a:", json!({"a": null})),
        ("a: 2024-01-01", json!({"a": "2024-01-01"})),
        ("a: 100m", json!({"a": "100m"})),
        ("a: !!str 80", json!({"a": "80"})),
        ("a: !!int \"80\"", json!({"a": 80})),
        ("a: !!float 1", json!({"a": 1})),
        ("a: !!binary aGVsbG8=", json!({"a": "hello"})),
        ("a: !local 80", json!({"a": "80"})),
        ("a: |\n  b\n  c\n", json!({"a": "b\nc\n"})),
        ("a: >-\n  b\n  c\n", json!({"a": "b c"})),
        ("a: \"\\u00e9\\n\"", json!({"a": "\u{e9}\n"})),
        ("1: a\ntrue: b\n1.5: c\n\"2\": d", json!({"1": "a", "true": "b", "1.5": "c", "2": "d"})),
        ("- a\n- [b, {c: d}]", json!(["a", ["b", {"c": "d"}]])),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
        ("a: &x [1, 2]\nb: [*x, *x]", json!({"a": [1, 2], "b": [[1, 2], [1, 2]]})),
        (
            "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3",
            json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ),
        ("<<: [{a: 1, b: 1}, {a: 2, c: 2}]\nb: 3", json!({"a": 1, "b": 3, "c": 2})),
        ("\"<<\": 1", json!({"<<": 1})),
        ("a: &x 1\nb: &x 2\nc: *x", json!({"a": 1, "b": 2, "c": 2})),
        ("\u{feff}a: 1", json!({"a": 1})),
        ("a: 1\r\nb: 2\r\n", json!({"a": 1, "b": 2})),
        ("{\"a\":\n\t[1, \"\\ud83d\\ude00\"]}", json!({"a": [1, "\u{1f600}"]})),
        ("a:\n- b\n-  c: d", json!({"a": ["b", {"c": "d"}]})),
    ] {
        assert_eq!(one(text), want, "{text}");
    }
}

#[test]
fn documents_are_separated_and_empty_ones_left_out() {
    let text = "---\n# nothing\n---\na: 1\n---\n\n---\nb: 2\n...\n---\n~\n";
    let found = documents(text).unwrap();
    let values: Vec<&Value> = found.iter().map(|document| &document.value).collect();
    assert_eq!(values, [&json!({"a": 1}), &json!({"b": 2})]);
    assert_eq!(found[1].line(), 8);
    assert_eq!(documents("").unwrap(), []);
    assert_eq!(documents("# only words\n").unwrap(), []);
    let found = documents("{\"a\": 1}\n{\"b\": 2}").unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn lists_are_flattened() {
    let text = "\
apiVersion: v1
kind: List
items:
- kind: Pod
  metadata: {name: a}
- kind: PodList
  apiVersion: v1
  items:
  - metadata: {name: b}
";
    let found = documents(text).unwrap().remove(0).flatten();
    let values: Vec<&Value> = found.iter().map(|document| &document.value).collect();
    let first = json!({"kind": "Pod", "metadata": {"name": "a"}});
    let second = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}});
    assert_eq!(values, [&first, &second]);
    assert_eq!(found[1].position_of_value("metadata.name"), Position { line: 9, column: 22 });
    let plain = documents(DEPLOYMENT).unwrap().remove(0);
    assert_eq!(plain.clone().flatten(), [plain]);
}

#[test]
fn errors_say_where_and_what() {
    for (text, line, column, message) in [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "mapping key \"a\" already defined at line 1"),
        ("a:\n  b: {c: 1, \"c\": 2}\n", 2, 13, "mapping key \"c\" already defined at line 2"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed in this context"),
        ("a: 1\n\tb: 2\n", 2, 1, "found a tab character that violates indentation"),
        ("a: @b\n", 1, 4, "found character that cannot start any token"),
        ("a: *x\n", 1, 4, "unknown anchor 'x' referenced"),
        ("a: &x [*x]\n", 1, 8, "anchor 'x' value contains itself"),
        ("a: !!int b\n", 1, 4, "cannot decode !!str `b` as a !!int"),
        ("a: .nan\n", 1, 4, "json: unsupported value: NaN"),
        ("a: .inf\n", 1, 4, "json: unsupported value: +Inf"),
        ("? [a]\n: b\n", 1, 3, "invalid map key: []interface {}{\"a\"}"),
        (
            "a: {{ .Values.x }}\n",
            1,
            5,
            "invalid map key: map[interface {}]interface {}{\".Values.x\":interface {}(nil)}",
        ),
        ("~: b\n", 1, 1, "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"b\""),
        ("a: [a, b\nc: d\n", 2, 2, "did not find expected ',' or ']'"),
        ("a: {a: b\n", 2, 1, "did not find expected ',' or '}'"),
        ("a: ]\n", 1, 4, "did not find expected node content"),
        ("a: b\n c: d\n", 2, 3, "mapping values are not allowed in this context"),
        ("a: \"b\" c\n", 1, 8, "did not find expected key"),
        ("a: 'it's'\n", 1, 8, "did not find expected key"),
        ("a\n  b: c\n", 2, 4, "mapping values are not allowed in this context"),
        ("a: b\nc\nd: e\n", 3, 1, "could not find expected ':'"),
        ("<<: 1\n", 1, 1, "map merge requires map or sequence of maps as the value"),
        ("a: \u{1}\n", 1, 4, "control characters are not allowed"),
    ] {
        assert_eq!(error(text), (line, column, message.to_string()), "{text}");
    }
    let printed = documents("a: 1\na: 2").unwrap_err().to_string();
    assert_eq!(
        printed,
        "error converting YAML to JSON: yaml: line 2: mapping key \"a\" already defined at line 1"
    );
    for (text, want) in [
        ("a: *x", "error converting YAML to JSON: yaml: unknown anchor 'x' referenced"),
        ("a: .nan", "error converting YAML to JSON: json: unsupported value: NaN"),
    ] {
        assert_eq!(documents(text).unwrap_err().to_string(), want);
    }
    let error = text_of(b"a: 1\nb: \xff").unwrap_err();
    assert_eq!((error.line, error.column), (2, 4));
    assert_eq!(text_of(b"a: 1"), Ok("a: 1"));
}

/// Whatever the text, there is an answer, and an error names a line that the text has. A reader
/// that went over a text again and again would not come to the end of these in minutes.
fn answer(name: &str, text: &str) -> Result<Vec<Document>, YamlError> {
    let found = documents(text);
    if let Err(error) = &found {
        let lines = text.lines().count() + 1;
        let line = usize::try_from(error.line).unwrap();
        assert!((1..=lines).contains(&line), "{name}: line {line} of {lines}");
    }
    found
}

#[test]
fn limits_are_errors() {
    let deep_block: String = (0..65).map(|depth| format!("{}a:\n", "  ".repeat(depth))).collect();
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_string()
        + &('b'..='i')
            .map(|name| {
                let before = char::from_u32(name as u32 - 1).unwrap();
                format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(","))
            })
            .collect::<String>();
    let long = format!("a: &a {}\n", "x".repeat(1 << 20)) + &"- *a\n".repeat(10_000);
    let long = long.replacen("a: ", "- ", 1);
    let nested = "&a [".repeat(60) + &"x,".repeat(100_000) + &"]".repeat(60);
    let deep_alias = "a: &a ".to_string() + &"[".repeat(60) + &"]".repeat(60) + "\nb: [[[[*a]]]]";
    for (name, text, want) in [
        ("deep flow", "[".repeat(65) + &"]".repeat(65), "exceeded max depth of 64"),
        ("deep block", deep_block, "exceeded max depth of 64"),
        ("deep items", "- ".repeat(100) + "a", "exceeded max depth of 64"),
        ("deeper flow", "{a: ".repeat(500_000), "exceeded max depth of 64"),
        ("deepest flow", "[".repeat(MAX_BYTES), "exceeded max depth of 64"),
        ("deep alias", deep_alias, "exceeded max depth of 64"),
        ("bomb", bomb, "document contains excessive aliasing"),
        ("long alias", long, "document contains excessive aliasing"),
        ("nested anchors", nested, "document contains excessive aliasing"),
        ("many documents", "---\na: 1\n".repeat(501), "more than 500 documents"),
        (
            "long text",
            "#".repeat(MAX_BYTES + 1),
            "the text has 3145729 bytes, at most 3145728 are read",
        ),
    ] {
        let error = answer(name, &text).expect_err(name);
        assert_eq!(error.message, want, "{name}");
    }
    assert!(documents(&("[".repeat(64) + &"]".repeat(64))).is_ok());
    assert_eq!(documents(&"---\na: 1\n".repeat(500)).unwrap().len(), 500);
}

#[test]
fn large_and_hostile_texts_are_answered() {
    for (name, piece) in [
        ("items", "- a\n"),
        ("items on a line", "- "),
        ("keys on a line", "? "),
        ("maps on a line", "a: "),
        ("quotes", "'"),
        ("double quotes", "\""),
        ("escapes", "\\"),
        ("words", "a "),
        ("lines", "a\n"),
        ("empty lines", "\n"),
        ("spaces", " "),
        ("tabs", "\t"),
        ("tags", "! "),
        ("long tags", "!a"),
        ("anchors", "&a "),
        ("aliases", "*a "),
        ("commas", ","),
        ("flow items", "[a, "),
        ("closing", "]"),
        ("colons", ":"),
        ("separators", "---\n"),
        ("ends", "...\n"),
        ("directives", "%a b\n"),
        ("tag directives", "%TAG ! a:\n"),
        ("pipes", "|\n"),
        ("block", "|\n \n"),
        ("comments", "#\n"),
        ("comments after", "a #\n"),
        ("merges", "<<: "),
        ("mixed", "{[-?:"),
        ("wide", "\u{1f600}"),
    ] {
        let text = piece.repeat((1 << 18) / piece.len());
        let _ = answer(name, &text);
        let _ = answer(name, &("a: ".to_string() + &text));
        let _ = answer(name, &("[".to_string() + &text));
    }
    let keys: String = (0..100_000).map(|index| format!("key-{index}: {index}\n")).collect();
    assert_eq!(answer("many keys", &keys).unwrap().len(), 1);
    let reverse: String = (0..3000).rev().map(|depth| " ".repeat(depth) + "- a\n").collect();
    let _ = answer("dedents", &reverse);
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "yes",
    "No",
    "~",
    "null",
    "0644",
    "1_000",
    "1e3",
    "-1.5",
    "2024-01-01",
    "1:30",
    "<<",
    "nginx:1.14.2",
    "a: b",
    "- a",
    "a #b",
    "#a",
    " a",
    "a ",
    "'a'",
    "\"a\"",
    "a\nb",
    "a\nb\n",
    "\na",
    " a\nb",
    "a \nb",
    "a\n\n\nb\n\n",
    "\t",
    "a\tb",
    "\u{e9}",
    "\u{1f600}",
    "\u{7}",
    "\u{85}",
    "{a}",
    "[a]",
    "@a",
    "`a",
    "%a",
    "!a",
    "&a",
    "*a",
    "|",
    ">",
    "?",
    "? a",
    "-",
    "---",
    "...",
    "a, b",
    "\\",
    "\r\n",
    "\u{feff}",
    "0x1F",
    "+.inf",
    ".nan",
    "=",
    "a:",
    ":a",
    "100m",
    "a text of many words that is so long that a line cannot hold it and so it must be folded somewhere, twice even if it goes on for as long as this one does",
    "two  spaces  everywhere  in  a  text  that  is  long  enough  to  be  folded  after  eighty  columns  or  so",
    "{\"a\": \"text of many words that is so long that a line cannot hold it and so it must be folded\"}\n",
];

fn random_value(stream: &mut sim::Stream, depth: u32) -> Value {
    let pick = |stream: &mut sim::Stream| {
        TEXTS[usize::try_from(stream.below(TEXTS.len() as u64)).unwrap()].to_string()
    };
    match stream.below(if depth == 0 { 6 } else { 10 }) {
        0 => Value::Null,
        1 => Value::Bool(stream.below(2) == 0),
        2 => json!(i64::try_from(stream.below(2000)).unwrap() - 1000),
        3 => json!((i32::try_from(stream.below(2000)).unwrap() as f64 - 1000.0) / 8.0 + 0.0625),
        4 | 5 => Value::String(pick(stream)),
        6 | 7 => (0..stream.below(4)).map(|_| random_value(stream, depth - 1)).collect(),
        _ => {
            let field = |stream: &mut sim::Stream| (pick(stream), random_value(stream, depth - 1));
            Value::Object((0..stream.below(4)).map(|_| field(stream)).collect())
        }
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut stream = sim::Stream::new(3, "yaml");
    for _ in 0..2000 {
        let value = random_value(&mut stream, 4);
        let text = to_yaml(&value);
        let found = documents(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let found = found.into_iter().next().map(|document| document.value).unwrap_or_default();
        assert_eq!(found, value, "{text}");
    }
}

#[test]
fn random_bytes_are_read_or_refused() {
    let mut stream = sim::Stream::new(5, "bytes");
    let alphabet = "ab: -\n[]{},&*!|>'\"%@`#?~<.\t0\\\u{e9}".chars().collect::<Vec<char>>();
    for _ in 0..10_000 {
        let length = stream.below(40);
        let text: String = (0..length)
            .map(|_| alphabet[usize::try_from(stream.below(alphabet.len() as u64)).unwrap()])
            .collect();
        let Ok(found) = documents(&text) else { continue };
        for document in found {
            let written = to_yaml(&document.value);
            assert_eq!(one(&written), document.value, "{text:?} became {written:?}");
        }
    }
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..stream.below(200)).map(|_| stream.below(256) as u8).collect();
        let _ = documents(&String::from_utf8_lossy(&bytes));
    }
}

const PRINTED: &str = "\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    a: \"\"
    b9: \"1\"
    b10: \"true\"
    long: LONG
      y z
  creationTimestamp: \"2024-01-01T00:00:00Z\"
  finalizers: []
  labels: {}
  name: web
spec:
  containers:
  - args:
    - --flag=yes
    - \"yes\"
    - 'key: value'
    - '# no'
    - '*'
    - \"0644\"
    - it's
    command:
    - sh
    - -c
    - |
      echo a
      echo b
    image: nginx:1.14.2
    name: web
    resources:
      limits:
        cpu: 100m
        memory: 64Mi
  nested:
  - - a
    - b
  - - c: 1
  priority: null
  weight: 1.5
status:
  message: 'containers with unready status: [web]'
";

#[test]
fn keys_print_in_their_natural_order() {
    for keys in [
        &["a1", "a2", "a10", "a10b"][..],
        &["k-1", "k.1", "k1", "ka"],
        &["", "1", "A", "B", "a"],
        &["a1", "a01", "a001", "a2"],
        &["a9", "a10", "a10a", "a11"],
    ] {
        let fields: Vec<(String, Value)> =
            keys.iter().rev().map(|key| (key.to_string(), json!(1))).collect();
        let text = to_yaml(&Value::Object(fields.into_iter().collect()));
        let lines = text.lines().map(|line| line.trim_end_matches(": 1").trim_matches('"'));
        assert_eq!(lines.collect::<Vec<&str>>(), keys);
    }
    // An order that goes round in a circle still ends.
    let circle: Vec<(String, Value)> = (0..1000)
        .flat_map(|number| [format!("a{number}"), format!("a{number}b"), format!("a0{number}")])
        .map(|key| (key, json!(1)))
        .collect();
    assert_eq!(to_yaml(&Value::Object(circle.into_iter().collect())).lines().count(), 3000);
}

#[test]
fn yaml_prints_as_kubectl_prints_it() {
    let value = json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "web",
            "annotations": {"b10": "true", "b9": "1", "a": "", "long": "x".repeat(90) + " y z"},
            "creationTimestamp": "2024-01-01T00:00:00Z",
            "labels": {},
            "finalizers": [],
        },
        "spec": {
            "containers": [{
                "name": "web",
                "image": "nginx:1.14.2",
                "command": ["sh", "-c", "echo a\necho b\n"],
                "args": ["--flag=yes", "yes", "key: value", "# no", "*", "0644", "it's"],
                "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
            }],
            "priority": null,
            "weight": 1.5,
            "nested": [["a", "b"], [{"c": 1}]],
        },
        "status": {"message": "containers with unready status: [web]"},
    });
    let want = PRINTED.replace("LONG", &"x".repeat(90));
    assert_eq!(to_yaml(&value), want);
    assert_eq!(to_yaml(&json!({})), "{}\n");
    assert_eq!(to_yaml(&json!("a")), "a\n");
    assert_eq!(to_yaml(&json!(["<<", "\u{1f600}"])), "- <<\n- \"\\U0001F600\"\n");
    let long = "k".repeat(129);
    assert_eq!(to_yaml(&json!({ &*long: {"a": ["b"]} })), format!("? {long}\n: a:\n  - b\n"));
    assert_eq!(to_yaml(&json!({"a\nb": "c"})), "? |-\n  a\n  b\n: c\n");
    assert_eq!(to_yaml(&json!({"a": 1e21, "b": 1e-7})), "a: 1e+21\nb: 1e-07\n");
}
