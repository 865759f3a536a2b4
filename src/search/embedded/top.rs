//! Collects the first hits of an order by (value, id), and counts all of them.

use std::collections::BinaryHeap;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::ColumnValues;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::search::request::{Cursor, Sort};

use super::schema::{ID_HIGH, ID_LOW, VERSION, join_id};

/// A hit with its place in the order: the smaller rank comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ranked {
    rank: (i64, u128),
    pub version: u64,
}

/// The first hits and the number of all.
#[derive(Debug, Default)]
pub(super) struct Top {
    pub ranked: Vec<Ranked>,
    pub count: u64,
}

/// What is collected.
#[derive(Debug, Clone, Copy)]
pub(super) struct TopHits {
    sort: Sort,
    after: Option<(i64, u128)>,
    limit: usize,
}

impl TopHits {
    pub(super) fn new(sort: Sort, cursor: Option<&Cursor>, limit: usize) -> Self {
        let rank =
            |cursor: &Cursor| rank(sort, cursor.value, u128::from_be_bytes(*cursor.payment.as_bytes()));
        Self { sort, after: cursor.map(rank), limit }
    }

    /// The value and id of a hit.
    pub(super) const fn place(&self, hit: &Ranked) -> (i64, u128) {
        // Ranking is its own inverse.
        rank(self.sort, hit.rank.0, hit.rank.1)
    }
}

/// Complements reverse the order without overflow.
const fn rank(sort: Sort, value: i64, id: u128) -> (i64, u128) {
    if sort.is_descending() { (!value, !id) } else { (value, id) }
}

impl Collector for TopHits {
    type Fruit = Top;
    type Child = SegmentTop;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentTop> {
        let columns = reader.fast_fields();
        Ok(SegmentTop {
            request: *self,
            values: columns.i64(self.sort.field().name())?.first_or_default_col(0),
            high: columns.u64(ID_HIGH)?.first_or_default_col(0),
            low: columns.u64(ID_LOW)?.first_or_default_col(0),
            versions: columns.u64(VERSION)?.first_or_default_col(0),
            heap: BinaryHeap::with_capacity(self.limit.saturating_add(1)),
            count: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Top>) -> tantivy::Result<Top> {
        let mut merged = Top::default();
        for fruit in fruits {
            merged.count += fruit.count;
            merged.ranked.extend(fruit.ranked);
        }
        merged.ranked.sort_unstable();
        merged.ranked.truncate(self.limit);
        Ok(merged)
    }
}

/// One segment's share. The heap's top is the worst of the hits kept.
pub(super) struct SegmentTop {
    request: TopHits,
    values: Arc<dyn ColumnValues<i64>>,
    high: Arc<dyn ColumnValues<u64>>,
    low: Arc<dyn ColumnValues<u64>>,
    versions: Arc<dyn ColumnValues<u64>>,
    heap: BinaryHeap<Ranked>,
    count: u64,
}

impl SegmentCollector for SegmentTop {
    type Fruit = Top;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.count += 1;
        let full = self.heap.len() >= self.request.limit;
        let value = self.values.get_val(doc);
        // Most documents fall behind the worst kept by their value alone, without a look at their id.
        let (by_value, _) = rank(self.request.sort, value, 0);
        if full && self.heap.peek().is_some_and(|worst| by_value > worst.rank.0) {
            return;
        }
        let rank = rank(self.request.sort, value, join_id(self.high.get_val(doc), self.low.get_val(doc)));
        let beyond_cursor = self.request.after.is_none_or(|after| rank > after);
        if !beyond_cursor || (full && self.heap.peek().is_some_and(|worst| rank > worst.rank)) {
            return;
        }
        self.heap.push(Ranked { rank, version: self.versions.get_val(doc) });
        if self.heap.len() > self.request.limit {
            self.heap.pop();
        }
    }

    fn harvest(self) -> Top {
        Top { ranked: self.heap.into_vec(), count: self.count }
    }
}
