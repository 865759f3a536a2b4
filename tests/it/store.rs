//! The contract of the store's port, run against every adapter.
