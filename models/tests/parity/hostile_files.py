#!/usr/bin/env python3
"""Broken and hostile model files through the command line: each must end with one clear line, soon, in little memory.

    pip install numpy==2.4.6 gguf==0.19.0 safetensors==0.8.0
    python models/tests/parity/hostile_files.py --acumen target/release/acumen

Takes the references beside it and spoils one thing in each copy. Prints a line for each file with what the program said, how
long it computed and how much memory it held; a file that was read, or that ended in another way than an error, is marked.
"""
import argparse
import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS, MEGABYTES = 1.0, 200


u32, u64 = (lambda value: struct.pack("<I", value)), (lambda value: struct.pack("<Q", value))


def patched(data, at, value):
    return data[:at] + value + data[at + len(value):]


def header(change):
    """Changes the JSON header of a safetensors file."""
    def apply(data):
        length = struct.unpack("<Q", data[:8])[0]
        value = json.loads(data[8:8 + length])
        text = json.dumps(change(value)).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length:]
    return apply


def tensor(value, number=0):
    return sorted(name for name in value if name != "__metadata__")[number]


def field(name, new):
    def change(value):
        value[tensor(value)][name] = new(value[tensor(value)][name])
        return value
    return header(change)


def twice(data):
    length = struct.unpack("<Q", data[:8])[0]
    text = data[8:8 + length].strip()
    name, body = next((n, b) for n, b in json.loads(text).items() if n != "__metadata__")
    text = text[:-1] + b"," + json.dumps({name: body}).encode()[1:-1] + b"}"
    return struct.pack("<Q", len(text)) + text + data[8 + length:]


SAFETENSORS = {
    "empty": lambda d: b"", "four bytes": lambda d: d[:4], "header length only": lambda d: d[:8],
    "header of 2^64-1": lambda d: patched(d, 0, b"\xff" * 8), "header of 2^40": lambda d: patched(d, 0, struct.pack("<Q", 1 << 40)),
    "header of 100 MB": lambda d: patched(d, 0, struct.pack("<Q", 100_000_000)), "header of 0": lambda d: patched(d, 0, bytes(8)),
    "header cut": lambda d: d[:100], "data cut by one": lambda d: d[:-1], "data cut by half": lambda d: d[:len(d) // 2],
    "a byte more": lambda d: d + b"\0", "not JSON": lambda d: patched(d, 8, b"xxxx"), "JSON of brackets": lambda d: (
        struct.pack("<Q", 1 << 20) + b"[" * (1 << 20)), "not UTF-8": lambda d: patched(d, 9, b"\xff\xfe"),
    "offsets past the end": field("data_offsets", lambda o: [o[0] + (1 << 40), o[1] + (1 << 40)]),
    "offsets reversed": field("data_offsets", lambda o: o[::-1]), "offsets negative": field("data_offsets", lambda o: [-1, o[1]]),
    "offsets of 2^64": field("data_offsets", lambda o: [0, 1 << 64]), "offsets overlap": field("data_offsets", lambda o: [0, 4]),
    "offsets of text": field("data_offsets", lambda o: "0:4"), "shape of 2^62": field("shape", lambda s: [1 << 62, 1 << 62]),
    "shape negative": field("shape", lambda s: [-1]), "shape empty": field("shape", lambda s: []),
    "shape zero": field("shape", lambda s: [0]), "shape of another": field("shape", lambda s: [*s[::-1], 1]),
    "a million dimensions": field("shape", lambda s: [1] * 1_000_000), "type of integers": field("dtype", lambda t: "I32"),
    "type of bytes": field("dtype", lambda t: "F8_E4M3"), "type unknown": field("dtype", lambda t: "F7"),
    "tensor twice": twice, "tensor renamed": header(lambda v: {("x" if n == tensor(v) else n): b for n, b in v.items()}),
    "no tensors": header(lambda v: {}), "NaN": lambda d: d[:-4] + b"\0\0\xc0\x7f", "infinity": lambda d: d[:-4] + b"\0\0\x80\x7f",
    "100,000 names": header(lambda v: {**v, **{f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                                              for i in range(100_000)}}),
}

CONFIG = {
    "empty": "", "not JSON": "{", "a list": "[]", "nested": "[" * 100_000, "null": "null", "no type": {"model_type": None, "architectures": None},
    "unknown": {"model_type": "mamba"}, "width 0": {"hidden_size": 0},
    "width negative": {"hidden_size": -16}, "width of 2^40": {"hidden_size": 1 << 40}, "width of text": {"hidden_size": "16"},
    "width 1e999": '{"model_type":"llama","hidden_size":1e999}', "heads 0": {"num_attention_heads": 0},
    "heads of 2^63": {"num_attention_heads": 1 << 63}, "keys above heads": {"num_key_value_heads": 400},
    "keys 3": {"num_key_value_heads": 3}, "layers of 2^20": {"num_hidden_layers": 1 << 20}, "layers 1000": {"num_hidden_layers": 1000},
    "layers 0": {"num_hidden_layers": 0}, "vocabulary of 2^24": {"vocab_size": 1 << 24}, "context of 2^60": {"max_position_embeddings": 1 << 60},
    "context 0": {"max_position_embeddings": 0}, "head 7": {"head_dim": 7}, "head of 2^20": {"head_dim": 1 << 20},
    "activation": {"hidden_act": "evil"}, "window": {"model_type": "mistral", "sliding_window": -5}, "epsilon of text": {"rms_norm_eps": "x"},
    "theta 0": {"rope_parameters": {"rope_theta": 0}}, "theta of text": {"rope_parameters": {"rope_theta": "x"}},
    "rope unknown": {"rope_parameters": {"rope_type": "x"}}, "factor 0": {"rope_parameters": {"rope_type": "linear", "factor": 0}},
    "factor negative": {"rope_parameters": {"rope_type": "dynamic", "factor": -4}},
    "factors short": {"rope_parameters": {"rope_type": "longrope", "short_factor": [1], "long_factor": [1]}},
    "layer types": {"model_type": "qwen2", "layer_types": ["x"]}, "a list of a million": {"layer_types": ["x"] * 1_000_000},
    "quantised": {"quantization_config": {"quant_method": "gptq"}},
}


WORDS = {
    "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None,
    "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "a": 1}},
}


def charsmap(*units, length=None, texts=b""):
    """A table of SentencePiece's normalizer: the length of a trie, the trie, texts."""
    data = struct.pack("<I", 4 * len(units) if length is None else length) + b"".join(map(u32, units)) + texts
    return {"normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}}


def template(*pieces):
    single = [{"SpecialToken": {"id": p, "type_id": 0}} for p in pieces] + [{"Sequence": {"id": "A", "type_id": 0}}]
    return {"post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": {}}}


def tokenizers():
    """`tokenizer.json` and the chat template of each."""
    yield from (("empty", "", None), ("nested", "[" * 100_000, None), ("a list", "[]", None))
    changes = {
        "absent special token": template("<s>"), "table cut": charsmap(0, length=400), "table empty": charsmap(),
        "table of no bytes": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}}, "branch outside": charsmap((1 << 20) << 10, texts=b"x\0"),
        "leaf outside": charsmap(0x100 << 10 | 1 << 8), "table of 2^32-1": charsmap(0, length=2**32 - 1),
        "no table": {"normalizer": {"type": "Precompiled"}}, "no vocabulary": {"model": {"type": "WordLevel"}},
        "id of 2^32-1": {"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 2**32 - 1}}},
        "merge of nothing": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}},
        "regex": {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}},
    }
    for name, change in changes.items():
        yield name, json.dumps({**WORDS, **change}), None
    for name, source in {"tag": "{%}", "tag with signs": "{%-%}", "no end": "{% if", "endless": "{{" * 50_000}.items():
        yield "template: " + name, json.dumps(WORDS), source


def index(weight_map):
    return json.dumps({"metadata": {}, "weight_map": weight_map})


INDEX = {
    "not JSON": "{", "no map": "{}", "empty map": index({}), "parent": index({"a": "../model.safetensors"}),
    "absolute": index({"a": "/etc/passwd"}), "missing shard": index({"a": "model-2.safetensors"}), "folder": index({"a": "."}),
    "tensor elsewhere": index({"nothing": "model.safetensors"}), "10,000 shards": index({str(i): f"{i}.safetensors" for i in range(10_000)}),
    "map of numbers": index({"a": 1}), "empty name": index({"a": ""}), "NUL": index({"a": "a\0b"}),
}


def gguf_file(path):
    import gguf
    import numpy
    writer = gguf.GGUFWriter(path, "llama")
    for add, value in ((writer.add_context_length, 64), (writer.add_embedding_length, 32), (writer.add_block_count, 1),
                       (writer.add_feed_forward_length, 32), (writer.add_head_count, 2), (writer.add_layer_norm_rms_eps, 1e-5)):
        add(value)
    writer.add_string("tokenizer.ggml.model", "none")
    at = "blk.0."
    shapes = {"token_embd.weight": (40, 32), "output_norm.weight": (32,), at + "attn_norm.weight": (32,), at + "ffn_norm.weight": (32,)}
    shapes |= {at + name + ".weight": (32, 32) for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")}
    for name, shape in shapes.items():
        writer.add_tensor(name, numpy.ones(shape, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def record(name, skip, value):
    """Changes bytes of a tensor's record: after its name come the number of dimensions, sizes, type, offset."""
    def apply(data):
        at = data.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
        return patched(data, at + skip, value)
    return apply


def entry(key, value, kind=None):
    def apply(data):
        at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key)
        if kind is not None:
            data = patched(data, at, struct.pack("<I", kind))
        return patched(data, at + 4, value)
    return apply


NAME = "token_embd.weight"
GGUF = {
    "empty": lambda d: b"", "magic only": lambda d: d[:4], "other magic": lambda d: patched(d, 0, b"GGML"),
    "version 0": lambda d: patched(d, 4, u32(0)), "version 1": lambda d: patched(d, 4, u32(1)), "version 9": lambda d: patched(d, 4, u32(9)),
    "big-endian": lambda d: patched(d, 4, struct.pack(">I", 3)), "2^64-1 tensors": lambda d: patched(d, 8, u64(2**64 - 1)),
    "60,000 tensors": lambda d: patched(d, 8, u64(60_000)), "0 tensors": lambda d: patched(d, 8, u64(0)),
    "2^64-1 entries": lambda d: patched(d, 16, u64(2**64 - 1)), "60,000 entries": lambda d: patched(d, 16, u64(60_000)),
    "0 entries": lambda d: patched(d, 16, u64(0)), "key of 2^63": lambda d: patched(d, 24, u64(2**63)),
    "key of 0": lambda d: patched(d, 24, u64(0)), "header cut": lambda d: d[:200], "records cut": lambda d: d[:700],
    "data cut by one": lambda d: d[:-1], "data cut by half": lambda d: d[:len(d) // 2],
    "5 dimensions": record(NAME, 0, u32(5)), "0 dimensions": record(NAME, 0, u32(0)), "2^32-1 dimensions": record(NAME, 0, u32(2**32 - 1)),
    "size 0": record(NAME, 4, u64(0)), "size negative": record(NAME, 4, u64(2**64 - 32)), "size of 2^62": record(NAME, 4, u64(2**62)),
    "sizes overflow": record(NAME, 4, u64(2**40) + u64(2**40)), "type 99": record(NAME, 20, u32(99)), "type Q2_K": record(NAME, 20, u32(10)),
    "type I32": record(NAME, 20, u32(26)), "type Q6_K of 32": record(NAME, 20, u32(14)), "offset past the end": record(NAME, 24, u64(2**40)),
    "offset of 2^64-32": record(NAME, 24, u64(2**64 - 32)), "offset unaligned": record(NAME, 24, u64(1)),
    "overlap": record("output_norm.weight", 16, u64(0)), "name twice": lambda d: d.replace(b"blk.0.ffn_up", b"blk.0.attn_q").replace(
        u64(19) + b"blk.0.attn_q.weight", u64(19) + b"blk.0.attn_q.weight"),
    "unknown name": lambda d: d.replace(b"blk.0.ffn_up", b"blk.0.ffn_xx"), "other architecture": lambda d: d.replace(
        u64(5) + b"llama", u64(5) + b"mamba", 1), "width 0": entry("llama.embedding_length", u32(0)),
    "width of 2^32-1": entry("llama.embedding_length", u32(2**32 - 1)), "heads 0": entry("llama.attention.head_count", u32(0)),
    "heads 5": entry("llama.attention.head_count", u32(5)), "layers of 2^32-1": entry("llama.block_count", u32(2**32 - 1)),
    "context 0": entry("llama.context_length", u32(0)), "context of 2^32-1": entry("llama.context_length", u32(2**32 - 1)),
    "hidden 0": entry("llama.feed_forward_length", u32(0)), "width as text": entry("llama.embedding_length", u32(1), kind=8),
    "width as array": entry("llama.embedding_length", u32(1), kind=9), "type 77": entry("llama.embedding_length", u32(1), kind=77),
    "NaN": lambda d: d[:-4] + b"\0\0\xc0\x7f", "epsilon NaN": entry("llama.attention.layer_norm_rms_epsilon", b"\0\0\xc0\x7f"),
}


def run(line):
    """What it said, seconds of the processor, megabytes, status."""
    child = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    return said.strip(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def cases(folder):
    """Name and path of each spoiled model."""
    source = os.path.join(HERE, "references", "llama-theta")
    weights = open(os.path.join(source, "model.safetensors"), "rb").read()
    config = json.load(open(os.path.join(source, "config.json")))

    def copy(name):
        place = os.path.join(folder, name.replace("/", " "))
        shutil.copytree(source, place)
        return place
    for name, spoil in SAFETENSORS.items():
        place = copy("safetensors " + name)
        open(os.path.join(place, "model.safetensors"), "wb").write(spoil(weights))
        yield place
    for name, change in CONFIG.items():
        place = copy("config " + name)
        text = change if isinstance(change, str) else json.dumps({**config, **change})
        open(os.path.join(place, "config.json"), "w").write(text)
        yield place
    for name, text in INDEX.items():
        place = copy("index " + name)
        open(os.path.join(place, "model.safetensors.index.json"), "w").write(text)
        yield place
    for name, target in (("dangling", "nowhere"), ("itself", "model.safetensors"), ("device", "/dev/zero"), ("folder", "/tmp")):
        place = copy("link " + name)
        os.remove(os.path.join(place, "model.safetensors"))
        os.symlink(target, os.path.join(place, "model.safetensors"))
        yield place
    place = copy("pipe")
    os.remove(os.path.join(place, "model.safetensors"))
    os.mkfifo(os.path.join(place, "model.safetensors"))
    yield place
    for name, text, chat in tokenizers():
        place = copy("tokenizer " + name)
        open(os.path.join(place, "tokenizer.json"), "w").write(text)
        if chat is not None:
            open(os.path.join(place, "chat_template.jinja"), "w").write(chat)
        yield place
    whole = os.path.join(folder, "whole.gguf")
    gguf_file(whole)
    data = open(whole, "rb").read()
    for name, spoil in GGUF.items():
        path = os.path.join(folder, f"gguf {name}.gguf")
        open(path, "wb").write(spoil(data))
        yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", required=True)
    args = parser.parse_args()
    marked = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in cases(folder):
            count += 1
            # Ids do without a tokenizer; a text needs it.
            what = ["--prompt", "a"] if os.path.basename(path).startswith("tokenizer ") else ["--ids", "1,2,3"]
            said, seconds, megabytes, status = run([args.acumen, "model", "logits", "--model", path, *what, "--top", "1"])
            lines = [line for line in said.splitlines() if line]
            fine = status == 1 and len(lines) == 1 and seconds < SECONDS and megabytes < MEGABYTES
            marked += not fine
            print("   " if fine else "!! ", os.path.basename(path), f"| {status} {seconds:.2f} s {megabytes:.0f} MB |",
                  said.replace(folder, "")[:200])
    print(f"{count} files, {marked} marked")


if __name__ == "__main__":
    main()
