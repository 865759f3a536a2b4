//! What each adapter does when things break: crashes, damaged files, a server that is away, an index that is gone.

use std::fs;

use paystorm::clock::Wall;
use paystorm::domain::ids::{BatchId, InstallationId};
use paystorm::search::elasticsearch::ElasticsearchIndex;
use paystorm::search::embedded::EmbeddedIndex;
use paystorm::search::{
    Filling, Mirrored, Query, SearchError, SearchHealth, SearchIndex, SearchRequest, SearchSettings,
};

use super::fixtures::account;
use super::subject::{Subject, http};
use super::{crowd, documents, found, index};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_survives_with_its_position() {
    let subject = Subject::embedded().await;
    let owner = account(1);
    assert_eq!(subject.index.committed_position().await.unwrap(), Some(0));
    subject.index.apply(&documents(&crowd(owner, 1..11))).await.unwrap();
    subject.index.commit(41).await.unwrap();
    subject.index.commit(42).await.unwrap();
    subject.index.apply(&documents(&crowd(owner, 11..21))).await.unwrap();
    // Closing commits nothing, as a crash would not.
    let again = subject.reopen().await;
    assert_eq!(again.committed_position().await.unwrap(), Some(42));
    assert_eq!(found(&*again, owner, "").await.len(), 10);
    assert!(again.needs_rebuild());
    assert!(matches!(subject.index.apply(&[]).await, Err(SearchError::Closed)));
    // A second opening finds the lock held, and leaves the index alone.
    assert!(matches!(
        EmbeddedIndex::open(&subject.settings, Wall::system()).await,
        Err(SearchError::Unavailable(_))
    ));
    assert_eq!(found(&*again, owner, "").await.len(), 10);
    again.close().await;
}

/// The directory of the only generation.
fn generation(settings: &SearchSettings) -> std::path::PathBuf {
    let name = fs::read_to_string(settings.path.join("CURRENT")).unwrap();
    settings.path.join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_index_is_moved_aside() {
    for damage in ["meta", "segment", "version", "missing"] {
        let subject = Subject::embedded().await;
        let owner = account(1);
        subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
        index(&subject, &crowd(owner, 1..11)).await;
        subject.index.close().await;
        let directory = generation(&subject.settings);
        match damage {
            "meta" => fs::write(directory.join("meta.json"), "{").unwrap(),
            "segment" => {
                for entry in fs::read_dir(&directory).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|extension| extension == "term") {
                        fs::write(path, "x").unwrap();
                    }
                }
            }
            "version" => {
                fs::rename(&directory, subject.settings.path.join("v0-1")).unwrap();
                fs::write(subject.settings.path.join("CURRENT"), "v0-1").unwrap();
            }
            _ => fs::remove_dir_all(&directory).unwrap(),
        }
        let again = EmbeddedIndex::open(&subject.settings, Wall::system()).await.unwrap();
        assert!(again.needs_rebuild(), "{damage}");
        assert_eq!(again.count().await.unwrap(), 0, "{damage}");
        assert_eq!(again.committed_position().await.unwrap(), Some(0), "{damage}");
        again.apply(&documents(&crowd(owner, 1..3))).await.unwrap();
        again.refresh().await.unwrap();
        assert_eq!(found(&again, owner, "").await, [1, 2], "{damage}");
        again.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_generation_is_removed_at_the_next_start() {
    let subject = Subject::embedded().await;
    let unfinished = subject.index.begin_generation().await.unwrap();
    assert_eq!(subject.generations().await, 2);
    drop(unfinished);
    let again = subject.reopen().await;
    assert_eq!(subject.generations().await, 1);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_differs_from_a_mistake() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings =
        SearchSettings { url: format!("http://127.0.0.1:{port}").into(), ..SearchSettings::default() };
    let away = ElasticsearchIndex::new(&settings, Wall::system()).unwrap();
    let request = SearchRequest::new(account(1), Query::everything());
    assert!(matches!(away.search(&request).await, Err(SearchError::Unavailable(_))));
    assert!(matches!(
        away.apply(&documents(&crowd(account(1), 1..2))).await,
        Err(SearchError::Unavailable(_))
    ));
    assert!(matches!(&*away.health().borrow(), SearchHealth::Down { reason, .. } if !reason.is_empty()));
    away.close().await;
    assert!(matches!(away.search(&request).await, Err(SearchError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let settings = SearchSettings { url: url.into(), request_timeout_ms: 200, ..SearchSettings::default() };
    let index = ElasticsearchIndex::new(&settings, Wall::system()).unwrap();
    let start = std::time::Instant::now();
    assert!(matches!(index.count().await, Err(SearchError::Unavailable(_))));
    assert!(start.elapsed().as_secs() < 5);
    silent.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_gone_is_made_again_and_asks_to_be_filled() {
    let subject = Subject::elasticsearch().await;
    let owner = account(1);
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    index(&subject, &crowd(owner, 1..11)).await;
    assert!(!subject.index.needs_rebuild());
    for name in subject.names().await {
        http()
            .delete(format!("{}/{name}", subject.settings.url.expose()))
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }
    let documents = documents(&crowd(owner, 1..4));
    assert!(matches!(subject.index.apply(&documents).await, Err(SearchError::Unavailable(_))));
    assert!(matches!(&*subject.index.health().borrow(), SearchHealth::Down { .. }));
    assert_eq!(subject.index.apply(&documents).await.unwrap().changed, 3);
    assert!(subject.index.needs_rebuild());
    subject.index.refresh().await.unwrap();
    assert_eq!(found(&*subject.index, owner, "").await, [1, 2, 3]);
    assert_eq!(*subject.index.health().borrow(), SearchHealth::Up);
    subject.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_together_make_one_index() {
    let subject = Subject::elasticsearch().await;
    for name in subject.names().await {
        http()
            .delete(format!("{}/{name}", subject.settings.url.expose()))
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }
    let indices: Vec<_> =
        (0..4).map(|_| ElasticsearchIndex::new(&subject.settings, Wall::system()).unwrap()).collect();
    let (a, b, c, d) =
        tokio::join!(indices[0].connect(), indices[1].connect(), indices[2].connect(), indices[3].connect());
    for result in [a, b, c, d] {
        result.unwrap();
    }
    assert_eq!(subject.generations().await, 1);
    // More than one request's worth of documents, from two writers at once, some of them the same.
    let (left, right) =
        (documents(&crowd(account(1), 1..1_500)), documents(&crowd(account(1), 1_000..2_500)));
    let (left, right) = tokio::join!(indices[0].apply(&left), indices[1].apply(&right));
    assert_eq!(left.unwrap().changed + right.unwrap().changed, 2_499);
    subject.index.refresh().await.unwrap();
    assert_eq!(subject.index.count().await.unwrap(), 2_499);
    subject.remove().await;
}

/// Cuts every file of the generation short, as a disk that fails or a hand that slips does.
fn cut_short(directory: &std::path::Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let segment = path.extension().is_some_and(|extension| extension != "json" && extension != "lock");
        if segment {
            fs::File::options().write(true).open(path).unwrap().set_len(10).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_index_outlives_the_loss_of_its_files_and_is_filled_again() {
    for damage in ["directory", "generation", "name", "cut short", "cut short while searched"] {
        let subject = Subject::embedded().await;
        let owner = account(1);
        subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
        // Large enough that its files are not small.
        index(&subject, &crowd(owner, 1..4_000)).await;
        assert_eq!(*subject.index.health().borrow(), SearchHealth::Up);
        assert!(!subject.index.needs_rebuild());
        let directory = generation(&subject.settings);
        match damage {
            "directory" => fs::remove_dir_all(&subject.settings.path).unwrap(),
            "generation" => fs::remove_dir_all(&directory).unwrap(),
            "name" => fs::remove_file(subject.settings.path.join("CURRENT")).unwrap(),
            _ => cut_short(&directory),
        }
        if damage == "cut short while searched" {
            // It finds what is in memory, or says that it cannot; the process lives.
            for text in ["", "status:succeeded", "coffee", "amount>1", "description~\"off\""] {
                let query = Query::parse(text).unwrap();
                let _ = subject.index.search(&SearchRequest::new(owner, query)).await;
            }
        }
        // What the monitor asks every other second.
        let _ = subject.index.count().await;
        assert!(subject.index.needs_rebuild(), "{damage}");
        assert!(matches!(&*subject.index.health().borrow(), SearchHealth::Down { .. }), "{damage}");
        let fresh = subject.index.begin_generation().await.unwrap();
        fresh.apply(&documents(&crowd(owner, 1..3))).await.unwrap();
        fresh.finish(7).await.unwrap();
        assert!(!subject.index.needs_rebuild(), "{damage}");
        assert_eq!(*subject.index.health().borrow(), SearchHealth::Up, "{damage}");
        assert_eq!(found(&*subject.index, owner, "").await, [1, 2], "{damage}");
        let again = subject.reopen().await;
        assert!(!again.needs_rebuild(), "{damage}");
        assert_eq!(found(&*again, owner, "").await, [1, 2], "{damage}");
        again.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_is_reported_though_searching_goes_on() {
    let subject = Subject::embedded().await;
    let owner = account(1);
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    index(&subject, &crowd(owner, 1..3)).await;
    fs::remove_dir_all(&subject.settings.path).unwrap();
    // Whether this is reported already depends on how soon the thread that writes comes to it.
    drop(subject.index.apply(&documents(&crowd(owner, 3..5))).await);
    assert!(subject.index.commit(9).await.is_err());
    assert_eq!(found(&*subject.index, owner, "").await, [1, 2], "the old generation answers");
    assert!(matches!(&*subject.index.health().borrow(), SearchHealth::Down { .. }));
    assert!(subject.index.needs_rebuild());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_has_yet_to_be_filled_says_so_and_how_far_it_is() {
    for subject in [Subject::embedded().await, Subject::elasticsearch().await] {
        let request = SearchRequest::new(account(1), Query::everything());
        assert!(matches!(subject.index.find(&request).await, Err(SearchError::Filling(_))));
        subject.index.note_filling(Filling { payments: 3, of: Some(7) });
        let error = subject.index.find(&request).await.unwrap_err();
        assert!(error.to_string().contains("3 of 7 payments so far"), "{error}");
        subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
        assert_eq!(subject.index.find(&request).await.unwrap().total.value, 0);
        subject.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_knows_which_past_it_mirrors_and_what_changed_last() {
    for subject in [Subject::embedded().await, Subject::elasticsearch().await] {
        assert_eq!(subject.index.mirrored().await.unwrap(), None);
        let mirrored = |seq| Mirrored {
            installation: InstallationId::from_bytes([3; 16]),
            seq,
            batch: BatchId::from_bytes([4; 16]),
        };
        subject.index.note_mirrored(mirrored(5));
        subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
        assert_eq!(subject.index.mirrored().await.unwrap(), Some(mirrored(5)));
        subject.index.note_mirrored(mirrored(6));
        let crowd = crowd(account(1), 1..21);
        index(&subject, &crowd).await;
        subject.index.commit(6).await.unwrap();
        assert_eq!(subject.index.mirrored().await.unwrap(), Some(mirrored(6)));
        let newest = subject.index.newest(3).await.unwrap();
        let mut expected: Vec<_> = crowd.iter().collect();
        expected.sort_by_key(|payment| std::cmp::Reverse(payment.state().updated_at));
        let oldest_shown = expected[2].state().updated_at;
        assert_eq!(newest.len(), 3);
        for (id, version) in newest {
            let payment = crowd.iter().find(|payment| payment.id() == id).expect("one of them");
            assert!(payment.state().updated_at >= oldest_shown);
            assert_eq!(u64::from(payment.version()), version);
        }
        let again = subject.reopen().await;
        assert_eq!(again.mirrored().await.unwrap(), Some(mirrored(6)));
        again.close().await;
        subject.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_another_instance_filled_is_used() {
    let subject = Subject::elasticsearch().await;
    let other = subject.reopen().await;
    assert!(other.needs_rebuild());
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    other.count().await.unwrap();
    assert!(!other.needs_rebuild());
    let request = SearchRequest::new(account(1), Query::everything());
    assert_eq!(other.find(&request).await.unwrap().total.value, 0);
    subject.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_cut_off_does_not_stand_in_the_way_of_its_repetition() {
    let subject = Subject::embedded().await;
    let owner = account(1);
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    let whole = crowd(owner, 1..11);
    let first: Vec<_> = whole.iter().map(|payment| payment.at_version(1).unwrap()).collect();
    index(&subject, &first).await;
    subject.index.commit(6).await.unwrap();
    let meta = generation(&subject.settings).join("meta.json");
    let committed = fs::read(&meta).unwrap();
    // Deletions are on disk before what names them; the process is killed in between.
    let changed = &whole[..3];
    assert!(changed.iter().all(|payment| payment.version() > 1));
    index(&subject, changed).await;
    subject.index.close().await;
    fs::write(&meta, committed).unwrap();
    let again = EmbeddedIndex::open(&subject.settings, Wall::system()).await.unwrap();
    assert!(!again.needs_rebuild());
    assert_eq!(again.apply(&documents(changed)).await.unwrap().changed, 3);
    again.commit(7).await.unwrap();
    assert_eq!(*again.health().borrow(), SearchHealth::Up);
    let page = again.search(&SearchRequest::new(owner, Query::everything())).await.unwrap();
    for payment in changed {
        let hit = page.hits.iter().find(|hit| hit.payment == payment.id()).expect("found");
        assert_eq!(hit.version, u64::from(payment.version()));
    }
    again.close().await;
}

/// A request of someone who operates the server.
async fn by_hand(subject: &Subject, method: reqwest::Method, path: &str, body: serde_json::Value) {
    let request = http().request(method, format!("{}/{path}", subject.settings.url.expose()));
    // Some requests may not have a body.
    let request = if body.is_null() { request } else { request.json(&body) };
    request.send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_index_that_someone_closed_or_blocked_does_not_take_is_not_lost() {
    use reqwest::Method;
    use serde_json::json;
    let subject = Subject::elasticsearch().await;
    let owner = account(1);
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    index(&subject, &crowd(owner, 1..3)).await;
    let name = subject.names().await.remove(0);
    let alias = format!("{}-payments", subject.settings.prefix);
    let foreign = format!("{}-foreign", subject.settings.prefix);
    by_hand(&subject, Method::PUT, &foreign, json!({})).await;
    let both = |add: &str| json!({ "actions": [{ add: { "index": foreign, "alias": alias } }] });
    let set = |block: &str, value: serde_json::Value| json!({ format!("index.blocks.{block}"): value });
    let settings = format!("{name}/_settings");
    let null = serde_json::Value::Null;
    // What someone does, whether searching goes on, and how it is undone.
    let cases = [
        (
            "closed",
            (Method::POST, format!("{name}/_close"), json!(null)),
            false,
            (Method::POST, format!("{name}/_open"), json!(null)),
        ),
        (
            "write",
            (Method::PUT, settings.clone(), set("write", true.into())),
            true,
            (Method::PUT, settings.clone(), set("write", null.clone())),
        ),
        (
            "read",
            (Method::PUT, settings.clone(), set("read", true.into())),
            false,
            (Method::PUT, settings.clone(), set("read", null)),
        ),
        (
            "two indices",
            (Method::POST, "_aliases".to_owned(), both("add")),
            true,
            (Method::POST, "_aliases".to_owned(), both("remove")),
        ),
    ];
    let mut known: Vec<u64> = vec![1, 2];
    for (number, (what, fault, searches, undo)) in (3..).zip(cases) {
        by_hand(&subject, fault.0, &fault.1, fault.2).await;
        let more = documents(&crowd(owner, number..number + 1));
        match subject.index.apply(&more).await {
            // A block of reading alone keeps nothing out.
            Ok(applied) => assert_eq!((applied.changed, what), (1, "read")),
            Err(error) => {
                assert!(matches!(error, SearchError::Unavailable(_)), "{what}: {error}");
                let answers =
                    matches!(&*subject.index.health().borrow(), SearchHealth::Down { answers: true, .. });
                assert!(answers, "{what}: only writing was seen to fail");
            }
        }
        let request = SearchRequest::new(owner, Query::everything());
        match subject.index.search(&request).await {
            Ok(page) => assert!(searches && page.hits.len() == known.len(), "{what}"),
            Err(error) => {
                assert!(!searches && matches!(error, SearchError::Unavailable(_)), "{what}: {error}")
            }
        }
        by_hand(&subject, undo.0, &undo.1, undo.2).await;
        // It is ready to be written again a moment after it was opened.
        while subject.index.apply(&more).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        known.push(number);
        subject.index.refresh().await.unwrap();
        assert_eq!(found(&*subject.index, owner, "").await, known, "{what}");
    }
    subject.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_made_by_hand_in_the_place_of_the_alias_gives_way_and_attempts_leave_nothing() {
    let subject = Subject::elasticsearch().await;
    let owner = account(1);
    subject.index.begin_generation().await.unwrap().finish(5).await.unwrap();
    let alias = format!("{}-payments", subject.settings.prefix);
    for name in subject.names().await {
        by_hand(&subject, reqwest::Method::DELETE, &name, serde_json::Value::Null).await;
    }
    by_hand(&subject, reqwest::Method::PUT, &alias, serde_json::json!({})).await;
    let more = documents(&crowd(owner, 1..3));
    assert!(subject.index.apply(&more).await.is_err());
    let _ = subject.index.apply(&more).await;
    assert!(subject.index.needs_rebuild());
    let fresh = subject.index.begin_generation().await.unwrap();
    fresh.apply(&more).await.unwrap();
    fresh.finish(7).await.unwrap();
    assert!(!subject.index.needs_rebuild());
    subject.index.refresh().await.unwrap();
    assert_eq!(found(&*subject.index, owner, "").await, [1, 2]);
    assert_eq!(subject.generations().await, 1);
    // One that the server does not let serve is removed by the next attempt: there may be no end of them.
    let refused = subject.index.begin_generation().await.unwrap();
    for name in subject.names().await {
        let url = format!("{}/{name}/_alias/{alias}", subject.settings.url.expose());
        if http().get(url).send().await.unwrap().status() == 404 {
            by_hand(&subject, reqwest::Method::POST, &format!("{name}/_close"), serde_json::Value::Null)
                .await;
        }
    }
    assert!(refused.finish(8).await.is_err());
    subject.index.begin_generation().await.unwrap().finish(9).await.unwrap();
    assert_eq!(subject.generations().await, 1);
    subject.remove().await;
}
