//! The database that `store.url` names: its name, whether the server has it, and its creation.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use mysql_async::Error;

use super::connect;
use crate::store::{StoreError, StoreResult};

/// How long the server may take to let a connection in.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The server's code for a database that it does not have (`ER_BAD_DB_ERROR`).
const UNKNOWN_DATABASE: u16 = 1049;

/// The server, and the database that the URL names on it.
pub(super) fn parse(url: &str) -> StoreResult<(url::Url, String)> {
    let server = url::Url::parse(url).map_err(|error| StoreError::Refused(format!("store.url: {error}")))?;
    let name = server.path().trim_start_matches('/').to_owned();
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain {
        return Err(StoreError::Refused(
            "store.url must name a database of letters, digits, _ and -".to_owned(),
        ));
    }
    Ok((server, name))
}

/// Whether the server has the database of the URL. The driver itself connects, since diesel-async drops the codes of errors, and
/// their messages come in the language that the server is set to.
pub(super) async fn exists(url: &str) -> StoreResult<bool> {
    let options = mysql_async::Opts::from_url(url);
    let options = options.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let connecting = tokio::time::timeout(CONNECT_WITHIN, mysql_async::Conn::new(options)).await;
    let cause = match connecting.map_err(|_| no_answer())? {
        Ok(_) => return Ok(true),
        Err(Error::Server(error)) if error.code == UNKNOWN_DATABASE => return Ok(false),
        // As diesel-async words them.
        Err(Error::Server(error)) => error.message,
        Err(Error::Io(error)) => error.to_string(),
        Err(Error::Driver(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(StoreError::Unavailable(cause))
}

/// The error for a server that lets nobody in within [`CONNECT_WITHIN`].
pub(super) fn no_answer() -> StoreError {
    StoreError::Unavailable(format!("MySQL did not answer within {} s", CONNECT_WITHIN.as_secs()))
}

/// Creates the database of the URL if the server does not have it.
pub(super) async fn create(url: &str) -> StoreResult<()> {
    let (mut server, name) = parse(url)?;
    if connect(url, "DO 1").await.is_ok() {
        return Ok(());
    }
    server.set_path("/");
    let mut conn = connect(server.as_str(), "DO 1").await?;
    conn.batch_execute(&format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// The URL of a server that greets every client with this error.
    async fn refusing_server(code: u16, message: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mysql://nobody:nothing@{}/none", listener.local_addr().unwrap());
        let mut error = vec![0xff];
        error.extend(code.to_le_bytes());
        error.extend(message.as_bytes());
        // The length in three bytes, and the packet's number.
        let mut packet = vec![u8::try_from(error.len()).unwrap(), 0, 0, 0];
        packet.extend(error);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(&packet).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn a_missing_database_is_known_by_its_code_in_any_language() {
        let german = refusing_server(UNKNOWN_DATABASE, "Unbekannte Datenbank 'none'").await;
        assert!(matches!(exists(&german).await, Ok(false)));
        let misleading = refusing_server(1045, "Unknown database user").await;
        let refused = exists(&misleading).await.expect_err("another error");
        assert_eq!(refused.to_string(), "the store is not available: Unknown database user");
    }
}
