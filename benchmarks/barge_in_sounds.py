"""The sounds of `barge_in.py`: coughs, hums, slams and music, people who interrupt, and the line.

Recorded sounds are those of `noise` (G. Hu's nonspeech set: coughs, claps, footsteps, doors, bells,
telephones; taps), played at several speeds, and music cut from files; "mm-hm" is spoken by flite
from its phones, or a synthesised hum; the other coughs, slams and tunes are synthesised. The
background of a recording is on the line before and after it too.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve, lfilter

from voice.audio import read_audio, resample, to_float
from voice.g711 import decode_mulaw, encode_mulaw
from voice.types import RATE_HZ, Pcm

LINE_NOISE = 3e-4
HU_COUGHS, HU_KNOCKS = (83, 84, 85), (86, 88, 96, 97, 98)
HU_MUSICAL = (79, 80, 81, 82, 99, 100, 30, 33, 36, 40)
TAPS = ("tap.ogg", "_tap_channel0_chunk200_aug0.ogg", "_tap_channel0_chunk204_aug3.ogg")
RUBS = ("friction0.ogg", "friction1.ogg", "rub_channel0_chunk83_aug2.ogg")

Sound = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Item:
    """A sound without silence around it, at full scale; `real` says that it was recorded, `room`
    is the spectrum of what was heard around it then."""

    kind: str
    name: str
    sound: Sound
    real: bool
    room: Sound | None = None


def room_of(whole: Sound) -> Sound:
    """The amplitude spectrum, shape (257,), of the quietest tenth of a recording."""
    frames = whole[: len(whole) // 512 * 512].reshape(-1, 512)
    power = np.mean(frames**2, axis=1)
    quiet = frames[power <= np.percentile(power, 10)] * np.hanning(512)
    return np.sqrt(np.mean(np.abs(np.fft.rfft(quiet)) ** 2, axis=0) / np.sum(np.hanning(512) ** 2))


def room_noise(room: Sound, count: int, random: np.random.Generator) -> Sound:
    """Noise with this spectrum."""
    kernel = np.roll(np.fft.irfft(room), 256)
    return fftconvolve(random.normal(0, 1, count + 511), kernel, "valid")


def gain(sound: Sound, level_db: float) -> float:
    """The factor that brings the loudest 100 ms of a sound to a level in dBFS."""
    size = RATE_HZ // 10
    blocks = [sound[i : i + size] for i in range(0, len(sound), size // 2)]
    loudest = max(float(np.sqrt(np.mean(block**2))) for block in blocks if len(block))
    return float(10 ** (level_db / 20) / max(loudest, 1e-9))


def at_level(sound: Sound, level_db: float) -> Sound:
    """The sound with its loudest 100 ms at a level in dBFS."""
    return sound * gain(sound, level_db)


def on_a_line(
    item: Item, level_db: float, lead: int, tail: int, random: np.random.Generator
) -> Sound:
    """A sound at a level, with `lead` samples of the line before it and `tail` after.

    What was heard around a recorded sound is heard before and after it too, so that no background
    begins with it; and no sound begins with a click.
    """
    factor = gain(item.sound, level_db)
    sound = item.sound * factor
    ramp = RATE_HZ * 5 // 1000
    sound[:ramp] *= np.linspace(0.0, 1.0, len(sound[:ramp]))
    line = np.concatenate([np.zeros(lead), sound, np.zeros(tail)])
    if item.room is not None:
        around = room_noise(item.room * factor, len(line), random)
        around[lead + ramp : lead + len(sound)] = 0.0
        line += around
    return line + random.normal(0, LINE_NOISE, len(line))


def trimmed(sound: Sound) -> Sound:
    """From where it begins to where it ends: 50 of 60 ms within 20 dB of its loud parts and well
    over its own background, so that a breath or a click before the speech is none of it."""
    count = len(sound) // 160
    level = 10 * np.log10(np.mean(sound[: count * 160].reshape(-1, 160) ** 2, axis=1) + 1e-12)
    loud = level > max(np.percentile(level, 97) - 20.0, np.percentile(level, 10) + 6.0)
    lasting = np.convolve(loud, np.ones(6), "valid") >= 5
    if not lasting.any():
        return sound
    first = int(np.argmax(lasting))
    first += int(np.argmax(loud[first:]))
    last = len(level) - 1 - int(np.argmax(loud[::-1]))
    return sound[first * 160 : (last + 1) * 160]


def faster(sound: Sound, factor: float) -> Sound:
    """Played at another speed, pitch and all."""
    return np.interp(np.arange(0, len(sound) - 1, factor), np.arange(len(sound)), sound)


# --- sounds that should not stop it -----------------------------------------------------------


def false_sounds(data: Path, music: Path | None) -> list[Item]:
    random = np.random.default_rng(5)
    groups = [
        take(coughs(data, random), 50),
        take(hums(random), 60),
        take(slams(data, random), 50),
        take(tunes(data, music, random), 40),
    ]
    return [item for group in groups for item in group]


def take(items: Iterator[Item], count: int) -> list[Item]:
    return [item for item, _ in zip(items, range(count), strict=False)]


def hu(data: Path, number: int, kind: str, factor: float = 1.0) -> Item:
    """A sound of G. Hu's set, at another speed."""
    path = data / "noise" / f"speechdnn-noises_Nonspeech_n{number}.ogg"
    whole = read_audio(path, "mono").astype(np.float64)
    sound = faster(trimmed(whole)[: 3 * RATE_HZ], factor)
    return Item(kind, f"n{number} x{factor}", sound, True, room_of(whole))


def coughs(data: Path, random: np.random.Generator) -> Iterator[Item]:
    for factor in (0.8, 0.87, 0.94, 1.0, 1.07, 1.14, 1.22, 1.3):
        for number in HU_COUGHS:
            yield hu(data, number, "cough", factor)
    while True:
        yield Item("cough", "synthesised", cough(random), False)


def cough(random: np.random.Generator) -> Sound:
    """A burst, a breath and a short voiced end, through a vocal tract (Korpas: three phases)."""
    parts = []
    for _ in range(int(random.integers(1, 4))):
        burst = random.normal(0, 1, int(RATE_HZ * random.uniform(0.03, 0.07)))
        breath = random.normal(0, 0.35, int(RATE_HZ * random.uniform(0.1, 0.25)))
        breath *= np.linspace(1, 0.2, len(breath))
        f0 = random.uniform(120, 320)
        voiced = pulses(np.full(int(RATE_HZ * random.uniform(0.05, 0.12)), f0))
        voiced *= np.linspace(1, 0, len(voiced)) * 0.7
        parts += [burst, breath, voiced, np.zeros(int(RATE_HZ * random.uniform(0.05, 0.2)))]
    scale = random.uniform(0.9, 1.2)
    return resonate(np.concatenate(parts), [650 * scale, 1_400 * scale, 2_500 * scale], 200)


MURMURS = ("m m m pau hh m m m", "m m m m", "hh m m m", "m m hh m m m", "hh m m pau hh m m")
"""Phones of flite: "mm-hm", "mmm", "hm", ..."""


def hums(random: np.random.Generator) -> Iterator[Item]:
    if shutil.which("flite"):
        for phones in MURMURS:
            for voice in ("slt", "rms", "awb"):
                sound = murmur(voice, phones)
                for factor in (0.9, 1.1):
                    yield Item("mm-hm", f"{voice} {phones}", faster(sound, factor), False)
    while True:
        yield Item("mm-hm", "synthesised", hum(random), False)


def murmur(voice: str, phones: str) -> Sound:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "-p", f"pau {phones} pau", file.name]
        subprocess.run(command, check=True)
        return trimmed(read_audio(Path(file.name)).astype(np.float64))


def hum(random: np.random.Generator) -> Sound:
    """Two nasal murmurs, the second higher: energy below 400 Hz, weak poles at 1.1 and 2.2 kHz."""
    f0 = random.uniform(95, 240)
    parts = []
    for step in (1.0, random.uniform(1.05, 1.3)):
        count = int(RATE_HZ * random.uniform(0.12, 0.3))
        tone = pulses(np.linspace(f0 * step, f0 * step * random.uniform(0.9, 1.1), count))
        parts += [tone * np.hanning(count), np.zeros(int(RATE_HZ * random.uniform(0.02, 0.1)))]
    tone = np.concatenate(parts)
    nasal = resonate(tone, [270], 80) + 0.08 * resonate(tone, [1_100, 2_200], 150)
    return nasal + random.normal(0, 1e-4, len(nasal))


def pulses(f0_hz: Sound) -> Sound:
    phase = np.cumsum(f0_hz / RATE_HZ) % 1.0
    source = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6) ** 2, 0.0)
    return np.diff(source, prepend=0.0)


def resonate(sound: Sound, poles_hz: list[float], width_hz: float) -> Sound:
    for pole in poles_hz:
        r = np.exp(-np.pi * width_hz / RATE_HZ)
        sound = lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * pole / RATE_HZ), r * r], sound)
    return sound / (np.abs(sound).max() + 1e-9)


def slams(data: Path, random: np.random.Generator) -> Iterator[Item]:
    for number in HU_KNOCKS:
        for factor in (0.8, 1.0, 1.25):
            yield hu(data, number, "slam", factor)
    for end in (*TAPS, *RUBS):
        for path in (data / "noise").glob(f"*{end}"):
            sound = read_audio(path, "mono").astype(np.float64)
            yield Item("slam", path.stem, trimmed(sound), True, room_of(sound))
    rooms = [row["file"] for row in clips(data, "noise") if row["kind"] == "impulse response"]
    while True:
        room = read_audio(data / "noise" / str(random.choice(rooms)), "mono").astype(np.float64)
        body = random.normal(0, 1, int(RATE_HZ * random.uniform(0.01, 0.06)))
        body *= np.exp(-np.linspace(0, 6, len(body)))
        door = resonate(body, [random.uniform(80, 400), random.uniform(400, 1_500)], 60)
        knocks = int(random.integers(1, 5))
        gap = np.zeros(int(RATE_HZ * random.uniform(0.12, 0.3)))
        row = np.concatenate([part for _ in range(knocks) for part in (door, gap)])
        yield Item("slam", "synthesised", np.convolve(row, room)[: 2 * RATE_HZ], False)


def tunes(data: Path, music: Path | None, random: np.random.Generator) -> Iterator[Item]:
    for number in HU_MUSICAL:
        yield hu(data, number, "music")
    if music is not None:
        for path in sorted(music.rglob("*")):
            if path.suffix not in (".mp3", ".ogg", ".wav"):
                continue
            sound = read_audio(path, "mono").astype(np.float64)
            for start in range(0, min(len(sound) - 3 * RATE_HZ, 30 * RATE_HZ), 5 * RATE_HZ):
                piece = sound[start : start + 3 * RATE_HZ]
                yield Item("music", f"{path.stem} {start // RATE_HZ} s", piece, True)
    while True:
        yield Item("music", "synthesised", tune(random), False)


def tune(random: np.random.Generator) -> Sound:
    """Chords and a melody with decaying partials, and a drum on every beat."""
    beat = int(RATE_HZ * random.uniform(0.25, 0.6))
    root = random.uniform(110, 330)
    out = np.zeros(3 * RATE_HZ)
    for start in range(0, len(out) - beat, beat):
        time = np.arange(beat) / RATE_HZ
        notes = [root * 2 ** (step / 12) for step in random.choice([0, 3, 4, 5, 7, 9, 12], 3)]
        for note in notes:
            for partial in range(1, 7):
                sine = np.sin(2 * np.pi * note * partial * time)
                out[start : start + beat] += sine * np.exp(-3 * partial * time) / partial
        drum = random.normal(0, 1.5, beat) * np.exp(-60 * time)
        out[start : start + beat] += drum
    return out / np.abs(out).max()


def clips(data: Path, corpus: str) -> list[dict[str, str]]:
    """The table of a corpus."""
    with (data / corpus / "clips.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- real interruptions -----------------------------------------------------------------------


def interruptions(data: Path) -> list[Item]:
    found = []
    for corpus, count, column in (("librispeech", 60, "speaker"), ("ravdess", 40, "emotion")):
        rows = clips(data, corpus)
        if corpus == "librispeech":
            rows = list({row["speaker"]: row for row in rows}.values())
        else:
            rows = rows[:: len(rows) // count]
        for row in rows[:count]:
            whole = read_audio(data / corpus / row["file"], "mono").astype(np.float64)
            name = f"{row[column]} {row['file']}"
            sound = trimmed(whole)[: 2 * RATE_HZ]
            found.append(Item(corpus, name, sound, True, room_of(whole)))
    return found


def babble(data: Path, random: np.random.Generator) -> Sound:
    """Six readers at once, 30 s."""
    rows = [row for row in clips(data, "librispeech") if float(row["seconds"]) > 8]
    mixed = np.zeros(30 * RATE_HZ)
    for row in random.choice(np.asarray(rows), 6, replace=False):
        sound = read_audio(data / "librispeech" / row["file"]).astype(np.float64)
        # Nobody begins to talk when the call begins.
        begun = int(random.integers(len(sound)))
        mixed += np.resize(np.roll(at_level(sound, -20), begun), len(mixed))
    return mixed


def on_the_line(sound: Sound, telephone: bool) -> Pcm:
    samples = np.clip(sound * 32_768, -32_768, 32_767).astype(np.int16)
    if not telephone:
        return samples
    narrow = resample(to_float(samples), RATE_HZ, 8_000)
    heard = decode_mulaw(encode_mulaw(np.clip(narrow * 32_768, -32_768, 32_767).astype(np.int16)))
    wide = resample(to_float(heard), 8_000, RATE_HZ)
    return np.clip(wide * 32_768, -32_768, 32_767).astype(np.int16)
