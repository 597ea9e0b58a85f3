"""How often does the assistant cut a caller off, and how long does it wait when they are done?

    python benchmarks/endpointing.py --data DIR [--count 100] [--seed 0]

Sentences are spoken by flite in three voices: what the callers of audio_samples say (`service`: the
domain of the shipped pack, but none of its phrases), CLINC150 test texts (any domain), spelled
numbers and e-mails (`spelled`), numbers of the length that the pack expects (`codes`). LibriSpeech
test-other is real speech, read from books; `digits` are numbers of that length put together of real
people's digits on the telephone. The completeness model saw none of them. A pause of
0.3-1.2 s is inserted at a random word boundary (found by forced alignment); in `pairs` between two
sentences of a Banking77 test text, 0.2-0.7 s. Each utterance runs
through the shipped chain: voice activity, turn tracking, the embedded recogniser's own words,
the policies. `cut` is the share of utterances whose inserted pause, or one before it, ended the
turn, `any` of those that any pause cut, their own between sentences too; `wait` is the silence
from the true end of speech to the decision. A fixed 700 ms is judged on the same audio.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from dialogue.packs import load_pack
from voice.audio import read_audio, to_pcm
from voice.engines import codes_of
from voice.recognition import choose
from voice.turns.endpointing import (
    UNKNOWN_MS,
    EndpointPolicy,
    Pause,
    StopSilence,
    default_policies,
    stop_silence,
)
from voice.turns.prosody import phrase_end
from voice.turns.tracker import TurnPaused, TurnResumed, TurnStarted, TurnTracker
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame, Expectation, Pcm, Recognizer
from voice.vad import SpeechDetector

VOICES = ("slt", "rms", "awb")
CODE_LENGTH = 5
SPEAKERS = ("jackson", "nicolas", "theo")
DIGITS = "zero one two three four five six seven eight nine".split()
NAMES = "anna smith|tom baker|jane miller|peter gray|lucy hall|mark young|susan reed".split("|")
DOMAINS = ("gmail dot com", "yahoo dot com", "mail dot com", "outlook dot com")


@dataclass(frozen=True)
class Item:
    """Speech with one inserted pause; times in ms."""

    samples: Pcm
    pause_start_ms: int
    pause_ms: int
    speech_end_ms: int
    expects: frozenset[str]


class Fixed:
    """A fixed stop silence, for comparison."""

    def __init__(self, stop_ms: int) -> None:
        self._stop_ms = stop_ms

    def judge(self, pause: Pause) -> StopSilence | None:
        """The same for every pause."""
        del pause
        return StopSilence(self._stop_ms, "fixed")


def flite(text: str, voice: str) -> Pcm:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        return to_pcm(read_audio(path))


def word_ends_ms(samples: Pcm, text: str) -> list[int]:
    """Where each word but the last ends, by pocketsphinx's forced alignment."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL", bestpath=False)
    try:
        decoder.set_align_text(" ".join(re.findall(r"[a-z']+", text.lower())))
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        words = [s for s in decoder.seg() or () if not s.word.startswith(("<", "["))]
    except RuntimeError:
        return []
    return [segment.end_frame * 10 + 10 for segment in words][:-1]


def insert_pause(
    samples: Pcm, text: str, rng: random.Random, expects: frozenset[str]
) -> Item | None:
    ends = [end for end in word_ends_ms(samples, text) if end > 250]
    return (
        pause_at(samples, rng.choice(ends), rng.randrange(300, 1201), rng, expects)
        if ends
        else None
    )


def pause_at(
    samples: Pcm, cut_ms: int, pause_ms: int, rng: random.Random, expects: frozenset[str]
) -> Item | None:
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    cut = cut_ms * RATE_HZ // 1000
    noise = np.random.default_rng(rng.randrange(1 << 30))

    def room(duration_ms: int) -> Pcm:
        return noise.normal(0, 6, RATE_HZ * duration_ms // 1000).astype(np.int16)

    fade = np.linspace(1, 0, 160)
    before, after = samples[: loud[-1] + 1][:cut].copy(), samples[cut : loud[-1] + 1].copy()
    if len(after) < 1600:
        return None
    before[-160:] = (before[-160:] * fade).astype(np.int16)
    after[:160] = (after[:160] * fade[::-1]).astype(np.int16)
    parts = [room(500), before, room(pause_ms), after]
    speech_end_ms = sum(map(len, parts)) * 1000 // RATE_HZ
    return Item(
        np.concatenate([*parts, room(2500)]), 500 + cut_ms, pause_ms, speech_end_ms, expects
    )


@dataclass(frozen=True)
class Silence:
    """A silence of an item: what was known when it was 160 ms long, how long it had been silent
    when speech went on (None at the end), and how much later than the true end it was heard."""

    pause: Pause
    lasted_ms: int | None
    in_or_before_inserted: bool
    late_ms: int


def silences(item: Item, recognizer: Recognizer) -> list[Silence]:
    """Every silence of an item as the shipped chain hears it when nothing ends the turn."""
    detector, tracker = SpeechDetector(), TurnTracker(UNKNOWN_MS)
    tracker.held = True
    stream = recognizer.stream(Expectation(item.expects))
    history: list[AudioFrame] = []
    found: list[Silence] = []
    start_ms = heard = 0
    for start in range(0, len(item.samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = AudioFrame(item.samples[start : start + FRAME_SAMPLES], start * 1000 // RATE_HZ)
        history.append(frame)
        for event in tracker.push(frame.end_ms, detector.push(frame).speech):
            match event:
                case TurnStarted():
                    start_ms, heard = event.start_ms, max(0, len(history) - 15)
                case TurnPaused(speech_end_ms):
                    for earlier in history[heard:]:
                        stream.accept(earlier)
                    heard = len(history)
                    spoken = [f.samples for f in history if start_ms <= f.start_ms < speech_end_ms]
                    pause = Pause(
                        stream.final().text,
                        item.expects,
                        phrase_end(np.concatenate(spoken)),
                        tuple(tracker.pauses_ms),
                        speech_end_ms - start_ms,
                    )
                    early = speech_end_ms < item.pause_start_ms + item.pause_ms + 60
                    late_ms = speech_end_ms - item.speech_end_ms
                    found.append(Silence(pause, None, early, late_ms))
                case TurnResumed(pause_ms):
                    found[-1] = replace(found[-1], lasted_ms=pause_ms)
    stream.close()
    return found


def outcome(found: Sequence[Silence], policies: Sequence[EndpointPolicy]) -> tuple[bool, bool, int]:
    """(cut in the inserted pause or before?, in any pause?, wait after the true end in ms)."""
    stops_ms = [
        math.ceil(stop_silence(policies, each.pause).stop_ms / FRAME_MS) * FRAME_MS
        for each in found
    ]
    cut = [
        each
        for each, stop_ms in zip(found, stops_ms, strict=True)
        if each.lasted_ms is not None and stop_ms <= each.lasted_ms
    ]
    inserted = any(each.in_or_before_inserted for each in cut)
    return inserted, bool(cut), found[-1].late_ms + stops_ms[-1]


def sentences(data: Path) -> list[str]:
    rows = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))["test"]
    return [text for text, _ in rows if 5 <= len(text.split()) <= 14]


def spelled(rng: random.Random) -> tuple[str, frozenset[str]]:
    if rng.random() < 0.5:
        digits = " ".join(rng.choice(DIGITS) for _ in range(rng.randrange(4, 8)))
        opening = rng.choice(["it's", "my order number is", "the number is", "order number", ""])
        return f"{opening} {digits}".strip(), frozenset({"order_number"})
    name = rng.choice(NAMES).split()
    opening = rng.choice(["it is", "my email is", ""])
    text = f"{opening} {name[0]} dot {name[1]} at {rng.choice(DOMAINS)}"
    return text.strip(), frozenset({"email"})


def service() -> list[str]:
    """What the callers of audio_samples say; none of it stands in a pack."""
    path = Path(__file__).parents[1] / "audio_samples" / "callers.yaml"
    callers = yaml.safe_load(path.read_text(encoding="utf-8"))
    said = [turn["say"] for caller in callers.values() for turn in caller["turns"]]
    parts = [part for text in said for part in re.split(r"(?<=[.!?])\s+", text)]
    plain = [re.sub(r"\[\d+\]\s*", "", part) for part in parts]
    return [text for text in plain if len(text.split()) >= 4 and " at " not in text]


def code(rng: random.Random) -> tuple[str, frozenset[str]]:
    digits = " ".join(rng.choices(DIGITS, k=CODE_LENGTH))
    opening = rng.choice(["it's", "my order number is", "the number is", "order number", ""])
    return f"{opening} {digits}".strip(), frozenset({"order_number"})


def spoken_digits(data: Path, rng: random.Random) -> Item | None:
    """A number put together of one real speaker's digits, 60-160 ms between them."""
    speaker = rng.choice(SPEAKERS)
    gap, parts, ends_ms = RATE_HZ // 1000, [], []
    for digit in rng.choices(range(10), k=CODE_LENGTH):
        path = data / "digits" / f"{digit}_{speaker}_{rng.randrange(20)}.flac"
        sound = to_pcm(read_audio(path)).astype(float)
        sound *= 3_000 / max(1.0, float(np.abs(sound).max()) / 3)
        parts.append(sound.astype(np.int16))
        ends_ms.append(sum(map(len, parts)) // gap)
        parts.append(np.zeros(rng.randrange(60, 160) * gap, np.int16))
    cut_ms = rng.choice(ends_ms[:-1])
    expects = frozenset({"order_number"})
    return pause_at(np.concatenate(parts), cut_ms, rng.randrange(300, 1201), rng, expects)


def pairs(data: Path, rng: random.Random, count: int) -> Iterator[Item]:
    """Two sentences of a customer, one after the other."""
    with (data / "banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        texts = [re.split(r"(?<=[.!?])\s+", row["text"].strip()) for row in csv.DictReader(file)]
    two = [
        parts
        for parts in texts
        if len(parts) == 2 and all(3 <= len(p.split()) <= 12 for p in parts)
    ]
    for number, parts in enumerate(rng.choices(two, k=count)):
        first, second = (trimmed(flite(part, VOICES[number % len(VOICES)])) for part in parts)
        cut_ms = len(first) * 1000 // RATE_HZ
        item = pause_at(
            np.concatenate((first, second)), cut_ms, rng.randrange(200, 701), rng, frozenset()
        )
        if item:
            yield item


def trimmed(samples: Pcm) -> Pcm:
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    return samples[max(0, loud[0] - 400) : loud[-1] + 1]


def items(kind: str, options: argparse.Namespace, rng: random.Random) -> Iterator[Item]:
    if kind == "librispeech":
        folder = options.data / "librispeech"
        with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["transcript"]]
        for row in rng.sample(rows, min(len(rows), options.count)):
            samples = to_pcm(read_audio(folder / row["file"]))
            item = insert_pause(samples, row["transcript"], rng, frozenset())
            if item:
                yield item
        return
    if kind == "pairs":
        yield from pairs(options.data, rng, options.count)
        return
    if kind == "digits":
        made = (spoken_digits(options.data, rng) for _ in range(options.count))
        yield from (item for item in made if item)
        return
    known = service() if kind == "service" else sentences(options.data)
    texts = rng.choices(known, k=options.count)
    said = {"spelled": spelled, "codes": code}
    for number in range(options.count):
        text, expects = said[kind](rng) if kind in said else (texts[number], frozenset[str]())
        item = insert_pause(flite(text, VOICES[number % len(VOICES)]), text, rng, expects)
        if item:
            yield item


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--kinds", nargs="+", default=["service", "sentences", "spelled", "librispeech"]
    )
    options = parser.parse_args()
    if shutil.which("flite") is None:
        print("flite is not installed; install it with: apt-get install flite", file=sys.stderr)
        return 2
    pack = load_pack("retail")
    recognizer = choose("sphinx", pack.language())
    print(
        f"{'speech':12} {'policy':9} {'n':>4} {'cut %':>6} {'any %':>6} {'wait p50':>9} {'p95':>6}"
    )
    for kind in options.kinds:
        made = list(items(kind, options, random.Random(options.seed)))
        heard = [found for item in made if (found := silences(item, recognizer))]
        # The lengths of what is spelled there are none of the pack's.
        codes = [] if kind == "spelled" else codes_of(pack)
        for name, policies in (("adaptive", default_policies(codes)), ("fixed 700", [Fixed(700)])):
            results = [outcome(found, policies) for found in heard]
            cuts, every = (100.0 * np.mean([result[at] for result in results]) for at in (0, 1))
            p50, p95 = np.percentile([wait for _, _, wait in results], [50, 95])
            print(
                f"{kind:12} {name:9} {len(heard):4} {cuts:6.1f} {every:6.1f} "
                f"{p50:6.0f} ms {p95:5.0f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
