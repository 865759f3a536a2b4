//! Commands that look at an installation make none where there is none, and leave the one that is there as it was.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::domain::ids::InstanceId;

use crate::support::binary::{Kind, Services, on, program};

const COMMANDS: [&[&str]; 5] = [
    &["verify"],
    &["reindex"],
    &["user", "api-key", "ada@example.org"],
    &["config"],
    &["load", "--target", "http://127.0.0.1:1", "--key", "k", "--rate", "1", "--for", "1s", "--acks", "acks"],
];

fn run(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.current_dir(dir).args(arguments).env_remove("RUST_LOG");
    command.output().expect("the program runs")
}

/// Every file below, with what it holds.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn nothing_is_made_where_there_is_nothing() {
    for arguments in COMMANDS {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let output = run(dir.path(), &[arguments, &["--data-dir", "nowhere"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if arguments[0] == "config" {
            assert!(output.status.success(), "{said}");
        } else {
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        }
        if !matches!(arguments[0], "config" | "load") {
            assert!(said.contains("there is no store in nowhere"), "{arguments:?}: {said}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0, "{arguments:?}");
    }
    // A directory that is there, and a file that is no store, stay as they are.
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("paystorm.sqlite3"), []).expect("written");
    for arguments in &COMMANDS[..3] {
        let output = run(dir.path(), &[arguments, &["--data-dir", "."][..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(files(dir.path()).into_values().collect::<Vec<_>>(), [Vec::<u8>::new()], "{arguments:?}");
    }
    std::fs::write(dir.path().join("paystorm.sqlite3"), "no database at all, but some text instead")
        .expect("written");
    let output = run(dir.path(), &["verify", "--data-dir", "."]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(dir.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_database_and_no_index_is_made_where_there_is_none() {
    let services = Services::shared();
    let unique = InstanceId::generate().to_string().to_lowercase();
    let name: String = unique.trim_start_matches("inst_").chars().rev().take(12).collect();
    let name = format!("paystorm_test_{name}");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let Services { mysql, elasticsearch, amqp, .. } = &services;
    let settings = format!(
        "[store]\nkind = \"mysql\"\nurl = \"{mysql}/{name}\"\n\
         [broker]\nkind = \"rabbitmq\"\nurl = \"{amqp}\"\nprefix = \"{name}\"\n\
         [search]\nkind = \"elasticsearch\"\nurl = \"{elasticsearch}\"\nprefix = \"{name}\"\n"
    );
    std::fs::write(dir.path().join("real.toml"), settings).expect("written");
    let mut conn = AsyncMysqlConnection::establish(mysql).await.expect("MySQL answers");
    let refused = |arguments: &[&str]| {
        let output = run(dir.path(), &[arguments, &["--config", "real.toml"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("there is no store at store.url"), "{arguments:?}: {said}");
    };
    for arguments in &COMMANDS[..3] {
        refused(arguments);
        // It would not be refused if it were there.
        conn.batch_execute(&format!("CREATE DATABASE `{name}`")).await.expect("there was none");
        refused(arguments);
        conn.batch_execute(&format!("CREATE TABLE `{name}`.head (shard INT)"))
            .await
            .expect("there was no table");
        conn.batch_execute(&format!("DROP DATABASE `{name}`")).await.expect("dropped");
    }
    let url = format!("{elasticsearch}/_cat/indices/{name}*?format=json&expand_wildcards=all");
    assert_eq!(reqwest::get(url).await.expect("an answer").text().await.expect("text"), "[]");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);
}

/// Gives everything below these modes: directories the first, files the second.
fn set_modes(dir: &Path, modes: (u32, u32)) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            set_modes(&path, modes);
        } else {
            std::fs::set_permissions(&path, Permissions::from_mode(modes.1)).expect("set");
        }
    }
    std::fs::set_permissions(dir, Permissions::from_mode(modes.0)).expect("set");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_reads_where_nothing_may_be_written() {
    on(Kind::Embedded, async |stack| {
        let server = stack.serve().await;
        let key = stack.api_key().await;
        stack.load(&server.url, &key, 50, 1, &[]).finish_clean().await;
        server.stop().await;
        // A user who may write everywhere runs the program as one who may not, from where it can be read.
        let copied = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(program());
        command.current_dir(copied.path()).args(["verify", "--data-dir"]).env_remove("RUST_LOG");
        let dir = stack.data_dir();
        set_modes(&dir, (0o555, 0o444));
        let probe = dir.join("probe");
        if std::fs::write(&probe, []).is_ok() {
            std::fs::remove_file(&probe).expect("removed");
            let (program, data) = (copied.path().join("paystorm"), copied.path().join("data"));
            std::fs::copy(crate::support::binary::program(), &program).expect("copied");
            std::fs::rename(&dir, &data).expect("moved");
            std::fs::set_permissions(copied.path(), Permissions::from_mode(0o755)).expect("set");
            command = Command::new(program);
            command.current_dir(copied.path()).args(["verify", "--data-dir"]).uid(65_534).gid(65_534);
            command.arg(&data);
        } else {
            command.arg(&dir);
        }
        let output = command.output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        for dir in [dir, copied.path().join("data")].iter().filter(|dir| dir.exists()) {
            set_modes(dir, (0o755, 0o644));
        }
        assert!(output.status.success() && said.contains("verified: "), "{said} {error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_leaves_what_it_looks_at_as_it_was() {
    on(Kind::Embedded, async |stack| {
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let (_, acks) = stack.load(&server.url, &key, 50, 2, &[]).finish_clean().await;
        server.stop().await;
        let before = files(&stack.data_dir());
        stack.verify(&[&acks], true).await;
        let after = files(&stack.data_dir());
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        let changed: Vec<_> =
            before.iter().filter(|(path, text)| after[*path] != **text).map(|(path, _)| path).collect();
        assert!(changed.is_empty(), "{changed:?}");
        // An index that is gone is said to be gone, and not made.
        std::fs::remove_dir_all(stack.data_dir().join("search")).expect("removed");
        let (status, text) = stack.run(&["verify"], "").await;
        assert_eq!(status.code(), Some(1), "{text}");
        assert!(text.contains("missing search index: there is none"), "{text}");
        assert!(!stack.data_dir().join("search").exists());
    })
    .await;
}
