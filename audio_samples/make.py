"""Make the recordings of `audio_samples/` from `callers.yaml` with flite.

    python audio_samples/make.py [NAME ...]

Needs the program `flite` (Debian and Ubuntu: `apt-get install flite`). Writes NAME.flac, 16-bit
mono, and NAME.yaml beside it with the words of each turn and where they lie in the recording.
The same texts give the same samples, bit for bit, with the same flite.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import yaml
from scipy.signal import butter, sosfiltfilt

HERE = Path(__file__).resolve().parent
RATE_HZ = 16_000
TELEPHONE_RATE_HZ = 8_000
SPEECH_DBFS = -24.0
ROOM_DBFS = -66.0
LINE_NOISE_DB_SNR = 22.0
LEAD_IN_MS = 600
LEAD_OUT_MS = 900
GAP_MS = (1_200, 2_000)

Samples = npt.NDArray[np.float64]


def speak(text: str, voice: str, prosody: dict[str, float]) -> Samples:
    """One piece of text in a flite voice at 16 kHz, its silent ends trimmed."""
    command = [
        "flite",
        *("-voice", voice),
        *("--setf", f"duration_stretch={prosody['stretch']}"),
        *("--setf", f"int_f0_target_mean={prosody['f0_hz']}"),
        *("--setf", f"int_f0_target_stddev={prosody['f0_sd_hz']}"),
        *("-t", text, "-o", "/dev/stdout"),
    ]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    if rate != RATE_HZ:
        samples = soxr.resample(samples, rate, RATE_HZ)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[max(0, loud[0] - 320) : loud[-1] + 640]


def at_level(samples: Samples, dbfs: float) -> Samples:
    """The samples scaled so that their loud parts (20 ms frames above -30 dB of the loudest)
    have this RMS level."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(axis=1)
    speech = power[power > power.max() * 1e-3].mean()
    return samples * (10 ** (dbfs / 20) / np.sqrt(speech))


def faded(samples: Samples) -> Samples:
    """5 ms raised-cosine ends, so that a piece joins silence without a click."""
    ramp = (1 - np.cos(np.linspace(0, np.pi, 80))) / 2
    out = samples.copy()
    out[:80] *= ramp
    out[-80:] *= ramp[::-1]
    return out


def mulaw(samples: Samples) -> Samples:
    """Through G.711 mu-law companding with 8 bits and back."""
    mu = 255.0
    squeezed = np.sign(samples) * np.log1p(mu * np.abs(samples)) / np.log1p(mu)
    coded = np.round(squeezed * 127) / 127
    return np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(mu)) / mu


def telephone(samples: Samples, random: np.random.Generator) -> Samples:
    """As heard over an analogue line: 300-3400 Hz, hiss and mains hum, 8 kHz mu-law."""
    band = sosfiltfilt(butter(4, (300, 3_400), btype="bandpass", fs=RATE_HZ, output="sos"), samples)
    narrow = soxr.resample(band, RATE_HZ, TELEPHONE_RATE_HZ, quality="VHQ")
    time_s = np.arange(len(narrow)) / TELEPHONE_RATE_HZ
    hiss = random.standard_normal(len(narrow))
    hum = np.sin(2 * np.pi * 350 * time_s) * 0.3 + np.sin(2 * np.pi * 450 * time_s) * 0.2
    noise = hiss + hum
    level = 10 ** ((SPEECH_DBFS - LINE_NOISE_DB_SNR) / 20)
    return mulaw(np.clip(narrow + noise * level / noise.std(), -1, 1))


def render(name: str, caller: dict[str, Any]) -> tuple[Samples, int, list[dict[str, Any]]]:
    """The whole recording of a caller, its rate, and each turn with its times in ms."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    dbfs = SPEECH_DBFS + caller["prosody"]["level_db"]
    pieces: list[Samples] = [np.zeros(LEAD_IN_MS * RATE_HZ // 1000)]
    turns = []
    for index, turn in enumerate(caller["turns"]):
        if index:
            pieces.append(np.zeros(int(random.integers(*GAP_MS)) * RATE_HZ // 1000))
        start = sum(map(len, pieces))
        for part in re.split(r"(\[\d+\])", turn["say"]):
            if pause := re.fullmatch(r"\[(\d+)\]", part.strip()):
                pieces.append(np.zeros(int(pause[1]) * RATE_HZ // 1000))
            elif part.strip():
                spoken = speak(part.strip(), caller["voice"], caller["prosody"])
                pieces.append(faded(at_level(spoken, dbfs)))
        end = sum(map(len, pieces))
        turns.append(
            {
                "text": " ".join(re.sub(r"\[\d+\]", " ", turn["say"]).split()),
                "start_ms": start * 1000 // RATE_HZ,
                "end_ms": end * 1000 // RATE_HZ,
                "feeling": turn.get("feeling", caller["feeling"]),
                "intent": turn["intent"],
            }
        )
    pieces.append(np.zeros(LEAD_OUT_MS * RATE_HZ // 1000))
    samples = np.concatenate(pieces)
    if caller.get("channel") == "telephone":
        return telephone(samples, random), TELEPHONE_RATE_HZ, turns
    room = random.standard_normal(len(samples)) * 10 ** (ROOM_DBFS / 20)
    return np.clip(samples + room, -0.99, 0.99), RATE_HZ, turns


def main() -> int:
    """Make the named callers, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="callers to make (default: all)")
    callers = yaml.safe_load((HERE / "callers.yaml").read_text())
    names = parser.parse_args().names or list(callers)
    if unknown := set(names) - set(callers):
        print(f"callers.yaml has no {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if shutil.which("flite") is None:
        print("flite is not installed: apt-get install flite", file=sys.stderr)
        return 2
    for name in names:
        caller = callers[name]
        samples, rate, turns = render(name, caller)
        audio = HERE / f"{name}.flac"
        soundfile.write(audio, np.round(samples * 32_767).astype(np.int16), rate, subtype="PCM_16")
        record = {
            "audio": audio.name,
            "customer": caller["customer"],
            "feeling": caller["feeling"],
            "channel": caller.get("channel", "clear"),
            "voice": f"flite {caller['voice']}",
            "turns": turns,
        }
        audio.with_suffix(".yaml").write_text(yaml.safe_dump(record, sort_keys=False, width=99))
        print(f"{audio.name}: {len(samples) / rate:.1f} s, {audio.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
