//! Writes the CSV files that people download, and protects spreadsheets from formulas in them.

use std::borrow::Cow;

use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

use super::error::ApiError;

/// Begins the download of a CSV file with this name. Anything but letters, digits, `-`, `_` and `.` becomes `_`.
#[must_use]
pub fn download(name: &str) -> HttpResponseBuilder {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// The byte order mark that shows spreadsheets that a file is UTF-8; without it, most assume the system's encoding.
pub const MARK: &str = "\u{feff}";

/// The beginning of a file: the mark and the column names.
///
/// # Errors
/// As [`encode`].
pub fn begin<const N: usize>(names: [&str; N]) -> Result<Bytes, ApiError> {
    Ok([MARK.as_bytes(), &encode([names])?].concat().into())
}

/// The label of a card or a bank account with its dots in ASCII, which read the same in every encoding.
#[must_use]
pub fn plain(label: &str) -> String {
    label.replace('•', "*")
}

/// Text as a field. Spreadsheets run text that begins like a formula, so a payment's description could run something on the
/// reader's machine: such a field gets a leading apostrophe.
#[must_use]
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Encodes records as CSV.
///
/// # Errors
/// Only for records of different lengths, which is a defect.
pub fn encode<R, F>(records: impl IntoIterator<Item = R>) -> Result<Bytes, ApiError>
where
    R: IntoIterator<Item = F>,
    F: AsRef<[u8]>,
{
    let mut writer = csv::Writer::from_writer(Vec::with_capacity(16 << 10));
    let broken = |error: &dyn std::fmt::Display| {
        tracing::error!(error = %error, "CSV could not be written");
        ApiError::internal()
    };
    for record in records {
        writer.write_record(record).map_err(|error| broken(&error))?;
    }
    Ok(writer.into_inner().map_err(|error| broken(&error))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A"]
        {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        assert_eq!(guarded("flat white, 1+1=2"), "flat white, 1+1=2");
        assert_eq!(begin(["id", "größe"]).unwrap().as_ref(), "\u{feff}id,größe\n".as_bytes());
        assert_eq!(plain("Visa •••• 4242"), "Visa **** 4242");
        let bytes = encode([["id", "text"], ["1", "a \"quoted\", one\nand two"]]).unwrap();
        assert_eq!(bytes.as_ref(), b"id,text\n1,\"a \"\"quoted\"\", one\nand two\"\n");
    }
}
