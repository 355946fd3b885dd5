"""Writes tests/data/smollm2.json: what llama.cpp makes of SmolLM2-135M-Instruct's Q4_1 file.

    pip install llama-cpp-python==0.3.36 jinja2
    python models/tests/parity/smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf models/tests/data/smollm2.json

Token ids of texts that are awkward to split, a rendered chat, the likeliest tokens after a prompt with their
log-probabilities, a greedy continuation, and the mean loss over a text. llama.cpp rounds activations to 8 bits before a
product, so logits differ from exact arithmetic on the same weights by some hundredths. Batches are kept small: builds
with AMX have been seen to give wrong logits, or to crash, for more than 32 rows at once.
"""

import json
import sys

import numpy as np
from llama_cpp import Llama

TEXTS = [
    "The capital of France is",
    "Hello, world!  Two  spaces,\ttabs\nand\r\n\r\nnew lines   \n  ",
    "1234567890 3.14159 x2y 007",
    "Grüße aus Zürich – naïve café, 東京, Привет, 🙂👩‍👩‍👧",
    "I'm we've they'll IT'S don't",
    "def f(x):\n    return x**2  # comment\n\n\nprint(f(3))",
    "<|im_start|>user\nHi<|im_end|>\n",
    " leading and trailing ",
    "",
    "ǅ ﬁ ½ ①  ​zero‑width",
]
MESSAGES = [
    [{"role": "user", "content": "What is 2+2?"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
     {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Bye"}],
]
PROSE = open("models/corpus/moby-dick.txt", encoding="utf-8").read()[:6000]


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def main(model, out):
    llama = Llama(model, n_ctx=2048, n_batch=16, logits_all=True, verbose=False, n_threads=2, seed=0)
    ids = {text: llama.tokenize(text.encode(), add_bos=False, special=True) for text in TEXTS}
    prompt = llama.tokenize(TEXTS[0].encode(), add_bos=False, special=True)
    llama.eval(prompt)
    last = log_softmax(np.array(llama.scores[len(prompt) - 1], dtype=np.float64))
    top = np.argsort(-last, kind="stable")[:10]
    llama.reset()
    greedy = []
    llama.eval(prompt)
    for _ in range(24):
        token = int(np.argmax(llama.scores[llama.n_tokens - 1]))
        greedy.append(token)
        llama.eval([token])
    llama.reset()
    prose = llama.tokenize(PROSE.encode(), add_bos=False, special=False)[:512]
    llama.eval([llama.token_bos()] + prose)
    scores = log_softmax(np.array(llama.scores[: len(prose)], dtype=np.float64))
    loss = -scores[np.arange(len(prose)), prose].mean()

    import jinja2
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(llama.metadata["tokenizer.chat_template"])
    chats = [
        {"messages": messages, "prompt": template.render(messages=messages, add_generation_prompt=True)}
        for messages in MESSAGES
    ]
    json.dump(
        {
            "by": "llama-cpp-python 0.3.36",
            "texts": [{"text": text, "ids": ids[text]} for text in TEXTS],
            "prompt": prompt,
            "top": [[int(token), float(last[token])] for token in top],
            "greedy": greedy,
            "prose": prose,
            "nats_per_token": float(loss),
            "chats": chats,
        },
        open(out, "w"), ensure_ascii=False, indent=None, separators=(",", ":"),
    )


main(*sys.argv[1:])
