//! The same seed gives the same run: else no failure could be played again.

use capt_simulate::Plan;
use capt_simulate::stage::play_traced;

#[test]
fn a_seed_gives_the_same_writes_in_the_same_order_at_the_same_time_also_in_another_thread() {
    for seed in 0..6 {
        let first = play_traced(&Plan::of(seed));
        let again = std::thread::spawn(move || play_traced(&Plan::of(seed))).join().unwrap();
        assert!(first.trace.len() > 20, "seed {seed}: something happens");
        let differs = first.trace.iter().zip(&again.trace).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.trace.len(), again.trace.len(), "seed {seed}");
        assert_eq!(first.failures, again.failures, "seed {seed}");
    }
}

#[test]
fn different_seeds_give_different_runs() {
    assert_ne!(play_traced(&Plan::of(1)).trace, play_traced(&Plan::of(2)).trace);
}
