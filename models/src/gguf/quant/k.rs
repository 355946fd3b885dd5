//! Super-blocks of 256 values: Q4_K, Q5_K, Q6_K.
//!
//! Q4_K and Q5_K: scale `d` and scale of minima `m` (f16), twelve bytes with eight 6-bit scales and eight 6-bit
//! minima, then (Q5_K) 32 bytes of fifth bits, then 128 bytes of low 4 bits: four runs of 32 bytes, of which the low
//! halves are one group of 32 values and the high halves the next. Value = d·scale·q − m·minimum.
//!
//! Q6_K: 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales, `d`. Value = d·scale·(q − 32).

use super::{SUPER_BLOCK, half};

/// Bytes of the packed scales and minima.
pub(super) const SCALE_BYTES: usize = 12;

/// Values that share a scale in Q4_K and Q5_K.
const GROUP: usize = 32;

/// The 6-bit scale and minimum of group `group` (0 to 7).
fn scale_and_minimum(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        ((low & 15) | ((packed[group - 4] >> 6) << 4), (low >> 4) | ((packed[group] >> 6) << 4))
    };
    (f32::from(scale), f32::from(minimum))
}

pub(super) fn q4_k(bytes: &[u8], out: &mut [f32]) {
    let low = &bytes[4 + SCALE_BYTES..];
    groups(bytes, out, |group, place| four_bits(low, group, place));
}

pub(super) fn q5_k(bytes: &[u8], out: &mut [f32]) {
    let (fifth, low) = bytes[4 + SCALE_BYTES..].split_at(SUPER_BLOCK / 8);
    groups(bytes, out, |group, place| four_bits(low, group, place) | (((fifth[place] >> group) & 1) << 4));
}

/// The low 4 bits of a value.
fn four_bits(low: &[u8], group: usize, place: usize) -> u8 {
    let byte = low[group / 2 * GROUP + place];
    if group.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
}

fn groups(bytes: &[u8], out: &mut [f32], value: impl Fn(usize, usize) -> u8) {
    let (d, m) = (half(bytes), half(&bytes[2..]));
    for (group, out) in out.chunks_exact_mut(GROUP).enumerate() {
        let (scale, minimum) = scale_and_minimum(&bytes[4..4 + SCALE_BYTES], group);
        let (scale, minimum) = (d * scale, m * minimum);
        for (place, out) in out.iter_mut().enumerate() {
            *out = scale * f32::from(value(group, place)) - minimum;
        }
    }
}

pub(super) fn q6_k(bytes: &[u8], out: &mut [f32]) {
    let (low, rest) = bytes.split_at(SUPER_BLOCK / 2);
    let (high, rest) = rest.split_at(SUPER_BLOCK / 4);
    let (scales, d) = rest.split_at(SUPER_BLOCK / 16);
    let d = half(d);
    // Two halves of 128 values; in each, four runs of 32 that share their bytes of high bits.
    for (half, out) in out.chunks_exact_mut(SUPER_BLOCK / 2).enumerate() {
        let (low, high) = (&low[64 * half..], &high[32 * half..]);
        for (run, out) in out.chunks_exact_mut(GROUP).enumerate() {
            for (place, out) in out.iter_mut().enumerate() {
                let byte = low[32 * (run % 2) + place];
                let four = if run < 2 { byte & 15 } else { byte >> 4 };
                let two = (high[place] >> (2 * run)) & 3;
                let scale = scales[8 * half + 2 * run + place / 16].cast_signed();
                *out = d * f32::from(scale) * (f32::from(four | (two << 4)) - 32.0);
            }
        }
    }
}

/// The groups of a Q4_K block as `q · step + least`.
pub(super) fn four_bit_groups(bytes: &[u8], each: &mut impl FnMut(&[u8; GROUP], f32, f32)) {
    let (d, m) = (half(bytes), half(&bytes[2..]));
    let low = &bytes[4 + SCALE_BYTES..];
    for group in 0..SUPER_BLOCK / GROUP {
        let (scale, minimum) = scale_and_minimum(&bytes[4..4 + SCALE_BYTES], group);
        each(&std::array::from_fn(|place| four_bits(low, group, place)), d * scale, -m * minimum);
    }
}
