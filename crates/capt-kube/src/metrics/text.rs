//! What Prometheus reads.

use std::fmt::Write as _;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

/// The format that every Prometheus reads and that Go managers answer with.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a registry, as text.
///
/// The registry writes OpenMetrics, which differs in this: there a counter's family has a name of its own, and
/// `_total` is only in its samples. In our format families are named as their samples are.
pub fn text(registry: &Registry) -> String {
    let mut open_metrics = String::new();
    // Writing to a string cannot fail, and half an answer is better than none.
    let _ = encode_registry(&mut open_metrics, registry);
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, help)| help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some(help) = help.take() {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    #[test]
    fn a_counter_is_declared_under_the_name_that_its_samples_have() {
        let mut registry = Registry::default();
        registry.register("a", "About a", Counter::<u64>::default());
        registry.register("b", "About b", Gauge::<i64>::default());
        let expected = "# HELP a_total About a.\n# TYPE a_total counter\na_total 0\n\
                        # HELP b About b.\n# TYPE b gauge\nb 0\n";
        assert_eq!(text(&registry), expected);
    }
}
