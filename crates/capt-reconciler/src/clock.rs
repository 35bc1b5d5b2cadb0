//! Ages of objects, by clocks that may disagree.

use std::time::Duration;

use capt_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use jiff::Timestamp;

/// How long ago something was. What is said to be yet to come is new: the server's clock and ours may differ, and ours may
/// be set at any moment.
pub fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// How old an object is by its creation time; new if it has none.
pub fn age(created: Option<&Time>, now: Timestamp) -> Duration {
    created.map_or(Duration::ZERO, |created| elapsed(created.0, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_from_the_future_is_new_and_not_old() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(age(Some(&Time(at(100))), at(90)), Duration::ZERO);
        assert_eq!(age(Some(&Time(at(100))), at(103)), Duration::from_secs(3));
        assert_eq!(age(None, at(90)), Duration::ZERO);
    }
}
