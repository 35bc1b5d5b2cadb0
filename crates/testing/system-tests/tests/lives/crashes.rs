//! The manager stops after every single write in turn, and starts again: every life still ends well, and no rule is
//! ever broken on the way.

use crate::lab::{Lab, MANAGER};

/// How the manager is stopped.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// It dies once the answer to its n-th write has arrived.
    AfterAnswer,
    /// Its n-th write takes effect, but the answer never reaches it.
    AnswerLost,
}

/// Provisions a machine, stopping at write `n`; returns whether there was such a write.
async fn provision_with_crash(n: usize, stop: Stop) -> bool {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    stop_after(&lab, n, stop);
    lab.start_manager().await;
    lab.machine("m").await;
    let crashed = crash_and_restart(&mut lab).await;
    lab.until_provisioned("m").await;
    lab.no_violations();
    crashed
}

/// Provisions a machine, then deletes it, stopping at write `n` of the release.
async fn release_with_crash(n: usize, stop: Stop) -> bool {
    let mut lab = Lab::with_provisioned("m").await;
    stop_after(&lab, n, stop);
    lab.delete_machine("m").await;
    let crashed = crash_and_restart(&mut lab).await;
    lab.until_released("m").await;
    lab.no_violations();
    crashed
}

fn stop_after(lab: &Lab, n: usize, stop: Stop) {
    match stop {
        Stop::AfterAnswer => lab.stop_after_write(MANAGER, n),
        Stop::AnswerLost => lab.lose_answer_of_write(MANAGER, n),
    }
}

async fn crash_and_restart(lab: &mut Lab) -> bool {
    let crashed = lab.settle_or_stopped(MANAGER).await;
    lab.kill_manager().await;
    lab.let_through(MANAGER);
    lab.start_manager().await;
    crashed
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_dies_after_any_write_of_a_provisioning_leaves_a_machine_that_still_gets_there() {
    for stop in [Stop::AfterAnswer, Stop::AnswerLost] {
        let mut points = 0;
        while provision_with_crash(points + 1, stop).await {
            points += 1;
            assert!(points < 30, "a provisioning has no end");
        }
        assert!(points >= 8, "only {points} crash points with {stop:?}: the test looks at the wrong writes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_dies_after_any_write_of_a_release_leaves_a_machine_that_still_goes() {
    for stop in [Stop::AfterAnswer, Stop::AnswerLost] {
        let mut points = 0;
        while release_with_crash(points + 1, stop).await {
            points += 1;
            assert!(points < 30, "a release has no end");
        }
        assert!(points >= 7, "only {points} crash points with {stop:?}: the test looks at the wrong writes");
    }
}
