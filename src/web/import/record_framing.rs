//! Watches the bytes of a CSV file on their way to its reader: where rows begin, which rows are too long, and whether a
//! quote stays open. A row that is too long is cut and closed, so that it costs no memory and does not affect the next one.
//! Follows the reader's own rules (RFC 4180; rows end with CR, LF or both; empty lines are skipped). Knows nothing of
//! columns.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::ROW_BYTES_MAX;

/// The byte order mark that spreadsheets put before UTF-8; the reader drops it.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    RowStart,
    FieldStart,
    Plain,
    Quoted,
    /// After a quote in a quoted field: the field's end, or the first half of a doubled quote.
    Quote,
}

/// A row that was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Whether it is longer than allowed; only its beginning was passed on.
    pub too_long: bool,
    /// Whether the file ends within one of its quoted fields.
    pub open: bool,
}

/// A reader that watches the bytes of another.
pub(super) struct RecordFraming<R> {
    inner: R,
    delimiter: u8,
    at: At,
    line: u64,
    /// Whether the last byte was CR: an LF after it does not begin another line.
    after_cr: bool,
    /// Bytes of the mark seen so far; its length once the mark has passed.
    seen: usize,
    row_bytes: u64,
    /// Rows that have begun but were not yet taken; no more than fit into the reader's buffer.
    rows: VecDeque<Begun>,
    ended: bool,
}

impl<R> RecordFraming<R> {
    pub(super) const fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            at: At::RowStart,
            line: 1,
            after_cr: false,
            seen: 0,
            row_bytes: 0,
            rows: VecDeque::new(),
            ended: false,
        }
    }

    /// The row that the reader has just read.
    pub(super) fn row_read(&mut self) -> Option<Begun> {
        let mut row = self.rows.pop_front()?;
        row.open = self.ended && self.rows.is_empty() && self.at == At::Quoted;
        Some(row)
    }

    /// The byte to pass on in place of this one.
    fn pass(&mut self, byte: u8) -> Option<u8> {
        let marks = MARK.get(self.seen) == Some(&byte) && self.at == At::RowStart;
        self.seen = if marks { self.seen + 1 } else { MARK.len() };
        let before = self.at;
        let ends = before != At::Quoted && matches!(byte, b'\r' | b'\n');
        if before == At::RowStart && !ends && !marks {
            self.rows.push_back(Begun { line: self.line, too_long: false, open: false });
            self.row_bytes = 0;
        }
        self.line += u64::from(byte == b'\r' || (byte == b'\n' && !self.after_cr));
        self.after_cr = byte == b'\r';
        if !marks {
            self.at = if ends { At::RowStart } else { after(before, byte, self.delimiter) };
        }
        if ends || marks {
            return Some(byte);
        }
        self.row_bytes += 1;
        if self.row_bytes <= ROW_BYTES_MAX {
            return Some(byte);
        }
        let first = self.row_bytes == ROW_BYTES_MAX + 1;
        if let Some(row) = self.rows.back_mut().filter(|_| first) {
            row.too_long = true;
        }
        // The part that was passed on must not leave a quote open.
        (first && before == At::Quoted).then_some(b'"')
    }
}

const fn after(at: At, byte: u8, delimiter: u8) -> At {
    match (at, byte) {
        (At::RowStart | At::FieldStart, b'"') | (At::Quote, b'"') => At::Quoted,
        (At::Quoted, b'"') => At::Quote,
        (At::Quoted, _) => At::Quoted,
        (_, byte) if byte == delimiter => At::FieldStart,
        (_, _) => At::Plain,
    }
}

impl<R: Read> Read for RecordFraming<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.inner.read(into)?;
            self.ended = count == 0;
            let mut kept = 0;
            for at in 0..count {
                let passed = into.get(at).copied().and_then(|byte| self.pass(byte));
                if let (Some(byte), Some(slot)) = (passed, into.get_mut(kept)) {
                    *slot = byte;
                    kept += 1;
                }
            }
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use csv::{ByteRecord, ReaderBuilder};
    use proptest::prelude::*;

    use super::*;

    /// The rows that the reader finds, each with what the framing reports about it.
    fn rows(file: &[u8]) -> Vec<(Begun, Vec<u8>)> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).buffer_capacity(7);
        let mut reader = builder.from_reader(RecordFraming::new(file, b','));
        let (mut record, mut found) = (ByteRecord::new(), Vec::new());
        while reader.read_byte_record(&mut record).unwrap() {
            let begun = reader.get_mut().row_read().expect("as many rows as the reader finds");
            found.push((begun, record.iter().flatten().copied().collect()));
        }
        assert_eq!(reader.get_mut().row_read(), None);
        found
    }

    fn lines(file: &[u8]) -> Vec<u64> {
        rows(file).iter().map(|(begun, _)| begun.line).collect()
    }

    #[test]
    fn rows_begin_where_people_see_them() {
        assert_eq!(lines(b"a,b\n1,2\n"), [1, 2]);
        assert_eq!(lines(b"a,b\r\n\r\n\r\n1,\"x\ny\"\r\n3,4"), [1, 4, 6]);
        assert_eq!(lines(b"\xef\xbb\xbf\"a\",b\n\"1\",2\n"), [1, 2]);
        // However lines end, no two rows begin on the same line: a row's result is stored under its line.
        assert_eq!(lines(b"a,b\r1,2\r3,4\r"), [1, 2, 3]);
        assert_eq!(lines(b"a,b\r\n1,2\n3,\"x\ry\"\r5,6\r\n\r7,8"), [1, 2, 3, 5, 7]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_quote_that_stays_open_is_seen() {
        let open = |file: &[u8]| rows(file).iter().map(|(begun, _)| begun.open).collect::<Vec<_>>();
        assert_eq!(open(b"a\n1,\"x\n2,y\n"), [false, true]);
        assert_eq!(open(b"a\n1,\"x\"\"\n2,y\n"), [false, true]);
        assert_eq!(open(b"a\n1,5\" pipe\n2,\"y\"\n3"), [false, false, false, false]);
    }

    #[test]
    fn a_row_that_is_too_long_is_cut_and_no_other() {
        for long in [format!("1,{}", "x".repeat(70_000)), format!("1,\"{}\"", "x\n\"\"".repeat(30_000))] {
            let after = 3 + long.matches('\n').count() as u64;
            let found = rows(format!("a,b\n{long}\n2,y\n").as_bytes());
            let begun: Vec<_> = found.iter().map(|(begun, _)| (begun.line, begun.too_long)).collect();
            assert_eq!(begun, [(1, false), (2, true), (after, false)]);
            assert!(found[1].1.len() as u64 <= ROW_BYTES_MAX);
            assert_eq!(found[2].1, b"2y");
        }
    }

    proptest! {
        /// For all bytes, the rows are the same as without the framing.
        #[test]
        fn the_reader_finds_the_same_rows(file in "(\u{feff})?[a1,\" \r\n]{0,60}") {
            let mut plain = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file.as_bytes());
            let expected: Vec<Vec<u8>> =
                plain.byte_records().map(|record| record.unwrap().iter().flatten().copied().collect()).collect();
            let found: Vec<Vec<u8>> = rows(file.as_bytes()).into_iter().map(|(_, row)| row).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
