//! Blocks of 32 values: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1.
//!
//! In the 4- and 5-bit types byte `i` holds value `i` in its low half and value `i + 16` in its high half; the fifth
//! bits are a little-endian `u32` with bit `i` for value `i`.

use super::{BLOCK, half};

const HALF: usize = BLOCK / 2;

pub(super) fn q8_0(bytes: &[u8], out: &mut [f32]) {
    let scale = half(bytes);
    for (value, out) in bytes[2..].iter().zip(out) {
        *out = f32::from(value.cast_signed()) * scale;
    }
}

/// The 4-bit values, each put through `value`.
fn nibbles(bytes: &[u8], out: &mut [f32], value: impl Fn(u8) -> f32) {
    let (low, high) = out.split_at_mut(HALF);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        *low = value(byte & 15);
        *high = value(byte >> 4);
    }
}

pub(super) fn q4_0(bytes: &[u8], out: &mut [f32]) {
    let scale = half(bytes);
    nibbles(&bytes[2..], out, |value| (f32::from(value) - 8.0) * scale);
}

pub(super) fn q4_1(bytes: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (half(bytes), half(&bytes[2..]));
    nibbles(&bytes[4..], out, |value| f32::from(value) * scale + minimum);
}

/// The 5-bit values, each put through `value`; `bytes` begins with the fifth bits.
fn fives(bytes: &[u8], out: &mut [f32], value: impl Fn(u32) -> f32) {
    let fifth = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let (low, high) = out.split_at_mut(HALF);
    for (place, (byte, (low, high))) in bytes[4..].iter().zip(low.iter_mut().zip(high)).enumerate() {
        let bit = |place: usize| ((fifth >> place) & 1) << 4;
        *low = value(u32::from(byte & 15) | bit(place));
        *high = value(u32::from(byte >> 4) | bit(place + HALF));
    }
}

pub(super) fn q5_0(bytes: &[u8], out: &mut [f32]) {
    let scale = half(bytes);
    fives(&bytes[2..], out, |value| (value as f32 - 16.0) * scale);
}

pub(super) fn q5_1(bytes: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (half(bytes), half(&bytes[2..]));
    fives(&bytes[4..], out, |value| value as f32 * scale + minimum);
}

/// The 4-bit values of a block, as they are stored.
pub(super) fn four_bits(bytes: &[u8]) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    let (low, high) = out.split_at_mut(HALF);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        *low = byte & 15;
        *high = byte >> 4;
    }
    out
}
