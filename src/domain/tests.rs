//! Tests of the domain that need several of its modules. Sequences of commands are tested with the batch that decides
//! them, in `engine::tests`.

mod aftermaths;
mod amendments;
mod card_numbers;
mod cards;
mod charges;
mod clocks;
mod closed;
mod credit;
mod disputes;
mod keys;
pub(crate) mod life;
mod money;
pub(crate) mod operations;
mod origin;
mod resources;
mod room;
mod stages;
mod status;
mod stored;
mod values;
