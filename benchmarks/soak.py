"""A long run of `attune serve`: calls coming and going over AudioSocket, packets lost, callers who
vanish. Prints memory over time, calls that never ended, and turns that were not recorded.

    python benchmarks/soak.py --minutes 60 --calls 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.voice.server.callers import AudioSocketCaller, Said, turns_of  # noqa: E402
from voice.types import Pcm  # noqa: E402

SAMPLES = ("neutral_where_is_my_order", "telephone_refund", "angry_late_delivery")
SETTLING_S = 600.0
"""Memory is compared with what it was after this long, or after a third of a shorter run."""


class LossyCaller(AudioSocketCaller):
    """Loses packets, and may vanish without hanging up."""

    def __init__(self, port: int, chance: random.Random, loss: float) -> None:
        super().__init__(port)
        self._chance = chance
        self._loss = loss
        self.lost = 0

    async def send(self, samples: Pcm) -> None:
        """Send 20 ms, or lose it."""
        if self._chance.random() < self._loss:
            self.lost += 1
            return
        await super().send(samples)

    def vanish(self) -> None:
        """The line is cut: a reset, no goodbye."""
        self._writer.transport.abort()

    async def hang_up(self) -> None:
        """Hang up, if there is still a line."""
        with suppress(OSError, RuntimeError):
            await super().hang_up()


@dataclass
class Tally:
    """What the callers did."""

    calls: int = 0
    vanished: int = 0
    turns: int = 0
    lost: int = 0
    unanswered: int = 0
    rss_mib: list[tuple[float, float]] = field(default_factory=list)


async def call(port: int, said: list[list[Said]], chance: random.Random, loss: float) -> Tally:
    """One call of one to three turns; every fifth caller vanishes at some moment."""
    done = Tally(calls=1)
    caller = LossyCaller(port, chance, loss)
    vanishes = chance.random() < 0.2
    async with caller:
        with suppress(TimeoutError, AssertionError, OSError):
            await caller.hears_something(0.0, 30)
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            for turn in chance.choice(said)[: chance.randint(1, 3)]:
                if caller.over.is_set():
                    break
                if vanishes and chance.random() < 0.6:
                    break
                if chance.random() < 0.4:
                    caller.press(f"{chance.randint(10_000, 99_999)}#")
                    ended_s = time.monotonic()
                else:
                    async with asyncio.timeout(20 + len(turn.samples) / 8_000):
                        ended_s = await caller.say(turn)
                done.turns += 1
                try:
                    await caller.hears_something(ended_s, 30)
                except (TimeoutError, AssertionError):
                    done.unanswered += not caller.over.is_set()
                await asyncio.sleep(chance.uniform(0.5, 4.0))
        if vanishes:
            done.vanished = 1
            caller.vanish()
    done.lost = caller.lost
    return done


async def callers(
    port: int, until_s: float, said: list[list[Said]], seed: int, loss: float, total: Tally
) -> None:
    """One caller after the other until the time is over."""
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        done = await call(port, said, chance, loss)
        for name in ("calls", "vanished", "turns", "lost", "unanswered"):
            setattr(total, name, getattr(total, name) + getattr(done, name))
        await asyncio.sleep(chance.uniform(0.1, 2.0))


def rss_mib(pid: int) -> float:
    """Resident memory of a process and its children, in MiB."""
    pids = [pid]
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                pids.append(int(folder.name))
    pages = 0
    for each in pids:
        with suppress(OSError, IndexError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def watch(pid: int, until_s: float, began_s: float, total: Tally) -> None:
    """Note the server's memory every five seconds."""
    while time.monotonic() < until_s:
        total.rss_mib.append((time.monotonic() - began_s, rss_mib(pid)))
        await asyncio.sleep(5.0)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def figure(metrics: str, name: str) -> float:
    """The sum of a metric over its labels."""
    starts = (name,) if "{" in name else (f"{name}{{", f"{name} ")
    rows = [line for line in metrics.splitlines() if line.startswith(starts)]
    return sum(float(row.rpartition(" ")[2]) for row in rows)


async def soak(minutes: float, calls: int, loss: float, seed: int) -> dict[str, object]:
    """Run it; the figures."""
    web, audiosocket = free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="attune-soak-"))
    environment = {
        **os.environ,
        "ATTUNE_DATA_DIR": str(folder),
        "ATTUNE_RECOGNIZER": "sphinx",
        "ATTUNE_MOST_CALLS": str(calls + 2),
        "ATTUNE_MOST_CALLS_PER_ADDRESS": str(calls + 2),
        "OMP_NUM_THREADS": "1",
    }
    log = (folder / "log").open("w")
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "voice.cli", "serve", "--port", str(web),
        "--audiosocket-port", str(audiosocket), cwd=ROOT, env=environment, stderr=log,
    )  # fmt: skip
    address = f"http://127.0.0.1:{web}"
    total = Tally()
    async with httpx.AsyncClient(timeout=10) as client:
        async with asyncio.timeout(180):
            while True:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{address}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.2)
        said = [turns_of(ROOT / "audio_samples" / f"{name}.flac") for name in SAMPLES]
        began_s = time.monotonic()
        until_s = began_s + minutes * 60
        await asyncio.gather(
            watch(server.pid, until_s, began_s, total),
            *(callers(audiosocket, until_s, said, seed + i, loss, total) for i in range(calls)),
        )
        async with asyncio.timeout(60):
            while figure(metrics := (await client.get(f"{address}/metrics")).text, "attune_calls"):
                await asyncio.sleep(0.5)
        stuck = figure(metrics, "attune_calls")
    server.send_signal(signal.SIGTERM)
    await server.wait()
    log.close()
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    with sqlite3.connect(folder / "attune.db") as database:
        [(rows,)] = database.execute("SELECT count(*) FROM turns").fetchall()
    settled_s = min(SETTLING_S, minutes * 60 / 3)
    settled = [mib for at_s, mib in total.rss_mib if at_s >= settled_s]
    edge = max(1, len(settled) // 10)
    first, last = sum(settled[:edge]) / edge, sum(settled[-edge:]) / edge
    finished = figure(metrics, "attune_turns_total")
    return {
        "minutes": minutes,
        "calls": total.calls,
        "calls_that_vanished": total.vanished,
        "packets_lost": total.lost,
        "turns_said": total.turns,
        "turns_without_answer": total.unanswered,
        "turns_finished": int(finished),
        "turns_fallback": int(figure(metrics, "attune_fallbacks_total")),
        "turns_without_decision": int(figure(metrics, 'attune_turns_total{strategy="none"')),
        "turns_in_database": rows,
        "stuck_calls": int(stuck),
        "errors_in_log": sum(line["level"] == "error" for line in lines),
        "server_exit": server.returncode,
        "rss_mib_by_minute": [
            round(mib, 1)
            for i, (at_s, mib) in enumerate(total.rss_mib)
            if not i or int(at_s // 60) > int(total.rss_mib[i - 1][0] // 60)
        ],
        "rss_mib_start": round(total.rss_mib[0][1], 1),
        "rss_mib_settled": round(first, 1),
        "rss_mib_end": round(last, 1),
        "rss_growth_percent": round(100 * (last / first - 1), 2),
    }


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--calls", type=int, default=3, help="calls at once")
    parser.add_argument("--loss", type=float, default=0.02, help="share of packets lost")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figures = asyncio.run(soak(given.minutes, given.calls, given.loss, given.seed))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
