//! The wire format of work and broadcast messages. Pure.
//!
//! Work: 29 bytes, big-endian, ids only. The lane is not in it: the queue implies it.
//!
//! | bytes | what |
//! |-------|------|
//! | 1     | layout, 1 |
//! | 16    | payment |
//! | 2     | operation |
//! | 2     | attempt |
//! | 8     | dispatched at, microseconds since the epoch |
//!
//! Broadcast: 1 byte layout (1), 16 bytes instance, 8 bytes number in that instance's sequence, then the body.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::broker::WorkMessage;
use crate::domain::ids::{InstanceId, PaymentId};
use crate::domain::payment::WorkKey;
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;

/// The header that carries the trace context.
pub(super) const TRACEPARENT: &str = "traceparent";

const LAYOUT: u8 = 1;
const WORK_LEN: usize = 29;
const BROADCAST_HEAD_LEN: usize = 25;

/// The body of a work message.
pub(super) fn encode_work(message: &WorkMessage) -> [u8; WORK_LEN] {
    let mut body = [0_u8; WORK_LEN];
    let mut out = &mut body[..];
    out.put_u8(LAYOUT);
    out.put_slice(message.key.payment.as_bytes());
    out.put_u16(message.key.operation);
    out.put_u16(message.key.attempt);
    out.put_i64(message.dispatched_at.micros());
    body
}

/// Reads a work message; `None` if it is not one, or of a layout this program does not know.
pub(super) fn decode_work(mut body: &[u8], lane: Lane, traceparent: Option<String>) -> Option<WorkMessage> {
    if body.len() != WORK_LEN || body.get_u8() != LAYOUT {
        return None;
    }
    let mut id = [0_u8; 16];
    body.copy_to_slice(&mut id);
    let key =
        WorkKey { payment: PaymentId::from_bytes(id), operation: body.get_u16(), attempt: body.get_u16() };
    let dispatched_at = Timestamp::from_micros(body.get_i64());
    Some(WorkMessage { key, lane, dispatched_at, traceparent })
}

/// Shown to operators, and identifies a returned message: `pi_…-1-1`.
pub(super) fn message_id(key: &WorkKey) -> String {
    format!("{}-{}-{}", key.payment, key.operation, key.attempt)
}

/// A broadcast message: its instance, its number there, and its body.
pub(super) fn encode_broadcast(origin: InstanceId, number: u64, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(BROADCAST_HEAD_LEN + body.len());
    out.put_u8(LAYOUT);
    out.put_slice(origin.as_bytes());
    out.put_u64(number);
    out.put_slice(body);
    out.freeze()
}

/// Reads a broadcast message.
pub(super) fn decode_broadcast(mut message: Bytes) -> Option<(InstanceId, u64, Bytes)> {
    if message.len() < BROADCAST_HEAD_LEN || message.get_u8() != LAYOUT {
        return None;
    }
    let mut id = [0_u8; 16];
    message.copy_to_slice(&mut id);
    let number = message.get_u64();
    Some((InstanceId::from_bytes(id), number, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> WorkMessage {
        WorkMessage {
            key: WorkKey { payment: PaymentId::from_bytes([7; 16]), operation: 258, attempt: 3 },
            lane: Lane::Bulk,
            dispatched_at: Timestamp::from_micros(1_000_001),
            traceparent: Some("00-1-2-01".to_owned()),
        }
    }

    #[test]
    fn work_goes_there_and_back_in_a_fixed_layout() {
        let body = encode_work(&message());
        assert_eq!(body[17..], [1, 2, 0, 3, 0, 0, 0, 0, 0, 15, 66, 65]);
        assert_eq!(decode_work(&body, Lane::Bulk, Some("00-1-2-01".to_owned())), Some(message()));
    }

    #[test]
    fn what_is_not_work_is_refused() {
        let mut body = encode_work(&message());
        for bad in [&b""[..], b"hello", &body[..28]] {
            assert_eq!(decode_work(bad, Lane::Bulk, None), None);
        }
        body[0] = 2;
        assert_eq!(decode_work(&body, Lane::Bulk, None), None);
    }

    #[test]
    fn a_broadcast_goes_there_and_back() {
        let origin = InstanceId::from_bytes([9; 16]);
        let body = encode_broadcast(origin, 5, b"seq");
        assert_eq!(decode_broadcast(body), Some((origin, 5, Bytes::from_static(b"seq"))));
        assert_eq!(decode_broadcast(Bytes::from_static(b"x")), None);
    }
}
