//! A server that misbehaves: conflicts, errors, dropped watches, forgotten history.

use std::time::Duration;

use crate::lab::{Lab, MANAGER};

#[tokio::test(start_paused = true)]
async fn conflicts_errors_and_timeouts_delay_a_life_but_never_bend_it() {
    let mut lab = Lab::new().await;
    lab.hardware(3).await;
    lab.start_manager().await;
    lab.misbehave(MANAGER);
    for name in ["a", "b", "c"] {
        lab.machine(name).await;
    }
    lab.until("all are provisioned", Duration::from_secs(900), |lab| lab.provisioned().len() == 3).await;
    lab.misbehave(MANAGER);
    for name in ["a", "b", "c"] {
        lab.delete_machine(name).await;
    }
    for name in ["a", "b", "c"] {
        lab.until_released(name).await;
    }
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn watches_that_break_and_history_that_is_forgotten_lose_no_event() {
    let mut lab = Lab::new().await;
    lab.hardware(2).await;
    lab.start_manager().await;
    lab.machine("a").await;
    lab.until_provisioned("a").await;
    lab.forget_history();
    lab.drop_watches();
    lab.machine("b").await;
    lab.delete_machine("a").await;
    lab.until_provisioned("b").await;
    lab.until_released("a").await;
    lab.no_violations();
}
