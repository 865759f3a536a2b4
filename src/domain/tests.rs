//! Tests of the domain that need several of its modules.
