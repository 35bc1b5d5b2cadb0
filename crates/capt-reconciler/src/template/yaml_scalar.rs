//! Any text as one YAML scalar.

use std::fmt::Write;

/// `text` in double quotes, on one line, in ASCII, with everything escaped that a YAML reader could take for more than
/// text. Tinkerbell runs the template through Go's text/template before it reads the YAML: `{{` is escaped as well.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut previous = '"';
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '{' if previous == '{' => escape(&mut out, 'x', 2, character),
            ' '..='~' => out.push(character),
            '\0'..='\u{ff}' => escape(&mut out, 'x', 2, character),
            '\u{100}'..='\u{ffff}' => escape(&mut out, 'u', 4, character),
            _ => escape(&mut out, 'U', 8, character),
        }
        previous = character;
    }
    out.push('"');
    out
}

fn escape(out: &mut String, kind: char, digits: usize, character: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\{kind}{:0digits$x}", u32::from(character));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quoted;

    proptest! {
        #[test]
        fn any_text_stays_one_scalar_on_one_line(text in "\\PC{0,40}|(?s).{0,40}|[{}\"\\\\\n:#'-]{0,20}") {
            let quoted = quoted(&text);
            prop_assert!(quoted.is_ascii() && !quoted.contains('\n'));
            prop_assert!(!quoted.contains("{{"), "Tinkerbell would run it");
            let read: Vec<String> = serde_saphyr::from_str(&format!("- {quoted}\n")).unwrap();
            prop_assert_eq!(read, vec![text]);
        }
    }
}
