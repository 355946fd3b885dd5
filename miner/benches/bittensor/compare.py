#!/usr/bin/env python3
"""Signed unary requests per second: Bittensor's axon and dendrite beside Acumen's miner and client, in one run.

Both sides of both run on this machine over loopback; each request is signed by an sr25519 hotkey and verified by the
server. Acumen's server signs its answer too, and its client verifies that; Bittensor's answers carry no signature.
Bittensor's axon has its defaults (signature and nonce checked, nobody blacklisted); its dendrite keeps its session open,
as a validator's does. The two take turns, `--rounds` times, so that other load on the machine meets both alike.

    python3 -m venv venv && venv/bin/pip install 'bittensor<11'
    venv/bin/python miner/benches/bittensor/compare.py --acumen target/release/acumen
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("BT_NO_PARSE_CLI_ARGS", "1")  # the arguments are this script's
ROOT = pathlib.Path(__file__).resolve().parents[3]
IN_FLIGHT = 32


def synapse():
    """The question of both: 32 bytes of text, answered by a number per byte."""
    import bittensor

    class Tokenize(bittensor.Synapse):
        text: str = ""
        ids: list[int] = []

    return Tokenize


def wallet(folder, name):
    from bittensor_wallet import Wallet

    made = Wallet(name=name, hotkey="default", path=folder)
    return made.create_if_non_existent(coldkey_use_password=False, hotkey_use_password=False, suppress=True)


def serve(folder, port, ready, stop):
    """The axon's process."""
    import bittensor

    Tokenize = synapse()
    globals()["Tokenize"] = Tokenize

    def forward(question: Tokenize) -> Tokenize:
        question.ids = list(question.text.encode())
        return question

    axon = bittensor.Axon(wallet=wallet(folder, "miner"), ip="127.0.0.1", port=port, external_ip="127.0.0.1")
    axon.attach(forward_fn=forward).start()
    ready.set()
    stop.wait()
    axon.stop()
    os._exit(0)  # its logging thread would complain that its queue is gone


async def ask(dendrite, info, Tokenize, count, concurrency):
    """Milliseconds of each call, and the seconds of all of them."""
    left = iter(range(count))
    times = []

    async def worker():
        for index in left:
            started = time.perf_counter()
            answer = await dendrite.call(info, Tokenize(text=f"{index:032}"), timeout=30.0, deserialize=False)
            if answer.dendrite.status_code != 200 or len(answer.ids) != 32:
                sys.exit(f"the axon answered {answer.dendrite.status_code}: {answer.dendrite.status_message}")
            times.append((time.perf_counter() - started) * 1e3)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return times, time.perf_counter() - started


async def bittensor_round(dendrite, info, Tokenize, count):
    await ask(dendrite, info, Tokenize, 20, IN_FLIGHT)
    return [await ask(dendrite, info, Tokenize, count, concurrency) for concurrency in (1, IN_FLIGHT)]


def acumen_round(binary, count, connections):
    rounds = []
    for concurrency in (1, IN_FLIGHT):
        command = [binary, "bench", "serve", "--model", ROOT / "models/checkpoints/bytes.ngram", "--call", "tokenize"]
        command += ["--prompt-tokens", "32", "--concurrency", concurrency, "--requests", count, "--warm-up", "1000"]
        command += ["--connections", min(connections, concurrency), "--json"]
        made = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
        report = json.loads(made.stdout)
        if report["failed"] or report["refused"]:
            sys.exit(f"the miner failed: {report}")
        rounds.append(report)
    return rounds


def idleness():
    """Share of the last second in which the processors had nothing to do: other load makes both sides slower."""

    def read():
        times = [int(value) for value in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return times[3], sum(times)

    before = read()
    time.sleep(1.0)
    after = read()
    return (after[0] - before[0]) / max(after[1] - before[1], 1)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def measure(arguments, folder):
    import bittensor
    from bittensor.utils import networking

    networking.get_external_ip = lambda: "127.0.0.1"  # nothing outside of this machine is asked

    context = multiprocessing.get_context("spawn")
    ready, stop, port = context.Event(), context.Event(), free_port()
    axon = context.Process(target=serve, args=(folder, port, ready, stop))
    axon.start()
    rounds = []
    try:
        if not ready.wait(60):
            sys.exit("the axon did not start")
        time.sleep(1.0)  # uvicorn binds after `start` has returned
        server = wallet(folder, "miner")
        info = bittensor.AxonInfo(
            version=1, ip="127.0.0.1", port=port, ip_type=4,
            hotkey=server.hotkey.ss58_address, coldkey=server.coldkeypub.ss58_address,
        )
        Tokenize = synapse()

        async def rounds_of_both():
            for _ in range(arguments.rounds):
                # A new one each time: uvicorn ends connections that were idle while the other side was asked.
                async with bittensor.Dendrite(wallet=wallet(folder, "validator")) as dendrite:
                    theirs = await bittensor_round(dendrite, info, Tokenize, arguments.requests)
                ours = acumen_round(arguments.acumen, arguments.acumen_requests, arguments.connections)
                rounds.append((theirs, ours))

        asyncio.run(rounds_of_both())
    finally:
        stop.set()
        axon.join(10)
        axon.kill()
    return bittensor.__version__, rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", default=str(ROOT / "target/release/acumen"), help="the binary")
    parser.add_argument("--rounds", type=int, default=3, help="turns of both; the median is reported")
    parser.add_argument("--requests", type=int, default=200, help="of Bittensor, in each way of a turn")
    parser.add_argument("--acumen-requests", type=int, default=20_000, help="of Acumen, in each way of a turn")
    parser.add_argument("--connections", type=int, default=1, help="HTTP/2 connections of Acumen's client")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    idle = idleness()
    with tempfile.TemporaryDirectory() as folder:
        version, rounds = measure(arguments, folder)
    rows = {}
    for place, name in enumerate(["one by one", f"{IN_FLIGHT} in flight"]):
        theirs = [turn[0][place] for turn in rounds]
        ours = [turn[1][place] for turn in rounds]
        rows[name] = {
            "bittensor_per_second": statistics.median(len(times) / seconds for times, seconds in theirs),
            "bittensor_p50_ms": statistics.median(statistics.median(times) for times, _ in theirs),
            "acumen_per_second": statistics.median(report["requests_per_second"] for report in ours),
            "acumen_p50_ms": statistics.median(report["whole_ms"]["p50"] for report in ours),
        }
        rows[name]["ratio"] = rows[name]["acumen_per_second"] / rows[name]["bittensor_per_second"]
    if arguments.json:
        print(json.dumps({"bittensor": version, "rounds": arguments.rounds, "idle": idle, "rows": rows}))
        return
    spent = f"processors idle {idle:.0%} of the time before, load {os.getloadavg()[0]:.1f} after"
    print(f"{os.cpu_count()} cores, {spent}")
    print(f"signed unary calls, medians of {arguments.rounds} turns, Bittensor SDK {version}")
    print(f"{'':14}{'Bittensor/s':>12}{'p50 ms':>9}{'Acumen/s':>12}{'p50 ms':>9}{'ratio':>9}")
    for name, row in rows.items():
        print(
            f"{name:14}{row['bittensor_per_second']:12.1f}{row['bittensor_p50_ms']:9.2f}"
            f"{row['acumen_per_second']:12.1f}{row['acumen_p50_ms']:9.3f}{row['ratio']:8.1f}x"
        )


if __name__ == "__main__":
    main()
