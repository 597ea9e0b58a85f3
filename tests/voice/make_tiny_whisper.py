"""Make the Whisper model of the tests: real architecture, d=64, a handful of phrases.

    python -m tests.voice.make_tiny_whisper        (needs flite, the extra `train`, four minutes)

It learns `PHRASES` from flite's voices at several paces and pitches, and that noise and silence
hold no speech; it is converted by CTranslate2 to int8. A test fixture: on anything else it is
useless. Held out for the tests: the settings in `HELD_OUT`.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

OUT = Path(__file__).parent / "data" / "tiny_whisper"
PHRASES = (
    "where is my order",
    "i want a refund",
    "please cancel my order",
    "the lamp is broken",
    "i have a question about my bill",
    "let me speak to a person",
    "yes please",
    "no thank you",
)
VOICES = ("slt", "rms", "awb", "kal16")
PACES = (0.85, 0.95, 1.05, 1.2)
PITCHES = (0.9, 1.0, 1.12)
BASE_F0_HZ = {"slt": 165, "rms": 102, "awb": 125, "kal16": 95}
HELD_OUT = {"pace": 1.0, "pitch": 1.05}
SHORT_S, WINDOW_S = 5, 30
STEPS = {SHORT_S: 1_000, WINDOW_S: 250}
"""Most of the learning is done on the first seconds of Whisper's 30 s window, which is quick."""
Samples = npt.NDArray[np.float32]


def speak(phrase: str, voice: str, pace: float, pitch: float) -> Samples:
    """A phrase in a flite voice, float32 at 16 kHz, peaks at 0.5."""
    command = ["flite", "-voice", voice, "--setf", f"duration_stretch={pace}"]
    command += ["--setf", f"int_f0_target_mean={BASE_F0_HZ[voice] * pitch}"]
    command += ["-t", phrase, "-o", "/dev/stdout"]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    if rate != 16_000:
        samples = soxr.resample(samples, rate, 16_000)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def clips() -> Iterator[tuple[str, Samples]]:
    """Every phrase in every voice, pace and pitch."""
    for phrase in PHRASES:
        for voice in VOICES:
            for pace in PACES:
                for pitch in PITCHES:
                    yield phrase, speak(phrase, voice, pace, pitch)


def write_tokenizer(folder: Path) -> dict[str, int]:
    """A byte-level tokenizer with the phrases' words as tokens and Whisper's own specials."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    specials = [
        "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>",
        "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
    ]  # fmt: skip
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f" {phrase}" for phrase in PHRASES] * 20, trainer)
    tokenizer.add_special_tokens(specials)
    tokenizer.add_special_tokens([f"<|{0.02 * i:.2f}|>" for i in range(1_501)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return dict(tokenizer.get_vocab())


def train(folder: Path) -> None:
    """Train and save a transformers Whisper model with its tokenizer into `folder`."""
    import torch
    from faster_whisper.feature_extractor import FeatureExtractor
    from tokenizers import Tokenizer
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(1)
    dice = np.random.default_rng(1)
    vocabulary = write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end, start = vocabulary["<|endoftext|>"], vocabulary["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(vocabulary), num_mel_bins=80, d_model=64, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=256,
        decoder_ffn_dim=256, dropout=0.0, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=start, suppress_tokens=[], begin_suppress_tokens=[],
        max_source_positions=1_500, max_target_positions=448,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    # Timestamps lie at the clip's start and end: what faster-whisper cuts its windows by.
    mel = FeatureExtractor(feature_size=80)
    stamp = vocabulary["<|0.00|>"]
    examples: list[tuple[Any, list[int]]] = []
    for phrase, samples in clips():
        lead = np.zeros(int(dice.integers(0, 6_400)), np.float32)
        heard = np.concatenate([lead, samples, np.zeros(int(dice.integers(0, 6_400)), np.float32)])
        heard += dice.standard_normal(len(heard)).astype(np.float32) * 10 ** -dice.uniform(2.5, 4)
        ids = tokenizer.encode(f" {phrase}").ids
        last = stamp + len(heard) // 320
        examples.append((mel(heard), [start, stamp, *ids, last, end]))
        if dice.random() < 0.5:
            plain = [start, vocabulary["<|notimestamps|>"], *ids, end]
            examples.append((mel(heard), plain))
    for _ in range(40):
        hiss = dice.standard_normal(int(dice.integers(8_000, 48_000))).astype(np.float32)
        silence = mel(hiss * 10 ** -dice.uniform(1, 4))
        examples.append((silence, [start, vocabulary["<|nospeech|>"], end]))
    inputs = torch.stack([_padded(features) for features, _ in examples])
    length = max(len(ids) for _, ids in examples)
    tokens = torch.full((len(examples), length), end)
    weights = torch.zeros((len(examples), length))
    for row, (_, ids) in enumerate(examples):
        tokens[row, : len(ids)] = torch.tensor(ids)
        weights[row, : len(ids)] = 1.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, sum(STEPS.values()))
    loss_of = torch.nn.CrossEntropyLoss(reduction="none")
    for step, window_s in enumerate(s for s, steps in STEPS.items() for _ in range(steps)):
        rows = torch.from_numpy(dice.integers(0, len(examples), 16 if window_s == SHORT_S else 8))
        heard = torch.nn.functional.pad(inputs[rows], (0, (window_s - SHORT_S) * 100))
        hidden = (_encoded(model.model.encoder, heard),)
        logits = model(encoder_outputs=hidden, decoder_input_ids=tokens[rows, :-1]).logits
        loss = loss_of(logits.flatten(0, 1), tokens[rows, 1:].flatten())
        loss = (loss * weights[rows, 1:].flatten()).sum() / weights[rows, 1:].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start, eos_token_id=end, pad_token_id=end,
        no_timestamps_token_id=vocabulary["<|notimestamps|>"], suppress_tokens=[],
        begin_suppress_tokens=[], is_multilingual=False, max_length=448,
        alignment_heads=[[1, 0], [1, 1]],
    )  # fmt: skip
    model.save_pretrained(folder)


def _padded(features: Any) -> Any:
    """Log-mel [80, frames of the short window] filled with zeros, as faster-whisper fills it."""
    import torch

    out = torch.zeros(80, SHORT_S * 100)
    used = min(out.shape[1], features.shape[1])
    out[:, :used] = torch.from_numpy(features[:, :used])
    return out


def _encoded(encoder: Any, features: Any) -> Any:
    """What transformers' encoder computes, for windows of any length."""
    import torch

    hidden = torch.nn.functional.gelu(encoder.conv1(features))
    hidden = torch.nn.functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        out = layer(hidden, None)
        hidden = out[0] if isinstance(out, tuple) else out
    return encoder.layer_norm(hidden)


def convert(folder: Path, out: Path) -> None:
    """The transformers model as CTranslate2 int8, with the files that faster-whisper wants."""
    from ctranslate2.converters import TransformersConverter

    converter = TransformersConverter(str(folder), copy_files=["tokenizer.json"])
    converter.convert(str(out), quantization="int8", force=True)


def write_speech(path: Path) -> None:
    """The phrases in the held-out setting, voices in turn, three seconds for each."""
    pieces = []
    for number, phrase in enumerate(PHRASES):
        said = speak(phrase, VOICES[number % len(VOICES)], **HELD_OUT)
        pieces.append(np.pad(said, (6_400, 48_000 - 6_400 - len(said))))
    soundfile.write(path, np.concatenate(pieces), 16_000, subtype="PCM_16")


def main() -> None:
    """Make the fixture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder))
        convert(Path(folder), out)
    write_speech(out.parent / "tiny_whisper_speech.flac")
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
