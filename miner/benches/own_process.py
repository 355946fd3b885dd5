#!/usr/bin/env python3
"""A miner in a process of its own under load: goodput at twice its capacity, refusals, 256 streams, memory.

Starts `acumen miner run` with a wallet and a folder that are thrown away, loads it with `acumen bench serve --url`, prints a
table (or one JSON object). Nothing but the miner and the load generator runs; both share this machine's cores.

    miner/benches/own_process.py --acumen target/release/acumen goodput streams memory
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NGRAM = ROOT / "models/checkpoints/bytes.ngram"
MEDIUM = ROOT / "models/checkpoints/gpt-medium.safetensors"


class Miner:
    """A running miner. `start` waits until its model has loaded: `bench serve` does."""

    def __init__(self, acumen, folder, model, limits):
        self.acumen, self.folder = acumen, pathlib.Path(folder)
        self.environment = dict(os.environ)
        self.wallet = ["--wallet.path", str(self.folder / "wallets"), "--wallet.name", "bench"]
        self.run("keys", "new", *self.wallet, "--no-password")
        self.hotkey = json.loads(self.run("keys", "show", *self.wallet, "--json"))["hotkey"]
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        limits = {"opens_per_second": 1e9, "burst_seconds": 1.0, "max_streams_per_hotkey": 100_000, **limits}
        lines = [
            f'listen = "127.0.0.1:{self.port}"',
            f'public_url = "http://127.0.0.1:{self.port}"',
            f'data_dir = "{self.folder / "data"}"',
            'nodes = ["http://127.0.0.1:1"]',
            "[wallet]",
            f'path = "{self.folder / "wallets"}"',
            'name = "bench"',
            "[model]",
            f'path = "{model}"',
            "threads = 1",
            "[access]",
            'min_stake = "0"',
            "[limits]",
            *(f"{name} = {value}" for name, value in limits.items()),
        ]
        config = self.folder / "miner.toml"
        config.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [acumen, "miner", "run", "--config", str(config), "--log", "error"], env=self.environment
        )

    def run(self, *arguments):
        made = subprocess.run([self.acumen, *arguments], capture_output=True, text=True, env=self.environment)
        if made.returncode:
            sys.exit(f"{' '.join(map(str, arguments))}: {made.stderr}")
        return made.stdout

    def load(self, *arguments):
        """What `acumen bench serve` reports."""
        target = ["--url", f"http://127.0.0.1:{self.port}", "--miner", self.hotkey, "--pid", str(self.process.pid)]
        report = json.loads(self.run("bench", "serve", *target, *self.wallet, *map(str, arguments), "--json"))
        if report["failed"]:
            sys.exit(f"{report['failed']} failed: {report['failure']}")
        return report

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextlib.contextmanager
def miner(arguments, model, **limits):
    with tempfile.TemporaryDirectory() as folder:
        running = Miner(arguments.acumen, folder, model, limits)
        try:
            yield running
        finally:
            running.stop()


def memory(arguments):
    """Resident memory after 1,000 and after 100,000 signed calls and as many again."""
    call = ["--call", "tokenize", "--concurrency", 32, "--prompt-tokens", 32, "--warm-up", 0, "--requests"]
    with miner(arguments, NGRAM) as running:
        running.load(*call, 1_000)
        first = running.resident()
        rate = running.load(*call, 99_000)["requests_per_second"]
        then = running.resident()
        running.load(*call, 100_000)
        last = running.resident()
    return {
        "mib_after_1000": first, "mib_after_100000": then, "mib_after_200000": last,
        "growth_percent": (then / first - 1) * 100, "requests_per_second": rate,
    }


def goodput(arguments):
    """The peak in a closed loop, then an open loop at twice the peak, then the peak again."""
    shape = ["--call", "generate", "--prompt-tokens", 64, "--output-tokens", 16]
    with miner(arguments, MEDIUM, max_streams=16) as running:
        peak = lambda: running.load(*shape, "--concurrency", 16, "--requests", 600)["requests_per_second"]
        before = peak()
        overload = running.load(*shape, "--rate", 2 * before, "--requests", int(before * 20), "--slo-first-ms", 1000)
        after = peak()
    best = max(before, after)
    return {
        "peak_per_second": best, "offered_per_second": 2 * before,
        "goodput_per_second": overload["goodput_per_second"],
        "goodput_percent_of_peak": 100 * overload["goodput_per_second"] / best,
        "refused": overload["refused"], "refusal_p50_ms": overload["refusal_ms"]["p50"],
        "refusal_p99_ms": overload["refusal_ms"]["p99"],
    }


def streams(arguments):
    """256 Predict streams at once, 16 steps each."""
    with miner(arguments, NGRAM, max_streams=512) as running:
        report = running.load("--call", "predict", "--concurrency", 256, "--requests", 512, "--output-tokens", 16)
        last = running.resident()
    return {
        "answered": report["good"], "refused": report["refused"], "next_p50_ms": report["next_ms"]["p50"],
        "next_p99_ms": report["next_ms"]["p99"], "mib": last,
    }


RUNS = {"goodput": goodput, "streams": streams, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", default=str(ROOT / "target/release/acumen"), help="the binary")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], default=list(RUNS), help="which; all by default")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.runs:
        results[name] = RUNS[name](arguments)
        if not arguments.json:
            print(name, "-", RUNS[name].__doc__)
            for key, value in results[name].items():
                print(f"  {key:26}{value:12.2f}")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
