//! No input makes the engine panic, run long or write much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use go_text_template::{ErrorKind, Functions, Limits, Template, Value, sprig, tinkerbell};
use proptest::prelude::*;
use serde_json::json;

const SMALL: Limits = Limits { max_bytes: 200, max_steps: 2_000 };

fn all_functions() -> Functions {
    let mut functions = Functions::builtin();
    sprig::register(&mut functions);
    tinkerbell::register(&mut functions);
    functions
}

fn render(text: &str, data: serde_json::Value, limits: Limits) -> Result<String, go_text_template::Error> {
    Template::parse("t", text, &all_functions())?.render(&data.into(), limits)
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("{{".to_owned()),
        4 => Just("}}".to_owned()),
        1 => prop::sample::select(vec![
            "{{- ", " -}}", "/*", "*/", "if ", "else", "else if ", "with ", "range ", "end", "break", "continue", "nil",
            "$", "$x", ":=", "=", "|", ",", "(", ")", ".", ".a", ".b.c", "printf ", "index ", "slice ", "len ", "eq ",
            "lt ", "and ", "or ", "print ", "replace ", "indent ", "toYaml ", "join ", "splitList ", "b64enc ", "list ",
            "\"%05q%x%-9999d\"", "\"\\x", "\"a\"", "`", "'é'", "1", "-1", "0x", "1e9", "99999999999999999999", "é", " ",
            "\n", "define \"x\"",
        ]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ]
}

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(Value::from),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_and_no_data_panic_or_pass_the_limit(
        text in prop::collection::vec(fragment(), 0..24).prop_map(|parts| parts.concat()),
        data in data(),
    ) {
        if let Ok(template) = Template::parse("t", &text, &all_functions())
            && let Ok(output) = template.render(&data, SMALL)
        {
            prop_assert!(output.len() <= SMALL.max_bytes);
        }
    }

    #[test]
    fn no_call_of_a_function_panics(
        name in prop::sample::select(vec![
            "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "printf", "and", "or", "trim",
            "upper", "trimPrefix", "contains", "replace", "quote", "squote", "b64enc", "indent", "nindent", "toString",
            "toJson", "default", "empty", "coalesce", "ternary", "hasKey", "int", "add", "sub", "div", "mod", "mul", "list",
            "first", "last", "splitList", "join", "formatPartition", "netmaskToPrefixLength", "toYaml",
        ]),
        arguments in prop::collection::vec(data(), 0..4),
    ) {
        let keys = ["a", "b", "c", "d"];
        let operands: String = keys.iter().take(arguments.len()).map(|key| format!(" .{key}")).collect();
        let data: BTreeMap<String, Value> = keys.iter().map(|key| (*key).to_owned()).zip(arguments).collect();
        let template = Template::parse("t", &format!("{{{{{name}{operands}}}}}"), &all_functions()).unwrap();
        if let Ok(output) = template.render(&data.into(), SMALL) {
            prop_assert!(output.len() <= SMALL.max_bytes);
        }
    }

    #[test]
    fn text_without_actions_comes_out_unchanged(text in "[^{]{0,100}") {
        prop_assert_eq!(render(&text, json!({}), Limits::URL).unwrap(), text);
    }
}

fn kind(text: &str, data: serde_json::Value) -> ErrorKind {
    render(text, data, Limits::WORKFLOW).unwrap_err().kind
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let parentheses = format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(kind(&parentheses, json!({})), ErrorKind::Limit);
    let blocks = format!("{}{}", "{{if true}}".repeat(50_000), "{{end}}".repeat(50_000));
    assert_eq!(kind(&blocks, json!({})), ErrorKind::Limit);
    let chain = format!("{{{{if false}}}}{}{{{{end}}}}", "{{else if false}}".repeat(10_000));
    assert_eq!(render(&chain, json!({}), Limits::WORKFLOW).unwrap(), "");
}

#[test]
fn doubling_a_text_stops_at_the_limit() {
    let text = format!("{{{{$x := \"ab\"}}}}{}", "{{$x = print $x $x}}".repeat(64));
    assert_eq!(kind(&text, json!({})), ErrorKind::Limit);
    assert_eq!(kind("{{printf \"%999999d\" 1}}", json!({})), ErrorKind::Limit);
    assert_eq!(kind("{{indent 999999999 \"a\"}}", json!({})), ErrorKind::Limit);
    assert_eq!(kind("{{replace \"\" .a .a}}", json!({"a": "x".repeat(10_000)})), ErrorKind::Limit);
}

#[test]
fn nested_ranges_stop_at_the_step_limit() {
    let list: Vec<u32> = (0..200).collect();
    let text = format!("{}{}", "{{range $.l}}".repeat(8), "{{end}}".repeat(8));
    assert_eq!(kind(&text, json!({"l": list})), ErrorKind::Limit);
}

#[test]
fn a_long_line_is_parsed_in_linear_time() {
    let many = 40_000;
    let start = std::time::Instant::now();
    let siblings = format!("{{{{print{}}}}}", " (1)".repeat(many));
    assert!(render(&siblings, json!({}), Limits::WORKFLOW).is_ok());
    let variables = "{{$x := 1}}".repeat(many);
    assert_eq!(kind(&variables, json!({})), ErrorKind::Limit);
    assert!(start.elapsed().as_secs() < 5, "took {:?}", start.elapsed());
}

#[test]
fn an_error_names_template_line_and_column() {
    let error = Template::parse("image", "a\né{{.x}}", &Functions::builtin())
        .unwrap()
        .render(&json!({}).into(), Limits::URL)
        .unwrap_err();
    assert_eq!(error.to_string(), "template: image:2:4: map has no entry for key \"x\"");
}

#[test]
fn rare_format_flags_are_refused_rather_than_rendered_differently() {
    for text in ["{{printf \"%*d\" 3 4}}", "{{printf \"%g\" 1.5}}", "{{printf \"%#x\" 1}}", "{{printf \"%[1]d\" 1}}"] {
        assert_eq!(kind(text, json!({})), ErrorKind::Unsupported, "{text}");
    }
}

#[test]
fn tinkerbells_functions_do_what_its_templates_expect() {
    for (text, expected) in [
        ("{{formatPartition \"/dev/sda\" 1}}", "/dev/sda1"),
        ("{{formatPartition \"/dev/nvme0n1\" 2}}", "/dev/nvme0n1p2"),
        ("{{formatPartition \"/dev/mmcblk0\" 1}}", "/dev/mmcblk0p1"),
        ("{{formatPartition \"/dev/loop7\" 1}}", "/dev/loop7p1"),
        ("{{formatPartition ( index .disks 0 ) 1}}", "/dev/vda1"),
        ("{{netmaskToPrefixLength \"255.255.255.0\"}}/{{netmaskToPrefixLength \"0.0.0.0\"}}", "24/0"),
        ("{{toYaml .m}}", "\"a\": 1\n\"b\":\n  - \"x: y\"\n  - {}\n  -\n    \"c\": null"),
    ] {
        let data = json!({"disks": ["/dev/vda"], "m": {"a": 1, "b": ["x: y", {}, {"c": null}]}});
        assert_eq!(render(text, data, Limits::WORKFLOW).unwrap(), expected, "{text}");
    }
    for text in
        ["{{netmaskToPrefixLength \"255.0.255.0\"}}", "{{netmaskToPrefixLength \"x\"}}", "{{formatPartition 1 1}}"]
    {
        assert_eq!(kind(text, json!({})), ErrorKind::Exec, "{text}");
    }
}
