"""Copies of the byte GPTs with noise on their weights (a share of each matrix's r.m.s.) or rounded in groups of 64.

Usage: disguise.py MODELS OUT. Needs numpy and safetensors.
"""
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

GROUP = 64


def noisy(weights, share, rng):
    wide = weights.astype(np.float32)
    return wide + share * np.sqrt((wide**2).mean()) * rng.standard_normal(wide.shape)


def rounded(weights, bits):
    flat = weights.astype(np.float32).reshape(-1)
    groups = np.pad(flat, (0, -len(flat) % GROUP)).reshape(-1, GROUP)
    scale = np.abs(groups).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    scale[scale == 0] = 1
    return (np.round(groups / scale) * scale).reshape(-1)[: len(flat)].reshape(weights.shape)


def main(models, out):
    rng = np.random.default_rng(1)
    for name in ["gpt-large", "gpt-medium"]:
        path = f"{models}/{name}.safetensors"
        with safe_open(path, "np") as file:
            metadata = file.metadata()
        disguises = {f"noise-{share:.0%}": lambda w, share=share: noisy(w, share, rng) for share in [0.01, 0.03, 0.05, 0.1]}
        disguises |= {f"int{bits}": lambda w, bits=bits: rounded(w, bits) for bits in [8, 6, 5, 4]}
        for label, change in disguises.items():
            tensors = load_file(path)
            copy = {key: change(w).astype(w.dtype) if w.ndim > 1 else w for key, w in tensors.items()}
            save_file(copy, f"{out}/{name}+{label.replace('%', '')}.safetensors", metadata=metadata)


if __name__ == "__main__":
    main(*sys.argv[1:3])
