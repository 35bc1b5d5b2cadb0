#![doc = include_str!("../README.md")]

mod error;
mod index;
mod reservation;
mod text;

pub use error::{AddressError, Field, SpecialUse, TextFlaw};
pub use index::{AddressIndex, Role};
pub use reservation::{Family, Reservation};
pub use text::canonical;
