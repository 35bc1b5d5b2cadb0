//! Namespaces of another cluster, watched just in time: one attempt at a time, pauses after failures, a new start after
//! an unexpected end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use capt_kube::external::namespaces::{Namespaces, NotWatched, PAUSES};
use futures::FutureExt;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

/// How one attempt goes.
#[derive(Clone, Debug)]
enum Course {
    Fails,
    Panics,
    /// Begins well and ends after this time.
    Ends(Duration),
    Lasts,
}

struct Lab {
    namespaces: Arc<Namespaces>,
    attempts: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

/// The attempts go as told, the last one's way from then on.
fn lab(courses: Vec<Course>) -> Lab {
    let courses = Mutex::new(VecDeque::from(courses));
    let (attempts, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (counted, heard) = (attempts.clone(), ended.clone());
    let start = move |_: String, ready: tokio::sync::oneshot::Sender<()>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut courses = courses.lock();
        let course = if courses.len() > 1 { courses.pop_front().unwrap() } else { courses[0].clone() };
        async move {
            sleep(Duration::from_millis(100)).await;
            match course {
                Course::Fails => return "refused".to_owned(),
                Course::Panics => panic!("a fault"),
                Course::Ends(after) => {
                    ready.send(()).unwrap();
                    sleep(after).await;
                }
                Course::Lasts => {
                    ready.send(()).unwrap();
                    std::future::pending::<()>().await;
                }
            }
            "ended".to_owned()
        }
        .boxed()
    };
    let namespaces = Namespaces::new(Box::new(start), move || {
        heard.fetch_add(1, Ordering::SeqCst);
    });
    Lab { namespaces, attempts, ended }
}

#[test]
fn pauses_double_from_five_seconds_to_five_minutes() {
    let seconds: Vec<u64> = [1, 2, 3, 4, 5, 6, 7, 8, 32, 33, u32::MAX].map(|n| PAUSES.after(n).as_secs()).to_vec();
    assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]);
}

#[tokio::test(start_paused = true)]
async fn callers_of_the_time_share_one_attempt_and_its_result() {
    for (course, well) in [(Course::Lasts, true), (Course::Fails, false), (Course::Panics, false)] {
        let lab = lab(vec![course]);
        let all = futures::future::join_all((0..50).map(|_| lab.namespaces.ensure("metal"))).await;
        assert!(all.iter().all(|result| result.is_ok() == well), "{all:?}");
        assert_eq!(lab.attempts.load(Ordering::SeqCst), 1);
        assert_eq!(lab.namespaces.is_watched("metal"), well);
        assert!(!lab.namespaces.is_watched("other"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_the_attempt_from_nobody() {
    let lab = lab(vec![Course::Lasts]);
    let impatient = tokio::time::timeout(Duration::from_millis(10), lab.namespaces.ensure("metal")).await;
    assert!(impatient.is_err());
    lab.namespaces.ensure("metal").await.unwrap();
    assert_eq!(lab.attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_namespace_is_an_error_and_not_all_of_them() {
    let lab = lab(vec![Course::Lasts]);
    assert_eq!(lab.namespaces.ensure("").await, Err(NotWatched::Nameless));
    assert_eq!(lab.attempts.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_unexpectedly_is_forgotten_and_begun_anew_at_once() {
    let lab = lab(vec![Course::Ends(Duration::from_secs(60)), Course::Lasts]);
    lab.namespaces.ensure("metal").await.unwrap();
    sleep(Duration::from_secs(61)).await;
    assert!(!lab.namespaces.is_watched("metal"));
    assert_eq!(lab.ended.load(Ordering::SeqCst), 1, "nobody is told");
    lab.namespaces.ensure("metal").await.unwrap();
    assert_eq!(lab.attempts.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn stopping_all_ends_them_and_nobody_waits_for_ever() {
    let lab = lab(vec![Course::Lasts]);
    lab.namespaces.ensure("metal").await.unwrap();
    let namespaces = lab.namespaces.clone();
    let waiting = tokio::spawn(async move { namespaces.ensure("other").await });
    sleep(Duration::from_millis(10)).await;
    lab.namespaces.stop_all();
    assert!(matches!(waiting.await.unwrap(), Err(NotWatched::Stopped(_))));
    assert!(!lab.namespaces.is_watched("metal"));
    lab.namespaces.ensure("metal").await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However often somebody asks: n failures in a row are followed by a pause of 5 s x 2^n up to 5 min, in which no
    /// attempt is made and the refusal says so; success clears the count.
    #[test]
    fn attempts_keep_their_pauses(failures in 0_usize..10, again in 0_usize..4, step in 100_u64..3000) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut courses = vec![Course::Fails; failures];
            courses.push(Course::Ends(Duration::from_millis(50)));
            courses.extend(vec![Course::Fails; again]);
            courses.push(Course::Lasts);
            let lab = lab(courses);
            for row in [failures, again] {
                for n in 0..row {
                    let before = lab.attempts.load(Ordering::SeqCst);
                    let error = lab.namespaces.ensure("metal").await.unwrap_err();
                    assert!(error.to_string().contains("watch in backoff"), "{error}");
                    assert_eq!(lab.attempts.load(Ordering::SeqCst), before + 1);
                    let failed = Instant::now();
                    let wanted = PAUSES.after(u32::try_from(n).unwrap() + 1);
                    while failed.elapsed() + Duration::from_millis(step) < wanted {
                        sleep(Duration::from_millis(step)).await;
                        let error = lab.namespaces.ensure("metal").await.unwrap_err();
                        assert!(error.to_string().contains("watch in backoff"), "{error}");
                    }
                    assert_eq!(lab.attempts.load(Ordering::SeqCst), before + 1, "too early");
                    sleep(wanted.saturating_sub(failed.elapsed())).await;
                }
                lab.namespaces.ensure("metal").await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
}
