//! Tiles of sixteen rows by sixteen outputs, thirty-two inputs at a time.
//!
//! Registers 0 to 3 hold sums (two groups of rows by two halves of a block), 4 and 5 activations, 6 and 7 weights. They
//! are set up and released within one call, and nothing else in the process's code touches them in between.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::ops::Range;

use super::{BLOCK, Fetch, MOST_ROWS, Sums, Weights, Work};
use crate::element::Element;

/// Rows of a tile.
const TILE: usize = 16;
/// Inputs that one instruction takes.
const INPUTS: usize = 32;
/// Bytes of a tile's row.
const LINE: usize = 64;

/// The layout of the eight tiles, as the instruction wants it.
#[repr(C, align(64))]
struct Layout {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Layout {
    /// All of them whole.
    const WHOLE: Self = {
        let (mut bytes, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            (bytes[tile], rows[tile]) = (LINE as u16, TILE as u8);
            tile += 1;
        }
        Self { palette: 1, start: 0, reserved: [0; 14], bytes, rows }
    };
}

/// # Safety
/// The processor has AMX with bf16 and AVX-512, and the process may use its tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(super) unsafe fn blocks<X: Element, Y: Element>(
    work: &Work<'_, X, Y>,
    rows: Range<usize>,
    blocks: Range<usize>,
) {
    let Weights::Pairs(region) = &work.matrix.weights else { return };
    let inputs = work.matrix.inputs;
    let bytes = inputs / 2 * BLOCK * size_of::<u32>();
    let start = region.as_slice().as_ptr().cast::<u8>();
    // Rows that do not fill a tile are filled up with zeros.
    let whole = rows.len() / TILE * TILE;
    let mut rest = work.x[(rows.start + whole) * inputs..rows.end * inputs].to_vec();
    rest.resize(if rest.is_empty() { 0 } else { TILE * inputs }, X::default());
    let count = rows.len().div_ceil(TILE);
    let tile = |index: usize| match index * TILE < whole {
        true => work.x[(rows.start + index * TILE) * inputs..][..TILE * inputs].as_ptr().cast::<u8>(),
        false => rest[..TILE * inputs].as_ptr().cast::<u8>(),
    };
    let passes = count.div_ceil(2);
    let mut sums = Sums([[0.0; BLOCK]; MOST_ROWS]);
    // SAFETY: the layout is valid; the caller's promise.
    unsafe { asm!("ldtilecfg [{0}]", in(reg) &Layout::WHOLE, options(nostack, readonly)) };
    for block in blocks {
        let weights = start.wrapping_add(block * bytes);
        for pass in 0..passes {
            let fetch = Fetch::new(weights, bytes, pass, passes);
            let first = rows.start + pass * 2 * TILE;
            // SAFETY: each tile is sixteen rows of `inputs` numbers in bf16; a block lies at `weights`.
            unsafe {
                let x = tile(pass * 2);
                if pass * 2 + 1 < count {
                    tiles::<true>((x, tile(pass * 2 + 1)), inputs, weights, fetch, &mut sums);
                } else {
                    tiles::<false>((x, x), inputs, weights, fetch, &mut sums);
                }
            }
            work.finish(&sums.0[..(rows.end - first).min(2 * TILE)], first, block);
        }
    }
    // SAFETY: gives the registers back.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

#[inline(always)]
fn ahead(fetch: Fetch, step: usize) {
    // A step uses sixteen times 128 bytes of weights.
    let lines = fetch.lines * TILE;
    for line in 0..lines {
        let at = fetch.from.wrapping_add((step * lines + line) * 64);
        // SAFETY: a prefetch of any address is harmless.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
}

/// Sixteen rows at `x`, and sixteen more at `second` if there are `TWO` tiles of them.
///
/// # Safety
/// As [`blocks`], after the layout was set; each tile of rows is sixteen times `inputs` numbers in bf16, a multiple of
/// [`INPUTS`]; a block of as many inputs lies at `w`.
#[inline(always)]
unsafe fn tiles<const TWO: bool>(
    (x, second): (*const u8, *const u8),
    inputs: usize,
    w: *const u8,
    fetch: Fetch,
    out: &mut Sums,
) {
    // SAFETY: by the caller's promise; no memory but the tiles is read, and `out` holds 32 rows of 128 bytes.
    unsafe {
        asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
        for step in 0..inputs / INPUTS {
            ahead(fetch, step);
            asm!(
                "tileloadd tmm6, [{w} + {weights} * 1]",
                "tileloadd tmm4, [{a} + {inputs} * 1]",
                "tileloadd tmm7, [{w} + {weights} * 1 + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                w = in(reg) w.add(step * TILE * 2 * LINE),
                a = in(reg) x.add(step * LINE),
                weights = in(reg) 2 * LINE,
                inputs = in(reg) inputs * 2,
                options(nostack, readonly),
            );
            if TWO {
                asm!(
                    "tileloadd tmm5, [{b} + {inputs} * 1]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    b = in(reg) second.add(step * LINE),
                    inputs = in(reg) inputs * 2,
                    options(nostack, readonly),
                );
            }
        }
        asm!(
            "tilestored [{out} + {row} * 1], tmm0",
            "tilestored [{out} + {row} * 1 + 64], tmm1",
            out = in(reg) out.0.as_mut_ptr(),
            row = in(reg) 2 * LINE,
            options(nostack),
        );
        if TWO {
            asm!(
                "tilestored [{below} + {row} * 1], tmm2",
                "tilestored [{below} + {row} * 1 + 64], tmm3",
                below = in(reg) out.0.as_mut_ptr().add(TILE),
                row = in(reg) 2 * LINE,
                options(nostack),
            );
        }
    }
}
