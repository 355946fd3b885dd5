"""Unpacks members of zip archives, and prints path, size and SHA-256 of every file it wrote as one JSON list.

Standard input: {"into": folder, "archives": [{"path": file, "members": [[from, to], ...]}, ...]}.
A `from` that ends in "/" takes everything below that folder. A `from` that matches nothing is an error. zipfile checks
the CRC-32 of whatever it reads. Runs on any python3 from 3.6 on.
"""
import hashlib
import json
import os
import sys
import zipfile

CHUNK_BYTES = 1 << 20


def target_of(name, source, target):
    """Where the member `name` goes, or None if `source` does not mean it."""
    if source.endswith("/"):
        if name.startswith(source) and not name.endswith("/"):
            return target + name[len(source):]
        return None
    return target if name == source else None


def unpack_file(archive, name, into, target):
    path = os.path.join(into, target)
    if ".." in target.split("/") or os.path.isabs(target):
        sys.exit("error: {} would leave the folder".format(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as source, open(path, "wb") as sink:
        for chunk in iter(lambda: source.read(CHUNK_BYTES), b""):
            digest.update(chunk)
            sink.write(chunk)
            size += len(chunk)
    return {"path": target, "bytes": size, "sha256": digest.hexdigest()}


def main():
    order = json.load(sys.stdin)
    written = []
    for entry in order["archives"]:
        with zipfile.ZipFile(entry["path"]) as archive:
            names = archive.namelist()
            for source, target in entry["members"]:
                pairs = [(name, target_of(name, source, target)) for name in names]
                pairs = [(name, goal) for name, goal in pairs if goal is not None]
                if not pairs:
                    sys.exit("error: {} has no {}".format(entry["path"], source))
                written += [unpack_file(archive, name, order["into"], goal) for name, goal in pairs]
    json.dump(written, sys.stdout)


main()
