//! The address domain of CAPT: pure validation, netmasks and duplicate detection.
