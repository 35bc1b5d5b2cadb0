//! Lists of conditions, changed without a flicker: a condition that says the same keeps its time.

use capt_api::conditions::Reason;
use capt_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use jiff::Timestamp;

/// Longest message the schema takes.
const MAX_MESSAGE: usize = 32_768;

/// The conditions of one object while a report is made.
#[derive(Clone, Debug)]
pub struct Conditions {
    list: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    /// Starts from what the object says now.
    pub fn new(list: Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self { list, generation, now }
    }

    /// The condition of this type.
    pub fn get(&self, type_: &str) -> Option<&Condition> {
        self.list.iter().find(|condition| condition.type_ == type_)
    }

    /// Sets a condition; its time changes only with its status.
    pub fn set(&mut self, type_: &str, status: bool, reason: Reason, message: &str) {
        let mut message = message.to_owned();
        if message.len() > MAX_MESSAGE {
            let end = (0..=MAX_MESSAGE).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
            message.truncate(end);
        }
        let status = if status { "True" } else { "False" };
        let condition = Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message,
            observed_generation: self.generation,
            last_transition_time: Time(self.now),
        };
        match self.list.iter_mut().find(|existing| existing.type_ == type_) {
            Some(existing) => {
                let since = if existing.status == status {
                    existing.last_transition_time.clone()
                } else {
                    condition.last_transition_time.clone()
                };
                *existing = Condition { last_transition_time: since, ..condition };
            }
            None => self.list.push(condition),
        }
    }

    /// Removes a condition.
    pub fn remove(&mut self, type_: &str) {
        self.list.retain(|condition| condition.type_ != type_);
    }

    /// The finished list.
    pub fn into_list(self) -> Vec<Condition> {
        self.list
    }
}

/// Whether two lists say the same, whatever the times they give.
pub fn equal_but_for_times(a: &[Condition], b: &[Condition]) -> bool {
    let without_time =
        |condition: &Condition| Condition { last_transition_time: Time(Timestamp::MIN), ..condition.clone() };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| without_time(a) == without_time(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_condition_that_stays_false_keeps_its_time_although_its_reason_changes() {
        let mut first = Conditions::new(Vec::new(), Some(1), at(10));
        first.set("Ready", false, Reason::Reserved, "");
        let mut second = Conditions::new(first.into_list(), Some(2), at(20));
        second.set("Ready", false, Reason::PoolPaused, "");
        assert_eq!(second.get("Ready").unwrap().last_transition_time, Time(at(10)));
        second.set("Ready", true, Reason::Ready, "");
        assert_eq!(second.get("Ready").unwrap().last_transition_time, Time(at(20)));
    }

    #[test]
    fn a_message_that_is_too_long_does_not_make_the_status_invalid() {
        let mut conditions = Conditions::new(Vec::new(), None, at(0));
        conditions.set("Ready", false, Reason::PoolPaused, &"ä".repeat(20_000));
        assert!(conditions.get("Ready").unwrap().message.len() <= MAX_MESSAGE);
    }

    #[test]
    fn a_difference_in_time_alone_is_no_reason_to_write() {
        let (mut a, mut b) = (Conditions::new(Vec::new(), None, at(1)), Conditions::new(Vec::new(), None, at(2)));
        a.set("Ready", true, Reason::Ready, "");
        b.set("Ready", true, Reason::Ready, "");
        assert!(equal_but_for_times(&a.into_list(), &b.into_list()));
    }
}
