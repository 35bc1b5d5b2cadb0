//! What keeps going wrong with an object, so that it is told once it has lasted, tried again less and less often, and
//! told anew only when there is something new to say.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use capt_api::meta::ObjectKey;
use jiff::Timestamp;
use serde_json::Value;

use crate::backoff::Backoff;
use crate::effect::{Verb, Write};

/// How long a write without a proper answer goes on failing before it is told: a server that restarts is back by then.
/// With the pauses of the queue and the time limit of a request, this is told well within a minute.
const WORTH_TELLING: Duration = Duration::from_secs(8);
/// Pauses after refusals.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(120));
/// What happens around an object wakes it earlier, but not more often than this.
const SHORTEST_REST: Duration = Duration::from_secs(2);
/// Words that differ more than in their numbers replace those that were told not more often than this.
const WORDS_STAND: Duration = Duration::from_secs(60);

/// How something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server refuses it.
    Refused,
    /// No answer, or none that tells.
    Failed,
    /// Somebody else is always faster.
    Overtaken,
    /// It is taken, and does not last.
    Undone,
}

/// The troubles of all objects of a kind.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<HashMap<ObjectKey, Trouble>>);

/// What goes wrong with one object.
#[derive(Clone, Debug)]
struct Trouble {
    since: Timestamp,
    last: Timestamp,
    fault: Fault,
    attempts: u32,
    told: Option<(String, Timestamp)>,
    /// An event told that not even the status can be written.
    cried: bool,
}

/// What to do about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How long to wait before it is tried again.
    pub pause: Duration,
    /// The words to tell, once it has lasted.
    pub tell: Option<String>,
}

impl Troubles {
    /// Something went wrong, in these words.
    pub fn failed(&self, key: &ObjectKey, fault: Fault, words: String, now: Timestamp) -> Advice {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Trouble { since: now, last: now, fault, attempts: 0, told: None, cried: false };
        let trouble = all.entry(key.clone()).or_insert_with(new);
        if trouble.fault != fault && trouble.told.is_none() {
            trouble.attempts = 0;
        }
        (trouble.fault, trouble.last) = (fault, now);
        trouble.attempts = trouble.attempts.saturating_add(1);
        let pause = PAUSES.after(trouble.attempts);
        let lasts = match fault {
            Fault::Refused | Fault::Undone => true,
            Fault::Failed | Fault::Overtaken => elapsed(trouble.since, now) >= WORTH_TELLING,
        };
        if !lasts && trouble.told.is_none() {
            return Advice { pause, tell: None };
        }
        let words = match &trouble.told {
            Some((told, at)) if alike(told, &words) || elapsed(*at, now) < WORDS_STAND => told.clone(),
            _ => {
                trouble.told = Some((words.clone(), now));
                words
            }
        };
        Advice { pause, tell: Some(words) }
    }

    /// Something was written, or there was nothing to write: whatever went wrong is over.
    pub fn over(&self, key: &ObjectKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Something was written. What does not last is written again and again, so that this says nothing about it.
    pub fn progressed(&self, key: &ObjectKey) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(key).is_some_and(|trouble| trouble.fault != Fault::Undone) {
            all.remove(key);
        }
    }

    /// How long the object still has to be left alone, if anything wakes it early.
    pub fn rest(&self, key: &ObjectKey, now: Timestamp) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = all.get(key)?;
        let rest = match trouble.fault {
            // Trying it is what wakes the object.
            Fault::Undone => PAUSES.after(trouble.attempts),
            Fault::Refused if trouble.attempts > 2 => SHORTEST_REST,
            // The queue sees to these.
            Fault::Refused | Fault::Failed | Fault::Overtaken => return None,
        };
        rest.checked_sub(elapsed(trouble.last, now)).filter(|rest| !rest.is_zero())
    }

    /// Not even the status can be written. True if that is to be told by an event now, which happens once, and when it has
    /// lasted: an API server that starts forbids everything until it has read its roles.
    pub fn cries(&self, key: &ObjectKey, fault: Fault, words: &str, now: Timestamp) -> bool {
        self.cries_after(WORTH_TELLING, key, fault, words, now)
    }

    /// What is no failure of a request and ends by a person's hand only. True if it is to be told by an event now, which
    /// happens once: nothing may wake the object again before that person has heard.
    pub fn is_news(&self, key: &ObjectKey, words: &str, now: Timestamp) -> bool {
        self.cries_after(Duration::ZERO, key, Fault::Refused, words, now)
    }

    fn cries_after(&self, lasting: Duration, key: &ObjectKey, fault: Fault, words: &str, now: Timestamp) -> bool {
        if self.failed(key, fault, words.to_owned(), now).tell.is_none() {
            return false;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |trouble: &&mut Trouble| elapsed(trouble.since, now) >= lasting;
        all.get_mut(key).filter(lasts).is_some_and(|trouble| !std::mem::replace(&mut trouble.cried, true))
    }
}

/// Time from then to now. A clock that was set back has not let any pass.
pub fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}

/// Whether two texts differ in numbers only: ports, times, counts.
fn alike(a: &str, b: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    a == b || bare(a) == bare(b)
}

/// What a write is about, whatever version of the object it was decided on: the same twice in one pass was undone.
pub fn likeness(write: &Write) -> u64 {
    let mut hasher = DefaultHasher::new();
    (write.kind, &write.key, write.verb.as_str()).hash(&mut hasher);
    match &write.verb {
        Verb::Create(body) | Verb::Merge(body) | Verb::Json(body) | Verb::Status(body) => {
            hash_but_version(body, &mut hasher);
        }
        Verb::Delete { uid } => uid.hash(&mut hasher),
    }
    hasher.finish()
}

fn hash_but_version(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(members) if members.get("path").and_then(Value::as_str) == Some("/metadata/resourceVersion") => {}
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "resourceVersion") {
                name.hash(hasher);
                hash_but_version(value, hasher);
            }
        }
        Value::Array(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash_but_version(item, hasher));
        }
        Value::String(text) => text.hash(hasher),
        other => other.to_string().hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Kind, Stage};
    use serde_json::json;

    fn key() -> ObjectKey {
        ObjectKey::new("default", "m")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1000 + second).unwrap()
    }

    #[test]
    fn a_server_that_restarts_is_not_told_and_one_that_stays_away_is() {
        let troubles = Troubles::default();
        assert_eq!(troubles.failed(&key(), Fault::Failed, "no".into(), at(0)).tell, None);
        assert_eq!(troubles.failed(&key(), Fault::Failed, "no".into(), at(5)).tell, None);
        troubles.over(&key());
        assert_eq!(troubles.failed(&key(), Fault::Failed, "no".into(), at(9)).tell, None, "it worked in between");
        assert_eq!(troubles.failed(&key(), Fault::Failed, "no".into(), at(20)).tell.as_deref(), Some("no"));
    }

    #[test]
    fn words_that_change_with_every_attempt_do_not_cost_a_status_write_each() {
        let troubles = Troubles::default();
        let tell =
            |words: &str, second| troubles.failed(&key(), Fault::Refused, words.into(), at(second)).tell.unwrap();
        assert_eq!(tell("port 4711: reset", 0), "port 4711: reset");
        assert_eq!(tell("port 815: reset", 300), "port 4711: reset", "only a number changed");
        assert_eq!(tell("forbidden", 301), "forbidden", "what was told has stood long enough");
        assert_eq!(tell("port 1: reset", 310), "forbidden", "a server that wavers");
    }

    #[test]
    fn pauses_grow_and_end_at_two_minutes() {
        let pauses: Vec<u64> = [1, 2, 3, 6, 7, 60].into_iter().map(|n| PAUSES.after(n).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 64, 120, 120]);
    }

    #[test]
    fn what_is_undone_is_not_done_again_because_the_undoing_woke_us() {
        let troubles = Troubles::default();
        troubles.failed(&key(), Fault::Undone, "w".into(), at(0));
        assert_eq!(troubles.rest(&key(), at(1)), Some(Duration::from_secs(1)));
        assert_eq!(troubles.rest(&key(), at(2)), None);
        assert_eq!(troubles.rest(&key(), at(-3600)), Some(Duration::from_secs(2)), "a clock set back holds nobody up");
    }

    #[test]
    fn a_newer_version_of_the_object_does_not_make_the_same_write_another_one() {
        let write = |body| Write::new(Stage::Claim, Kind::IPAddressClaim, key(), body);
        let merge = |version: &str, label: &str| {
            write(Verb::Merge(json!({"metadata": {"resourceVersion": version, "labels": {"a": label}}})))
        };
        assert_eq!(likeness(&merge("1", "x")), likeness(&merge("2", "x")));
        assert_ne!(likeness(&merge("1", "x")), likeness(&merge("1", "y")));
        let json = |version: &str| {
            write(Verb::Json(json!([
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/spec/x", "value": 1},
            ])))
        };
        assert_eq!(likeness(&json("1")), likeness(&json("2")));
    }
}
