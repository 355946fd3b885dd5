//! What the processor can do, asked once.

use std::sync::OnceLock;

/// Instruction sets that the kernels distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// 512-bit vectors of 32-bit floats.
    pub avx512: bool,
    /// Products of bf16 pairs in them.
    pub avx512_bf16: bool,
    /// Tiles of bf16, and the operating system's leave to use them.
    pub amx_bf16: bool,
    /// 256-bit vectors with fused multiply-add.
    pub avx2: bool,
}

impl Cpu {
    /// None of the instruction sets: the portable code.
    pub const PORTABLE: Self = Self { avx512: false, avx512_bf16: false, amx_bf16: false, avx2: false };

    /// The processor that this runs on.
    #[must_use]
    pub fn this() -> Self {
        static FOUND: OnceLock<Cpu> = OnceLock::new();
        *FOUND.get_or_init(detect)
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Cpu {
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("fma");
    Cpu {
        avx512,
        avx512_bf16: avx512 && is_x86_feature_detected!("avx512bf16"),
        amx_bf16: avx512 && tiles(),
        avx2: is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Cpu {
    Cpu::PORTABLE
}

/// Whether there are tiles with bf16 products and Linux lets this process use them: their registers are so large that
/// it must be asked first.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tiles() -> bool {
    const TILES: u32 = 1 << 24;
    const BF16: u32 = 1 << 22;
    const REQUEST: libc::c_ulong = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    let features = std::arch::x86_64::__cpuid_count(7, 0).edx;
    if features & (TILES | BF16) != TILES | BF16 {
        return false;
    }
    // SAFETY: asks for a permission by number; nothing is read or written. Old kernels answer with an error.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn tiles() -> bool {
    false
}
