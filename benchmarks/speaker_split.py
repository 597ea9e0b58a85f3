"""How often the mono speaker split is wrong: `python benchmarks/speaker_split.py --data DIR`.

Dialogues are made of LibriSpeech readers (`DIR/librispeech`): two readers' utterances are cut at
their own pauses and laid in turn on one channel, 200-700 ms apart. The error is the share of
speech, in time, that is given to the wrong party; "parties" also counts who is taken for the
caller (the one who speaks second), "speakers" the better of the two ways to name them.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voice.audio import read_audio, resample
from voice.evaluation.diarization import Split, split_speakers
from voice.evaluation.segmenting import frames, turns
from voice.types import RATE_HZ

LINES = ("wide band", "telephone 8 kHz")


def phrases(path: Path) -> list[np.ndarray]:
    """One reader's phrases, cut at pauses, joined up to at least 1.5 s."""
    sound = read_audio(path)
    found: list[np.ndarray] = []
    start = 0
    for turn in turns(frames(iter([sound])), 260):
        end = turn.end_ms * RATE_HZ // 1000
        if end - start >= 1.5 * RATE_HZ:
            found.append(sound[start:end])
            start = end
    return found


def dialogue(
    agent: list[np.ndarray], caller: list[np.ndarray], rng: random.Random
) -> tuple[np.ndarray, list[tuple[str, int, int]]]:
    """The sound and who really speaks, as (party, start, end) in ms."""
    parts, truth, at = [], [], 0
    for pair in zip(agent, caller, strict=False):
        for party, phrase in zip(("agent", "caller"), pair, strict=True):
            gap = np.zeros(int(rng.uniform(0.2, 0.7) * RATE_HZ), np.float32)
            parts += [gap, phrase]
            at += len(gap)
            truth.append((party, at * 1000 // RATE_HZ, (at + len(phrase)) * 1000 // RATE_HZ))
            at += len(phrase)
    return np.concatenate(parts), truth


def wrong_ms(split: Split, truth: list[tuple[str, int, int]]) -> tuple[int, int]:
    """(ms given to the wrong party, ms of speech that the split found)."""
    wrong = total = 0
    for party, start, end, _ in split.stretches:
        for real, begin, finish in truth:
            shared = min(end, finish) - max(start, begin)
            if shared > 0:
                total += shared
                wrong += shared * (real != party)
    return wrong, total


def pairs(folder: Path, count: int, seed: int) -> Iterator[tuple[list[np.ndarray], ...]]:
    rng = random.Random(seed)
    readers: dict[str, list[np.ndarray]] = {}
    for path in sorted(folder.rglob("*.ogg")):
        readers.setdefault(path.name.split("-")[0], []).extend(phrases(path))
    usable = sorted(name for name, said in readers.items() if len(said) >= 3)
    print(f"{len(usable)} readers with at least three phrases")
    for _ in range(count):
        one, other = rng.sample(usable, 2)
        yield readers[one], readers[other]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    results: dict[str, list[tuple[int, int, float]]] = {line: [] for line in LINES}
    for agent, caller in pairs(options.data / "librispeech", options.count, options.seed):
        sound, truth = dialogue(agent, caller, rng)
        for line in LINES:
            heard = sound
            if line != LINES[0]:
                heard = resample(resample(sound, RATE_HZ, 8_000), 8_000, RATE_HZ)
            split = split_speakers(frames(iter([heard])))
            results[line].append((*wrong_ms(split, truth), split.separation))
    for line, rows in results.items():
        total = sum(row[1] for row in rows)
        parties = sum(row[0] for row in rows) / total
        speakers = sum(min(row[0], row[1] - row[0]) for row in rows) / total
        bad = sum(1 for row in rows if min(row[0], row[1] - row[0]) > 0.2 * row[1])
        unsure = sum(1 for row in rows if row[2] < 2.0)
        shares = np.asarray([row[0] / max(1, row[1]) for row in rows])
        draws = np.random.default_rng(0).integers(0, len(rows), (1000, len(rows)))
        low, high = np.percentile(shares[draws].mean(axis=1), [2.5, 97.5])
        print(
            f"{line}: wrong parties {parties:.1%} (95 % {low:.1%}-{high:.1%}), "
            f"wrong speakers {speakers:.1%}, calls over 20 % wrong {bad}/{len(rows)}, "
            f"called unsure {unsure}"
        )


if __name__ == "__main__":
    main()
