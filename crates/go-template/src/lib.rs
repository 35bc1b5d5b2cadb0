//! The part of Go's text/template that Tinkerbell's users write, without panics.
