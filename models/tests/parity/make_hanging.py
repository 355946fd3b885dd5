#!/usr/bin/env python3
"""Writes models/tests/data/hangs.pt: a TorchScript module over bytes that gives every byte the same score, and does not come
to an end within a test's time when byte 7 is among its input. Needs PyPI's torch.

    python3 models/tests/parity/make_hanging.py
"""

from pathlib import Path

import torch


class Hangs(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rounds = 0
        if bool((ids == 7).any()):
            # Some minutes of the interpreter's: whoever waits for this thread gets it back.
            while rounds < 2_000_000_000:
                rounds += 1
        return torch.zeros(ids.size(0), ids.size(1), 256) + float(min(rounds, 0))


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "data" / "hangs.pt"
    torch.jit.script(Hangs()).save(str(path))
    print(path, path.stat().st_size, "bytes")
