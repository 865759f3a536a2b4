//! Violations by name, and what was counted.

use std::collections::BTreeMap;
use std::fmt;

use super::tally::Tally;

/// How many violations of each name are listed; the rest are counted.
pub(super) const LISTED_MAX: usize = 20;

/// The name of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A history that no sequence of commands can have made.
    IllegalHistory,
    /// A column that is not what the history folds to.
    WrongColumn,
    /// A movement that the history demands is not there.
    LostMovement,
    /// The same effect is booked twice.
    DoubledEffect,
    /// A movement of another amount than the history demands.
    AlteredAmount,
    /// A movement between other accounts, or in another currency, than the history demands.
    AlteredMovement,
    /// An event before what it follows, a payment at another time than its id.
    AlteredTime,
    /// A movement at another position in the journal than its event.
    AlteredPlace,
    /// A movement that nothing in the history demands.
    UnexplainedMovement,
    /// A movement of a payment that does not exist.
    OrphanMovement,
    /// A stored balance that is not the sum of its movements.
    WrongBalance,
    /// A stored debt that is not the sum of its movements.
    WrongOwed,
    /// A line of a statement that is not what its payment's history and its movement say.
    WrongLine,
    /// An event that its payment does not announce to this account.
    WrongEvent,
    /// An account with more events, or fewer, than its payments announce.
    MissingEvent,
    /// A statement with more lines, or fewer, than its payments come to.
    MissingLine,
    /// What a wallet has pending is not what its payments say.
    WrongPending,
    /// A wallet or receivable below zero.
    NegativeBalance,
    /// Movements of a wallet that has no row.
    MissingWallet,
    /// Money in transit that is not what open payments and refunds hold there.
    WrongInTransit,
    /// A position in the journal without its row.
    JournalHole,
    /// A journal row that cannot be read.
    DamagedJournal,
    /// A journal entry that is not part of its payment's history.
    WrongJournalEntry,
    /// Versions of a payment that do not follow one another in the journal.
    OutOfOrder,
    /// The journal was pruned past a reader, or a reader is ahead of it.
    WrongCursor,
    /// A refund or a later charge in a history without its row.
    MissingPart,
    /// A row of a part that no history has, or has otherwise.
    DanglingPart,
    /// A transfer that has arrived, without the row by which its payee finds it.
    MissingReceipt,
    /// A receipt of something that its payee did not receive.
    DanglingReceipt,
    /// An idempotency row that points at nothing, or at what is someone else's.
    DanglingKey,
    /// An idempotency row that the journal vouches for is gone, or was changed.
    MissingKey,
    /// Someone who owns, receives or made something, without an account.
    MissingAccount,
    /// An idempotency row of a change of its payment that no batch wrote.
    ExtraKey,
    /// Rows beside the payments that contradict one another.
    ImpossibleRow,
    /// A row that cannot be read.
    UnreadableRow,
    /// A lease that keeps others out for longer than leases last.
    WrongLease,
    /// The installation's secret is gone, or is not the one that cards were reduced with.
    WrongSecret,
    /// A scenario file that was altered, or a revision that a history names and that is gone.
    WrongScenario,
    /// Work that is set aside, because it can be neither done nor refused.
    SetAside,
    /// A detail of an attempt or a refund that a history names is gone.
    MissingDetail,
    /// A detail that says something else than when it was kept.
    AlteredDetail,
    /// A resource that is not what the journal last said of it.
    WrongResource,
    /// An answer kept for a key that is gone, altered, or of no key.
    WrongAnswer,
    /// A payment that is not listed for its customer, or is for another.
    WrongCustomerPayment,
    /// A payment that is not in its owner's list, or is in it as another.
    WrongOwnerPayment,
    /// A detail under a refund that does not name it, or of nothing and not what its name says.
    DanglingDetail,
    /// Payments, and no index at all.
    MissingIndex,
    /// A payment without its document.
    MissingDocument,
    /// A document of another version than its payment.
    StaleDocument,
    /// A document of nothing.
    ExtraDocument,
    /// An acknowledged payment that does not exist.
    LostAcknowledged,
    /// An acknowledged payment that is not at rest.
    UnfinishedAcknowledged,
    /// An acknowledged payment that is not what was sent, or never had the outcome that the client received.
    AlteredAcknowledged,
    /// A line in the file of acknowledgements that cannot be read.
    UnreadableAck,
    /// An operation without a final answer, where none may be.
    OpenOperation,
}

impl Name {
    /// The name in words, as `verify` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IllegalHistory => "illegal history",
            Self::WrongColumn => "wrong column",
            Self::LostMovement => "lost movement",
            Self::DoubledEffect => "doubled effect",
            Self::AlteredAmount => "altered amount",
            Self::AlteredMovement => "altered movement",
            Self::AlteredPlace => "altered place",
            Self::AlteredTime => "altered time",
            Self::UnexplainedMovement => "unexplained movement",
            Self::OrphanMovement => "orphan movement",
            Self::WrongLine => "wrong statement line",
            Self::MissingLine => "missing statement line",
            Self::WrongEvent => "wrong event",
            Self::MissingEvent => "missing event",
            Self::WrongOwed => "wrong owed",
            Self::WrongPending => "wrong pending",
            Self::WrongBalance => "wrong balance",
            Self::NegativeBalance => "negative balance",
            Self::MissingWallet => "missing wallet",
            Self::WrongInTransit => "wrong money in transit",
            Self::JournalHole => "journal hole",
            Self::DamagedJournal => "damaged journal",
            Self::WrongJournalEntry => "wrong journal entry",
            Self::OutOfOrder => "versions out of order",
            Self::WrongCursor => "wrong cursor",
            Self::MissingPart => "missing part",
            Self::DanglingPart => "dangling part",
            Self::MissingReceipt => "missing receipt row",
            Self::DanglingReceipt => "dangling receipt row",
            Self::DanglingKey => "dangling idempotency key",
            Self::MissingKey => "missing idempotency key",
            Self::MissingAccount => "missing account",
            Self::ExtraKey => "unexplained idempotency key",
            Self::ImpossibleRow => "contradictory row",
            Self::UnreadableRow => "unreadable row",
            Self::WrongLease => "wrong lease",
            Self::WrongSecret => "wrong secret",
            Self::WrongScenario => "wrong scenario",
            Self::SetAside => "set aside",
            Self::MissingDetail => "missing detail",
            Self::AlteredDetail => "altered detail",
            Self::WrongResource => "wrong resource",
            Self::WrongAnswer => "wrong kept answer",
            Self::WrongCustomerPayment => "wrong list of a customer's payments",
            Self::WrongOwnerPayment => "wrong list of an owner's payments",
            Self::DanglingDetail => "dangling detail",
            Self::MissingIndex => "missing search index",
            Self::MissingDocument => "missing document",
            Self::StaleDocument => "stale document",
            Self::ExtraDocument => "extra document",
            Self::LostAcknowledged => "lost acknowledged payment",
            Self::UnfinishedAcknowledged => "acknowledged payment not at rest",
            Self::AlteredAcknowledged => "altered acknowledged payment",
            Self::UnreadableAck => "unreadable acknowledgement",
            Self::OpenOperation => "open operation",
        }
    }
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// The last position taken in the journal.
    pub head: u64,
    /// Payments.
    pub payments: u64,
    /// Rows of parts of payments: refunds and later charges.
    pub parts: u64,
    /// Movements.
    pub movements: u64,
    /// Lines of statements.
    pub lines: u64,
    /// Events of accounts.
    pub events: u64,
    /// Wallets and receivables.
    pub wallets: u64,
    /// Journal rows.
    pub journal: u64,
    /// Events in them.
    pub journal_events: u64,
    /// Idempotency rows.
    pub idempotency: u64,
    /// Plain resources, deleted ones included.
    pub resources: u64,
    /// Details of attempts and refunds.
    pub details: u64,
    /// Accounts; zero if they were not checked.
    pub accounts: u64,
    /// Documents; `None` if the index was not checked.
    pub documents: Option<u64>,
    /// Documents that are behind and will be caught up with from the journal.
    pub documents_behind: u64,
    /// Acknowledged payments; `None` if there was no file.
    pub acks: Option<u64>,
}

impl Counted {
    /// Adds another reader's counts; the head is common to all.
    fn add(&mut self, other: &Self) {
        // Without `..`, so that a new field cannot be forgotten.
        let Self {
            head: _,
            payments,
            parts,
            movements,
            lines,
            events,
            wallets,
            journal,
            journal_events,
            idempotency,
            resources,
            details,
            accounts,
            documents,
            documents_behind,
            acks,
        } = other;
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0) + other.unwrap_or(0)),
        };
        self.payments += *payments;
        self.parts += *parts;
        self.movements += *movements;
        self.lines += *lines;
        self.events += *events;
        self.wallets += *wallets;
        self.journal += *journal;
        self.journal_events += *journal_events;
        self.idempotency += *idempotency;
        self.resources += *resources;
        self.details += *details;
        self.accounts += *accounts;
        self.documents = sum(self.documents, *documents);
        self.documents_behind += *documents_behind;
        self.acks = sum(self.acks, *acks);
    }
}

/// The outcome of an audit.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was checked.
    pub counted: Counted,
    /// Events in all histories together.
    pub(super) history_events: u64,
    /// Fingerprints of events of resources, and of their sources, each added up.
    pub(super) resource_events: u64,
    pub(super) resource_sources: u64,
    /// Parts in all histories together.
    pub(super) history_parts: u64,
    /// Transfers that have arrived at others.
    pub(super) history_receipts: u64,
    /// Rows of parts that a history has.
    pub(super) sound_parts: u64,
    /// Receipts of transfers that arrived.
    pub(super) sound_receipts: u64,
    /// Payments that name a customer.
    pub(super) history_customer_payments: u64,
    /// Rows that list them.
    pub(super) sound_customer_payments: u64,
    /// Payments that must be in their owners' lists.
    pub(super) to_list: Tally,
    /// What is in the lists.
    pub(super) listed_payments: Tally,
    /// Changes of resources that the journal has.
    pub(super) resource_changes: u64,
    /// Versions of all resources together.
    pub(super) resource_versions: u64,
    /// Resources that changed since the journal begins.
    pub(super) later_resources: u64,
    /// Resources that are what the journal last said of them.
    pub(super) vouched_resources: u64,
    /// Idempotency rows that name an answer.
    pub(super) keys_with_answers: u64,
    /// Answers that their keys name.
    pub(super) sound_answers: u64,
    listed: BTreeMap<Name, Vec<String>>,
    notes: Vec<String>,
    counts: BTreeMap<Name, u64>,
}

impl Report {
    /// Notes a violation.
    pub fn violation(&mut self, name: Name, text: String) {
        *self.counts.entry(name).or_default() += 1;
        let listed = self.listed.entry(name).or_default();
        if listed.len() < LISTED_MAX {
            listed.push(text);
        }
    }

    /// Notes something that was not checked.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Adds another reader's report.
    pub(super) fn add(&mut self, other: Self) {
        // Without `..`, so that a new field cannot be forgotten.
        let Self {
            counts,
            listed,
            notes,
            counted,
            history_events,
            resource_events,
            resource_sources,
            history_parts,
            history_receipts,
            sound_parts,
            sound_receipts,
            history_customer_payments,
            sound_customer_payments,
            to_list,
            listed_payments,
            resource_changes,
            resource_versions,
            later_resources,
            vouched_resources,
            keys_with_answers,
            sound_answers,
        } = other;
        for (name, count) in counts {
            *self.counts.entry(name).or_default() += count;
        }
        for (name, texts) in listed {
            let listed = self.listed.entry(name).or_default();
            let room = LISTED_MAX.saturating_sub(listed.len());
            listed.extend(texts.into_iter().take(room));
        }
        self.notes.extend(notes);
        self.counted.add(&counted);
        self.history_events += history_events;
        self.resource_events = self.resource_events.wrapping_add(resource_events);
        self.resource_sources = self.resource_sources.wrapping_add(resource_sources);
        self.history_parts += history_parts;
        self.history_receipts += history_receipts;
        self.sound_parts += sound_parts;
        self.sound_receipts += sound_receipts;
        self.history_customer_payments += history_customer_payments;
        self.sound_customer_payments += sound_customer_payments;
        self.to_list.join(to_list);
        self.listed_payments.join(listed_payments);
        self.resource_changes += resource_changes;
        self.resource_versions += resource_versions;
        self.later_resources += later_resources;
        self.vouched_resources += vouched_resources;
        self.keys_with_answers += keys_with_answers;
        self.sound_answers += sound_answers;
    }

    /// How many violations there are of each name.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Name, u64> {
        &self.counts
    }

    /// How many violations there are.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether all holds.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.counts.is_empty()
    }

    /// The last line: what was counted.
    #[must_use]
    pub fn summary(&self) -> String {
        let Counted {
            head, payments, parts, movements, wallets, journal, journal_events, idempotency, ..
        } = self.counted;
        let mut parts = vec![
            format!("{payments} payments"),
            format!("{parts} parts"),
            format!("{movements} movements"),
            format!("{wallets} wallets"),
            format!("{journal} journal rows ({journal_events} events, head {head})"),
            format!("{idempotency} idempotency keys"),
        ];
        let Counted { resources, details, accounts, .. } = self.counted;
        parts.extend((resources > 0).then(|| format!("{resources} resources")));
        parts.extend((details > 0).then(|| format!("{details} details")));
        parts.extend((accounts > 0).then(|| format!("{accounts} accounts")));
        if let Some(documents) = self.counted.documents {
            let behind = self.counted.documents_behind;
            let note = if behind > 0 { format!(" ({behind} behind)") } else { String::new() };
            parts.push(format!("{documents} documents{note}"));
        }
        parts.extend(self.counted.acks.map(|acks| format!("{acks} acknowledged")));
        let verdict = match self.violations() {
            0 => "verified".to_owned(),
            1 => "FAILED, 1 violation".to_owned(),
            count => format!("FAILED, {count} violations"),
        };
        format!("{verdict}: {}", parts.join(", "))
    }
}

impl fmt::Display for Report {
    /// One violation a line, then the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, texts) in &self.listed {
            for text in texts {
                writeln!(f, "{}: {text}", name.as_str())?;
            }
            let count = self.counts.get(name).copied().unwrap_or(0);
            let more = count.saturating_sub(texts.len() as u64);
            if more > 0 {
                writeln!(f, "{}: … and {more} more", name.as_str())?;
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        f.write_str(&self.summary())
    }
}
