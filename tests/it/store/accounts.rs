//! Accounts, sessions, keys, and what an installation remembers of itself.

use paystorm::domain::account::AccountTerms;
use paystorm::domain::ids::{AccountId, ApiKeyId, SessionId};
use paystorm::store::{NewAccount, NewApiKey, NewSession};

use crate::support::commands::at;
use crate::support::stores::both;

fn account(email: Option<&str>, parent: Option<AccountId>) -> NewAccount {
    NewAccount {
        id: AccountId::generate(),
        email: email.map(str::to_owned),
        name: "Zoë 🦊".to_owned(),
        password_hash: email.map(|_| "$argon2id$".to_owned()),
        parent,
        scenario: None,
        terms: AccountTerms::default(),
        created_at: at(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_belongs_to_one_account() {
    for test in both().await {
        let store = test.store.as_ref();
        let ann = account(Some("ann@example.org"), None);
        assert!(store.account_insert(&ann).await.expect("inserted"), "{}", test.name);
        let twice = account(Some("ann@example.org"), None);
        assert!(!store.account_insert(&twice).await.expect("refused"), "{}", test.name);
        let found = store.account_by_email("ann@example.org").await.expect("read").expect("ann");
        assert_eq!(
            (found.id, found.name.as_str(), found.created_at),
            (ann.id, "Zoë 🦊", at(0)),
            "{}",
            test.name
        );
        assert!(store.account_by_email("bob@example.org").await.expect("read").is_none(), "{}", test.name);
        store.account_set_password(ann.id, "$other$").await.expect("set");
        let found = store.account_get(&[ann.id, AccountId::generate()]).await.expect("read");
        assert_eq!(found.len(), 1, "{}", test.name);
        assert_eq!(found[0].password_hash.as_deref(), Some("$other$"), "{}", test.name);
        let many: Vec<NewAccount> = (0..700).map(|_| account(None, Some(ann.id))).collect();
        store.account_insert_many(&many).await.expect("inserted");
        let page = store.account_children(ann.id, None, 600).await.expect("read");
        let rest = store.account_children(ann.id, page.last().map(|last| last.id), 600).await.expect("read");
        assert_eq!((page.len(), rest.len()), (600, 100), "{}", test.name);
        let ids: Vec<_> = page.iter().chain(&rest).map(|child| child.id).collect();
        assert_eq!(ids, many.iter().map(|child| child.id).collect::<Vec<_>>(), "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_and_keys_are_revoked_by_their_owner() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ann, bob) = (AccountId::generate(), AccountId::generate());
        let session = NewSession {
            id: SessionId::generate(),
            account: ann,
            token_hash: [1; 32],
            created_at: at(0),
            expires_at: at(1_000),
            user_agent: "a browser".to_owned(),
        };
        store.session_insert(&session).await.expect("inserted");
        let get = |hash: [u8; 32], ms| async move { store.session_get(&hash, at(ms)).await.expect("read") };
        assert_eq!(get([1; 32], 999).await.map(|found| found.account), Some(ann), "{}", test.name);
        assert!(get([1; 32], 1_000).await.is_none() && get([2; 32], 0).await.is_none(), "{}", test.name);
        assert!(!store.session_delete(bob, session.id).await.expect("refused"), "{}", test.name);
        assert_eq!(store.session_list(ann).await.expect("read").len(), 1, "{}", test.name);
        assert!(store.session_delete(ann, session.id).await.expect("deleted"), "{}", test.name);
        assert!(get([1; 32], 0).await.is_none(), "{}", test.name);
        let key = NewApiKey {
            id: ApiKeyId::generate(),
            account: ann,
            secret_hash: [3; 32],
            last4: "wxyz".to_owned(),
            name: "till 1".to_owned(),
            created_at: at(0),
        };
        store.api_key_insert(&key).await.expect("inserted");
        let known = async || store.api_key_get(&[3; 32]).await.expect("read").expect("the key");
        assert_eq!(known().await.last4, "wxyz", "{}", test.name);
        assert!(store.api_key_get(&[4; 32]).await.expect("read").is_none(), "{}", test.name);
        assert!(!store.api_key_revoke(bob, key.id, at(1)).await.expect("refused"), "{}", test.name);
        assert!(store.api_key_revoke(ann, key.id, at(2)).await.expect("revoked"), "{}", test.name);
        assert!(!store.api_key_revoke(ann, key.id, at(3)).await.expect("only once"), "{}", test.name);
        assert_eq!(known().await.revoked_at, Some(at(2)), "{}", test.name);
        let listed = store.api_key_list(ann).await.expect("read");
        assert_eq!(listed[0].revoked_at, Some(at(2)), "{}: revoked ones stay listed", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_takes_everything_of_its_own_along() {
    for test in both().await {
        let (store, name) = (test.store.as_ref(), test.name);
        let ann = account(Some("ann@example.org"), None);
        let (bob, child) = (account(Some("bob@example.org"), None), account(None, Some(ann.id)));
        for one in [&ann, &bob, &child] {
            assert!(store.account_insert(one).await.expect("inserted"), "{name}");
        }
        for (n, owner) in [(1, ann.id), (2, bob.id), (3, child.id)] {
            let session = NewSession {
                id: SessionId::generate(),
                account: owner,
                token_hash: [n; 32],
                created_at: at(0),
                expires_at: at(1_000),
                user_agent: String::new(),
            };
            store.session_insert(&session).await.expect("inserted");
            store.session_seen(session.id, at(500)).await.expect("noted");
            let key = NewApiKey {
                id: ApiKeyId::generate(),
                account: owner,
                secret_hash: [n; 32],
                last4: "wxyz".to_owned(),
                name: "key".to_owned(),
                created_at: at(0),
            };
            store.api_key_insert(&key).await.expect("inserted");
        }
        assert!(store.account_close(ann.id, at(7)).await.expect("closed"), "{name}");
        assert!(!store.account_close(ann.id, at(8)).await.expect("closed once"), "{name}");
        assert!(store.account_by_email("ann@example.org").await.expect("read").is_none(), "{name}");
        let of = async |id| store.account_get(&[id]).await.expect("read").remove(0);
        let (closed, made) = (of(ann.id).await, of(child.id).await);
        assert_eq!(
            (closed.closed_at, closed.email, closed.password_hash),
            (Some(at(7)), None, None),
            "{name}"
        );
        assert_eq!((closed.name.as_str(), made.closed_at), ("Zoë 🦊", Some(at(7))), "{name}");
        assert!(store.account_children(ann.id, None, 10).await.expect("read").is_empty(), "{name}");
        assert!(store.session_get(&[1; 32], at(1)).await.expect("read").is_none(), "{name}");
        let revoked = async |n| store.api_key_get(&[n; 32]).await.expect("read").expect("kept").revoked_at;
        assert_eq!((revoked(1).await, revoked(3).await), (Some(at(7)), Some(at(7))), "{name}");
        // Bob notices nothing.
        let bobs = store.session_get(&[2; 32], at(1)).await.expect("read").expect("his session");
        assert_eq!(
            (bobs.seen_at, revoked(2).await, of(bob.id).await.closed_at),
            (at(500), None, None),
            "{name}"
        );
        // The address is free again.
        let next = account(Some("ann@example.org"), None);
        assert!(store.account_insert(&next).await.expect("inserted"), "{name}");
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_are_kept_by_name_and_keep_their_first_time() {
    for test in both().await {
        let (store, name) = (test.store.as_ref(), test.name);
        let (ann, bob) = (AccountId::generate(), AccountId::generate());
        store.account_flag_set(ann, "step.search", at(1)).await.expect("set");
        store.account_flag_set(ann, "step.search", at(2)).await.expect("set again");
        store.account_flag_set(ann, "first.hidden", at(3)).await.expect("set");
        let marks = async |account| store.account_flag_list(account).await.expect("read");
        let both = [("first.hidden".to_owned(), at(3)), ("step.search".to_owned(), at(1))];
        assert_eq!(marks(ann).await, both, "{name}");
        assert!(marks(bob).await.is_empty(), "{name}");
        store.account_flag_delete(bob, "first.hidden").await.expect("nothing to delete");
        store.account_flag_delete(ann, "first.hidden").await.expect("deleted");
        assert_eq!(marks(ann).await.len(), 1, "{name}");
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_keeps_its_first_word() {
    for test in both().await {
        let store = test.store.as_ref();
        assert_eq!(store.installation_get("key").await.expect("read"), None, "{}", test.name);
        assert_eq!(store.installation_set_once("key", b"one").await.expect("set"), b"one", "{}", test.name);
        assert_eq!(store.installation_set_once("key", b"two").await.expect("set"), b"one", "{}", test.name);
        assert_eq!(store.installation_get("key").await.expect("read").as_deref(), Some(&b"one"[..]));
        assert!(store.migrate().await.expect("nothing left to do").is_empty(), "{}", test.name);
        assert!(store.durability().await.expect("read").durable, "{}", test.name);
        test.remove().await;
    }
}
