//! The command line: parsing only. `app` runs the commands.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::Flags;
use crate::load::LoadArgs;

/// An asynchronous payment simulator in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "paystorm",
    version,
    propagate_version = true,
    after_help = "Without a command, paystorm serves."
)]
pub struct Cli {
    /// Settings to lay over the built-in ones.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where embedded parts keep their files.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take payments until told to stop (the default).
    Serve(ServeArgs),
    /// Bring the store's tables up to date, and stop.
    Migrate,
    /// Rebuild the search index from the store, while serving or not.
    Reindex,
    /// Send payments at a chosen rate and report what came of them; exits with 1 unless everything accepted came to rest.
    Load(Box<LoadArgs>),
    /// Prove that histories, ledger, journal and index agree; also beside a running server.
    Verify(VerifyArgs),
    /// Add users and API keys.
    User {
        /// What to add.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Work on scenario files.
    Scenario {
        /// What to do with them.
        #[command(subcommand)]
        command: ScenarioCommand,
    },
    /// Print the effective settings, secrets masked.
    Config,
}

/// Flags of `serve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// Address to listen on.
    #[arg(long, value_name = "HOST:PORT")]
    pub bind: Option<String>,
}

/// Flags of `verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct VerifyArgs {
    /// A file written by `load --acks`: each payment in it must exist, be at rest, match what was sent and have
    /// the outcome that was reported.
    #[arg(long, value_name = "FILE")]
    pub acks: Option<PathBuf>,
    /// Forbid open operations.
    #[arg(long)]
    pub at_rest: bool,
}

/// Commands of `user`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserCommand {
    /// Add a user; the password is read from standard input.
    Add {
        /// The user's e-mail address.
        email: String,
    },
    /// Make an API key and print its secret, once.
    ApiKey {
        /// The e-mail address of the user it is for.
        email: String,
    },
}

/// Commands of `scenario`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ScenarioCommand {
    /// Name every mistake in scenario files; exits with 1 if there are any.
    Check {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON schema of scenario files, for editors.
    Schema,
}

impl Cli {
    /// Reads the arguments of this process. Prints help and stops where that is asked for or needed.
    #[must_use]
    pub fn read() -> Self {
        Self::read_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads these arguments, the name of the program first.
    ///
    /// # Errors
    /// What clap reports about them.
    pub fn read_from<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let cli = Self::try_parse_from(arguments)?;
        let serves = matches!(cli.command, None | Some(Command::Serve(_)));
        if cli.serve.bind.is_some() && !serves {
            let message = "--bind is for serving only";
            return Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, message));
        }
        Ok(cli)
    }

    /// What the arguments say about settings, and what to do.
    #[must_use]
    pub fn into_parts(self) -> (Flags, Command) {
        let command = self.command.unwrap_or(Command::Serve(ServeArgs::default()));
        let inner = match &command {
            Command::Serve(serve) => serve.bind.clone(),
            Command::Migrate
            | Command::Reindex
            | Command::Load(_)
            | Command::Verify(_)
            | Command::User { .. }
            | Command::Scenario { .. }
            | Command::Config => None,
        };
        let flags = Flags { config: self.config, data_dir: self.data_dir, bind: inner.or(self.serve.bind) };
        (flags, command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> (Flags, Command) {
        Cli::read_from(line.split_whitespace()).unwrap().into_parts()
    }

    fn refused(line: &str) -> String {
        Cli::read_from(line.split_whitespace()).unwrap_err().to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_means_serve() {
        let (flags, command) = parts("paystorm --bind 127.0.0.1:1 --config a.toml");
        assert!(matches!(command, Command::Serve(_)));
        assert_eq!(flags.bind.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(flags.config, Some(PathBuf::from("a.toml")));
    }

    #[test]
    fn every_command_takes_config_and_data_dir_before_and_after() {
        let load = "load --target http://127.0.0.1:8080 --key k --rate 5 --for 1s";
        for command in [
            "serve",
            "migrate",
            "reindex",
            load,
            "verify",
            "user add a@b.c",
            "user api-key a@b.c",
            "scenario check a.toml",
            "scenario schema",
            "config",
        ] {
            for line in [
                format!("paystorm {command} --config a.toml --data-dir d"),
                format!("paystorm --config a.toml --data-dir d {command}"),
            ] {
                let (flags, _) = parts(&line);
                assert_eq!(flags.config, Some(PathBuf::from("a.toml")), "{line}");
                assert_eq!(flags.data_dir, Some(PathBuf::from("d")), "{line}");
            }
        }
    }

    #[test]
    fn verify_and_user_parse() {
        let (_, command) = parts("paystorm verify --acks acks.txt --at-rest");
        let Command::Verify(args) = command else { panic!("{command:?}") };
        assert_eq!(args, VerifyArgs { acks: Some(PathBuf::from("acks.txt")), at_rest: true });
        let (_, command) = parts("paystorm user api-key ann@example.com");
        assert!(
            matches!(command, Command::User { command: UserCommand::ApiKey { email } } if email == "ann@example.com")
        );
    }

    #[test]
    fn scenario_takes_files() {
        let (_, command) = parts("paystorm scenario check a.toml b.toml");
        let Command::Scenario { command: ScenarioCommand::Check { files } } = command else {
            panic!("{command:?}")
        };
        assert_eq!(files, [PathBuf::from("a.toml"), PathBuf::from("b.toml")]);
    }

    #[test]
    fn bad_lines_are_refused_in_words() {
        let cases = [
            ("paystorm --bind 127.0.0.1:1 verify", "--bind is for serving only"),
            ("paystorm fly", "unrecognized subcommand 'fly'"),
            ("paystorm verify --at-rests", "unexpected argument '--at-rests'"),
            ("paystorm user add", "required arguments were not provided"),
            ("paystorm scenario check", "required arguments were not provided"),
            ("paystorm load --rate 5", "required arguments were not provided"),
            (
                "paystorm load --target http://h --key k --rate fast --for 1s",
                "a rate is a number per second, or max",
            ),
            (
                "paystorm load --target http://h --key k --rate 0 --for 1s",
                "a rate is a number per second, or max",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for soon",
                "a duration is a number with ms, s, m or h",
            ),
            (
                "paystorm load --target h:80 --key k --rate 5 --for 1s",
                "the target is an address such as http://127.0.0.1:8080",
            ),
            ("paystorm load --target https://h --key k --rate 5 --for 1s", "only http:// targets"),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --transport smtp",
                "invalid value 'smtp'",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --mix charge",
                "a mix is written charge=70,transfer=20,refund=10",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --mix gift=1",
                "a mix is written charge=70,transfer=20,refund=10",
            ),
            ("paystorm load --target http://h --key k --rate 5 --for 1s --mix refund=1", "needs charges"),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --cards gold",
                "'--cards <LIST>': gold is none of the test cards",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --currencies eur=8,usd=x",
                "'--currencies <LIST>': the weight of 'usd' is a whole number",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --amounts uniform:9..1",
                "'--amounts <LAW>': the smallest, 9, is above the largest, 1",
            ),
            ("paystorm load --target http://h --key k --find-capacity", "--objective <THRESHOLD>"),
            (
                "paystorm load --target http://h --key k --find-capacity --objective settle.p99<1s --rate 5",
                "'--find-capacity' cannot be used with '--rate <N|max>'",
            ),
            (
                "paystorm load --target http://h --key k --find-capacity --objective settle.p99<1s --step 10ms",
                "'--step <DURATION>': a step takes at least 500ms",
            ),
            (
                "paystorm load --target http://h --key k --shape ramp:5 --for 1s",
                "'ramp:5' for '--shape <SHAPE>': a ramp is written ramp:100..2000",
            ),
            (
                "paystorm load --target http://h --key k --shape constant:5 --rate 5 --for 1s",
                "'--shape <SHAPE>' cannot be used with '--rate <N|max>'",
            ),
            (
                "paystorm load --target http://h --key k --rate 5 --for 1s --fail-if settle>1s",
                "a threshold is written settle.p99>2s",
            ),
        ];
        for (line, expected) in cases {
            let message = refused(line);
            assert!(message.contains(expected), "{line}: {message}");
        }
    }
}
