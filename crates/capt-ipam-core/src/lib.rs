//! The address domain of CAPT: pure validation, netmasks and duplicate detection.
//!
//! A [`Reservation`] is an address that a server may really carry: its text, prefix and gateway have been checked
//! before anything is written to a Hardware. An [`AddressIndex`] knows which addresses are in use, and by whom.
//!
//! Nothing here knows Kubernetes: objects come in as strings and numbers, and answers go out the same way.
//!
//! ```
//! use capt_ipam_core::Reservation;
//!
//! let reservation = Reservation::parse("192.168.1.100", 24, Some("192.168.1.1"))?;
//! assert_eq!(reservation.netmask_text().as_deref(), Some("255.255.255.0"));
//!
//! let refused = Reservation::parse("192.168.1.255", 24, None).unwrap_err();
//! assert_eq!(refused.to_string(), r#"spec.address "192.168.1.255" is the broadcast address of 192.168.1.0/24"#);
//! # Ok::<(), capt_ipam_core::AddressError>(())
//! ```

mod error;
mod index;
mod reservation;
mod text;

pub use error::{AddressError, Field, SpecialUse, TextFlaw};
pub use index::{AddressIndex, Role};
pub use reservation::{Family, Reservation};
pub use text::canonical;
