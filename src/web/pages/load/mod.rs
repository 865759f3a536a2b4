//! `/load`: load runs. `list`: the runs and the forms that start them. `run`: one of them, live and afterwards. `compare`: two of them.

pub mod compare;
pub mod list;
pub mod run;
