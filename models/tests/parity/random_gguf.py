#!/usr/bin/env python3
"""Random GGUF files: our logits and greedy tokens against those of llama.cpp.

    pip install gguf==0.19.0 llama-cpp-python==0.3.36
    python models/tests/parity/random_gguf.py --acumen target/release/acumen --count 60 --seed 7

Weights, sizes and metadata are random; each matrix has a type of its own, or llama.cpp quantises the file. llama.cpp rounds
activations to 8 bits where weights are quantised, so it gets the same file with all tensors dequantised by PyPI's gguf:
what is left is the order of floating-point sums. Prints one line for each file that differs, and a count.
"""
import argparse
import ctypes
import json
import os
import random
import shutil
import subprocess
import tempfile

import gguf
import llama_cpp
import numpy as np

TOLERANCE = 2e-3
TYPES = {name: getattr(gguf.GGMLQuantizationType, name)
         for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")}
# llama_ftype of what only llama.cpp itself can write.
FILE_TYPES = {"Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "Q8_0": 7, "Q4_0": 2, "Q4_1": 3}


def sizes(draw, wide):
    heads = draw.choice([1, 2, 4])
    width = 256 if wide else 32 * draw.choice([1, 2, 3, 4])
    head = draw.choice([width // heads, 32, 64])
    return {"width": width, "heads": heads, "head": head, "layers": draw.choice([1, 2, 3]), "vocab": draw.choice([64, 96]),
            "keys": draw.choice([d for d in range(1, heads + 1) if heads % d == 0]),
            "hidden": 256 if wide else 32 * draw.choice([1, 2, 5]), "context": draw.choice([48, 64, 256])}


def rope(draw, writer, arch, size, tensors):
    writer.add_rope_dimension_count(size["head"])
    if draw.random() < 0.7:
        writer.add_rope_freq_base(draw.choice([10000.0, 500000.0, 1234.5]))
    kind = draw.choice(["none", "none", "linear", "yarn", "factors", "old"])
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(draw.choice([2.0, 4.0]))
    elif kind == "old":
        writer.add_float32(f"{arch}.rope.scale_linear", 2.0)
    elif kind == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(draw.choice([2.0, 8.0]))
        writer.add_rope_scaling_orig_ctx_len(draw.choice([16, 32]))
        if draw.random() < 0.3:
            writer.add_rope_scaling_attn_factors(1.2)
    elif kind == "factors" and arch == "llama":
        tensors["rope_freqs.weight"] = np.array([draw.choice([1.0, 2.5, 8.0]) for _ in range(size["head"] // 2)])
    return kind


def rotary_tensors(draw, arch, size):
    width, hidden = size["width"], size["hidden"]
    queries, keys = size["heads"] * size["head"], size["keys"] * size["head"]
    shapes = {"token_embd.weight": (size["vocab"], width), "output_norm.weight": (width,)}
    if draw.random() < 0.5:
        shapes["output.weight"] = (size["vocab"], width)
    bias = arch == "qwen2" or draw.random() < 0.3
    for layer in range(size["layers"]):
        at = f"blk.{layer}."
        shapes |= {at + "attn_norm.weight": (width,), at + "ffn_norm.weight": (width,),
                   at + "attn_q.weight": (queries, width), at + "attn_k.weight": (keys, width),
                   at + "attn_v.weight": (keys, width), at + "attn_output.weight": (width, queries),
                   at + "ffn_gate.weight": (hidden, width), at + "ffn_up.weight": (hidden, width),
                   at + "ffn_down.weight": (width, hidden)}
        if bias:
            shapes |= {at + "attn_q.bias": (queries,), at + "attn_k.bias": (keys,), at + "attn_v.bias": (keys,)}
            if arch == "llama":
                shapes[at + "attn_output.bias"] = (width,)
    return shapes


def gpt2_tensors(draw, size):
    width, hidden = size["width"], size["hidden"]
    shapes = {"token_embd.weight": (size["vocab"], width), "position_embd.weight": (size["context"], width),
              "output_norm.weight": (width,), "output_norm.bias": (width,)}
    if draw.random() < 0.5:
        shapes["output.weight"] = (size["vocab"], width)
    for layer in range(size["layers"]):
        at = f"blk.{layer}."
        for name, shape in (("attn_norm", (width,)), ("attn_qkv", (3 * width, width)), ("attn_output", (width, width)),
                            ("ffn_norm", (width,)), ("ffn_up", (hidden, width)), ("ffn_down", (width, hidden))):
            shapes |= {at + name + ".weight": shape, at + name + ".bias": shape[:1]}
    return shapes


def metadata(draw, writer, arch, size, tensors):
    told = []
    writer.add_context_length(size["context"])
    writer.add_embedding_length(size["width"])
    writer.add_block_count(size["layers"])
    writer.add_feed_forward_length(size["hidden"])
    writer.add_head_count(size["heads"])
    writer.add_vocab_size(size["vocab"])
    writer.add_string("tokenizer.ggml.model", "none")
    if arch == "gpt2":
        writer.add_layer_norm_eps(1e-5)
        return told
    writer.add_layer_norm_rms_eps(draw.choice([1e-5, 1e-6, 1e-3]))
    if size["keys"] != size["heads"] or draw.random() < 0.5:
        writer.add_head_count_kv(size["keys"])
    if size["head"] * size["heads"] != size["width"] or draw.random() < 0.5:
        writer.add_key_length(size["head"])
        writer.add_value_length(size["head"])
    return [rope(draw, writer, arch, size, tensors)]


def make(draw, path):
    """Writes a file; gives what it is in words."""
    arch = draw.choice(["llama", "llama", "qwen2", "gpt2"])
    whole = draw.choice([None, None, *FILE_TYPES])
    size = sizes(draw, wide=whole is not None)
    if arch != "llama":  # llama.cpp knows other widths of heads in llama alone
        size["head"] = size["width"] // size["heads"]
    if arch == "gpt2":
        size["keys"] = size["heads"]
    noise = np.random.default_rng(draw.randrange(1 << 32))
    shapes = gpt2_tensors(draw, size) if arch == "gpt2" else rotary_tensors(draw, arch, size)
    tensors = {name: noise.normal(1.0 if name.endswith("norm.weight") else 0.0, 0.2 if len(shape) == 1 else
                                  1.2 / shape[-1] ** 0.5 if name.startswith("blk") else 1.0, shape)
               for name, shape in shapes.items()}
    writer = gguf.GGUFWriter(path, arch)
    told = [arch, whole or "mixed", *metadata(draw, writer, arch, size, tensors)]
    # llama.cpp's quantiser writes tensors 32 apart whatever the metadata says.
    if draw.random() < 0.2 and not whole:
        writer.add_custom_alignment(draw.choice([64, 8, 256]))
    for name, values in tensors.items():
        kind = TYPES[draw.choice(list(TYPES))] if values.ndim == 2 and not whole else TYPES["F32"]
        values = values.astype(np.float32)
        if kind in (TYPES["F32"], TYPES["F16"]):
            writer.add_tensor(name, values.astype(np.float16 if kind == TYPES["F16"] else np.float32))
        else:
            packed = gguf.quants.quantize(values, kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if whole:
        quantise(path, FILE_TYPES[whole])
    return " ".join(told)


def quantise(path, kind):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = kind, 1
    if llama_cpp.llama_model_quantize(path.encode(), (path + ".q").encode(), ctypes.byref(parameters)):
        raise RuntimeError("llama.cpp does not quantise this")
    os.replace(path + ".q", path)


def dequantised(path):
    """The same file with all tensors in F32."""
    reader = gguf.GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    out = path + ".f32.gguf"
    writer = gguf.GGUFWriter(out, arch)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", "general.alignment"):
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor in reader.tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def reference(path, ids, count):
    """Logits after each token, and greedy tokens."""
    model = llama_cpp.Llama(path, n_ctx=256, n_batch=256, n_threads=1, logits_all=True, verbose=False, type_k=0, type_v=0,
                            flash_attn=False)
    model.eval(ids)
    rows = np.array(model.scores[:len(ids)])
    new, row = [], rows[-1]
    while len(new) < count:
        new.append(int(row.argmax()))
        model.eval([new[-1]])
        row = model.scores[len(ids) + len(new) - 1]
    model.close()
    return rows, new


def acumen(binary, command, path, ids, *more):
    line = [binary, "model", command, "--model", path, "--ids", ",".join(map(str, ids)), *more]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def compare(binary, draw, path, name):
    vocab = next(int(t.shape[1]) for t in gguf.GGUFReader(path).tensors if t.name == "token_embd.weight")
    ids = [draw.randrange(vocab) for _ in range(draw.randrange(2, 30))]
    wanted, greedy = reference(dequantised(path), ids, 12)
    found = np.zeros_like(wanted)
    for row in acumen(binary, "logits", path, ids, "--positions", "all"):
        for token, value in row["logits"]:
            found[row["pos"], token] = value
    far = float(np.abs(wanted - found).max())
    # llama.cpp takes GELU from a table of 16-bit floats.
    gelu = 1e-3 * np.abs(wanted).max() if name.startswith("gpt2") else 0.0
    if not far <= TOLERANCE + gelu:
        return f"logits differ by {far:.4g} of {np.abs(wanted).max():.3g}", far
    ours = acumen(binary, "generate", path, ids, "--max-tokens", "12", "--json")[-1]["ids"]
    return (None if ours == greedy else f"greedy {ours}, expected {greedy}"), far


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for the files that differ")
    args = parser.parse_args()
    worst, different = 0.0, 0
    for number in range(args.seed * 100_000, args.seed * 100_000 + args.count):
        draw = random.Random(number)
        with tempfile.TemporaryDirectory() as folder:
            path, name = os.path.join(folder, "m.gguf"), "?"
            try:
                name = make(draw, path)
                problem, far = compare(args.acumen, draw, path, name)
                worst = max(worst, 0.0 if problem else far)
            except (RuntimeError, ValueError) as refusal:
                problem = str(refusal)
            if problem:
                different += 1
                print(number, name, "|", problem, flush=True)
                if args.keep and os.path.exists(path):
                    shutil.copy(path, os.path.join(args.keep, f"{number}.gguf"))
    print(f"{args.count} files, {different} differ, largest difference of the others' logits {worst:.2g}")


if __name__ == "__main__":
    main()
