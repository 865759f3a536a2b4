//! Finds the delimiter of a file: a comma, or what spreadsheets write where the comma is the decimal separator. Line 1 shows
//! it, or a line `sep=;` before it, which some spreadsheets write and understand.

use std::io::{self, Chain, Cursor, Read};

use csv::ReaderBuilder;

use super::ROW_BYTES_MAX;
use super::columns::is_column;

/// In the order in which they are tried.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
const MARK: &[u8] = b"\xef\xbb\xbf";
const SEP: &[u8] = b"sep=";

/// A file whose beginning has already been read.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// The delimiter of a file, and the file from its beginning.
///
/// # Errors
/// What reading its first line failed with.
pub(super) fn find<R: Read>(mut file: R) -> io::Result<(u8, Whole<R>)> {
    let mut head = line(&mut file)?;
    let text = head.strip_prefix(MARK).unwrap_or(&head);
    let delimiter = match declared(text) {
        Some([delimiter]) if DELIMITERS.contains(&delimiter) => {
            // Only its line break stays, so that lines are numbered as people see them.
            head.retain(|byte| matches!(byte, b'\r' | b'\n'));
            delimiter
        }
        Some(_) | None => by_names(text),
    };
    Ok((delimiter, Cursor::new(head).chain(file)))
}

/// The delimiter that a line `sep=;` declares. Some programs write it in capitals or in quotes.
fn declared(line: &[u8]) -> Option<[u8; 1]> {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'))? + 1;
    let line = line.get(..end)?;
    let plain = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (sep, rest) = plain.split_at_checked(SEP.len())?;
    // Trimming would remove a tab.
    let rest = if rest == b"\t" { rest } else { rest.trim_ascii() };
    sep.eq_ignore_ascii_case(SEP).then(|| <[u8; 1]>::try_from(rest).ok())?
}

/// The delimiter with which most column names are recognised.
fn by_names(line: &[u8]) -> u8 {
    let found = |delimiter: u8| {
        let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(line);
        let names = reader.records().next().and_then(Result::ok);
        names.map_or(0, |names| names.iter().filter(|name| is_column(name.trim())).count())
    };
    // On a tie the first counts, but `max_by_key` takes the last: hence `rev`.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| found(*delimiter)).unwrap_or(b',')
}

/// The first line that is not empty, with its line break and any empty lines before it; at most as long as a row may be.
fn line(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut line, mut quoted, mut byte) = (Vec::new(), false, [0_u8]);
    let limit = usize::try_from(ROW_BYTES_MAX).unwrap_or(usize::MAX);
    while line.len() <= limit && file.read(&mut byte)? == 1 {
        let [byte] = byte;
        line.push(byte);
        quoted ^= byte == b'"';
        let text = line.strip_prefix(MARK).unwrap_or(&line);
        if byte == b'\n' && !quoted && !text.trim_ascii().is_empty() {
            break;
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str) -> (char, String) {
        let (delimiter, mut rest) = find(file.as_bytes()).unwrap();
        let mut text = String::new();
        rest.read_to_string(&mut text).unwrap();
        (char::from(delimiter), text)
    }

    #[test]
    fn the_names_of_columns_decide_and_nothing_is_lost() {
        for (file, delimiter) in [
            ("key,amount,currency\na,1,eur\n", ','),
            ("key;amount;currency\r\na;1,50;eur\r\n", ';'),
            ("\u{feff}key\tamount\tcurrency\na\t1\teur", '\t'),
            ("\n\n\"key\" ; Amount ; metadata[a,b,c,d]\n", ';'),
            ("key;amount,currency,metadata[a;b;c]\n", ','),
            ("colour|size\n", ','),
            ("key", ','),
            ("", ','),
        ] {
            assert_eq!(found(file), (delimiter, file.to_owned()), "{file:?}");
        }
    }

    #[test]
    fn a_declared_delimiter_is_used() {
        assert_eq!(found("sep=;\r\nkey;amount\r\n"), (';', "\r\nkey;amount\r\n".to_owned()));
        assert_eq!(found("\u{feff}sep=\t\nkey\tamount\n"), ('\t', "\nkey\tamount\n".to_owned()));
        for line in ["SEP=;", "\"sep=;\"", "sep=; "] {
            assert_eq!(found(&format!("{line}\nkey;amount\n")), (';', "\nkey;amount\n".to_owned()), "{line}");
        }
        assert_eq!(found("sep=x\nkey,amount\n"), (',', "sep=x\nkey,amount\n".to_owned()));
    }
}
