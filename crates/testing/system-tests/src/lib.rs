//! The manager's system tests are in `tests/lives`: its own controllers on an API server in memory, the simulators around
//! it, and the invariants checked at every write. This library is empty.
