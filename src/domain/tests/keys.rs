//! Stored idempotency keys: in order, without collisions, and without any part of a card number.

use proptest::prelude::*;

use crate::domain::idempotency::{IdempotencyKey, KeySecret, RequestKey};

fn secret() -> KeySecret {
    KeySecret::derive(&[7; 32])
}

fn stored(name: &RequestKey) -> [u8; 32] {
    IdempotencyKey::new(name, b"request", &secret()).key
}

fn text(key: &str) -> RequestKey {
    RequestKey::Text(key.to_owned())
}

fn row(import: &str, key: &str) -> RequestKey {
    RequestKey::Row { import: import.to_owned(), key: key.to_owned() }
}

/// Whether any run of `bytes` bytes of the text occurs in the stored form.
fn shares(stored: &[u8], text: &str, bytes: usize) -> bool {
    text.as_bytes().windows(bytes).any(|part| stored.windows(bytes).any(|other| other == part))
}

#[test]
fn keys_that_count_up_keep_their_order() {
    let keys: Vec<_> = (0..2_000).map(|n| stored(&text(&format!("order-{n:07}")))).collect();
    assert!(keys.is_sorted());
    let rows: Vec<_> =
        (0..2_000).map(|n| stored(&row("till of 2026-11-29", &format!("order-{n:07}")))).collect();
    assert!(rows.is_sorted());
    assert_ne!(keys[0][..4], rows[0][..4]);
    // Sixteen bytes of hash distinguish them, whatever their ends have in common.
    assert_ne!(stored(&text("a-order-0000001"))[16..], stored(&text("b-order-0000001"))[16..]);
}

#[test]
fn a_key_that_may_be_a_card_number_leaves_nothing_but_a_hash() {
    for key in [
        "4242424242424242",
        "4242 4242 4242 4242",
        "order 4242-4242-4242-4242",
        "４２４２４２４２４２４２４２４２",
        "20261129115231",
        "1234567890123",
    ] {
        for name in [text(key), row("4242424242424242", key)] {
            assert!(!shares(&stored(&name), key, 3), "{key}");
            let other = IdempotencyKey::new(&name, b"request", &KeySecret::derive(&[8; 32]));
            assert!(!shares(&stored(&name), std::str::from_utf8(&other.key).unwrap_or("–––"), 3));
            assert_ne!(name.draw_key(&secret()), name.draw_key(&KeySecret::derive(&[8; 32])), "{key}");
        }
    }
    assert!(shares(&stored(&text("order-123456789012")), "123456789012", 12), "twelve digits are no card");
    assert!(!shares(&stored(&row("4242424242424242", "a")), "4242424242424242", 3));
}

#[test]
fn every_hash_needs_the_secret() {
    let of = |installation: u8| {
        IdempotencyKey::new(&text("order-1001"), b"request", &KeySecret::derive(&[installation; 32]))
    };
    let (one, other) = (of(1), of(2));
    assert_ne!(one.key[..4], other.key[..4]);
    assert_ne!(one.key[16..], other.key[16..]);
    assert_ne!(one.request, other.request);
    // The same on every installation: a script that is run again draws the same.
    let draw = |key| text(key).draw_key(&secret());
    assert_eq!(draw("order-1001"), text("order-1001").draw_key(&KeySecret::derive(&[8; 32])));
    assert_ne!(draw("order-1001"), draw("order-1002"));
    assert_eq!(format!("{:?} {:?}", secret(), text("4242424242424242")), "KeySecret(…) Text(…)");
}

proptest! {
    /// Whatever they contain, separators above all.
    #[test]
    fn no_two_names_are_alike(parts in prop::collection::vec("[a:1 ]{0,4}", 4)) {
        let names = [
            row(&parts[0], &parts[1]),
            row(&parts[2], &parts[3]),
            text(&parts[0]),
            text(&format!("import:{}:{}", parts[0], parts[1])),
            text(&format!("row{}{}", parts[0], parts[1])),
            RequestKey::Step(parts[0].clone()),
        ];
        for (n, one) in names.iter().enumerate() {
            for other in &names[n + 1..] {
                prop_assert_eq!(one == other, stored(one) == stored(other), "{:?}", parts);
                prop_assert_eq!(one == other, one.draw_key(&secret()) == other.draw_key(&secret()));
            }
        }
    }
}

#[test]
fn a_key_is_repeated_unless_it_could_hold_a_card_number() {
    for key in [
        "order-1",
        "stripe-node-retry-677a3112-fbad-4804-ba61-cef1cc13d155",
        "123456789012",
        "a1b2c3d4e5f6g7h8",
    ] {
        assert_eq!(text(key).repeatable(), Some(key));
    }
    for key in [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242_4242.4242/4242",
        "order 4242-4242-4242-4242",
        "４２４２４２４２４２４２４２４２",
        "20261129115231",
        "00004111-1111-1111-1111-abcdefabcdef",
    ] {
        assert_eq!(text(key).repeatable(), None, "{key}");
    }
    assert_eq!(row("import", "order-1").repeatable(), None, "an import has rows, and no request of the API");
}

proptest! {
    #[test]
    fn no_repeated_key_holds_a_card_number(key in "[0-9a-c٠-٩ _.-]{1,40}") {
        let key = text(&key);
        prop_assert!(key.repeatable().is_none_or(|text| !crate::domain::card_numbers::holds_card_number(text)));
    }
}
