//! The journal and what its order shows.

use super::*;

#[tokio::test]
async fn the_journal_has_no_holes_and_matches_the_histories() {
    let (counts, text) = planted(|world, _| {
        world.journal.remove(3);
    })
    .await;
    assert_eq!(counts, only(Name::JournalHole));
    assert!(text.contains("journal hole: row 4 is missing"), "{text}");
    let (counts, text) = planted(|world, _| world.journal.truncate(6)).await;
    assert!(counts.contains_key(&Name::JournalHole) && text.contains("rows 7 to 10 are missing"), "{text}");
    let (counts, _) = planted(|world, _| world.journal[2].body.truncate(5)).await;
    assert!(counts.contains_key(&Name::DamagedJournal));
    let (counts, _) = planted(|world, _| world.journal[2].body = world.journal[3].body.clone()).await;
    assert!(counts.contains_key(&Name::WrongJournalEntry));
    let (counts, _) = planted(|world, [charge, ..]| {
        let mut entry = crate::engine::journal::decode(&world.journal[0].body).unwrap().payments.remove(0);
        assert_eq!(entry.payment, charge);
        entry.first_version = 2;
        world.journal[0].body = encode(&[&entry], &[]).unwrap();
    })
    .await;
    assert_eq!(counts, only(Name::WrongJournalEntry));
}

#[tokio::test]
async fn a_pruned_journal_passes_until_a_reader_is_cut_off() {
    let (mut world, _) = World::sound();
    world.journal.drain(..5);
    assert!(audit_world(&world, &options(), None).await.passed());
    world.journal.clear();
    assert!(audit_world(&world, &options(), None).await.passed());
    let (counts, _) = planted(|world, _| {
        world.journal.drain(..5);
        world.cursors[0].1 = 2;
    })
    .await;
    assert_eq!(counts, only(Name::WrongCursor));
    let (counts, _) = planted(|world, _| world.cursors[0].1 = 99).await;
    assert_eq!(counts, only(Name::WrongCursor));
}

/// Sets the cursor of open work.
fn stand(world: &mut World, place: u64) {
    let open = |(name, _): &&mut (String, u64)| name == crate::engine::open_payments::READER;
    world.cursors.iter_mut().filter(open).for_each(|(_, cursor)| *cursor = place);
}

#[tokio::test]
async fn open_work_has_a_row_or_is_in_the_journal_beyond_the_cursor() {
    // The refund was opened with row 7, the transfer with row 8.
    for (cursor, rows, sound) in [
        (10, [true, true], true),
        (8, [true, true], true),
        (7, [true, false], true),
        (6, [false, false], true),
        (7, [false, false], false),
        (8, [true, false], false),
        (7, [true, true], false),
        (0, [true, false], false),
    ] {
        let (mut world, [charge, _, open, _]) = World::sound();
        stand(&mut world, cursor);
        (world.row(charge).has_open_work, world.row(open).has_open_work) = (rows[0], rows[1]);
        let report = audit_world(&world, &options(), None).await;
        let expected = if sound { BTreeMap::new() } else { only(Name::WrongColumn) };
        assert_eq!(*report.counts(), expected, "{cursor} {rows:?}: {report}");
    }
    // The transfer's row of the journal is pruned, and nobody wrote down that it is open.
    let (counts, text) = planted(|world, [_, _, open, _]| {
        stand(world, 7);
        world.row(open).has_open_work = false;
        world.journal.retain(|row| row.seq > 8);
    })
    .await;
    assert!(counts.contains_key(&Name::WrongCursor) || counts.contains_key(&Name::WrongColumn), "{text}");
}

#[tokio::test]
async fn an_entry_says_what_it_opened_and_whether_anything_is_left() {
    type Change = fn(&mut crate::engine::journal::JournalEntry);
    let changes: [(usize, Change); 3] = [
        (0, |entry| entry.work.clear()),
        (0, |entry| entry.open = None),
        (1, |entry| entry.open = Some(true)),
    ];
    for (row, change) in changes {
        let (counts, text) = planted(|world, _| {
            let mut entry =
                crate::engine::journal::decode(&world.journal[row].body).unwrap().payments.remove(0);
            change(&mut entry);
            world.journal[row].body = encode(&[&entry], &[]).unwrap();
        })
        .await;
        assert_eq!(counts, only(Name::WrongJournalEntry), "{text}");
    }
}

#[tokio::test]
async fn an_operation_that_the_journal_leaves_out_is_missed() {
    let (counts, text) = planted(|world, [_, _, open, _]| {
        stand(world, 7);
        world.row(open).has_open_work = false;
        // The row is there, and says nothing of the transfer. The journal begins with it, so that nothing else shows the transfer.
        world.journal.retain(|row| row.seq >= 8);
        world.journal[0].body = encode(&[], &[]).unwrap();
        world.cursors.iter_mut().for_each(|(_, cursor)| *cursor = (*cursor).max(7));
    })
    .await;
    assert!(counts.contains_key(&Name::WrongJournalEntry), "{text}");
    assert!(text.contains("tells of 0 operations in the queue, the histories of 1"), "{text}");
}

#[tokio::test]
async fn versions_follow_one_another_in_the_journal() {
    let swap = |world: &mut World, one: usize, other: usize| {
        let seqs = (world.journal[one].seq, world.journal[other].seq);
        (world.journal[other].seq, world.journal[one].seq) = seqs;
        world.journal.swap(one, other);
    };
    // The charge and its approval, each whole and in the other's place.
    let (counts, text) = planted(|world, _| swap(world, 0, 1)).await;
    assert!(counts.contains_key(&Name::OutOfOrder), "{text}");
    // The same where the journal was pruned before it.
    let (counts, text) = planted(|world, _| {
        swap(world, 4, 5);
        world.journal.drain(..3);
    })
    .await;
    assert!(counts.contains_key(&Name::OutOfOrder), "{text}");
}

#[tokio::test]
async fn a_wallet_is_never_below_zero_after_a_batch() {
    // The transfer goes out before the charge that pays for it comes in, and all sums are right in the end.
    let (counts, text) = planted(|world, _| {
        for (seq, at) in (1..).zip([2, 3, 0, 1, 4, 5, 6, 7, 8, 9]) {
            world.journal[at].seq = seq;
        }
        world.journal.sort_by_key(|row| row.seq);
    })
    .await;
    assert_eq!(counts[&Name::NegativeBalance], 1, "{text}");
    assert!(text.contains("it was -€3.00 EUR in row") || text.contains("it was €-3.00 EUR in row"), "{text}");
}

#[test]
fn a_wallet_is_not_below_zero_in_the_middle_of_a_batch_either() {
    let wallet = WalletId { owner: AccountId::from_bytes([1; 16]), currency: Currency::EUR };
    // What changed, in the order of the batch.
    for (changes, below) in [([1_000, -300], false), ([-300, 1_000], true), ([1_000, -1_300], true)] {
        let mut within = crate::audit::order::WithinBatch::default();
        changes.into_iter().for_each(|change| within.movement(change));
        let mut stretch = Stretch::default();
        stretch.rows = Some((1, 1));
        stretch.batch(1, &std::collections::HashMap::from([(wallet, within)]));
        let mut report = Report::default();
        stretch.end(|_| changes.iter().map(|change| i128::from(*change)).sum(), &mut report);
        assert_eq!(report.counts().contains_key(&Name::NegativeBalance), below, "{changes:?}: {report}");
    }
}

#[test]
fn several_readers_find_what_one_finds() {
    let run = |world: &World, readers: usize| {
        let mut snapshots = vec![world.clone(); readers];
        let (mut view, current) = (world.clone(), world.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let side = IndexSide { view: &mut view, current: &current };
            let snapshots = snapshots.iter_mut().map(|one| one as &mut dyn Snapshot).collect();
            audit_at_once(snapshots, Some(side), None, &options(), &()).await.unwrap()
        })
    };
    let (mut world, [charge, ..]) = World::sound();
    for n in 0..40 {
        world.submit(n % 3 + 1, Kind::TopUp, 100);
    }
    let head = world.head;
    world.cursors.iter_mut().for_each(|(_, cursor)| *cursor = head);
    let sound = run(&world, 1);
    assert!(sound.passed(), "{sound}");
    for readers in [2, 5] {
        assert_eq!(run(&world, readers).to_string(), sound.to_string());
    }
    world.movement(charge, 3).movement.amount_minor += 1;
    world.journal.remove(20);
    world.idempotency.remove(30);
    assert_eq!(run(&world, 4).counts(), run(&world, 1).counts());
}
