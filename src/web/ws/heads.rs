//! Checks the heads of incoming frames. A frame whose head alone is wrong is refused at once; the library would refuse it
//! too, but only after reading the whole payload that the head announces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_MAX: u8 = 125;

/// What is wrong with a frame, as far as its head shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    /// It violates the protocol.
    #[error("this is not the WebSocket protocol")]
    Protocol,
    /// It is binary, but messages are text.
    #[error("frames are text")]
    Binary,
}

impl Wrong {
    /// The wrong head that made reading fail, if that was the cause.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// The position of the next byte within its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The first byte.
    First,
    /// The byte with the mask bit, and the length or the size of the length.
    Second { control: bool, close: bool },
    /// A byte of the length.
    Length { left: u8, length: u64 },
    /// A byte of the mask.
    Mask { left: u8, length: u64 },
    /// A byte of the payload.
    Payload { left: u64 },
    /// After the head of a close frame, which ends the stream.
    Over,
}

/// Follows frames through a stream of bytes.
#[derive(Debug)]
struct Heads {
    place: Place,
    /// Whether a message has begun and its last fragment has not arrived.
    in_parts: bool,
}

impl Heads {
    const fn new() -> Self {
        Self { place: Place::First, in_parts: false }
    }

    /// Checks the next bytes. An error comes with the number of bytes before it.
    fn follow(&mut self, bytes: &[u8]) -> Result<(), (usize, Wrong)> {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            let at = bytes.len() - rest.len();
            rest = tail;
            self.place = match self.place {
                Place::First => self.first(byte).map_err(|wrong| (at, wrong))?,
                Place::Second { control, close } => {
                    second(byte, control, close).map_err(|wrong| (at, wrong))?
                }
                Place::Length { left, length } => match (left, (length << 8) | u64::from(byte)) {
                    (..=1, length) => Place::Mask { left: 4, length },
                    (_, length) => Place::Length { left: left - 1, length },
                },
                Place::Mask { left: ..=1, length: 0 } => Place::First,
                Place::Mask { left: ..=1, length } => Place::Payload { left: length },
                Place::Mask { left, length } => Place::Mask { left: left - 1, length },
                Place::Payload { left } => {
                    let more = usize::try_from(left - 1).unwrap_or(usize::MAX).min(rest.len());
                    rest = rest.get(more..).unwrap_or_default();
                    match left - 1 - more as u64 {
                        0 => Place::First,
                        left => Place::Payload { left },
                    }
                }
                Place::Over => return Ok(()),
            };
        }
        Ok(())
    }

    /// The first byte of a frame: whether it is the last of its message, three reserved bits, and the opcode.
    fn first(&mut self, byte: u8) -> Result<Place, Wrong> {
        let last = byte & 0x80 != 0;
        if byte & 0x70 != 0 {
            return Err(Wrong::Protocol);
        }
        let control = match byte & 0x0f {
            0 if self.in_parts => false,
            1 if !self.in_parts => false,
            2 if !self.in_parts => return Err(Wrong::Binary),
            8..=10 if last => true,
            _ => return Err(Wrong::Protocol),
        };
        if !control {
            self.in_parts = !last;
        }
        Ok(Place::Second { control, close: byte & 0x0f == 8 })
    }
}

/// The second byte of a frame: the mask bit and the length.
fn second(byte: u8, control: bool, close: bool) -> Result<Place, Wrong> {
    let (masked, length) = (byte & 0x80 != 0, byte & 0x7f);
    if !masked || (control && length > CONTROL_MAX) {
        return Err(Wrong::Protocol);
    }
    Ok(match length {
        _ if close => Place::Over,
        126 => Place::Length { left: 2, length: 0 },
        127 => Place::Length { left: 8, length: 0 },
        length => Place::Mask { left: 4, length: length.into() },
    })
}

/// What a client sends, up to the first wrong head.
#[derive(Debug)]
pub(super) struct Watched<R> {
    inner: R,
    heads: Heads,
    wrong: Option<Wrong>,
}

impl<R> Watched<R> {
    /// Must be given a stream that has not sent a frame yet.
    pub(super) const fn new(inner: R) -> Self {
        Self { inner, heads: Heads::new(), wrong: None }
    }

    /// The rest of the stream, unchecked.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.wrong.is_none() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
            match self.heads.follow(buffer.filled().get(before..).unwrap_or_default()) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err((at, wrong)) => {
                    self.wrong = Some(wrong);
                    // Complete frames before it are still handled.
                    buffer.set_filled(before + at);
                    if at > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
        Poll::Ready(self.wrong.map_or(Ok(()), |wrong| Err(io::Error::new(io::ErrorKind::InvalidData, wrong))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first error of a stream that arrives in pieces of this size.
    fn fault(bytes: &[u8], piece: usize) -> Option<(usize, Wrong)> {
        let mut heads = Heads::new();
        bytes.chunks(piece).enumerate().find_map(|(n, piece_bytes)| {
            heads.follow(piece_bytes).err().map(|(at, wrong)| (n * piece + at, wrong))
        })
    }

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..126 => bytes.push(0x80 | payload as u8),
            126..0x1_0000 => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&(payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend_from_slice(&(payload as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.resize(bytes.len() + payload, b'\x01');
        bytes
    }

    #[test]
    fn a_wrong_head_is_seen_before_its_payload_whatever_pieces_it_comes_in() {
        let good = [
            frame(0x81, 0),
            frame(0x81, 125),
            frame(0x89, 125),
            frame(0x01, 126),
            frame(0x8a, 0),
            frame(0x00, 0),
            frame(0x80, 70_000),
            frame(0x81, 300),
        ]
        .concat();
        let cases = [
            ("nothing wrong", frame(0x81, 5), None),
            ("unmasked", vec![0x81, 0x7f], Some((1, Wrong::Protocol))),
            ("unmasked and empty", vec![0x81, 0x00], Some((1, Wrong::Protocol))),
            ("a reserved bit", vec![0xc1], Some((0, Wrong::Protocol))),
            ("an unknown kind of data", vec![0x83], Some((0, Wrong::Protocol))),
            ("an unknown kind of control", vec![0x8b], Some((0, Wrong::Protocol))),
            ("a part of nothing", vec![0x00], Some((0, Wrong::Protocol))),
            ("bytes", vec![0x82], Some((0, Wrong::Binary))),
            ("a ping in parts", vec![0x09], Some((0, Wrong::Protocol))),
            ("a long ping", vec![0x89, 0xfe], Some((1, Wrong::Protocol))),
            ("a message within another", [frame(0x01, 1), vec![0x81]].concat(), Some((7, Wrong::Protocol))),
            ("anything after a close", [frame(0x88, 2), vec![0x82, 0x00]].concat(), None),
        ];
        for piece in [1, 2, 3, 7, 1_000, 1 << 20] {
            for (what, bytes, expected) in &cases {
                let found = fault(&[good.as_slice(), bytes].concat(), piece);
                let expected = expected.map(|(at, wrong)| (good.len() + at, wrong));
                assert_eq!(found, expected, "{what} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn excessive_lengths_are_left_to_the_library() {
        let mut heads = Heads::new();
        assert_eq!(heads.follow(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(()));
        assert_eq!(heads.follow(&[0; 4_096]), Ok(()));
    }
}
