//! Go templates that users write.

use go_text_template::{Functions, Limits, Template, Value, sprig, tinkerbell};

/// A template, parsed and rendered as an image URL and as a Workflow's. It ends within its limits.
///
/// # Panics
/// When more comes out than the limits allow.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let strings =
        Value::from(serde_json::json!({"OSDistro": "ubuntu", "OSVersion": "22.04", "KubernetesVersion": "v1.31.0"}));
    let nested = Value::from(serde_json::json!({
        "device_1": "02:00:00:00:00:01", "missing": null, "n": 3, "f": 1.5, "yes": true, "list": ["a", 1, {"k": "v"}],
        "Hardware": {"Disks": ["/dev/sda"], "Interfaces": [{"Name": "eth0"}]},
    }));
    let mut all = Functions::builtin();
    sprig::register(&mut all);
    tinkerbell::register(&mut all);
    for (functions, data, limits) in [(Functions::builtin(), strings, Limits::URL), (all, nested, LIMITS)] {
        let Ok(template) = Template::parse("fuzz", text, &functions) else { continue };
        if let Ok(rendered) = template.render(&data, limits) {
            assert!(rendered.len() <= limits.max_bytes, "{} bytes", rendered.len());
        }
    }
}

/// As [`Limits::WORKFLOW`], but soon over.
const LIMITS: Limits = Limits { max_bytes: 64 * 1024, max_steps: 50_000 };
