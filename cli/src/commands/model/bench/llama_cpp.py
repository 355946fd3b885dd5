"""Answers for llama.cpp through llama-cpp-python: see others.rs."""
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(text):
    answers.write(f"{text}\n")
    answers.flush()


path, threads, prompt, steps, most = sys.argv[1], *map(int, sys.argv[2:6])
try:
    import llama_cpp
except ImportError as error:
    say(f"not installed ({error})")
    sys.exit()
try:
    model = llama_cpp.Llama(path, n_ctx=max(prompt + steps + 2, 512), n_batch=max(prompt, 512), n_threads=threads,
                            n_threads_batch=threads, verbose=False)
except Exception as error:
    say(f"cannot load the model ({error})")
    sys.exit()
vocab = model.n_vocab()


def read(seed):
    model.reset()
    begun = time.perf_counter()
    model.eval([(seed * 7919 + index * 104729 + 13) % vocab for index in range(prompt)])
    return prompt / (time.perf_counter() - begun)


def decode():
    read(1)
    begun = time.perf_counter()
    for _ in range(steps):
        model.eval([model.sample(temp=0.0)])
    return steps / (time.perf_counter() - begun)


read(0)
say("ready")
for line in sys.stdin:
    what, *numbers = line.split()
    if what == "prefill":
        say(read(int(numbers[0]) + 2))
    else:
        # The package decodes one sequence at a time.
        say(decode() if numbers[0] == "1" else "none")
