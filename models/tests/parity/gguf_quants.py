"""Writes tests/data/gguf_quants.json: random blocks of each type and their values by PyPI's `gguf` package.

    pip install gguf==0.19.0 numpy
    python models/tests/parity/gguf_quants.py models/tests/data/gguf_quants.json

The scales are set to ordinary numbers, so that no value is infinite; everything else in a block is random bytes. Where
the package can quantise, blocks quantised from normal values are added.
"""

import json
import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES

# Where the f16 scales of a block are.
SCALES = {"F16": [0], "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208]}
BLOCKS = 3

rng = np.random.default_rng(20260101)
cases = []
for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]:
    kind = T[name]
    values, size = GGML_QUANT_SIZES[kind]
    if values == 1:
        x = rng.normal(size=8).astype(np.float32)
        blocks = quants.quantize(x, kind).view(np.uint8).reshape(8, size)
    else:
        blocks = rng.integers(0, 256, size=(BLOCKS, size), dtype=np.uint8)
        for at in SCALES[name]:
            blocks[:, at : at + 2] = rng.normal(scale=0.1, size=(BLOCKS, 1)).astype(np.float16).view(np.uint8)
    sets = [blocks]
    if name.startswith("Q") and not name.endswith("K"):
        x = rng.normal(size=(BLOCKS, values)).astype(np.float32)
        sets.append(quants.quantize(x, kind).reshape(BLOCKS, size))
    for bytes_ in sets:
        out = quants.dequantize(bytes_, kind).astype(np.float32).ravel()
        cases.append({"type": name, "bytes": bytes_.tobytes().hex(), "f32": out.tobytes().hex()})
with open(sys.argv[1], "w") as file:
    json.dump({"by": "gguf 0.19.0", "cases": cases}, file, indent=1)
    file.write("\n")
