"""Learn the mapping from telephone speech to clean cepstra.

    python -m voice.recognition.training.telephone_band --data DIR

Pairs are made from wide-band speech alone, no transcripts needed: the target is what pocketsphinx's
front end makes of the clean recording, the input is the same recording through a simulated line
(band, companding, hiss, hum, real noise, level). DIR holds `librispeech` and `noise`; LibriSpeech's
test speakers are never touched. Writes `voice/recognition/data/telephone_band.npz`.
"""

from __future__ import annotations

import argparse
import csv
import logging
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from voice.recognition.telephone import (
    BANDS,
    CEPSTRA,
    CONTEXT,
    Floats,
    log_bands,
    running_normalised,
)
from voice.recognition.training.telephone_line import telephone_line
from voice.types import RATE_HZ

OUT = Path(__file__).parents[1] / "data" / "telephone_band.npz"
COPIES = 3
HIDDEN = 256
EPOCHS = 10
_log = logging.getLogger(__name__)


def random_line(
    samples: Floats, noise: Floats, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Speech over a line drawn at random: band, level, hiss, real noise, hum."""
    noisy, humming = random.random() < 0.5, random.random() < 0.3
    return telephone_line(
        samples,
        random,
        band_hz=(random.uniform(40, 350), random.uniform(3_200, 3_900)),
        order=int(random.integers(2, 6)),
        level_db=random.uniform(-32, -14),
        snr_db=random.uniform(12, 45),
        noise=noise if noisy else None,
        noise_snr_db=random.uniform(8, 35),
        hum_hz=float(random.choice([50, 60]) * random.integers(4, 9)) if humming else None,
        hum_snr_db=random.uniform(10, 30),
    )


class CleanCepstra:
    """What pocketsphinx's own front end computes, taken from the log that it can write."""

    def __init__(self) -> None:
        import pocketsphinx

        self._folder = Path(tempfile.mkdtemp())
        # Spotting one phrase is the cheapest search that a decoder will do beside its front end.
        self._decoder = pocketsphinx.Decoder(
            loglevel="FATAL", mfclogdir=str(self._folder), keyphrase="hello", lm=None
        )

    def of(self, samples: Floats) -> Floats:
        """Cepstra [frames, 13] of speech in [-1, 1] at 16 kHz."""
        pcm = (np.clip(samples, -1, 1) * 32_767).astype(np.int16).tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=False)
        self._decoder.end_utt()
        newest = max(self._folder.glob("*.mfc"), key=lambda path: path.stat().st_mtime_ns)
        values = np.frombuffer(newest.read_bytes(), ">f4")[1:].astype(np.float32)
        newest.unlink()
        return values.reshape(-1, CEPSTRA)


def pairs(data: Path, seed: int = 1) -> tuple[list[Floats], list[Floats], Floats]:
    """Inputs [n, BANDS] normalised as in use, targets [n, 13] with each recording's mean taken
    off, and the mean of all targets."""
    random = np.random.default_rng(seed)
    with (data / "librispeech" / "clips.csv").open() as file:
        names = [row["file"] for row in csv.DictReader(file) if not row["transcript"]]
    with (data / "noise" / "clips.csv").open() as file:
        noises = [row["file"] for row in csv.DictReader(file) if row["kind"] == "noise"][::2]
    front_end = CleanCepstra()
    inputs, targets, means = [], [], []
    for number, name in enumerate(names):
        clean, _ = soundfile.read(data / "librispeech" / name, dtype="float32")
        for _ in range(COPIES):
            piece = _piece(clean, random)
            target = front_end.of(piece * (0.08 / (np.sqrt(np.mean(piece**2)) + 1e-9)))
            noise, _ = soundfile.read(
                data / "noise" / noises[random.integers(len(noises))], dtype="float32"
            )
            noise = noise if noise.ndim == 1 else noise[:, 0]
            bands = log_bands(random_line(piece, noise, random) * 32_768)
            length = min(len(bands), len(target))
            means.append(target[:length].mean(axis=0))
            targets.append(target[:length] - means[-1])
            inputs.append(running_normalised(bands[:length]))
        if number % 50 == 0:
            _log.info("%d of %d recordings", number, len(names))
    return inputs, targets, np.mean(means, axis=0).astype(np.float32)


def _piece(clean: Floats, random: np.random.Generator) -> Floats:
    """0.7-8 s of the recording with a little silence at both ends, as a caller's turn has."""
    length = min(len(clean), int(random.uniform(0.7, 8) * RATE_HZ))
    start = int(random.integers(0, len(clean) - length + 1))
    quiet = np.zeros(int(random.uniform(0.1, 0.4) * RATE_HZ), np.float32)
    piece: Floats = np.concatenate([quiet, clean[start : start + length], quiet])
    return piece + random.standard_normal(len(piece)).astype(np.float32) * 1e-4


def train(inputs: list[Floats], targets: list[Floats], mean: Floats) -> dict[str, Floats]:
    """Fit the network by squared error on scaled targets; the arrays of the data file."""
    torch.manual_seed(1)
    scale = np.concatenate(targets).std(axis=0)
    held_out = len(inputs) // 20
    x, y, at = _stacked(inputs[held_out:], targets[held_out:], scale)
    x_held, y_held, at_held = _stacked(inputs[:held_out], targets[:held_out], scale)
    network = torch.nn.Sequential(
        torch.nn.Linear(BANDS * (2 * CONTEXT + 1), HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, CEPSTRA),
    )
    offsets = torch.arange(-CONTEXT, CONTEXT + 1)
    batch, steps = 512, EPOCHS * (len(at) // 512)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(at))
        for k in range(len(at) // batch):
            places = at[order[k * batch : (k + 1) * batch]]
            loss = (network(x[places[:, None] + offsets].flatten(1)) - y[places]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            guess = network(x_held[at_held[:, None] + offsets].flatten(1))
            error = (guess - y_held[at_held]).square().mean()
        _log.info("epoch %d: held-out squared error %.3f (1 = the mean alone)", epoch, error)
    linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    stored = {"mean": mean, "scale": scale}
    for number, layer in enumerate(linear):
        stored[f"weight{number}"] = layer.weight.detach().numpy().T.astype(np.float16)
        stored[f"bias{number}"] = layer.bias.detach().numpy().astype(np.float16)
    return stored


def _stacked(
    inputs: list[Floats], targets: list[Floats], scale: Floats
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All recordings end to end, each padded by its edges, and the places of real frames."""
    xs, ys, at, start = [], [], [], 0
    for x, y in zip(inputs, targets, strict=True):
        xs.append(np.pad(x, ((CONTEXT, CONTEXT), (0, 0)), mode="edge"))
        ys.append(np.pad(y / scale, ((CONTEXT, CONTEXT), (0, 0)), mode="edge"))
        at.append(np.arange(start + CONTEXT, start + CONTEXT + len(x)))
        start += len(xs[-1])
    return (
        torch.from_numpy(np.concatenate(xs)),
        torch.from_numpy(np.concatenate(ys)),
        torch.from_numpy(np.concatenate(at)),
    )


def main() -> None:
    """Make the data file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stored = train(*pairs(options.data))
    np.savez_compressed(options.out, allow_pickle=False, **stored)
    _log.info("%s: %d bytes", options.out, options.out.stat().st_size)


if __name__ == "__main__":
    main()
