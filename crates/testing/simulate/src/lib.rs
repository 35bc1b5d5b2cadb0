//! Whole worlds from a seed: CAPT's manager on the API server in memory, among the stand-ins, with everything that can
//! go wrong around it, in one thread and in paused time.
//!
//! A seed says which machines and servers there are, what happens to them and when: refused and lost requests, ended and
//! late watches, crashes, second managers, BMCs and Workflows that fail, and persons who change things by hand. The
//! observer checks the rules at every write. In the end all faults stop, every machine is deleted, and everything must
//! be given back. The same seed gives the same run, write for write.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what a seed says: the world, and the list of what happens |
//! | [`stage`] | plays a plan: the server, the stand-ins, managers, what happens, and the end |
//! | [`report`] | what came of it |
//! | [`shrink`] | makes the list of what happens short while the run still fails |
//! | [`figures`] | what many runs came to |
//! | [`crowd`] | many seeds on a few threads |

pub mod crowd;
pub mod figures;
pub mod plan;
pub mod report;
pub mod shrink;
pub mod stage;

pub use plan::Plan;
pub use report::Report;
pub use stage::play;
