"""Recorded calls as a tutorial would analyse them: one plain script, one file after the other.

    python benchmarks/peers/naive_pipeline.py FOLDER OUT [--words default|attune]

librosa loads a file and splits it at silences; PocketSphinx transcribes each piece (`--words
attune`: with Attune's recogniser instead, so that the engine is the same in every respect);
MFCC, chroma and mel means go into an MLP as in the usual RAVDESS tutorial; the transcript goes
through a transformers text-classification pipeline. The text model has the shape of MiniLM (six
layers, 384 wide: a third of the usual DistilBERT) with random weights, for only its cost is
measured. Models are loaded once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pocketsphinx
from sklearn.neural_network import MLPClassifier
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    pipeline,
)

RATE_HZ = 16_000
JOINED_S = 0.7
LABELS = 8
VOCABULARY = 30_522


def text_classifier():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    spelled = [line.split()[0] for line in words if "(" not in line.split()[0]]
    step = len(spelled) // (VOCABULARY - len(special))
    vocabulary = special + spelled[:: max(1, step)][: VOCABULARY - len(special)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary))
        tokenizer = BertTokenizerFast(str(path))
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1_536,
        num_labels=7,
    )
    model = BertForSequenceClassification(config).eval()
    return pipeline("text-classification", model=model, tokenizer=tokenizer)


def default_words() -> Callable[[np.ndarray], str]:
    decoder = pocketsphinx.Decoder(samprate=RATE_HZ)

    def words(pcm: np.ndarray) -> str:
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return words


def attune_words() -> Callable[[np.ndarray], str]:
    from dialogue.packs import load_pack
    from voice import recognition
    from voice.types import FRAME_SAMPLES, AudioFrame

    recognizer = recognition.choose("sphinx", load_pack("retail").language())

    def words(pcm: np.ndarray) -> str:
        stream = recognizer.stream()
        for number in range(len(pcm) // FRAME_SAMPLES):
            piece = pcm[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
            stream.accept(AudioFrame(piece, number * 20))
        text = stream.final().text
        stream.close()
        return text

    return words


def voice_features(samples: np.ndarray) -> np.ndarray:
    spectrum = np.abs(librosa.stft(samples))
    mfcc = librosa.feature.mfcc(y=samples, sr=RATE_HZ, n_mfcc=40).mean(axis=1)
    chroma = librosa.feature.chroma_stft(S=spectrum, sr=RATE_HZ).mean(axis=1)
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ).mean(axis=1)
    return np.concatenate([mfcc, chroma, mel])


def pieces(samples: np.ndarray) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in librosa.effects.split(samples, top_db=30):
        if joined and start - joined[-1][1] < JOINED_S * RATE_HZ:
            joined[-1] = (joined[-1][0], int(end))
        else:
            joined.append((int(start), int(end)))
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", choices=["default", "attune"], default="default")
    options = parser.parse_args()
    words = default_words() if options.words == "default" else attune_words()
    sentiment = text_classifier()
    rng = np.random.default_rng(0)
    emotion = MLPClassifier((300,), max_iter=5).fit(
        rng.normal(size=(200, 180)), rng.integers(0, LABELS, 200)
    )
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.folder.glob("*.flac")):
        samples, _ = librosa.load(path, sr=RATE_HZ)
        turns = []
        for start, end in pieces(samples):
            piece = samples[start:end]
            text = words((piece * 32_767).astype(np.int16))
            felt = emotion.predict_proba(voice_features(piece)[None])[0]
            mood = sentiment(text)[0] if text else None
            turns.append(
                {
                    "start_s": start / RATE_HZ,
                    "end_s": end / RATE_HZ,
                    "text": text,
                    "emotion": int(felt.argmax()),
                    "sentiment": mood,
                }
            )
        (options.out / f"{path.stem}.json").write_text(json.dumps(turns, indent=1))


if __name__ == "__main__":
    main()
