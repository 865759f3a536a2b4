//! The subcommands: each opens what it needs and no more.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::adapters;
use super::demo::Invitation;
use super::serve::App;
use super::{scenario, verify};
use crate::accounts::Accounts;
use crate::accounts::email::Email;
use crate::accounts::password::NewPassword;
use crate::cli::{Cli, Command, ScenarioCommand, UserCommand};
use crate::clock::Wall;
use crate::config::{self, Loaded, Origins, Settings};
use crate::readers::index;
use crate::store::Access;
use crate::telemetry;

/// The longest line read as a password.
const PASSWORD_MAX_BYTES: usize = 1_024;

/// Runs a command line on a runtime of its own. The exit code is 0 if it succeeded, 1 if it found something wrong, 2 if
/// it could not run.
///
/// Not `async`, so that all asynchronous code is compiled with the library, in parallel, and not again with the binary.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(dispatch(cli)),
        Err(error) => {
            eprintln!("paystorm: the runtime cannot be started: {error}");
            ExitCode::from(2)
        }
    }
}

async fn dispatch(cli: Cli) -> ExitCode {
    let (flags, command) = cli.into_parts();
    let Loaded { settings, origins } = match config::load(&flags) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("paystorm: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = match command {
        Command::Serve(_) => serve(settings).await,
        Command::Migrate => migrate(&settings).await,
        Command::Reindex => reindex(&settings).await,
        Command::Load(args) => crate::load::run(*args).await,
        Command::Verify(args) => verify::run(&settings, args).await,
        Command::User { command: UserCommand::Add { email } } => user_add(&settings, &email).await,
        Command::User { command: UserCommand::ApiKey { email } } => user_api_key(&settings, &email).await,
        Command::Scenario { command: ScenarioCommand::Check { files } } => Ok(scenario::check(&files)),
        Command::Scenario { command: ScenarioCommand::Schema } => Ok(scenario::print_schema()),
        Command::Config => show_config(&settings, &origins),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("paystorm: {error:#}");
        ExitCode::from(2)
    })
}

async fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    telemetry::start_logging(&settings.telemetry)?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let app = App::build(settings).await?;
    match app.address() {
        Some(address) => println!("Paystorm is at http://{address}"),
        None => println!("Paystorm is working (the web role is off)"),
    }
    if let Some(Invitation { sign_in, curl }) = app.invitation() {
        println!(
            "\nSign in to the demo account; this address works once, on this machine:\n  {}",
            sign_in.expose()
        );
        println!("Pay from a program; any sk_test_… key does here:\n  {curl}\n");
    }
    app.run_until(stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Cancels the token at the first SIGINT or SIGTERM; a second one ends the process at once.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                tracing::warn!("stopped at once; what was unfinished is picked up at the next start");
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    Ok(())
}

async fn migrate(settings: &Settings) -> anyhow::Result<ExitCode> {
    adapters::store(settings).await?;
    println!("the store is up to date");
    Ok(ExitCode::SUCCESS)
}

fn show_config(settings: &Settings, origins: &Origins) -> anyhow::Result<ExitCode> {
    print!("{}", config::show::to_toml_with_origins(settings, origins)?);
    Ok(ExitCode::SUCCESS)
}

async fn user_add(settings: &Settings, email: &str) -> anyhow::Result<ExitCode> {
    let mut password = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut password)
        .context("cannot read the password from standard input")?;
    anyhow::ensure!(password.len() <= PASSWORD_MAX_BYTES, "the password on standard input is too long");
    let email = Email::parse(email)?;
    let password = password.trim_end_matches(['\r', '\n']);
    // Before a store is created for someone whose password is refused.
    NewPassword::parse(password)?;
    let accounts = Accounts::new(adapters::store(settings).await?, Wall::system())?;
    let id = accounts.register(email.as_str(), password, email.local()).await?;
    println!("{id}");
    Ok(ExitCode::SUCCESS)
}

async fn user_api_key(settings: &Settings, email: &str) -> anyhow::Result<ExitCode> {
    let found = adapters::existing_store(settings, Access::ReadWrite).await?;
    let store = found.with_context(|| format!("there is no user {email}"))?;
    let accounts = Accounts::new(store, Wall::system())?;
    let account = accounts.account_by_email(email).await?;
    let account = account.with_context(|| format!("there is no user {email}: paystorm user add {email}"))?;
    let key = accounts.key_create(account.id, "command line").await?;
    println!("{}", key.secret);
    Ok(ExitCode::SUCCESS)
}

/// Rebuilds the index beside the one that serves, then applies what was committed in between. An embedded index belongs
/// to the server on its directory: if one runs, it does the rebuild.
async fn reindex(settings: &Settings) -> anyhow::Result<ExitCode> {
    telemetry::start_logging(&settings.telemetry)?;
    // Before anything is locked or created.
    let store = adapters::existing_store(settings, Access::ReadWrite).await??;
    let Ok(_lock) = adapters::lock_for_rebuild(settings) else {
        adapters::rebuild_by_server(settings).await?;
        println!("the running server has rebuilt its index");
        return Ok(ExitCode::SUCCESS);
    };
    let search = adapters::search(settings, &Wall::system()).await?;
    let began = Instant::now();
    let (documents, position) = index::rebuild(store.as_ref(), search.as_ref(), &()).await?;
    index::catch_up(store.as_ref(), search.as_ref(), &(), position).await?;
    search.close().await;
    println!("{documents} documents in {:.1} s", began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
