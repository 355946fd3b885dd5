"""Writes tests/data/tokenizers.json: small tokenizers, and what Hugging Face's Python packages make of texts with them.

    pip install tokenizers==0.23.3 jinja2==3.1.6
    python models/tests/parity/tokenizers_reference.py models/tests/data/tokenizers.json

A byte-level BPE under each pre-tokenizer that GGUF names, and a SentencePiece-style BPE with byte fallback, trained on
a few lines. Each has its `tokenizer.json` model, ids and decoded texts, so that the same vocabulary given as GGUF
metadata can be compared. Chat templates are rendered with the environment of transformers.
"""

import json
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LINES = [
    "Call me Ishmael. Some years ago--never mind how long precisely--having little or no money in my purse,",
    "and nothing particular to interest me on shore, I thought I would sail about a little and see the watery",
    "part of the world. It's 1851 and I'm 25; we've 12345 whales. They'll COME, they'd GO, IT'S so.",
    "def f(x):\n    return x ** 2\n\n\nprint(f(3))  # naïve café, Zürich, 東京, Привет\n",
] * 20
TEXTS = [
    "Call me Ishmael, it's 1851!", "  two  spaces \t tab\r\n\r\nlines \n ", "x2y 007 12345678", "I'M WE'VE they'll",
    "naïve café 東京 Привет 🙂👩‍👩‍👧 e\u0301", "a<|end|>b <|begin|>", "", " lead", "HelloWorld camelCase ABCdef/ghi\n/x",
]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def split(regex):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), BYTES])


PRE = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
    "llama-bpe": split(LLAMA3),
    "qwen2": split(QWEN2),
    "tekken": split(TEKKEN),
}
SPECIAL = ["<|begin|>", "<|end|>"]


def answers(tokenizer):
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    return [{"text": text, "ids": id_, "decoded": tokenizer.decode(id_, skip_special_tokens=False)}
            for text, id_ in zip(TEXTS, ids)]


def byte_level(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
    tokenizer.pre_tokenizer = PRE[name]
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=420, show_progress=False, special_tokens=SPECIAL,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(LINES, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocab = sorted(model["vocab"], key=model["vocab"].get)
    return {"model": "gpt2", "pre": name, "tokens": vocab, "types": [3 if t in SPECIAL else 1 for t in vocab],
            "merges": [" ".join(pair) for pair in model["merges"]], "answers": answers(tokenizer)}


def sentence_piece():
    """The tokenizer.json that transformers makes of a SentencePiece BPE: pieces with scores, merges implied by them."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(LINES[:40], trainers.BpeTrainer(vocab_size=300, show_progress=False))
    pieces = json.loads(trained.to_str())["model"]
    learned = sorted(pieces["vocab"], key=pieces["vocab"].get)
    merged = ["".join(pair) for pair in pieces["merges"]]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [2, 3, 3] + [6] * 256
    scores = [0.0] * len(tokens)
    for rank, piece in enumerate(merged + [t for t in learned if t not in merged]):
        tokens.append(piece)
        types.append(1)
        scores.append(-float(rank))
    vocab = {token: id_ for id_, token in enumerate(tokens)}
    score = dict(zip(tokens, scores))
    normal = {t for t, kind in zip(tokens, types) if kind == 1}
    merges = []
    for piece in normal:
        local = [(piece[:i], piece[i:], score[piece]) for i in range(1, len(piece))
                 if piece[:i] in normal and piece[i:] in normal]
        merges += sorted(local, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    merges.sort(key=lambda m: (-m[2], len(m[0]), len(m[1])))
    tokenizer = Tokenizer(models.BPE(vocab, [(a, b) for a, b, _ in merges], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ("<s>", "</s>")])
    return {"model": "llama", "tokens": tokens, "types": types, "scores": scores, "answers": answers(tokenizer)}


TEMPLATES = {
    "methods": "{%- for m in messages %}{{ m.role.upper() + ': ' + m['content'].strip() }}\n{% endfor -%}"
               "{% if add_generation_prompt %}A:{% endif %}",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
                 "{% if m.role == 'system' %}{% continue %}{% endif %}[{{ ns.n }}] {{ m.content }}{{ eos_token }}"
                 "{% endfor %}",
    "json": "{{ messages | tojson }}|{{ messages[0] | tojson(indent=2) }}|{% for k, v in messages[0].items() %}"
            "{{ k }}={{ v }};{% endfor %}",
    "none": "{{ tools }}/{{ true }}/{% if tools is defined and tools %}t{% else %}no{% endif %}/{{ missing }}"
            "/{{ messages[0].name is defined }}",
    "slices": "{{ messages[-1]['content'][:3] }}{{ messages[1:] | length }}{{ messages[0].content.split(' ')[0] }}"
              "{{ 'abc' in messages[0].content }}{{ messages[0].content.startswith('Be') }}"
              "{{ loop is defined }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
                  "{% endgeneration %}{% else %}{{ m.content }}{% endif %}\n{% endfor %}",
    "macro": "{% macro say(x, y='!') %}<{{ x }}{{ y }}>{% endmacro %}\n  {% for m in messages %}\n  {{- say(m.content) }}\n"
             "    {# note #}\n  {% endfor %}\n{{ 7 // 2 }} {{ 'a' ~ 1 }} {{ [1, 2] | join(',') }}",
}
MESSAGES = [{"role": "system", "content": " Be brief, \"é\" <b> abc "}, {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye now"}]


def chats():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent)
    out = []
    for name, source in TEMPLATES.items():
        # transformers compiles the tag with an extension of its own; it writes nothing.
        plain = source.replace("{% generation %}", "{% if true %}").replace("{% endgeneration %}", "{% endif %}")
        text = environment.from_string(plain).render(messages=MESSAGES, add_generation_prompt=True, tools=None,
                                                     documents=None, eos_token="</s>")
        out.append({"name": name, "template": source, "text": text})
    return {"messages": MESSAGES, "cases": out}


if __name__ == "__main__":
    json.dump({"by": "tokenizers 0.23.3, jinja2 3.1.6", "tokenizers": [byte_level(n) for n in PRE] + [sentence_piece()],
               "chats": chats()}, open(sys.argv[1], "w"), ensure_ascii=False, separators=(",", ":"))
