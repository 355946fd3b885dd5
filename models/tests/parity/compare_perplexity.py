#!/usr/bin/env python3
"""Perplexity of one GGUF file under llama.cpp and under this engine, over the same windows of the same tokens.

    pip install llama-cpp-python==0.3.36
    cargo build --release -p acumen-cli
    python models/tests/parity/compare_perplexity.py MODEL.gguf [--text FILE-OR-FOLDER] [--max-tokens 20480] [--window 512]

The text is cut into windows, each read from an empty cache, and the second half of each is scored (as llama.cpp's own
`llama-perplexity` does, without a begin token). llama.cpp is built from 0.3.36's sources with whatever the processor has;
it rounds activations to 8 bits before a product. The engine's figures: the weights turned into f32, and `int4` read in two
ways, a window at once (as prompts are) and token after token in lock-step (as texts are generated: the packed kernels).
"""
import argparse
import json
import math
import os
import subprocess
import tempfile

import numpy as np
from llama_cpp import Llama

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")
WAYS = {
    "f32": ["--dtype", "f32"],
    "int4, window at once": ["--dtype", "int4"],
    "int4, token after token": ["--dtype", "int4", "--steps", "8"],
}


def llama_nats(args, text):
    """Mean loss in nats, and the ids, which must be the engine's too."""
    llama = Llama(args.model, n_ctx=args.window, n_batch=args.batch, n_ubatch=args.batch, logits_all=True,
                  verbose=False, n_threads=2, n_threads_batch=2)
    ids = llama.tokenize(text, add_bos=False, special=True)[: args.max_tokens]
    total, count = 0.0, 0
    for begin in range(0, len(ids) - args.window + 1, args.window):
        window = ids[begin : begin + args.window]
        llama.reset()
        llama.eval(window)
        first = args.window // 2
        scores = np.asarray(llama.scores[first - 1 : args.window - 1], dtype=np.float64)
        best = scores.max(-1)
        norm = np.log(np.exp(scores - best[:, None]).sum(-1)) + best
        total += float((norm - scores[np.arange(len(scores)), window[first:]]).sum())
        count += len(scores)
    return total / count, count


def engine(args, way):
    command = [args.acumen, "model", "perplexity", "--model", args.model, "--text", args.text, "--window",
               str(args.window), "--max-tokens", str(args.max_tokens), "--json", *WAYS[way]]
    return json.loads(subprocess.check_output(command))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", default=os.path.join(ROOT, "models/corpus/heldout"))
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--max-tokens", type=int, default=20480)
    parser.add_argument("--batch", type=int, default=512, help="rows of llama.cpp's products")
    parser.add_argument("--acumen", default=os.path.join(ROOT, "target/release/acumen"))
    args = parser.parse_args()
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        text = joined(args.text)
        file.write(text)
        file.flush()
        args.text = file.name
        compare(args, text)


def joined(path):
    """The file, or the folder's files in the order of their names with an empty line between them."""
    paths = sorted(os.path.join(path, name) for name in os.listdir(path)) if os.path.isdir(path) else [path]
    texts = []
    for name in paths:
        with open(name, "rb") as file:
            texts.append(file.read())
    return b"\n\n".join(texts)


def compare(args, text):
    nats, count = llama_nats(args, text)
    print(json.dumps({"what": "llama.cpp", "tokens": count, "nats": round(nats, 5),
                      "perplexity": round(math.exp(nats), 4)}))
    for way in WAYS:
        found = engine(args, way)
        assert found["tokens"] == count, f"{way}: {found['tokens']} tokens scored, llama.cpp {count}"
        print(json.dumps({"what": way, "tokens": count, "nats": round(found["nats"], 5),
                          "perplexity": round(found["perplexity"], 4),
                          "over llama.cpp": f"{math.expm1(found['nats'] - nats):+.2%}"}), flush=True)


if __name__ == "__main__":
    main()
