//! The chart of the comparison, as SVG.

use crate::output::table::title;
use crate::output::{Measure, number};
use crate::results::Results;
use crate::workload::{COMPARE, Program};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 220.0;
const LONGEST: f64 = 430.0;
const BAR: f64 = 18.0;
const GROUP: f64 = 62.0;
const TOP: f64 = 56.0;

const BARS: [Measure; 6] = [
    Measure { name: "until all are ready", unit: "s", of: |run| run.provision.seconds },
    Measure { name: "CPU per machine", unit: "ms", of: |run| run.provision.cpu_ms_per_machine },
    Measure { name: "peak memory", unit: "MiB", of: |run| run.peak_mib },
    Measure { name: "writes per machine", unit: "", of: |run| run.provision.writes_per_machine },
    Measure { name: "more writes in 15 s idle", unit: "", of: |run| run.idle.writes_per_machine },
    Measure { name: "until all are released", unit: "s", of: |run| run.release.seconds },
];

/// Both programs over the workload that both run; none if one did not.
pub fn chart(results: &Results) -> Option<String> {
    let ours = results.result(COMPARE, Program::CaptManager)?;
    let theirs = results.result(COMPARE, Program::GoCapt)?;
    let height = TOP + GROUP * BARS.len() as f64 + 12.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="bold" fill="#1a1a1a">{} machines among {} Hardware: less is better</text>
"##,
        ours.workload.machines, ours.workload.hardware
    );
    for (index, measure) in BARS.iter().enumerate() {
        let y = TOP + GROUP * index as f64;
        let pair = [(ours, "#b7410e", 0.0), (theirs, "#8fa3b3", BAR + 4.0)];
        let most = pair.iter().map(|(result, ..)| (measure.of)(&result.median)).fold(f64::MIN_POSITIVE, f64::max);
        svg.push_str(&format!("<text x=\"16\" y=\"{:.1}\" fill=\"#1a1a1a\">{}</text>\n", y + BAR + 6.0, measure.name));
        for (result, colour, down) in pair {
            let value = (measure.of)(&result.median);
            let length = (LONGEST * value / most).max(1.0);
            let top = y + down;
            svg.push_str(&format!(
                "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#1a1a1a\">{} {} ({})</text>\n",
                // Long bars carry their text inside.
                if length > 0.6 * LONGEST { LEFT + 8.0 } else { LEFT + length + 8.0 },
                top + 13.5,
                number(value),
                measure.unit,
                title(result.program),
            ));
        }
    }
    svg.push_str("</svg>\n");
    Some(svg.replace("  (", " ("))
}
