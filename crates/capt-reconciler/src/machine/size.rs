//! How large bootstrap data makes a Hardware: told before it is sent.

use crate::observed::tinkerbell::Hardware;

/// Largest object that etcd takes, as it is shipped (1.5 MiB).
pub const LARGEST_OBJECT: usize = 1_572_864;

/// What is wrong with this text as user data of this Hardware, if it is too large for the server to keep.
pub fn too_large(text: &str, hardware: &Hardware) -> Option<String> {
    let stored = json_length(text);
    let rest = serde_json::to_vec(&hardware.spec).map_or(0, |spec| spec.len());
    (stored + rest > LARGEST_OBJECT).then(|| {
        format!(
            "bootstrap data of {} bytes takes {stored} bytes as JSON, and makes Hardware {} larger than the \
             {LARGEST_OBJECT} bytes that an API server keeps: make it smaller, for example by fetching files from elsewhere",
            text.len(),
            capt_api::meta::Meta::key(hardware)
        )
    })
}

/// Length of a text as the API server writes it: it escapes more than JSON asks for.
fn json_length(text: &str) -> usize {
    let length = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
        c if c.is_ascii_control() && c != '\u{7f}' => 6,
        c => c.len_utf8(),
    };
    text.chars().map(length).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_doubles_in_json_is_counted_twice() {
        assert_eq!(json_length("a\"\n<é"), 1 + 2 + 2 + 6 + 2 + 2);
    }

    #[test]
    fn data_that_fits_a_secret_but_not_the_hardware_is_told_with_size_and_limit() {
        let hardware = Hardware::default();
        assert_eq!(too_large(&"x".repeat(1_000_000), &hardware), None);
        let words = too_large(&"\n".repeat(900_000), &hardware).unwrap();
        assert!(words.contains("900000") && words.contains("1572864"), "{words}");
    }
}
