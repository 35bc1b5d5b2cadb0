//! Waiting for something to become so: the one loop of all tests and scenarios.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// It did not become so in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotReached {
    /// What was waited for.
    pub what: String,
    /// For how long.
    pub limit: Duration,
    /// What was seen last.
    pub sight: String,
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {} s in vain until {}", self.limit.as_secs_f64(), self.what)?;
        if self.sight.is_empty() { Ok(()) } else { write!(f, ": {}", self.sight) }
    }
}

/// Looks again and again, with such a pause in between, until `look` finds what it wants; meanwhile it says what it sees.
/// Goes by tokio's clock, which tests may have paused.
///
/// # Errors
/// With the last sight, when that takes longer than `limit`.
pub async fn until<T, F>(
    what: impl Into<String>,
    limit: Duration,
    pause: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, NotReached>
where
    F: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + limit;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(sight) if Instant::now() >= end => return Err(NotReached { what: what.into(), limit, sight }),
            Err(_) => sleep(pause).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_ends_with_the_last_sight_and_what_comes_late_is_returned() {
        let mut looks = 0;
        let second = Duration::from_secs(1);
        let late = until("the third look", 5 * second, second, || {
            looks += 1;
            std::future::ready(if looks == 3 { Ok(looks) } else { Err(String::new()) })
        });
        assert_eq!(late.await, Ok(3));
        let never = until("never", 2 * second, second, async || Err::<(), _>("nothing there".to_owned())).await;
        assert_eq!(never.unwrap_err().to_string(), "waited 2 s in vain until never: nothing there");
    }
}
