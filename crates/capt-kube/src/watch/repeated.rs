//! One line for what befalls all watches alike: a server that is down fails each kind with the same words.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The same words are said this often.
const EVERY: Duration = Duration::from_secs(30);

/// When which words were said last, by the watches of this process: they share one log.
static SAID: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(Mutex::default);

/// Whether these words were not said for a while. If so, they count as said now.
pub(super) fn is_new(words: &str) -> bool {
    is_new_in(&mut SAID.lock(), words)
}

fn is_new_in(said: &mut HashMap<String, Instant>, words: &str) -> bool {
    said.retain(|_, at| at.elapsed() < EVERY);
    if said.contains_key(words) {
        return false;
    }
    said.insert(words.to_owned(), Instant::now());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_befalls_all_kinds_is_said_once_in_a_while() {
        let mut said = HashMap::new();
        assert!(is_new_in(&mut said, "refused"));
        assert!(!is_new_in(&mut said, "refused"));
        assert!(is_new_in(&mut said, "timed out"));
        tokio::time::advance(EVERY).await;
        assert!(is_new_in(&mut said, "refused"), "it still is down");
        assert_eq!(said.len(), 1, "and nothing is kept for ever");
    }
}
