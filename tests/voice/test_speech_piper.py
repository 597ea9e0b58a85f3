"""Piper, with a voice of a few kilobytes that is built here: a buzz for each letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dialogue.types import Delivery
from nlu.errors import AttuneError
from voice.speech import open_synthesizer
from voice.speech.synthesizer import PooledSynthesizer
from voice.types import RATE_HZ, SpeechChunk

pytest.importorskip("piper", reason="the extra `piper` is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")

TEXT = "your order is on the way to you"
_SAMPLES_A_LETTER = 2_000.0
_RATE_HZ = 22_050


def build_voice(folder: Path) -> Path:
    """A Piper model: letter number n is a decaying pulse train at 150 + 2 n Hz."""
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: object, kind: type) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(value, dtype=kind), name)

    weights = [
        constant("one_index", [1], np.int64),
        constant("zero", 0.0, np.float32),
        constant("one", 1.0, np.float32),
        constant("letter", _SAMPLES_A_LETTER, np.float32),
        constant("rate", float(_RATE_HZ), np.float32),
        constant("base", 150.0, np.float32),
        constant("step", 2.0, np.float32),
        constant("decay", -5.0, np.float32),
        constant("half", 0.4, np.float32),
        constant("mean", 0.08, np.float32),
        constant("shape", [1, 1, 1, -1], np.int64),
        constant("flat", [-1], np.int64),
        constant("scalar", [], np.int64),
    ]
    node = helper.make_node
    nodes = [
        node("Gather", ["scales", "one_index"], ["length"]),
        node("Mul", ["length", "letter"], ["each"]),
        node("Cast", ["input_lengths"], ["count"], to=TensorProto.FLOAT),
        node("Mul", ["count", "each"], ["total1"]),
        node("Reshape", ["total1", "scalar"], ["total"]),
        node("Range", ["zero", "total", "one"], ["t"]),
        node("Div", ["t", "each"], ["place"]),
        node("Floor", ["place"], ["floor"]),
        node("Cast", ["floor"], ["index"], to=TensorProto.INT64),
        node("Reshape", ["input", "flat"], ["ids"]),
        node("Gather", ["ids", "index"], ["id"]),
        node("Cast", ["id"], ["number"], to=TensorProto.FLOAT),
        node("Mul", ["number", "step"], ["above"]),
        node("Add", ["above", "base"], ["hz"]),
        node("Mul", ["hz", "t"], ["cycles"]),
        node("Div", ["cycles", "rate"], ["turns"]),
        node("Mod", ["turns", "one"], ["phase"], fmod=1),
        node("Mul", ["phase", "decay"], ["exponent"]),
        node("Exp", ["exponent"], ["pulse"]),
        node("Mul", ["pulse", "half"], ["scaled"]),
        node("Sub", ["scaled", "mean"], ["wave"]),
        node("Reshape", ["wave", "shape"], ["output"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "buzz",
        [
            info("input", TensorProto.INT64, [1, None]),
            info("input_lengths", TensorProto.INT64, [1]),
            info("scales", TensorProto.FLOAT, [3]),
        ],
        [info("output", TensorProto.FLOAT, [1, 1, 1, None])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = folder / "buzz.onnx"
    onnx.save(model, path)
    symbols = {"_": [0], "^": [1], "$": [2], " ": [3], ".": [4], ",": [5]}
    symbols |= {letter: [6 + k] for k, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
    config = {
        "audio": {"sample_rate": _RATE_HZ},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "text",
        "num_symbols": 32,
        "num_speakers": 1,
        "phoneme_id_map": symbols,
    }
    Path(f"{path}.json").write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PooledSynthesizer]:
    path = build_voice(tmp_path_factory.mktemp("piper"))
    assert path.stat().st_size < 10_000
    synthesizer = open_synthesizer("piper", str(path))
    yield synthesizer
    synthesizer.close()


def spoken(voice: PooledSynthesizer, delivery: Delivery) -> list[SpeechChunk]:
    return list(voice.speak(TEXT, delivery))


def test_a_piper_voice_speaks_at_16_khz_with_words(voice: PooledSynthesizer) -> None:
    chunks = spoken(voice, Delivery())
    seconds = sum(len(chunk.samples) for chunk in chunks) / RATE_HZ
    assert 2 < seconds < 12
    assert voice.name == "piper buzz"
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == TEXT.split()
    assert all(word.confidence == 0.5 for word in words), "shared out, not heard"


def test_pace_pitch_range_and_level_are_what_was_asked(voice: PooledSynthesizer) -> None:
    asked = Delivery(rate=0.9, pitch_st=-1.5, range=0.85, level_db=-2.5)
    got = spoken(voice, asked)[-1].achieved
    assert got is not None
    assert got.rate == pytest.approx(asked.rate, rel=0.02)
    assert got.pitch_st == pytest.approx(asked.pitch_st, abs=0.2)
    assert got.range == pytest.approx(asked.range, rel=0.1)
    assert got.level_db == pytest.approx(asked.level_db, abs=0.3)


def test_the_same_request_gives_the_same_samples(voice: PooledSynthesizer) -> None:
    first, again = (spoken(voice, Delivery(rate=1.1, pitch_st=1.0)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.samples, b.samples)


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_voice_that_is_missing_or_broken_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gone.onnx"
    if content is not None:
        good = build_voice(tmp_path)
        path.write_bytes(content)
        Path(f"{path}.json").write_bytes(Path(f"{good}.json").read_bytes())
    synthesizer = open_synthesizer("piper", str(path))
    with pytest.raises(AttuneError, match=r"gone\.onnx"):
        list(synthesizer.speak("Hello.", Delivery()))
    synthesizer.close()
