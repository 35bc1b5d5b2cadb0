//! The text CAPT writes for a machine: the default template, the image URL, the ISO URL. Pure functions on plain inputs.
