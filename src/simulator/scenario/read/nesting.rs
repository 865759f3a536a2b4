//! How deep a text nests, before anything recurses into it: dotted keys within inline tables within dotted keys would nest deeper
//! than a stack may bear, and no scenario needs more than a few levels.
//!
//! Splits the text as a TOML lexer does, as far as strings and comments hide what is in them. What is wrong otherwise is for the
//! parser to say.

/// The most brackets that may be open at once.
const BRACKETS_MAX: usize = 16;
/// The most dots of one key.
const DOTS_MAX: usize = 8;

/// The place at which the text nests too deep, and in what way; `None` if it does nowhere.
pub(super) fn too_deep(text: &str) -> Option<(usize, String)> {
    let bytes = text.as_bytes();
    let (mut at, mut dots) = (0, 0_usize);
    // What closes each that is open. A bracket that closes nothing is passed over, as the parser does when it recovers.
    let mut brackets: Vec<u8> = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'.' => dots += 1,
            b'[' | b'{' => {
                brackets.push(if *byte == b'[' { b']' } else { b'}' });
                dots = 0;
            }
            b']' | b'}' => {
                brackets.pop_if(|closes| closes == byte);
                dots = 0;
            }
            b'=' | b',' | b'\r' | b'\n' => dots = 0,
            _ => {}
        }
        if brackets.len() > BRACKETS_MAX {
            return Some((at, format!("more than {BRACKETS_MAX} brackets are open here")));
        }
        if dots > DOTS_MAX {
            return Some((at, format!("this key has more than {DOTS_MAX} dots")));
        }
        at += token(bytes.get(at..).unwrap_or_default());
    }
    None
}

/// The length of the token that begins here; at least 1.
fn token(rest: &[u8]) -> usize {
    let until = |ends: &[u8]| rest.iter().position(|byte| ends.contains(byte)).unwrap_or(rest.len());
    match rest.first() {
        Some(b'#') => until(b"\r\n"),
        Some(quote @ (b'"' | b'\'')) => string(rest, *quote),
        Some(b'.' | b'=' | b',' | b'[' | b']' | b'{' | b'}' | b' ' | b'\t' | b'\r' | b'\n') | None => 1,
        // Quotes within a word are part of it.
        Some(_) => until(b".=,[]{} \t#\r\n"),
    }
}

/// The length of the string that begins here, quotes included. One that is not closed ends with its line, or with the text if it
/// may have several lines.
fn string(rest: &[u8], quote: u8) -> usize {
    let triple = [quote; 3];
    let is_long = rest.starts_with(&triple);
    let close: &[u8] = if is_long { &triple } else { std::slice::from_ref(&quote) };
    let mut at = close.len();
    while let Some(byte) = rest.get(at) {
        let follows = |end: &[u8]| rest.get(at..).is_some_and(|rest| rest.starts_with(end));
        match byte {
            b'\\' if quote == b'"' && (follows(br"\\") || follows(br#"\""#)) => at += 2,
            b'\n' if !is_long => return at,
            _ if follows(close) => {
                let closed = at + close.len();
                // Up to two quotes may stand before the three that close a long string.
                let extra = rest.get(closed..).unwrap_or_default().iter().take(2);
                let extra = extra.take_while(|byte| is_long && **byte == quote).count();
                return closed + extra;
            }
            _ => at += 1,
        }
    }
    rest.len()
}
