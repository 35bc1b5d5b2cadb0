//! How CAPT does it on Kubernetes: client, watches, stores, writes, queue.
