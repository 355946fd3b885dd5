#!/usr/bin/env python3
"""Tokens per second of the engine and of Hugging Face transformers, in turn, in one run.

    pip install torch==2.13.0 transformers==5.23.0
    cargo build --release -p acumen-models --example engine_speed
    python models/tests/parity/compare_speed.py FOLDER [--rounds 3] [--threads 2]

FOLDER is a Hugging Face folder. Reading a prompt of 128 tokens, 16 new tokens for one text, 16 for each of 32 texts;
the best of the rounds counts on either side, and their ratio is what means something on a shared machine. With
`--threads 1` both sides count the processor's time, which a busy machine falsifies least.
"""
import argparse
import json
import os
import subprocess
import time

import torch
import transformers as hf

PROMPT, STEPS, TEXTS = 128, 16, 32
HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = os.path.join(HERE, "../../../target/release/examples/engine_speed")


def clock():
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def prompt(seed, vocab):
    return [(seed * 7919 + index * 104729 + 13) % min(40000, vocab) for index in range(PROMPT)]


def decode(model, texts, vocab):
    ids = torch.tensor([prompt(500 + text, vocab) for text in range(texts)])
    with torch.no_grad():
        out = model(ids, use_cache=True, logits_to_keep=1)
        begun = clock()
        for _ in range(STEPS):
            token = out.logits[:, -1].argmax(-1, keepdim=True)
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
        return texts * STEPS / (clock() - begun)


def transformers_speed(folder, dtype, threads):
    torch.set_num_threads(threads)
    model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    vocab = model.config.vocab_size
    decode(model, 1, vocab)
    best = 0
    for round_ in range(3):
        ids = torch.tensor([prompt(round_, vocab)])
        with torch.no_grad():
            begun = clock()
            model(ids, use_cache=True, logits_to_keep=1)
            best = max(best, PROMPT / (clock() - begun))
    return {"prefill": best, "decode_1": decode(model, 1, vocab), "decode_32": decode(model, TEXTS, vocab)}


def engine_speed(folder, dtype, threads):
    return json.loads(subprocess.check_output([ENGINE, folder, dtype, str(threads)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="f32,bf16")
    args = parser.parse_args()
    for dtype in args.dtypes.split(","):
        theirs, ours = {}, {}
        for _ in range(args.rounds):
            kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
            for best, speed in ((theirs, transformers_speed(args.folder, kind, args.threads)),
                                (ours, engine_speed(args.folder, dtype, args.threads))):
                for name, value in speed.items():
                    if name != "dtype":
                        best[name] = max(best.get(name, 0), value)
        for name in theirs:
            print(json.dumps({"dtype": dtype, "what": name, "transformers": round(theirs[name], 1),
                              "acumen": round(ours[name], 1), "ratio": round(ours[name] / theirs[name], 2)}))


if __name__ == "__main__":
    main()
