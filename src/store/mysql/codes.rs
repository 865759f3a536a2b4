//! Classifies errors of a MySQL server by their codes: whether the same statement may succeed at another moment.
//!
//! diesel-async passes on a server's message and drops its code, and messages come in the language that the server is set to. So
//! the code is asked for on the same connection, where the server keeps it until the next statement.

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::Conn;
use crate::store::trouble::AS_SET_UP;
use crate::store::{StoreError, StoreResult};

/// Leaves the code in place, as only diagnostic statements do; fails if the last statement did not fail.
const KEEP_CODE: &str = "GET DIAGNOSTICS @paystorm_n = NUMBER; \
                         GET DIAGNOSTICS CONDITION @paystorm_n @paystorm_code = MYSQL_ERRNO";

#[derive(diesel::QueryableByName)]
struct Code {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    code: i64,
}

/// Classifies an error again by the server's code, if it came from the server. Must be the next thing that the connection does.
pub(super) async fn sort(conn: &mut Conn, error: StoreError) -> StoreError {
    let StoreError::Refused(message) = error else {
        return error;
    };
    match code(conn).await {
        Ok(Some(code)) if is_as_set_up(code) => {
            StoreError::Unavailable(format!("{message} ({code}, {AS_SET_UP})"))
        }
        Ok(Some(code)) if is_not_now(code) => StoreError::Unavailable(format!("{message} ({code})")),
        Ok(Some(code)) => StoreError::Refused(format!("{message} ({code})")),
        // It was not the server that refused.
        Ok(None) => StoreError::Refused(message),
        // What the server said last ended the connection: it is going down, or it was sent more than it takes.
        Err(_) if is_too_large(&message) => StoreError::Refused(message),
        // Nor is it known at which of several statements it ended.
        Err(_) => StoreError::Unavailable(message).after_write(),
    }
}

async fn code(conn: &mut Conn) -> StoreResult<Option<i64>> {
    match conn.batch_execute(KEEP_CODE).await.map_err(StoreError::from) {
        Ok(()) => {}
        Err(StoreError::Refused(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    let query = diesel::sql_query("SELECT CAST(@paystorm_code AS SIGNED) AS code");
    let row: Code = query.get_result(conn).await?;
    Ok(Some(row.code))
}

fn is_too_large(message: &str) -> bool {
    message.contains("max_allowed_packet")
}

/// Whether the same statement may succeed at another moment: connections, locks, memory, disk, shutdown, limits of use
/// (<https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html>).
const fn is_not_now(code: i64) -> bool {
    matches!(
        code,
        // Disk: full, or a file that cannot be written.
        1021 | 1026 | 1030 | 1114
        // Memory.
        | 1037 | 1038 | 1041
        // Connections and users: too many, not yet, no longer.
        | 1040 | 1042 | 1043 | 1047 | 1053 | 1129 | 1152 | 1184 | 1203 | 1226 | 1927 | 2006 | 2013 | 3032 | 3168 | 3169 | 4031
        // The network.
        | 1156 | 1157 | 1158 | 1159 | 1160 | 1161 | 1189 | 1190
        // Locks.
        | 1015 | 1205 | 1206 | 1213 | 1614 | 1637 | 3058 | 3132 | 3572
        // A commit that a group of servers, or the storage engine, turned down.
        | 1180 | 3100 | 3101
        // Interrupted, or past a time limit.
        | 1317 | 1907 | 3024
        // A prepared statement that the session no longer knows, and too many of them.
        | 1243 | 1461
    )
}

/// Whether the server's setup is wrong at the moment, so that no statement fares better until someone fixes it: it is read-only,
/// rights were taken away, a database or a table is missing or damaged. Our statements worked before, so neither they nor the
/// requests behind them are at fault.
const fn is_as_set_up(code: i64) -> bool {
    matches!(
        code,
        // Reads only.
        1290 | 1792 | 1836 | 1874 | 3989
        // Users and rights.
        | 1044 | 1045 | 1130 | 1132 | 1142 | 1143 | 1227 | 1370 | 1449 | 1698 | 1820 | 1862 | 3118 | 3879 | 3955
        // The database, and the tables as the migrations made them.
        | 1008 | 1046 | 1049 | 1051 | 1054 | 1100 | 1146
        // Tables that are damaged, closed for repair, or without their space.
        | 1016 | 1017 | 1033 | 1034 | 1035 | 1194 | 1195 | 1812 | 1813 | 1814 | 1815 | 1877
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_moment_are_tried_again() {
        for code in [1040, 1053, 1205, 1213, 2006, 2013, 1114, 1317] {
            assert!(is_not_now(code), "{code}");
        }
        // Read-only, a right taken away, a user locked, a database dropped, a table renamed, a table crashed: nobody's request.
        for code in [1290, 1142, 3118, 1049, 1146, 1194] {
            assert!(is_as_set_up(code), "{code}");
        }
        // Too long, out of range, a wrong value, a null, a duplicate, a packet too large, and the unknown.
        for code in [1406, 1264, 1366, 1048, 1062, 1153, 1118, 1105, 99_999] {
            assert!(!is_not_now(code) && !is_as_set_up(code), "{code}");
        }
    }
}
