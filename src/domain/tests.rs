//! Tests of the domain that need several of its modules. Sequences of commands are tested with the batch that decides
//! them, in `engine::tests`.

mod cards;
mod money;
mod stages;
mod status;
mod stored;
mod values;
