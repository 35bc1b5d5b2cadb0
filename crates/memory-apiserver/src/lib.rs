//! A Kubernetes API server in one process, in memory, for tests and sandboxes.
