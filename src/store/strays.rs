//! Checks for rows that contradict one another where no history says which is right: references to nothing, accounts and imports
//! that cannot be as they are stored. Each is one query that finds the keys of such rows, the same on every adapter.

/// The most keys that one query returns.
pub(super) const STRAYS_MAX: usize = 20;

/// What kind of contradiction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrayKind {
    /// It belongs to an account that does not exist.
    NoAccount,
    /// The batch is in the journal more than once.
    DoubledBatch,
    /// What it says is impossible.
    Impossible,
}

/// A row that contradicts others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The kind of contradiction.
    pub kind: StrayKind,
    /// What is wrong, in words.
    pub what: &'static str,
    /// The key of the row in hexadecimal.
    pub key: String,
}

/// A kind, what it is in words, and the query that finds the keys, without its limit.
pub(super) type Check = (StrayKind, &'static str, &'static str);

use StrayKind::{DoubledBatch, Impossible, NoAccount};

/// Every check. None is for sessions and keys of closed accounts: the closed row alone makes them useless, and a crash may leave
/// them. The rows of a running import are written before its counts are.
pub(super) const CHECKS: &[Check] = &[
    (
        DoubledBatch,
        "batch",
        "SELECT HEX(batch_id) AS stray FROM journal GROUP BY batch_id HAVING COUNT(*) > 1",
    ),
    (
        Impossible,
        "end of the line before its last batch",
        "SELECT HEX(h.shard) AS stray FROM head h JOIN journal j ON j.seq = h.seq WHERE j.at > h.wall",
    ),
    (
        Impossible,
        "end of the line before the last change of what decides",
        "SELECT HEX(shard) AS stray FROM head WHERE settings_seq > seq",
    ),
    (
        Impossible,
        "due row of nothing there is",
        "SELECT HEX(d.subject) AS stray FROM due d LEFT JOIN payment p ON p.id = SUBSTR(d.subject, 2) \
         WHERE p.id IS NULL OR HEX(d.subject) NOT LIKE '01%'",
    ),
    (
        Impossible,
        "due row on no clock",
        "SELECT HEX(d.subject) AS stray FROM due d \
         LEFT JOIN (SELECT SUBSTR(subject, 2) AS id FROM resource WHERE subject >= x'03' AND subject < x'04') c \
         ON c.id = d.clock WHERE c.id IS NULL AND d.clock <> x'00000000000000000000000000000000'",
    ),
    (
        Impossible,
        "due row on a clock that is gone and that nobody looks after",
        "SELECT HEX(d.subject) AS stray FROM due d JOIN (SELECT SUBSTR(subject, 2) AS id FROM resource \
         WHERE subject >= x'03' AND subject < x'04' AND deleted = 1) c ON c.id = d.clock \
         LEFT JOIN clock_awake a ON a.clock = d.clock WHERE a.clock IS NULL",
    ),
    (
        Impossible,
        "payment that no clock waits for",
        "SELECT HEX(b.payment) AS stray FROM clock_busy b LEFT JOIN payment p ON p.id = b.payment \
         LEFT JOIN (SELECT SUBSTR(subject, 2) AS id FROM resource WHERE subject >= x'03' AND subject < x'04') c \
         ON c.id = b.clock WHERE p.id IS NULL OR c.id IS NULL",
    ),
    (
        Impossible,
        "account that goes by no clock",
        "SELECT HEX(o.id) AS stray FROM account o \
         LEFT JOIN (SELECT SUBSTR(subject, 2) AS id FROM resource WHERE subject >= x'03' AND subject < x'04') c \
         ON c.id = o.clock WHERE o.clock IS NOT NULL AND c.id IS NULL",
    ),
    (
        Impossible,
        "clock that is looked after and is not there",
        "SELECT HEX(a.clock) AS stray FROM clock_awake a \
         LEFT JOIN (SELECT SUBSTR(subject, 2) AS id FROM resource WHERE subject >= x'03' AND subject < x'04') c \
         ON c.id = a.clock WHERE c.id IS NULL",
    ),
    (
        Impossible,
        "open work of no payment",
        "SELECT HEX(o.payment) AS stray FROM open_work o LEFT JOIN payment p ON p.id = o.payment WHERE p.id IS NULL",
    ),
    (
        Impossible,
        "parked operation of no payment",
        "SELECT HEX(o.payment) AS stray FROM parked o LEFT JOIN payment p ON p.id = o.payment WHERE p.id IS NULL",
    ),
    (
        NoAccount,
        "scenario in force",
        "SELECT HEX(t.revision) AS stray FROM scenario_revision t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL",
    ),
    (
        Impossible,
        "account under a scenario that neither it nor its parent put in force",
        "SELECT HEX(a.id) AS stray FROM account a LEFT JOIN scenario_revision r ON r.revision = a.scenario \
         AND (r.account = a.id OR r.account = a.parent) AND r.file IS NOT NULL \
         WHERE a.scenario IS NOT NULL AND r.revision IS NULL",
    ),
    (
        Impossible,
        "account that is not under the scenario that it put in force last",
        "SELECT HEX(a.id) AS stray FROM account a JOIN scenario_revision r ON r.account = a.id \
         WHERE r.number = (SELECT MAX(l.number) FROM scenario_revision l WHERE l.account = a.id) \
         AND a.closed_at IS NULL AND COALESCE(a.scenario, 0) <> CASE WHEN r.file IS NULL THEN 0 ELSE r.revision END",
    ),
    (
        Impossible,
        "scenario without its file",
        "SELECT HEX(r.revision) AS stray FROM scenario_revision r LEFT JOIN scenario_file f ON f.hash = r.file \
         WHERE r.file IS NOT NULL AND f.hash IS NULL",
    ),
    (
        Impossible,
        "file of no scenario",
        "SELECT HEX(f.hash) AS stray FROM scenario_file f LEFT JOIN scenario_revision r ON r.file = f.hash \
         WHERE r.revision IS NULL",
    ),
    (
        Impossible,
        "scenarios of an account that are not counted from 1 in the order of the journal",
        "SELECT HEX(r.revision) AS stray FROM scenario_revision r WHERE r.number <> 1 + \
         (SELECT COUNT(*) FROM scenario_revision o WHERE o.account = r.account AND o.revision < r.revision)",
    ),
    (
        Impossible,
        "scenario in force from another time than its batch, or from a batch that is not there",
        "SELECT HEX(r.revision) AS stray FROM scenario_revision r LEFT JOIN journal j ON j.seq = r.revision \
         WHERE (j.seq IS NULL AND r.revision >= (SELECT MIN(seq) FROM journal)) OR j.at <> r.at",
    ),
    (
        NoAccount,
        "session",
        "SELECT HEX(t.id) AS stray FROM session t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL",
    ),
    (
        NoAccount,
        "API key",
        "SELECT HEX(t.id) AS stray FROM api_key t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL",
    ),
    (
        NoAccount,
        "mark of account",
        "SELECT HEX(t.account) AS stray FROM account_mark t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL",
    ),
    (
        NoAccount,
        "import",
        "SELECT HEX(t.id) AS stray FROM import t LEFT JOIN account a ON a.id = t.owner WHERE a.id IS NULL",
    ),
    (
        NoAccount,
        "call of the API",
        "SELECT HEX(t.id) AS stray FROM request_log t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL",
    ),
    (
        NoAccount,
        "resource",
        "SELECT HEX(t.subject) AS stray FROM resource t LEFT JOIN account a ON a.id = t.owner WHERE a.id IS NULL",
    ),
    (
        Impossible,
        "call of the API, made with a key of somebody else or with none there is",
        "SELECT HEX(t.id) AS stray FROM request_log t LEFT JOIN api_key k ON k.id = t.api_key \
         WHERE t.api_key IS NOT NULL AND (k.id IS NULL OR k.account <> t.account)",
    ),
    (
        Impossible,
        "account that was closed and can still be signed in to",
        "SELECT HEX(id) AS stray FROM account WHERE closed_at IS NOT NULL AND (email IS NOT NULL OR password_hash IS NOT NULL)",
    ),
    (
        Impossible,
        "account with a password and no address to sign in with",
        "SELECT HEX(id) AS stray FROM account WHERE email IS NULL AND password_hash IS NOT NULL",
    ),
    (
        Impossible,
        "account that another made, with an address of its own",
        "SELECT HEX(id) AS stray FROM account WHERE parent IS NOT NULL AND email IS NOT NULL",
    ),
    (
        Impossible,
        "account closed before it was made",
        "SELECT HEX(id) AS stray FROM account WHERE closed_at < created_at",
    ),
    (
        Impossible,
        "session that ends before it begins",
        "SELECT HEX(id) AS stray FROM session WHERE expires_at < created_at OR seen_at > expires_at",
    ),
    (
        Impossible,
        "API key revoked before it was made",
        "SELECT HEX(id) AS stray FROM api_key WHERE revoked_at < created_at",
    ),
    (
        Impossible,
        "import whose counts contradict one another",
        "SELECT HEX(id) AS stray FROM import WHERE rows_read <> rows_accepted + rows_known + rows_refused",
    ),
    (
        Impossible,
        "import in a state that it cannot be in",
        "SELECT HEX(id) AS stray FROM import WHERE state NOT IN (1, 2, 3) OR (state = 3) <> (cause IS NOT NULL) OR updated_at < created_at",
    ),
    (
        Impossible,
        "finished import whose counts are not those of its rows",
        "SELECT HEX(i.id) AS stray FROM import i LEFT JOIN import_row r ON r.import = i.id WHERE i.state = 2 \
         GROUP BY i.id, i.rows_read, i.rows_refused \
         HAVING COUNT(r.line) <> i.rows_read OR COUNT(r.line) - COUNT(r.payment) <> i.rows_refused",
    ),
    (
        Impossible,
        "row of an import that does not exist",
        "SELECT HEX(r.import) AS stray FROM import_row r LEFT JOIN import i ON i.id = r.import WHERE i.id IS NULL",
    ),
    (
        Impossible,
        "import with a row that made a payment of nobody, or of somebody else",
        "SELECT HEX(r.import) AS stray FROM import_row r JOIN import i ON i.id = r.import \
         LEFT JOIN payment p ON p.id = r.payment WHERE r.payment IS NOT NULL AND (p.id IS NULL OR p.owner <> i.owner)",
    ),
    (
        Impossible,
        "import with a row of which it is not said what became of it",
        "SELECT HEX(import) AS stray FROM import_row WHERE (payment IS NULL) = (message IS NULL) OR (payment IS NULL) = (column_name IS NULL)",
    ),
];
