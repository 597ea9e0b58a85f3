"""How `voice/turns/likeness.npz` was made.

    python benchmarks/barge_in_training.py --data DIR [--out FILE]   (extra `train`)

It trains all four networks, two of each kind that differ in what they begin from: 15 minutes of one
core. The weights that are shipped are those of one run from beginning to end.

People: the beginnings of what LibriSpeech readers say who are not in `barge_in.py` (the 61st
speaker on), RAVDESS clips that are not in it (its actors are), nEMO, spoken digits, and the same
from a pause within; one in four made to begin softly. No people: synthesised coughs, clearings of
the throat, hums, slams and tunes with other seeds than in `barge_in.py`; hums of two flite voices
that are not in it; every recorded sound of the `noise` corpus that is not in it and is no crowd,
among them laughing, crying, snoring and yawning; coughs through the vocal tracts of the readers,
hums through their noses. No recorded cough is among them, and no recorded hum. Each at three levels
and speeds, wideband or, seven in ten, on the telephone (half of these between 300 and 3,400 Hz),
with the noise of its own room, somebody else's or both before, in and after it: what is new must be
the voice, not that a recording begins. For the network `begun` every frame from the beginning of a
person's sound to its end is speech; for `talking` those are that lie within 100 ms of something
loud; the first 300 ms of a sound count twice. One item in five is left out; the thresholds of
`voice/turns/suspicion.py` were chosen on these and on what the head of `barge_in.py` names.
"""

from __future__ import annotations

import argparse
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from barge_in_sounds import (
    HU_COUGHS,
    HU_KNOCKS,
    HU_MUSICAL,
    MURMURS,
    RUBS,
    TAPS,
    Item,
    Sound,
    clips,
    cough,
    faster,
    hu,
    hum,
    murmur,
    on_a_line,
    on_the_line,
    pulses,
    resonate,
    room_noise,
    room_of,
    slams,
    trimmed,
    tune,
)
from scipy.linalg import solve_toeplitz
from scipy.signal import butter, lfilter, sosfilt

from voice.audio import read_audio
from voice.turns.likeness import FEATURES, KINDS, NETWORKS, FrameFeatures
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector

CELLS = 40
LONGEST_S = 1.6
FRAMES = 150
EPOCHS = 30
BATCH = 128
SEEDS = (7, 8)
"""Of the two networks of each kind."""
BEFORE_WEIGHT = 0.3
BEGINNING_MS = 300
BEGINNING_WEIGHT = 2.0
"""Of these first frames of a sound: what is not known by then is too late, or a needless pause."""
NOISE = 0.1
"""Added to the features while training."""
SOFT_SHARE = 0.25
TELEPHONE_SHARE = 0.7
NEAR_FRAMES = 5
TESTED_PEOPLE = 60
FIRST_SOUND_WITHOUT_CROWD = 18
HU_VOCAL = (87, 89, 90, 91, 92, 93)
"""Laughing, crying, snoring, yawning: a throat, and nobody talking."""
VOCAL_SPEEDS = (0.75, 0.85, 0.95, 1.05, 1.15, 1.3)
VERSIONS = 3
TRACT_ORDER = 18


def no_people(data: Path, random: np.random.Generator) -> Iterator[Item]:
    for make, kind, count in (
        (cough, "cough", 500),
        (throat, "cough", 400),
        (hum, "mm-hm", 400),
        (tune, "music", 300),
    ):
        for _ in range(count):
            yield Item(kind, "synthesised", make(random), False)
    if shutil.which("flite"):
        for phones in MURMURS:
            for voice in ("kal", "kal16"):
                sound = murmur(voice, phones)
                for factor in (0.8, 0.95, 1.1, 1.25):
                    yield Item("mm-hm", f"{voice} {phones}", faster(sound, factor), False)
    knocks = (item for item in slams(data, random) if not item.real)
    yield from (item for item, _ in zip(knocks, range(300), strict=False))
    yield from recorded(data)
    yield from throats_of(data, random)
    yield from murmurs_of(data, random)


def recorded(data: Path) -> Iterator[Item]:
    tested = {*HU_COUGHS, *HU_KNOCKS, *HU_MUSICAL}
    names = {row["file"] for row in clips(data, "noise")}
    for number in range(FIRST_SOUND_WITHOUT_CROWD, 101):
        if number not in tested and f"speechdnn-noises_Nonspeech_n{number}.ogg" in names:
            for factor in VOCAL_SPEEDS if number in HU_VOCAL else (0.85, 1.0, 1.15):
                yield hu(data, number, "noise", factor)
    for row in clips(data, "noise"):
        other = not row["file"].startswith(("speechdnn", "pipecat", "picovoice"))
        if row["kind"] == "noise" and other and not row["file"].endswith((*TAPS, *RUBS)):
            whole = read_audio(data / "noise" / row["file"], "mono").astype(np.float64)
            sound, room = trimmed(whole), room_of(whole)
            for start in range(0, min(len(sound), 12 * RATE_HZ), 3 * RATE_HZ):
                yield Item("noise", row["file"], sound[start : start + 3 * RATE_HZ], True, room)


def throat(random: np.random.Generator) -> Sound:
    """A rough voiced clearing of the throat: pulses that waver, breath, a neutral vocal tract."""
    parts = []
    for _ in range(int(random.integers(1, 4))):
        count = int(RATE_HZ * random.uniform(0.12, 0.5))
        wander = np.cumsum(random.normal(0, 1, count)) / np.sqrt(count)
        voiced = pulses(random.uniform(80, 300) * (1 + 0.15 * wander))
        voiced /= np.abs(voiced).max() + 1e-9
        rough = 1 + random.uniform(0, 0.6) * np.sin(
            2 * np.pi * random.uniform(15, 40) * np.arange(count) / RATE_HZ
        )
        rise = np.minimum(1, np.arange(count) / (RATE_HZ * random.uniform(0.005, 0.06)))
        fall = np.linspace(1, random.uniform(0, 0.5), count) ** random.uniform(0.7, 2)
        breath = random.normal(0, random.uniform(0.03, 0.4), count)
        if random.random() < 0.6:
            burst = int(RATE_HZ * random.uniform(0.02, 0.07))
            parts.append(random.normal(0, 0.8, burst) * np.hanning(burst))
        parts += [(voiced + breath) * rise * fall * rough]
        parts.append(np.zeros(int(RATE_HZ * random.uniform(0.05, 0.4))))
    scale = random.uniform(0.8, 1.3)
    poles = [random.uniform(450, 800) * scale, random.uniform(1_100, 1_700) * scale, 2_500 * scale]
    return resonate(np.concatenate(parts), poles, random.uniform(100, 260))


def throats_of(data: Path, random: np.random.Generator) -> Iterator[Item]:
    """Coughs through the vocal tracts of people who are trained on: of one vowel, or from one to
    another, as linear prediction finds them."""
    for row in trained_readers(data):
        sound = trimmed(read_audio(data / "librispeech" / row["file"], "mono").astype(np.float64))
        tracts = [predicted(frame) for frame in some_of(voiced(sound), random, 10)]
        for first, second in zip(tracts[::2], tracts[1::2], strict=True):
            coughed = through(explosion(random), first, second)
            yield Item("cough", f"throat of {row['file']}", coughed, False)


def murmurs_of(data: Path, random: np.random.Generator) -> Iterator[Item]:
    """Hums through the noses of people who are trained on: a tone of one syllable or two through
    what linear prediction finds where most of their voice lies below 500 Hz."""
    for row in trained_readers(data):
        sound = trimmed(read_audio(data / "librispeech" / row["file"], "mono").astype(np.float64))
        frames = voiced(sound, 0.5)
        spectrum = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]))) ** 2
        low = np.sum(spectrum[:, : spectrum.shape[1] // 16], axis=1) / np.sum(spectrum, axis=1)
        nasal = frames[np.argsort(low)[-max(2, len(low) // 12) :]]
        for frame in some_of(nasal, random, 2):
            tract = predicted(frame)
            yield Item(
                "mm-hm", f"nose of {row['file']}", through(tone(random), tract, tract), False
            )


def tone(random: np.random.Generator) -> Sound:
    """What a hum sends through the nose: one to three stretches of an even voice, with or without a
    breath in between."""
    f0_hz = random.uniform(80, 290)
    parts = []
    for number in range(int(random.integers(1, 4))):
        count = int(RATE_HZ * random.uniform(0.1, 0.45))
        step = 1.0 if number == 0 else random.uniform(0.85, 1.35)
        wander = np.cumsum(random.normal(0, 1, count)) / np.sqrt(count)
        slope = np.linspace(1, random.uniform(0.8, 1.2), count)
        hummed = pulses(f0_hz * step * slope * (1 + 0.03 * wander))
        hummed /= np.abs(hummed).max() + 1e-9
        hummed += random.normal(0, random.uniform(0.003, 0.05), count)
        rise, fall = (int(RATE_HZ * random.uniform(0.01, 0.08)) for _ in range(2))
        hummed[:rise] *= np.linspace(0, 1, rise)
        hummed[-fall:] *= np.linspace(1, 0, fall)
        between = np.zeros(int(RATE_HZ * random.uniform(0.0, 0.12)))
        if random.random() < 0.5:
            between = random.normal(0, random.uniform(0.01, 0.15), len(between))
        parts += [hummed * random.uniform(0.4, 1.0), between]
    return np.concatenate(parts)


def trained_readers(data: Path) -> list[dict[str, str]]:
    """A clip of each reader who is trained on."""
    rows = list({row["speaker"]: row for row in clips(data, "librispeech")}.values())
    return rows[TESTED_PEOPLE:]


def voiced(sound: Sound, share: float = 0.2) -> Sound:
    """The loudest share of a voice's frames of 30 ms, shape (frames, samples)."""
    size = RATE_HZ * 30 // 1000
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    power = np.mean(frames**2, axis=1)
    return frames[power >= np.quantile(power, 1.0 - share)]


def some_of(frames: Sound, random: np.random.Generator, count: int) -> Sound:
    """So many of the frames."""
    return frames[random.integers(len(frames), size=count)]


def predicted(frame: Sound) -> Sound:
    """Prediction coefficients of a frame, shape (19,)."""
    lags = np.correlate(*[frame * np.hanning(len(frame))] * 2, "full")[len(frame) - 1 :]
    lags = lags[: TRACT_ORDER + 1]
    lags[0] *= 1.0005
    return np.append(1.0, -solve_toeplitz(lags[:-1], lags[1:]))


def explosion(random: np.random.Generator) -> Sound:
    """What a cough sends through the throat: up to four bursts of breath, each with a rough voice
    behind it, or without."""
    parts = [np.zeros(0)]
    for _ in range(int(random.integers(1, 5))):
        burst = random.normal(0, 1, int(RATE_HZ * random.uniform(0.02, 0.09)))
        burst *= np.minimum(1, np.arange(len(burst)) / (RATE_HZ * random.uniform(0.001, 0.012)))
        breath = random.normal(
            0, random.uniform(0.2, 0.7), int(RATE_HZ * random.uniform(0.05, 0.3))
        )
        breath *= np.linspace(1, random.uniform(0, 0.4), len(breath))
        parts += [burst, breath]
        if random.random() < 0.7:
            count = int(RATE_HZ * random.uniform(0.04, 0.3))
            wander = np.cumsum(random.normal(0, 1, count)) / np.sqrt(count)
            slope = np.linspace(1, random.uniform(0.6, 1.3), count)
            f0_hz = random.uniform(90, 450) * slope * (1 + random.uniform(0, 0.3) * wander)
            voiced = pulses(np.maximum(f0_hz, 50))
            voiced /= np.abs(voiced).max() + 1e-9
            half = 1 + random.uniform(0, 0.5) * np.sin(np.pi * np.cumsum(f0_hz) / RATE_HZ)
            rough = 1 + random.uniform(0, 0.5) * random.normal(0, 1, count)
            fade = np.linspace(1, random.uniform(0, 0.5), count) ** random.uniform(0.7, 2)
            hiss = random.normal(0, random.uniform(0.02, 0.4), count)
            parts.append((random.uniform(1, 4) * voiced * half * rough + hiss) * fade)
        parts.append(np.zeros(int(RATE_HZ * random.uniform(0.02, 0.35))))
    return np.concatenate(parts)


def through(source: Sound, first: Sound, second: Sound) -> Sound:
    """From one vocal tract to another."""
    share = np.linspace(0, 1, len(source))
    sounds = [lfilter([1.0], tract, source) for tract in (first, second)]
    one, other = (sound / (np.abs(sound).max() + 1e-9) for sound in sounds)
    mixed = (1 - share) * one + share * other
    return trimmed(mixed / (np.abs(mixed).max() + 1e-9))


def people(data: Path) -> Iterator[Item]:
    rows = clips(data, "librispeech")
    tested = set(list(dict.fromkeys(row["speaker"] for row in rows))[:TESTED_PEOPLE])
    yield from read("librispeech", [row for row in rows if row["speaker"] not in tested], data)
    rows = clips(data, "ravdess")
    tested = {row["file"] for row in rows[:: len(rows) // 40]}
    yield from read("ravdess", [row for row in rows[1::3] if row["file"] not in tested], data)
    yield from read("nemo", clips(data, "nemo")[::9], data)
    yield from read("digits", clips(data, "digits")[::8], data)


def read(corpus: str, rows: list[dict[str, str]], data: Path) -> Iterator[Item]:
    for row in rows:
        whole = read_audio(data / corpus / row["file"], "mono").astype(np.float64)
        sound, room = trimmed(whole), room_of(whole)
        yield Item(corpus, row["file"], sound, True, room)
        later: Sound | None = sound
        for _ in range({"librispeech": 7, "nemo": 1}.get(corpus, 0)):
            later = after_pause(later) if later is not None else None
            if later is not None:
                yield Item(corpus, row["file"], later, True, room)


def after_pause(sound: Sound) -> Sound | None:
    """From where the sound comes back after its first 100 ms of quiet, a second in or later."""
    blocks = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    level = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)
    quiet = np.convolve(level < np.percentile(level, 97) - 25, np.ones(10), "valid") >= 10
    later = np.flatnonzero(quiet[100:])
    if not len(later):
        return None
    rest = sound[(100 + int(later[0])) * 160 :]
    return trimmed(rest) if len(rest) > RATE_HZ else None


Sequence = tuple[np.ndarray, ...]
"""Of each frame: features, and for each network label and weight."""


def heard(item: Item, is_speech: bool, rooms: list[Sound], random: np.random.Generator) -> Sequence:
    """The item on a line; half of them in somebody's room as well, or in none."""
    sound = faster(item.sound, random.uniform(0.9, 1.12))[: int(LONGEST_S * RATE_HZ)]
    lead = int(random.uniform(0.5, 1.2) * RATE_HZ)
    if is_speech and random.random() < SOFT_SHARE:
        sound = softly(sound, random)
    shown = replace(item, sound=sound)
    line = on_a_line(shown, random.uniform(-38, -14), lead, RATE_HZ // 5, random)
    if item.room is None or random.random() < 0.4:
        noise = room_noise(rooms[int(random.integers(len(rooms)))], len(line), random)
        line += noise / noise.std() * 10 ** (random.uniform(-80, -48) / 20)
    telephone = random.random() < TELEPHONE_SHARE
    if telephone and random.random() < 0.5:
        band = random.uniform(150, 350), random.uniform(3_000, 3_700)
        line = sosfilt(butter(2, band, "bandpass", fs=RATE_HZ, output="sos"), line)
    samples = on_the_line(line, telephone)
    detector, features = SpeechDetector(), FrameFeatures()
    rows = []
    for start in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = AudioFrame(samples[start : start + FRAME_SAMPLES], start * 1000 // RATE_HZ)
        rows.append(features.push(frame, detector.push(frame)))
    spoken = np.zeros(len(samples))
    spoken[lead : lead + len(sound)] = sound if is_speech else 0.0
    starts = np.arange(len(rows)) * FRAME_SAMPLES
    before = np.where(starts + FRAME_SAMPLES <= lead, BEFORE_WEIGHT, 1.0)
    begins = (before == 1.0) & (starts < lead + BEGINNING_MS * RATE_HZ // 1000)
    before = np.where(begins, BEGINNING_WEIGHT, before)
    inside = (starts + FRAME_SAMPLES > lead + FRAME_SAMPLES) & (starts < lead + len(sound))
    unsaid = (starts + FRAME_SAMPLES > lead) & ~inside & is_speech
    parts = (
        *(np.asarray(rows), inside & is_speech, np.where(unsaid, 0.0, before)),
        *(talking(spoken)[: len(rows)], before),
    )
    return tuple(np.asarray(each[-FRAMES:], dtype=np.float32) for each in parts)


def softly(sound: Sound, random: np.random.Generator) -> Sound:
    """The sound with a beginning that rises to its own loudness within half a second."""
    count = min(len(sound), int(random.uniform(0.1, 0.5) * RATE_HZ))
    softer = sound.copy()
    softer[:count] *= 10 ** (np.linspace(random.uniform(-18, -4), 0.0, count) / 20)
    return softer


def talking(spoken: Sound) -> npt.NDArray[np.float64]:
    """Which frames lie within 100 ms of speech: within 30 dB of its loudest 20 ms."""
    frames = spoken[: len(spoken) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.mean(frames**2, axis=1)
    loud = (power > 0) & (power > power.max() * 1e-3)
    first = int(np.argmax(loud)) if loud.any() else len(loud)
    near = np.convolve(loud, np.ones(2 * NEAR_FRAMES + 1), "same") > 0
    near[:first] = False
    return near.astype(np.float64)


def items(data: Path, *, left_out: bool) -> tuple[list[Item], list[Item]]:
    """No people, and people: what is trained on, or the fifth that is left out."""

    def chosen(found: Iterator[Item]) -> list[Item]:
        usable = (
            (f"{number}" if item.name == "synthesised" else item.name, item)
            for number, item in enumerate(found)
            if len(item.sound) >= RATE_HZ // 20 and np.abs(item.sound).max() > 0
        )
        return [item for key, item in usable if (zlib.crc32(key.encode()) % 5 == 0) == left_out]

    return chosen(no_people(data, np.random.default_rng(17))), chosen(people(data))


def sequences(data: Path) -> list[Sequence]:
    random = np.random.default_rng(18)
    others, speech = items(data, left_out=False)
    rooms = [item.room for item in speech if item.room is not None and item.room.any()]
    return [
        heard(item, is_speech, rooms, random)
        for found, is_speech in ((others, False), (speech, True))
        for item in found
        for _ in range(VERSIONS)
    ]


def padded(found: list[Sequence]) -> list[torch.Tensor]:
    shapes = ((len(found), FRAMES, FEATURES), *[(len(found), FRAMES)] * (2 * len(KINDS)))
    whole = [np.zeros(shape, dtype=np.float32) for shape in shapes]
    for i, parts in enumerate(found):
        for array, part in zip(whole, parts, strict=True):
            array[i, : len(part)] = part
    return [torch.from_numpy(array) for array in whole]


class Recurrent(torch.nn.Module):
    """What is exported as `voice.turns.likeness.Network`."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = torch.nn.GRU(FEATURES, CELLS, batch_first=True)
        self.out = torch.nn.Linear(CELLS, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Log-odds of each frame, shape (batch, frames)."""
        return self.out(self.unit(features)[0])[..., 0]


def trained(
    features: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, seed: int
) -> Recurrent:
    torch.manual_seed(seed)
    network = Recurrent()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(features)).split(BATCH):
            noisy = features[batch] + NOISE * torch.randn_like(features[batch])
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                network(noisy), labels[batch], reduction="none"
            )
            loss = (losses * weights[batch]).sum() / weights[batch].sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach()) * len(batch)
        schedule.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / len(features):.4f}")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("voice/turns/likeness.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = sequences(options.data)
    speech = sum(bool(each[1].any()) for each in found)
    print(f"{len(found)} sequences, {speech} of them speech")
    features, *targets = padded(found)
    stored: dict[str, np.ndarray | np.float32] = {}
    for number, name in enumerate(NETWORKS):
        kind = number % len(KINDS)
        print(f"network {name!r}", flush=True)
        seed = SEEDS[number // len(KINDS)]
        network = trained(features, targets[2 * kind], targets[2 * kind + 1], seed)
        stored.update({f"{name}_{part}": array for part, array in exported(network).items()})
        np.savez_compressed(options.out, **stored)


def exported(network: Recurrent) -> dict[str, np.ndarray | np.float32]:
    """The parts of `voice.turns.likeness.Network`."""
    parts = {
        "inputs": network.unit.weight_ih_l0,
        "recurrent": network.unit.weight_hh_l0,
        "input_bias": network.unit.bias_ih_l0,
        "recurrent_bias": network.unit.bias_hh_l0,
        "out": network.out.weight[0],
    }
    found: dict[str, np.ndarray | np.float32] = {
        part: tensor.detach().numpy().astype(np.float16) for part, tensor in parts.items()
    }
    return {**found, "out_bias": np.float32(network.out.bias.item())}


if __name__ == "__main__":
    main()
