//! Rule 1: no claim serves two machines. Rule 2: no claim that is being deleted is adopted.

use serde_json::Value;

use super::super::world::World;
use super::super::write::{Key, controller_uid, is_terminating};
use super::super::{Report, Rule};

/// A claim is changed: its controller may come back after a restore, but not change between machines that live.
pub(in super::super) fn check(
    world: &World,
    key: &Key,
    (old, new): (&Value, &Value),
    by_manager: bool,
    report: &mut Report<'_>,
) {
    let (before, after) = (controller_uid(old), controller_uid(new));
    let lives = |uid: &str| world.machine_of_uid.contains_key(uid);
    if before != after && lives(before) && lives(after) {
        report.add(Rule::ClaimShared, format!("claim {key} goes from machine UID {before} to {after}, and both live"));
    }
    if by_manager && before != after && !after.is_empty() && is_terminating(new) {
        report.add(Rule::WrongObject, format!("claim {key} is given to machine UID {after} while it is being deleted"));
    }
}
