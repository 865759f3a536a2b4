//! Imports and their rows.

use paystorm::domain::ids::{AccountId, ImportId, PaymentId};
use paystorm::store::{ImportRecord, ImportRow, ImportState, RowFault};

use crate::support::commands::at;
use crate::support::stores::both;

#[tokio::test(flavor = "multi_thread")]
async fn imports_keep_what_became_of_each_row() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, stranger) = (AccountId::generate(), AccountId::generate());
        let mut import = ImportRecord {
            id: ImportId::generate(),
            owner,
            name: "Zoë's 🦊".to_owned(),
            state: ImportState::Running,
            created_at: at(0),
            updated_at: at(0),
            rows_read: 0,
            rows_accepted: 0,
            rows_known: 0,
            rows_refused: 0,
            cause: None,
        };
        assert!(store.import_insert(&import).await.expect("inserted"), "{}", test.name);
        assert!(!store.import_insert(&import).await.expect("refused"), "{}", test.name);
        let row = |line: u64| ImportRow {
            line,
            key: format!("row-{line}"),
            outcome: match line % 3 {
                0 => Err(RowFault { column: "amount".to_owned(), message: "wrong".to_owned() }),
                _ => Ok(PaymentId::generate()),
            },
        };
        let rows: Vec<ImportRow> = (2..600).map(row).collect();
        import.rows_read = 598;
        import.updated_at = at(9);
        store.import_save(&import, &rows).await.expect("saved");
        let found = store.import_get(owner, import.id).await.expect("read");
        assert_eq!(found.as_ref(), Some(&import), "{}", test.name);
        assert_eq!(store.import_rows(import.id, 1, false, 1_000).await.expect("read"), rows, "{}", test.name);
        let page = store.import_rows(import.id, 100, true, 2).await.expect("read");
        assert_eq!(page.iter().map(|row| row.line).collect::<Vec<_>>(), [102, 105], "{}", test.name);
        (import.state, import.cause) = (ImportState::Stopped, Some("it broke off".to_owned()));
        store.import_save(&import, &[]).await.expect("saved");
        assert_eq!(store.import_list(owner, 5).await.expect("read"), [import.clone()], "{}", test.name);
        assert_eq!(store.import_get(stranger, import.id).await.expect("read"), None, "{}", test.name);
        assert!(store.import_list(stranger, 5).await.expect("read").is_empty(), "{}", test.name);
        test.remove().await;
    }
}
