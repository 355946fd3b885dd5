"""Answers for transformers: see others.rs."""
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(text):
    answers.write(f"{text}\n")
    answers.flush()


path, threads, prompt, steps, most, dtype = sys.argv[1], *map(int, sys.argv[2:6]), sys.argv[6]
try:
    import torch
    import transformers
except ImportError as error:
    say(f"not installed ({error})")
    sys.exit()
torch.set_num_threads(threads)
folder, extra = (os.path.dirname(path) or ".", {"gguf_file": os.path.basename(path)}) if os.path.isfile(path) else (path, {})
try:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), **extra).eval()
except Exception as error:
    say(f"cannot load the model ({type(error).__name__}: {str(error).splitlines()[0][:120]})")
    sys.exit()
vocab = model.config.vocab_size


def ids(seed):
    return [(seed * 7919 + index * 104729 + 13) % vocab for index in range(prompt)]


def decode(batch, count):
    out = model(torch.tensor([ids(text) for text in range(batch)]), use_cache=True, logits_to_keep=1)
    begun = time.perf_counter()
    for _ in range(count):
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
    return batch * count / (time.perf_counter() - begun)


def prefill(seed):
    tokens = torch.tensor([ids(seed)])
    begun = time.perf_counter()
    model(tokens, use_cache=True, logits_to_keep=1)
    return prompt / (time.perf_counter() - begun)


with torch.no_grad():
    prefill(0)
    decode(1, 2)
    say("ready")
    for line in sys.stdin:
        what, *numbers = line.split()
        say(prefill(int(numbers[0])) if what == "prefill" else decode(int(numbers[0]), steps))
