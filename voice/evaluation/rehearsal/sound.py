"""The caller's side as sound: a synthesised voice or a recording, the line, the noise on it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dialogue.types import Delivery
from nlu.types import Emotion, Samples
from voice.audio import read_audio, resample, to_float, to_pcm
from voice.channels.simulated import CallerLine
from voice.evaluation.rehearsal.scenario import Caller, Line, Noise, Scenario
from voice.g711 import decode_mulaw, encode_mulaw
from voice.speech import open_synthesizer
from voice.types import RATE_HZ, Pcm, Synthesizer

VOICES = {"man": "en-us+m3", "woman": "en-us+f4"}
TELEPHONE_RATE_HZ = 8_000
BACKGROUND_S = 12

FEELING_SOUND: Mapping[Emotion, Delivery] = {
    Emotion.NEUTRAL: Delivery(),
    Emotion.HAPPY: Delivery(rate=1.05, pitch_st=1.5, range=1.3, level_db=1.0),
    Emotion.SAD: Delivery(rate=0.88, pitch_st=-1.5, range=0.75, level_db=-2.0),
    Emotion.ANGRY: Delivery(rate=1.08, pitch_st=1.5, range=1.3, level_db=3.0),
    Emotion.ANXIOUS: Delivery(rate=1.12, pitch_st=2.0, range=1.1, level_db=0.5),
    Emotion.SURPRISED: Delivery(rate=1.05, pitch_st=2.0, range=1.3, level_db=1.0),
    Emotion.CONFUSED: Delivery(rate=0.92, pitch_st=0.5, range=0.9, level_db=-0.5),
}
"""How the caller's voice says a feeling: louder and livelier when angry, slow and flat when sad.
A synthesised feeling is a caricature: it exercises the way of the sound, not the emotion model."""

_PAUSE = re.compile(r"\[(\d{1,5})\]")
_BABBLE = (
    "And then she said that we could leave it until the weekend.",
    "No, the blue one is over there, next to the window.",
    "I think they are going to be here around half past seven.",
    "Could somebody please bring another chair to this table?",
)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A stretch of words between two pauses: where in the line it lies, and how many words."""

    start_ms: int
    end_ms: int
    words: int

    def share_said(self, at_ms: int) -> float:
        """How much of it lies before `at_ms` of the line, from 0 to 1."""
        if at_ms >= self.end_ms:
            return 1.0
        return max(0, at_ms - self.start_ms) / (self.end_ms - self.start_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A line as sound: what the channel plays, and the pieces that hold its words."""

    line: CallerLine
    pieces: tuple[Piece, ...] = ()

    def share_said(self, at_ms: int) -> float:
        """How much of the words lies before `at_ms` of the line, from 0 to 1."""
        whole = sum(piece.words for piece in self.pieces)
        if whole == 0:
            return 1.0
        return sum(piece.words * piece.share_said(at_ms) for piece in self.pieces) / whole


class CallerVoices:
    """The voices of callers, each opened when it is first needed. Close it to end their workers."""

    def __init__(self, open_voice: Callable[[str], Synthesizer] | None = None) -> None:
        self._open = open_voice or (lambda voice: open_synthesizer("espeak", voice))
        self._voices: dict[str, Synthesizer] = {}
        self._said: dict[tuple[str, str, Delivery], Pcm] = {}

    def say(self, voice: str, text: str, delivery: Delivery) -> Pcm:
        """A text as the caller says it. Raises `AttuneError` for a voice that does not exist."""
        key = (voice, text, delivery)
        if key not in self._said:
            if voice not in self._voices:
                self._voices[voice] = self._open(VOICES.get(voice, voice))
            chunks = [chunk.samples for chunk in self._voices[voice].speak(text, delivery)]
            self._said[key] = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
        return self._said[key]

    def close(self) -> None:
        """End the worker processes."""
        for voice in self._voices.values():
            voice.close()
        self._voices.clear()


def caller_lines(scenario: Scenario, voices: CallerVoices) -> tuple[tuple[Spoken, ...], Pcm | None]:
    """Every line of a scenario as sound, and the background of the call (None: a clean line).

    The SNR counts from the level of the caller's speech. The same scenario gives the same samples.
    """
    line_of = _telephone if scenario.caller.line == "telephone" else _as_it_is
    spoken = tuple(
        _line(line, scenario.caller, scenario.path.parent, voices) for line in scenario.turns
    )
    level = _speech_level(spoken)
    noise = scenario.caller.noise
    background: Pcm | None = None
    if noise is not None:
        seed = zlib.crc32(scenario.name.encode())
        sound = _noise(noise, scenario.path.parent, voices, np.random.default_rng(seed))
        background = line_of(_at_level(sound, level - noise.snr_db))
    on_the_line = tuple(
        replace(each, line=replace(each.line, samples=line_of(to_float(each.line.samples))))
        for each in spoken
    )
    return on_the_line, background


def _line(line: Line, caller: Caller, folder: Path, voices: CallerVoices) -> Spoken:
    samples = np.zeros(0, np.int16)
    pieces: tuple[Piece, ...] = ()
    if line.recording is not None:
        samples = to_pcm(read_audio(folder / line.recording, "left"))
        pieces = (Piece(0, _ms(len(samples)), 1),)
    elif line.say is not None:
        samples, pieces = _said(line, caller, voices)
    else:
        samples = np.zeros((line.silence_ms or 0) * RATE_HZ // 1000, np.int16)
    sound = CallerLine(
        samples,
        wait_ms=line.wait_ms,
        into_answer_ms=line.interrupts_after_ms,
        asks_nothing=line.silence_ms is not None,
        hangs_up=line.hangs_up,
    )
    return Spoken(sound, pieces)


def _said(line: Line, caller: Caller, voices: CallerVoices) -> tuple[Pcm, tuple[Piece, ...]]:
    sound = FEELING_SOUND[line.feeling]
    delivery = replace(sound, rate=sound.rate * line.pace)
    samples: list[Pcm] = []
    pieces: list[Piece] = []
    for place, part in enumerate(_PAUSE.split(line.say or "")):
        if place % 2:
            samples.append(np.zeros(int(part) * RATE_HZ // 1000, np.int16))
        elif part.strip():
            start_ms = _ms(sum(map(len, samples)))
            samples.append(voices.say(caller.voice, part.strip(), delivery))
            pieces.append(Piece(start_ms, _ms(sum(map(len, samples))), len(part.split())))
    return (np.concatenate(samples) if samples else np.zeros(0, np.int16)), tuple(pieces)


# --- the line and its noise ---------------------------------------------------------------------


def _as_it_is(samples: Samples) -> Pcm:
    return to_pcm(samples)


def _telephone(samples: Samples) -> Pcm:
    """Through 8 kHz mu-law and back (ITU-T G.711)."""
    if not len(samples):
        return to_pcm(samples)
    narrow = to_pcm(resample(samples, RATE_HZ, TELEPHONE_RATE_HZ))
    coded = to_float(decode_mulaw(encode_mulaw(narrow)))
    return to_pcm(resample(coded, TELEPHONE_RATE_HZ, RATE_HZ)[: len(samples)])


def _speech_level(spoken: tuple[Spoken, ...]) -> float:
    """The level of the loud half of the caller's frames in dBFS; -26 without a word."""
    words = [to_float(each.line.samples) for each in spoken if each.pieces]
    if not words:
        return -26.0
    samples = np.concatenate(words)
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.sort((frames.astype(np.float64) ** 2).mean(axis=1))
    return 10.0 * float(np.log10(power[len(power) // 2 :].mean() + 1e-12))


def _at_level(samples: Samples, dbfs: float) -> Samples:
    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) or 1.0
    return np.asarray(samples * (10 ** (dbfs / 20) / rms), dtype=np.float32)


def _noise(
    noise: Noise, folder: Path, voices: CallerVoices, random: np.random.Generator
) -> Samples:
    count = BACKGROUND_S * RATE_HZ
    if noise.file is not None:
        return read_audio(folder / noise.file, "left")
    if noise.kind == "white":
        return random.standard_normal(count).astype(np.float32)
    if noise.kind == "hum":
        time_s = np.arange(count) / RATE_HZ
        parts = [np.sin(2 * np.pi * 50 * k * time_s) / k for k in (1, 2, 3, 5)]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float32)
    return _babble(count, voices, random)


def _babble(count: int, voices: CallerVoices, random: np.random.Generator) -> Samples:
    """Six people talking at once, each somewhere else in the same talk."""
    talk = np.zeros(count, np.float64)
    for place in range(6):
        voice = ("man", "woman")[place % 2]
        said = [
            to_float(voices.say(voice, text, Delivery()))
            for text in random.permutation(np.asarray(_BABBLE))
        ]
        one = np.resize(np.concatenate(said), count)
        talk += np.roll(one, int(random.integers(count)))
    return talk.astype(np.float32)


def _ms(samples: int) -> int:
    return samples * 1000 // RATE_HZ
