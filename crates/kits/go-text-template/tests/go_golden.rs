//! What real Go (1.26, Sprig 3) makes of the templates in `golden/cases.txt`, as recorded by `golden/record.go`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use go_text_template::{ErrorKind, Functions, Limits, Struct, Template, Value, sprig, tinkerbell};
use serde_json::Value as Json;

/// Valid Go that we refuse instead of rendering, and nothing else may be refused so.
const UNSUPPORTED: [&str; 13] = [
    "{{urlquery .BaseRegistry}}",
    "{{html \"<a>\"}}",
    "{{js .OSDistro}}",
    "{{println \"a\"}}",
    "{{range $i := 3}}{{$i}}{{end}}",
    "{{define \"x\"}}a{{end}}b",
    "{{block \"x\" .}}a{{end}}",
    "{{template \"x\"}}",
    "{{call .OSDistro}}",
    "{{define}}",
    "{{1i}}",
    "{{0x1p4}}",
    "{{\"\\xff\"}}",
];

/// Go ignores a `|` with nothing behind it; for us it is a mistake.
const STRICTER: &str = "{{print |}}";

fn url() -> Value {
    let fields = [
        ("BaseRegistry", "ghcr.io/x"),
        ("OSDistro", "ubuntu"),
        ("OSVersion", "2204"),
        ("KubernetesVersion", "v1.31.2"),
    ];
    Struct::new("main.URL", fields.map(|(key, value)| (key, value.into()))).into()
}

fn render(data: &str, text: &str, workflow: &Json) -> Result<String, go_text_template::Error> {
    let mut functions = Functions::builtin();
    let (data, limits) = if data == "url" {
        (url(), Limits::URL)
    } else {
        sprig::register(&mut functions);
        tinkerbell::register(&mut functions);
        (workflow.clone().into(), Limits::WORKFLOW)
    };
    Template::parse("t", text, &functions)?.render(&data, limits)
}

#[test]
fn every_template_gives_what_go_gives() {
    let golden: Json = serde_json::from_str(include_str!("golden/go.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 250, "the recording is complete");
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["template"].as_str().unwrap();
        let stage = case["stage"].as_str();
        let ours = render(case["data"].as_str().unwrap(), text, &golden["workflow"]);
        let agrees = match &ours {
            Ok(output) => stage.is_none() && output == case["output"].as_str().unwrap(),
            Err(error) => match error.kind {
                ErrorKind::Parse => stage == Some("parse") || text == STRICTER,
                ErrorKind::Exec => stage == Some("exec"),
                ErrorKind::Unsupported => UNSUPPORTED.contains(&text) && error.message.ends_with("is not supported"),
                ErrorKind::Limit => false,
            },
        };
        if !agrees {
            wrong.push(format!("{text}\n  Go:   {} {}\n  ours: {ours:?}", case["output"], case["error"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn messages_are_those_go_gives() {
    let golden: Json = serde_json::from_str(include_str!("golden/go.json")).unwrap();
    for (text, message) in [
        ("{{.Missing}}", "can't evaluate field Missing in type main.URL"),
        ("{{.OSDistro.Foo}}", "can't evaluate field Foo in type string"),
        ("{{eq 1 \"1\"}}", "error calling eq: incompatible types for comparison"),
        ("{{slice .OSDistro 9}}", "error calling slice: index out of range: 9"),
        ("{{index . \"OSDistro\"}}", "error calling index: can't index item of type main.URL"),
        ("{{ .OSDistro", "unclosed action"),
        ("{{if true}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{nofunc .OSDistro}}", "function \"nofunc\" not defined"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{ range $i, $c := .OSDistro }}x{{end}}", "range can't iterate over ubuntu"),
    ] {
        assert_eq!(render("url", text, &Json::Null).unwrap_err().message, message, "{text}");
        let case = golden["cases"].as_array().unwrap().iter().find(|case| case["template"] == text).unwrap();
        let go = case["error"].as_str().unwrap();
        assert!(go.contains(message), "Go says {go}");
    }
}
