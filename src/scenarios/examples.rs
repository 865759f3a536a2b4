//! The scenario files that come with the program.

/// An example.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The name of its file, without the ending.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Example {
    /// What the file calls itself.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let title = |line: &'static str| line.strip_prefix("name = \"")?.strip_suffix('"');
        self.text.lines().find_map(title).unwrap_or(self.name)
    }
}

macro_rules! examples {
    ($($name:literal),+ $(,)?) => {
        /// All of them, in the order in which they are offered.
        pub const EXAMPLES: &[Example] = &[
            $(Example { name: $name, text: include_str!(concat!("../../config/scenarios/", $name, ".toml")) },)+
        ];
    };
}

examples!("happy-day", "slow-acquirer", "flaky-network", "fraud-attack", "issuer-outage", "black-friday");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenarios::Scenarios;

    #[test]
    fn every_file_is_offered_and_can_be_put_in_force() {
        let files = std::fs::read_dir("config/scenarios").expect("the examples");
        let files: BTreeSet<String> = files
            .map(|file| {
                file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned()
            })
            .collect();
        assert_eq!(files, EXAMPLES.iter().map(|example| example.name.to_owned()).collect());
        for example in EXAMPLES {
            let read = Scenarios::read(example.text);
            assert_eq!(read.as_ref().ok().map(|scenario| scenario.name.as_str()), Some(example.title()));
            assert!(read.is_ok(), "{}: {:?}", example.name, Scenarios::read(example.text));
        }
    }
}
