#!/usr/bin/env python3
"""Random tokenizers of all kinds and chat templates, with what Hugging Face's packages make of texts and messages.

    pip install tokenizers==0.23.3 transformers==5.23.0 jinja2==3.1.6
    python models/tests/parity/make_tokenizers.py --out models/tests/parity/tokenizers
    python models/tests/parity/make_tokenizers.py --out /tmp/others --seed 7 --count 40 --templates FOLDER

`models/tests/tokenizers.rs` compares. Templates are those below and, with --templates, every `.jinja` of a folder (llama.cpp's
repository has 70 of published models in `models/templates`).
"""
import argparse
import glob
import json
import os
import random
import shutil

import jinja2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils.chat_template_utils import _compile_jinja_template

from tokenizers_reference import LINES, LLAMA3, TEXTS

MORE = ["<s>hi</s>", "<s> hi </s> there", "a <mask> b", "<tool>x</tool>", "ﬁ ½ Å Ａ", "\u200b\u00a0x", "e\u0301\u0300", "한국어 ไทย हिन्दी",
        "a\x00b", "\ufffd", "🙂🙂", "▁x ▁", "  ", "\n\n\n", "0123456789" * 4, "'s 'S ’s", "<0x41>", "UPPER lower"]
SPECIAL = ["<unk>", "<s>", "</s>", "<mask>"]


def alphabet():
    return pre_tokenizers.ByteLevel.alphabet()


def byte_bpe(draw):
    made = Tokenizer(models.BPE(ignore_merges=draw.random() < 0.3))
    byte = pre_tokenizers.ByteLevel(add_prefix_space=draw.random() < 0.3, use_regex=True)
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.pre_tokenizer = draw.choice([byte, split])
    made.decoder = decoders.ByteLevel()
    if draw.random() < 0.3:
        made.normalizer = normalizers.NFC()
    return made, trainers.BpeTrainer(vocab_size=360, special_tokens=SPECIAL, initial_alphabet=alphabet(), show_progress=False)


def sentence_piece(draw):
    """BPE over ▁ with byte fallback, as Llama 2 and Mistral have it."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    scheme = draw.choice(["always", "first", "never"])
    if draw.random() < 0.5:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                          decoders.Strip(" ", 1, 0)])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=draw.random() < 0.5)
        made.decoder = draw.choice([decoders.Metaspace(prepend_scheme=scheme), decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    return made, trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIAL + bytes_, show_progress=False)


def unigram(draw):
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([draw.choice([normalizers.NFKC(), normalizers.Nmt()]),
                                            normalizers.Replace(Regex(" {2,}"), " ")])
    scheme = draw.choice(["always", "first", "never"])
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    made.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return made, trainers.UnigramTrainer(vocab_size=160, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)


def word_piece(draw):
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer = normalizers.BertNormalizer(lowercase=draw.random() < 0.5, strip_accents=draw.choice([None, True, False]))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=draw.random() < 0.5)
    return made, trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)


def word_level(draw):
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = draw.choice([pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit()])
    if draw.random() < 0.5:
        made.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.StripAccents()])
    return made, trainers.WordLevelTrainer(vocab_size=100, special_tokens=SPECIAL, show_progress=False)


KINDS = {"bytes": byte_bpe, "pieces": sentence_piece, "unigram": unigram, "wordpiece": word_piece, "wordlevel": word_level}


def tokenizer(draw, kind):
    made, trainer = KINDS[kind](draw)
    made.train_from_iterator(LINES[:8], trainer)
    flag = lambda: draw.random() < 0.3
    if kind == "pieces":
        # Training made the byte tokens special; in published tokenizers they are plain.
        value = json.loads(made.to_str())
        value["added_tokens"] = [token for token in value["added_tokens"] if not token["content"].startswith("<0x")]
        made = Tokenizer.from_str(json.dumps(value))
    made.add_tokens([AddedToken(text, lstrip=flag(), rstrip=flag(), single_word=flag(), normalized=flag(), special=special)
                     for text, special in (("<tool>", flag()), ("</tool>", False), ("Ishmael", False), ("<|im_end|>", True))])
    if flag():
        made.enable_truncation(8)
    if flag():
        made.enable_padding(length=12)
    if draw.random() < 0.7:
        around = draw.choice([["<s> $A", "<s> $A $B"], ["<s> $A </s>", "<s> $A </s> $B </s>"], ["$A </s>", "$A $B </s>"]])
        made.post_processor = processors.TemplateProcessing(single=around[0], pair=around[1], special_tokens=[
            (token, made.token_to_id(token)) for token in ("<s>", "</s>")])
    return made


def answers(draw, made, kind):
    plain = Tokenizer.from_str(made.to_str())
    plain.no_truncation()
    plain.no_padding()
    texts = [{"text": text, "ids": plain.encode(text).ids, "plain": plain.encode(text, add_special_tokens=False).ids}
             for text in TEXTS + MORE]
    size = plain.get_vocab_size()
    # Of bytes that are no text, `tokenizers` replaces also what can be read, as a whole: a stream cannot take it back.
    first, end = (len(SPECIAL) + 256, size - 4) if kind == "pieces" else (0, size)
    lists = [case["ids"] for case in texts] + [[draw.randrange(first, end) for _ in range(draw.randrange(1, 12))] for _ in range(40)]
    decode = lambda ids, skip: plain.decode(ids, skip_special_tokens=skip)
    return {"texts": texts, "sequences": [{"ids": ids, "text": decode(ids, False), "skipped": decode(ids, True)} for ids in lists]}


OWN_TEMPLATES = {
    "calls": "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function.name }}("
             "{{ c.function.arguments | tojson }}){% if not loop.last %}, {% endif %}{% endfor %}{% else %}{{ m['content'] }}"
             "{% endif %};{% endfor %}{% if tools %}{{ tools | tojson(indent=4) }}{% endif %}",
    "refuses": "{% if messages[0].role != 'x' %}{{ raise_exception('roles must alternate') }}{% endif %}",
    "macro": "{% macro item(x, depth=0) -%}{{ '  ' * depth }}{{ x }}{%- endmacro %}{% set ns = namespace(n=0, s='') %}"
             "{% for m in messages recursive %}{% set ns.n = ns.n + loop.index0 %}{{ item(m.role, loop.index) }}\n{% endfor %}{{ ns.n }}",
    "text": "{{ messages[0].content.split('e')[-1] }}{{ messages[0].content.rstrip() }}{{ 'a-b'.replace('-', '_') }}"
            "{{ ' x '.strip() }}{{ 'abc'[::-1] }}{{ messages[::2] | length }}{{ 'Ab'.lower() }}{{ 'x' if tools is none else 'y' }}"
            "{{ 'a,b'.split(',') | join('|') }}{{ 3 / 2 }}{{ 7 // 2 }}{{ 2 ** 3 }}{{ '%s' | format('z') }}{{ 1.0 }}{{ 'abc'.find('c') }}"
            "{{ 'é' | tojson }}{{ {'a': [1, true, none]} | tojson }}{{ 'x'.title() }}{{ [1, 2] + [3] }}{{ 'a' in 'abc' }}",
    "filters": "{{ messages | map(attribute='role') | list }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
               "{{ messages | rejectattr('role', 'in', ['user']) | map(attribute='role') | join(',') }}{{ ' a ' | trim }}"
               "{{ messages | groupby('role') | length }}{{ [3, 1] | sort | first }}{{ 'abc' | upper | length }}"
               "{{ messages[0] | items | list | length }}{{ {'b': 1} | dictsort }}{{ 'x' | default('y') }}{{ nothing | default('y') }}"
               "{{ messages is iterable }}{{ messages[0] is mapping }}{{ 'a' is string }}{{ 3 is number }}{{ 4 is divisibleby 2 }}",
    "generation": "{% for m in messages %}{%- generation -%} {{ m.content }} {%- endgeneration -%}|{% endfor %}",
    "loops": "{% for m in messages %}{% if loop.index == 2 %}{% continue %}{% endif %}{% if loop.index > 3 %}{% break %}{% endif %}"
             "{{ loop.index }}{{ loop.first }}{{ loop.previtem.role if loop.previtem is defined }}{{ loop.length }}{% endfor %}",
}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich", "days": 2}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells <the> \"weather\"", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}]
USER = {"role": "user", "content": "Hello there, é?"}
CONVERSATIONS = {
    "one": [USER],
    "several": [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": " Hi. "}, {"role": "user", "content": "Bye"}],
    "tools": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
              {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "{\"sun\": true}"}],
    "plain tools": [USER, {"role": "assistant", "content": "", "tool_calls": [CALL]},
                    {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sunny"}, {"role": "assistant", "content": "Sun."}],
    "wrong": [{"role": "assistant", "content": "first"}, {"role": "system", "content": "late"}],
}


def chats(templates):
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    for name, source in templates.items():
        for kind, messages in CONVERSATIONS.items():
            given = {"messages": messages, "add_generation_prompt": kind != "several", **tokens,
                     "tools": TOOLS if "tools" in kind else None, "documents": None}
            # The test reads objects whose fields are sorted.
            given = json.loads(json.dumps(given, sort_keys=True))
            try:
                text = _compile_jinja_template(source).render(**given)
            except jinja2.TemplateError:
                text = None
            except TypeError:  # Python does not go through None; here nothing is found in it
                continue
            if text is None or "strftime_now" not in source:
                yield {"name": f"{name}, {kind}", "template": source, "given": given, "text": text}


def save(folder, value):
    with open(os.path.join(folder, "reference.json"), "w") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=len(KINDS))
    parser.add_argument("--templates", help="folder of .jinja files")
    args = parser.parse_args()
    for number in range(args.count):
        kind = list(KINDS)[number % len(KINDS)]
        draw = random.Random(args.seed * 1000 + number)
        folder = os.path.join(args.out, f"{kind}-{number}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        made = tokenizer(draw, kind)
        with open(os.path.join(folder, "tokenizer.json"), "w") as file:
            json.dump(json.loads(made.to_str()), file, ensure_ascii=False, separators=(",", ":"))
        save(folder, answers(draw, made, kind))
    templates = dict(OWN_TEMPLATES)
    for path in sorted(glob.glob(os.path.join(args.templates, "*.jinja"))) if args.templates else []:
        templates[os.path.basename(path)] = open(path).read()
    folder = os.path.join(args.out, "chats")
    os.makedirs(folder, exist_ok=True)
    save(folder, {"texts": [], "sequences": [], "chats": list(chats(templates))})


if __name__ == "__main__":
    main()
