"""Does the assistant fall silent for a real interruption, soon, and go on after a cough?

    python benchmarks/barge_in.py --data DIR [--music DIR] [--line NAME] [--unasked] [--seed N]

200 sounds that should not stop it: coughs, "mm-hm", door slams and knocks, music, at levels from
-32 to -18 dBFS; and 100 real interruptions: the beginnings of LibriSpeech (60 speakers) and RAVDESS
(40, all emotions) clips at -32 to -20 dBFS; each on a quiet line, wideband and on the telephone
(8 kHz, mu-law). `barge_in_sounds.py` says where the sounds come from. Talk in the background is six
LibriSpeech readers 12 and 18 dB under a caller's level, before the caller has said anything. Short
words are spoken digits, and what callers say spoken by three flite voices.

Where the detector asks for the words, PocketSphinx with the retail pack hears what has come so far,
and answers as many 20 ms frames of audio time later as it needed CPU time. `--unasked` leaves it
out.

`to silence` runs from the true beginning of speech to the end of the 20 ms frame in which the
assistant falls silent for good: not one after which it went on by mistake. What a line was sent
ahead and does not give back (60 ms on AudioSocket) still sounds. `false stops` are sounds after
which it did not go on by itself within 600 ms, where it was; `held at all` are all for which it was
silent for a moment. `takes the turn` counts stops whose words, once the sound is over, are
such that the assistant does not go on where it was.

None of these people and sounds was trained on (`barge_in_training.py`). Thresholds of how likely
somebody talks were chosen on sounds and people left out there, with other seeds, with earlier
networks on coughs and hums of the voices of a game (Debian's hedgewars-data), and on one half of
this set: the coughs 83 and 85, the hums of the voice rms, and every other one of each kind of the
rest. `other half` are the figures of those that
nothing was chosen on (cough 84, the voices slt and awb, the rest; their makers and readers are
others, the synthesis and the actors are not), with Wilson's 95 % band. When to ask for the words,
and what they count for, was chosen on other sounds and seeds, on digits of the speakers george,
jackson and lucas, and on the flite voices kal and kal16 and espeak: `unheard` are the digits of the
other three speakers. `--seed` draws other levels and other noise.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from barge_in_sounds import (
    LINE_NOISE,
    Item,
    Sound,
    at_level,
    babble,
    clips,
    false_sounds,
    interruptions,
    on_a_line,
    on_the_line,
    room_of,
    trimmed,
)

from dialogue.packs import load_pack
from voice.audio import read_audio
from voice.recognition import choose
from voice.turns.backchannel import takes_the_turn, what_was_said
from voice.turns.interruption import InterruptionDetector
from voice.turns.suspicion import BargeIn, Heard
from voice.turns.tracker import PREROLL_MS
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame, Recognizer, Transcript
from voice.vad import SpeechDetector

LEAD_S = 2.0
"""The assistant speaks, and the line is quiet, before the sound comes."""
TAIL_S = 0.5
LONGER_S = 0.3
"""The line goes on after that as it was: until the answer about a last word is there."""
WITHIN_MS = 1_000
GOES_ON_WITHIN_MS = 600
SHOWN_MS = 200
LONGEST_PAST_MS = 3_000
TUNED_SPEAKERS = ("george", "jackson", "lucas")
VOICES = ("slt", "rms", "awb")
TURNS = (
    *("no", "stop", "wait", "yes", "hello", "agent", "operator", "human", "cancel"),
    *("what", "sorry", "hang on", "excuse me", "not that"),
)
LISTENING = ("okay", "right", "yeah", "uh huh", "mm", "sure", "i see", "got it")


@dataclass(frozen=True)
class Silence:
    """A time in which the assistant was silent, in ms from the beginning of the sound: an
    interruption, or a doubt after which it went on. A line that ends in doubt has lasted."""

    from_ms: int
    until_ms: int
    interrupted: bool
    turn: bool = False
    """Whether an interruption was one by its words."""


def chosen_on(items: list[Item]) -> list[bool]:
    """Whether each belongs to the half that thresholds were chosen on."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        number = seen[item.kind] = seen.get(item.kind, -1) + 1
        if item.kind == "cough" and item.real:
            found.append(not item.name.startswith("n84"))
        elif item.kind == "mm-hm" and item.name != "synthesised":
            found.append(item.name.startswith("rms"))
        else:
            found.append(number % 2 == 0)
    return found


def share(count: int, of: int) -> str:
    """A share with Wilson's 95 % band, in percent."""
    z = 1.96
    middle = (count + z * z / 2) / (of + z * z)
    band = z / (of + z * z) * math.sqrt(count * (of - count) / of + z * z / 4)
    low, high = max(0.0, middle - band), middle + band
    return f"{count}/{of} = {100 * count / of:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


class Line:
    """What the assistant does on a line, with a recogniser to be asked, or none."""

    def __init__(self, recognizer: Recognizer | None, telephone: bool) -> None:
        self._recognizer = recognizer
        self._telephone = telephone

    def silences(self, line: Sound, begins: int, *, over_s: float = 0.0) -> list[Silence]:
        """When the assistant is silent on a line on which a sound begins at this sample. `over_s`
        is the end of the sound: what was said is then recognised as a whole."""
        heard = on_the_line(line, self._telephone)
        detector = SpeechDetector()
        interruption = InterruptionDetector(asks=self._recognizer is not None)
        past: deque[AudioFrame] = deque(maxlen=LONGEST_PAST_MS // FRAME_MS)
        answer: tuple[int, int, Heard] | None = None
        found: list[Silence] = []
        since_ms: int | None = None
        now_ms, begins_ms = 0, begins * 1000 // RATE_HZ
        for start in range(0, len(heard) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            frame = AudioFrame(heard[start : start + FRAME_SAMPLES], start * 1000 // RATE_HZ)
            now_ms = frame.end_ms - begins_ms
            past.append(frame)
            if answer is not None and frame.end_ms >= answer[0]:
                interruption.told(*answer[1:])
                answer = None
            move = interruption.push(frame, detector.push(frame))
            from_ms = interruption.spoken_from_ms - PREROLL_MS
            if move is BargeIn.HOLD:
                since_ms = now_ms
            elif move is BargeIn.ASK:
                said, took_ms = self._words([each for each in past if each.start_ms >= from_ms])
                heard_as = what_was_said(said, wary=interruption.wary)
                answered_ms = frame.end_ms + math.ceil(took_ms / FRAME_MS) * FRAME_MS
                answer = answered_ms, interruption.question, heard_as
            elif move is not None:
                confirmed = move is BargeIn.CONFIRM
                silent_ms = now_ms if since_ms is None else since_ms
                turn = confirmed and self._is_turn(heard, from_ms, begins_ms + over_s * 1000)
                found.append(Silence(silent_ms, now_ms, confirmed, turn))
                since_ms = None
                if confirmed:
                    return found
        return found if since_ms is None else [*found, Silence(since_ms, now_ms, False)]

    def _is_turn(self, heard: np.ndarray, from_ms: float, until_ms: float) -> bool:
        first, last = (int(max(0.0, each) * RATE_HZ / 1000) for each in (from_ms, until_ms + 200))
        frames = [
            AudioFrame(heard[start : start + FRAME_SAMPLES], start * 1000 // RATE_HZ)
            for start in range(first, min(last, len(heard)) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
        ]
        return until_ms > from_ms and takes_the_turn(self._words(frames)[0].text)

    def _words(self, frames: list[AudioFrame]) -> tuple[Transcript, float]:
        """What was said, and the CPU time that it took, in ms."""
        if self._recognizer is None:
            return Transcript(""), 0.0
        before_s = time.process_time()
        stream = self._recognizer.stream()
        for frame in frames:
            stream.accept(frame)
        heard = stream.final()
        stream.close()
        return heard, (time.process_time() - before_s) * 1000.0

    def with_sound(
        self, item: Item, level_db: float, random: np.random.Generator, lead_s: float = LEAD_S
    ) -> list[Silence]:
        """What the assistant does when a sound comes after so long of its own speech."""
        lead = int(lead_s * RATE_HZ) + int(random.integers(0, FRAME_SAMPLES))
        line = on_a_line(item, level_db, lead, int(TAIL_S * RATE_HZ), random)
        line = np.concatenate([line, line[-int(LONGER_S * RATE_HZ) :][::-1]])
        return self.silences(line, lead, over_s=len(item.sound) / RATE_HZ)


def measure_false(items: list[Item], line: Line, show: bool, seed: int) -> None:
    random = np.random.default_rng(1 + seed)
    stopped: dict[str, list[bool]] = {}
    held: dict[str, list[bool]] = {}
    silent_ms: list[int] = []
    turns = 0
    for item, chosen in zip(items, chosen_on(items), strict=True):
        level_db = random.uniform(-32, -18)
        found = line.with_sound(item, level_db, random)
        stops = any(
            each.interrupted or each.until_ms - each.from_ms > GOES_ON_WITHIN_MS for each in found
        )
        turns += any(each.turn for each in found)
        halves = ["all"] if chosen else ["all", "other half"]
        for key in (item.kind, "recorded" if item.real else "synthesised", *halves):
            stopped.setdefault(key, []).append(stops)
            held.setdefault(key, []).append(bool(found))
        if found and not stops:
            silent_ms.append(sum(each.until_ms - each.from_ms for each in found))
        if show and found:
            print(f"    {item.kind} {item.name} at {level_db:.0f} dBFS: {found}")
    for name, counts in (("false stops", stopped), ("held at all", held)):
        parts = [f"{kind} {sum(each)}/{len(each)}" for kind, each in counts.items()]
        print(f"  {name} {100 * np.mean(counts['all']):.1f} %: {', '.join(parts)}")
    for half in ("all", "other half"):
        print(f"  false stops, {half}: {share(sum(stopped[half]), len(stopped[half]))}")
    print(f"  ... of the false stops take the turn: {turns}")
    if silent_ms:
        p50, p95 = np.percentile(silent_ms, [50, 95])
        print(f"  held and gone on {len(silent_ms)}: silent for p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def measure_real(items: list[Item], line: Line, show: bool, seed: int) -> None:
    random = np.random.default_rng(2 + seed)
    took_ms, sure_ms, missed, wrongly = [], [], 0, 0
    late: dict[bool, list[bool]] = {False: [], True: []}
    for item, chosen in zip(items, chosen_on(items), strict=True):
        level_db = random.uniform(-32, -20)
        found = line.with_sound(item, level_db, random)
        lasting = next((each for each in found if each.interrupted), None)
        late[chosen].append(lasting is None or lasting.from_ms > SHOWN_MS)
        if lasting is None or lasting.from_ms > WITHIN_MS:
            missed += 1
        else:
            took_ms.append(lasting.from_ms)
            sure_ms.append(lasting.until_ms)
        wrongly += any(not each.interrupted for each in found)
        if show and (lasting is None or lasting.from_ms > SHOWN_MS):
            print(f"    {item.name} at {level_db:.0f} dBFS: {found}")
    p50, p95 = np.percentile(took_ms, [50, 95])
    print(
        f"  to silence p50 {p50:.0f} ms, p95 {p95:.0f} ms; missed {missed}/{len(items)}; "
        f"went on by mistake first {wrongly}"
    )
    for half, each in (("all", late[False] + late[True]), ("other half", late[False])):
        print(f"  not silent for good within {SHOWN_MS} ms, {half}: {share(sum(each), len(each))}")
    p50, p95 = np.percentile(sure_ms, [50, 95])
    print(f"  the turn is theirs after p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def measure_words(data: Path, line: Line, show: bool) -> None:
    """A word or two and no more, at a caller's level."""
    random = np.random.default_rng(6)
    rows = clips(data, "digits")[1::20]
    digits = []
    for row in rows:
        whole = read_audio(data / "digits" / row["file"], "mono").astype(np.float64)
        digits.append(Item(row["speaker"], row["file"], trimmed(whole), True, room_of(whole)))
    unheard = [item for item in digits if item.kind not in TUNED_SPEAKERS]
    for name, items in (
        ("digits", digits),
        ("unheard", unheard),
        ("turns", [said(voice, text) for voice in VOICES for text in TURNS]),
        ("listening", [said(voice, text) for voice in VOICES for text in LISTENING]),
    ):
        stops, held, turns = 0, 0, 0
        silent_ms, sure_ms = [], []
        for item in items:
            found = line.with_sound(item, random.uniform(-32, -20), random)
            last = next((each for each in found if each.interrupted), None)
            held += bool(found)
            turns += any(each.turn for each in found)
            silent_ms += [each.from_ms for each in found[:1]]
            if last is not None:
                stops += 1
                sure_ms.append(last.until_ms)
            if show:
                print(f"    {name} {item.name}: {found}")
        print(
            f"  {name}: silent for {held} of {len(items)} after p50 {np.median(silent_ms):.0f} ms, "
            f"stopped for {stops}, sure after p95 {np.percentile(sure_ms, 95):.0f} ms; "
            f"{turns} take the turn"
        )


def said(voice: str, text: str) -> Item:
    """Words of flite."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, file.name], check=True)
        sound = trimmed(read_audio(Path(file.name)).astype(np.float64))
    return Item("said", f"{voice} {text}", sound, False)


def measure_early(data: Path, line: Line) -> None:
    """People who speak from the very beginning of the assistant's first words on, for 4 s."""
    random = np.random.default_rng(4)
    rows = list({row["speaker"]: row for row in clips(data, "librispeech")}.values())[:40]
    people = []
    for row in rows:
        whole = read_audio(data / "librispeech" / row["file"]).astype(np.float64)
        sound = trimmed(whole)[: 4 * RATE_HZ]
        people.append(Item("librispeech", row["file"], sound, True, room_of(whole)))
    for lead_s in (0.0, 0.2, 0.4, 0.8):
        took = [line.with_sound(item, -24.0, random, lead_s) for item in people]
        found = [each.from_ms for silent in took for each in silent if each.interrupted]
        print(
            f"  speaking from {lead_s:.1f} s on: heard {len(found)}/{len(took)}, "
            f"p50 {np.median(found) if found else 0:.0f} ms"
        )


def measure_babble(data: Path, line: Line) -> None:
    random = np.random.default_rng(3)
    for under_db in (12, 18):
        found: list[Silence] = []
        for _ in range(4):
            talk = at_level(babble(data, random), -22.0 - under_db)
            talk += random.normal(0, LINE_NOISE, len(talk))
            found += line.silences(talk, 0)
        stops = sum(each.interrupted for each in found)
        print(
            f"  talk in the background {under_db} dB under a caller: stopped {stops} of 4 x 30 s, "
            f"held {len(found) - stops} times"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--music", type=Path)
    parser.add_argument("--line", choices=("wideband", "telephone"), help="only this one")
    parser.add_argument("--show", action="store_true", help="name every wrong one")
    parser.add_argument("--unasked", action="store_true", help="without the words")
    parser.add_argument("--seed", type=int, default=0, help="other levels, other noise")
    options = parser.parse_args()
    sounds = false_sounds(options.data, options.music)
    people = interruptions(options.data)
    print(
        f"{len(sounds)} sounds ({sum(item.real for item in sounds)} recorded), {len(people)} people"
    )
    recognizer = None if options.unasked else choose("sphinx", load_pack("retail").language())
    for name in ("wideband", "telephone") if options.line is None else (options.line,):
        print(name)
        line = Line(recognizer, name == "telephone")
        measure_false(sounds, line, options.show, 100 * options.seed)
        measure_real(people, line, options.show, 100 * options.seed)
        measure_words(options.data, line, options.show)
        measure_early(options.data, line)
        measure_babble(options.data, line)


if __name__ == "__main__":
    main()
