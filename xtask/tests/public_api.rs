//! What the check of the public surface says.
#![allow(missing_docs)]

use xtask::public_api::changes;

#[test]
fn a_member_that_is_gone_or_new_or_of_another_type_is_named() {
    let before = "pub mod capt_api\npub a: String\npub b: String\n";
    let after = "pub mod capt_api\npub a: Option<String>\npub c: String\n";
    assert_eq!(
        changes(before, after),
        ["-pub a: String", "-pub b: String", "+pub a: Option<String>", "+pub c: String"]
    );
    assert!(changes(before, before).is_empty());
}
