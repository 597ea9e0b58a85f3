"""The assistant through a loudspeaker that its own microphone hears: does it interrupt itself?

    python benchmarks/echo.py --data DIR [--seconds 60] [--callers 24] [--room NAME]

The assistant's own rendered speech goes through a room (measured impulse responses of `noise`), a
loudspeaker that distorts (tanh), a delay, and into the microphone at several levels against a
caller's. `own voice` is how often a minute the assistant would have stopped for itself, without and
with the echo guard; `missed` the share of real interruptions (LibriSpeech, in the middle of the
assistant's speech) that did not stop it within 1.5 s; `to silence` how long it took them. No
recogniser is asked here: by the sound alone.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dialogue.types import Delivery
from voice.audio import read_audio
from voice.channels.echo import EchoGuard
from voice.speech import open_synthesizer
from voice.turns.interruption import InterruptionDetector
from voice.turns.suspicion import BargeIn
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector

CALLER_DB = -26.0
SAID = (
    "Hello, this is the virtual assistant of Northwind. I can help with orders and with bills.",
    "Your parcel left our warehouse this morning, and should arrive on Thursday before noon.",
    "That is the second failed delivery. I have asked for it to be sent again today, at no cost.",
    "The refund goes back to the card that you paid with. It takes three to five working days.",
    "I have put your address right. Is there anything else that I can do for you today?",
)
WITHIN_MS = 1_500
ECHO_LASTS_FRAMES = 15
"""The delay of the room and its reverberation."""
AFTER_A_STOP_MS = 1_000
FIRST_MS = 8_000
"""The caller does not interrupt earlier: half of the opening."""

Sound = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """A way from the loudspeaker to the microphone. `level_db` is the echo's level against the
    caller's; every `jumps_s` the delay changes by 25 ms (a device that stumbled)."""

    name: str
    level_db: float
    delay_ms: int = 80
    response: int = 0
    distortion: float = 1.5
    drift_ppm: float = 0.0
    jumps_s: float = 0.0


def rooms() -> list[Room]:
    levels = [Room(f"echo {level:+d} dB", level) for level in (-20, -10, 0, 6, 10)]
    delays = [Room(f"echo 0 dB, {delay} ms", 0, delay) for delay in (20, 200, 350)]
    return [
        *levels,
        *delays,
        Room("echo 0 dB, reverberant", 0, response=2),
        Room("echo 0 dB, distorted", 0, distortion=6.0),
        Room("echo 0 dB, clocks 30 ppm apart", 0, drift_ppm=30.0),
        Room("echo 0 dB, delay jumps each 15 s", 0, jumps_s=15.0),
        Room("no echo", -90),
    ]


def speech(seconds: float) -> Sound:
    """The assistant, with half a second between sentences, from a clear -23 dBFS voice."""
    synthesizer = open_synthesizer("espeak")
    try:
        parts = [
            np.concatenate([chunk.samples for chunk in synthesizer.speak(text, Delivery())])
            for text in SAID
        ]
    finally:
        synthesizer.close()
    once = np.concatenate([np.pad(part, (0, RATE_HZ // 2)) for part in parts]) / 32_768.0
    return np.resize(once, int(seconds * RATE_HZ))


def through(room: Room, given: Sound, responses: list[Sound]) -> Sound:
    """What the microphone hears of it."""
    response = responses[room.response]
    response = response[int(np.abs(response).argmax()) :][: RATE_HZ // 2]
    sound = np.tanh(given * room.distortion) / room.distortion
    if room.drift_ppm:
        places = np.arange(len(sound)) * (1.0 + room.drift_ppm * 1e-6)
        sound = np.interp(places, np.arange(len(sound)), sound)
    sound = np.convolve(sound, response)[: len(given)]
    sound *= 10 ** ((CALLER_DB + room.level_db) / 20) / np.sqrt(np.mean(sound**2))
    delay = room.delay_ms * RATE_HZ // 1000
    echo = np.concatenate([np.zeros(delay), sound])[: len(given)]
    if room.jumps_s:
        step, late = int(room.jumps_s * RATE_HZ), RATE_HZ * 25 // 1000
        for number, start in enumerate(range(step, len(echo), step)):
            if number % 2 == 0:
                piece = echo[start - late : start - late + step].copy()
                echo[start : start + len(piece)] = piece[: len(echo) - start]
    return echo


def stops(echo: Sound, others: Sound, given: Sound, guarded: bool) -> tuple[list[int], int]:
    """Where (ms) the assistant would have fallen silent for what the microphone heard and stopped,
    and how often it would have gone on. While it is silent there is soon no echo."""
    guard = EchoGuard() if guarded else None
    detector, interruption = SpeechDetector(), InterruptionDetector(guarded=guarded)
    heard, alone = (
        np.clip(sound * 32_768, -32_768, 32_767).astype(np.int16)
        for sound in (echo + others, others)
    )
    played = np.clip(given * 32_768, -32_768, 32_767).astype(np.int16)
    found: list[int] = []
    silent_ms, gone_on, held_frames = 0, 0, 0
    silence = np.zeros(FRAME_SAMPLES, dtype=np.int16)
    for start in range(0, len(heard) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        piece = slice(start, start + FRAME_SAMPLES)
        samples = heard[piece] if held_frames <= ECHO_LASTS_FRAMES else alone[piece]
        if guard is not None:
            samples = guard.push(samples, silence if held_frames > 1 else played[piece])
        held_frames += held_frames > 0
        frame = AudioFrame(samples, start * 1000 // RATE_HZ)
        move = interruption.push(frame, detector.push(frame))
        if move is BargeIn.HOLD:
            silent_ms, held_frames = frame.end_ms, 1
        elif move is BargeIn.RESUME:
            gone_on, held_frames = gone_on + 1, 0
        elif move is BargeIn.CONFIRM and (not found or silent_ms - found[-1] > AFTER_A_STOP_MS):
            found.append(silent_ms)
        if move is BargeIn.CONFIRM:
            held_frames = 0
    return found, gone_on


def callers(data: Path, count: int) -> list[Sound]:
    """The beginnings of LibriSpeech utterances, one a speaker, at a caller's level."""
    folder = data / "librispeech"
    with (folder / "clips.csv").open(encoding="utf-8") as file:
        by_speaker = {row["speaker"]: row["file"] for row in csv.DictReader(file)}
    found = []
    for name in sorted(by_speaker.values())[:count]:
        sound = read_audio(folder / name).astype(np.float64)
        frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
        loud = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
        onset = int(np.argmax(loud > np.percentile(loud, 95) - 20)) * 160
        said = sound[onset : onset + 2 * RATE_HZ]
        found.append(said * 10 ** (CALLER_DB / 20) / np.sqrt(np.mean(said**2)))
    return found


def measure(room: Room, given: Sound, responses: list[Sound], people: list[Sound]) -> str:
    random = np.random.default_rng(0)
    echo = through(room, given, responses)
    noise = random.normal(0, 5e-4, len(given))
    minutes = len(given) / RATE_HZ / 60
    plain = len(stops(echo, noise, given, False)[0])
    own, gone_on = stops(echo, noise, given, True)
    took_ms: list[float] = []
    missed = 0
    span = (FIRST_MS + 5_000) * RATE_HZ // 1000
    for number, said in enumerate(people):
        begin = (number * 3 * RATE_HZ) % (len(given) - span)
        piece = slice(begin, begin + span)
        # What plays stops soon after; until then the caller speaks over it.
        at = FIRST_MS * RATE_HZ // 1000 + int(random.integers(0, RATE_HZ))
        both = random.normal(0, 5e-4, span)
        both[at : at + len(said)] += said[: span - at]
        onset_ms = at * 1000 // RATE_HZ
        stopped, _ = stops(through(room, given[piece], responses), both, given[piece], True)
        found = [stop - onset_ms for stop in stopped if stop > onset_ms]
        if found and found[0] <= WITHIN_MS:
            took_ms.append(found[0])
        else:
            missed += 1
    p50, p95 = np.percentile(took_ms, [50, 95]) if took_ms else (np.nan, np.nan)
    return (
        f"{room.name:34} own voice {plain / minutes:5.1f} -> {len(own) / minutes:4.1f} a minute "
        f"(and {gone_on / minutes:4.1f} times silent for a moment)   "
        f"missed {100 * missed / len(people):3.0f} %   to silence {p50:4.0f} / {p95:4.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--callers", type=int, default=24)
    parser.add_argument("--room", default="", help="only rooms with this in their name")
    options = parser.parse_args()
    with (options.data / "noise" / "clips.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["kind"] == "impulse response"]
    responses = [
        read_audio(options.data / "noise" / name, "mono").astype(np.float64) for name in names
    ]
    given = speech(options.seconds)
    people = callers(options.data, options.callers)
    for room in (each for each in rooms() if options.room in each.name):
        print(measure(room, given, responses, people), flush=True)


if __name__ == "__main__":
    main()
