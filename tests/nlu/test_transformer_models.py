"""Foreign classifiers and encoders, run for real: small ONNX models built here."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from nlu.emotion.transformer_audio import TransformerAudioModel
from nlu.emotion.transformer_text import TransformerTextModel
from nlu.errors import AttuneError
from nlu.transformer_encoder import TransformerEncoder
from nlu.types import AgentAudio, CallerAudio, Emotion, Grant, Source

WORDS = Grant("emotion_words", "test", "EU", "written for a test")
VOICE = Grant("emotion_voice", "test", "EU", "made for a test")
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "hate": 2, "love": 3, "order": 4, "parcel": 5}


def _tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def _save(
    nodes: list[onnx.NodeProto], inputs: list, outputs: list, tensors: list, to: Path
) -> None:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(to))


def _pieces() -> list:
    return [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]


def _text_classifier(folder: Path, labels: list[str]) -> Path:
    """Adds up a row of logits a word: `hate` speaks for the first label, `love` for the second."""
    folder.mkdir()
    table = np.zeros((len(VOCABULARY), len(labels)), np.float32)
    table[2, 0] = table[3, 1] = 4.0
    _save(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["rows", "column"], ["masked"]),
            helper.make_node("ReduceSum", ["masked", "middle"], ["logits"], keepdims=0),
        ],
        _pieces(),
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(labels)])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.asarray([-1]), "last"),
            numpy_helper.from_array(np.asarray([1]), "middle"),
        ],
        folder / "model.onnx",
    )
    config = {"id2label": {str(at): name for at, name in enumerate(labels)}}
    (folder / "config.json").write_text(json.dumps(config))
    _tokenizer(folder)
    return folder


def test_a_text_classifier_answers_in_the_seven_emotions(tmp_path: Path) -> None:
    folder = _text_classifier(tmp_path / "model", ["anger", "joy", "neutral"])
    model = TransformerTextModel.load(str(folder))
    assert model.estimate("I hate this", WORDS).top is Emotion.ANGRY
    glad = model.estimate("love love", WORDS)
    assert glad.top is Emotion.HAPPY
    assert glad.source is Source.WORDS
    assert sum(glad.probabilities.values()) == pytest.approx(1.0)
    assert glad.probabilities[Emotion.SAD] == 0.0


def test_labels_that_say_nothing_are_mapped_by_a_file(tmp_path: Path) -> None:
    folder = _text_classifier(tmp_path / "model", ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(AttuneError, match="LABEL_0"):
        TransformerTextModel.load(str(folder))
    mapping = tmp_path / "labels.yaml"
    mapping.write_text("LABEL_0: anxious\nLABEL_1: sad\nLABEL_2: null\n")
    model = TransformerTextModel.load(str(folder), mapping)
    assert model.estimate("hate", WORDS).top is Emotion.ANXIOUS
    as_json = tmp_path / "labels.json"
    as_json.write_text(json.dumps({"LABEL_0": "sad", "LABEL_1": "happy", "LABEL_2": "neutral"}))
    assert (
        TransformerTextModel.load(str(folder), as_json).estimate("hate", WORDS).top is Emotion.SAD
    )


def test_a_label_map_to_an_unknown_feeling_is_refused(tmp_path: Path) -> None:
    folder = _text_classifier(tmp_path / "model", ["a", "b"])
    mapping = tmp_path / "labels.yaml"
    mapping.write_text("a: grumpy\nb: happy\n")
    with pytest.raises(AttuneError, match="grumpy"):
        TransformerTextModel.load(str(folder), mapping)


def test_text_without_words_is_an_abstention_and_other_grants_are_refused(tmp_path: Path) -> None:
    model = TransformerTextModel.load(str(_text_classifier(tmp_path / "m", ["anger", "joy"])))
    assert model.estimate("123 !!", WORDS).abstained == "no words"
    assert model.estimate("hate " * 30_000, WORDS).top is Emotion.ANGRY
    with pytest.raises(ValueError, match="emotion_words"):
        model.estimate("hate", VOICE)


def _audio_classifier(folder: Path) -> Path:
    """Says `angry` for samples that swing widely after normalisation, `sad` otherwise."""
    folder.mkdir()
    weights = np.asarray([[1.0, -1.0]], np.float32)
    _save(
        [
            helper.make_node("Abs", ["input_values"], ["size"]),
            helper.make_node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Sub", ["mean", "middle"], ["centred"]),
            helper.make_node("Mul", ["centred", "sharp"], ["scaled"]),
            helper.make_node("MatMul", ["scaled", "weights"], ["logits"]),
        ],
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(np.asarray([[0.7]], np.float32), "middle"),
            numpy_helper.from_array(np.asarray([[50.0]], np.float32), "sharp"),
            numpy_helper.from_array(weights, "weights"),
        ],
        folder / "model.onnx",
    )
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "ang", "1": "sad"}}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"sampling_rate": 16_000, "do_normalize": True})
    )
    return folder


def test_an_audio_classifier_hears_the_caller_at_any_rate(tmp_path: Path) -> None:
    model = TransformerAudioModel.load(str(_audio_classifier(tmp_path / "model")))
    time_s = np.arange(16_000) / 8_000
    square = np.sign(np.sin(2 * np.pi * 50 * time_s)).astype(np.float32) * 0.2
    pulses = (np.arange(16_000) % 800 == 0).astype(np.float32)
    assert model.estimate(CallerAudio(square, 8_000), VOICE).top is Emotion.ANGRY
    assert model.estimate(CallerAudio(pulses, 8_000), VOICE).top is Emotion.SAD


def test_an_audio_classifier_abstains_and_guards_its_door(tmp_path: Path) -> None:
    model = TransformerAudioModel.load(str(_audio_classifier(tmp_path / "model")))
    tone = np.ones(32_000, np.float32)
    assert model.estimate(CallerAudio(tone[:1600], 16_000), VOICE).abstained is not None
    assert model.estimate(CallerAudio(tone * 0, 16_000), VOICE).abstained is not None
    assert model.estimate(CallerAudio(tone * np.nan, 16_000), VOICE).abstained is not None
    with pytest.raises(ValueError, match="emotion_voice"):
        model.estimate(CallerAudio(tone, 16_000), WORDS)
    with pytest.raises(TypeError):
        model.estimate(AgentAudio(tone, 16_000), VOICE)  # type: ignore[arg-type]


def test_a_sentence_encoder_of_transformers_gives_means_of_length_one(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    table = np.eye(len(VOCABULARY), dtype=np.float32)
    _save(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        _pieces(),
        [
            helper.make_tensor_value_info(
                "last_hidden_state", TensorProto.FLOAT, ["batch", "length", len(VOCABULARY)]
            )
        ],
        [numpy_helper.from_array(table, "table")],
        folder / "model.onnx",
    )
    (folder / "config.json").write_text("{}")
    _tokenizer(folder)
    encoder = TransformerEncoder.load(str(folder))
    both, one = encoder.encode(["order parcel", "order"])
    assert encoder.dimensions == len(VOCABULARY)
    assert both @ one == pytest.approx(1 / np.sqrt(2), abs=1e-6)
    assert np.linalg.norm(both) == pytest.approx(1.0)


@pytest.mark.parametrize("broken", ["no folder", "no config", "no model", "no onnx"])
def test_a_broken_model_folder_is_one_sentence(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = _text_classifier(tmp_path / "model", ["anger", "joy"])
    source = str(folder)
    if broken == "no folder":
        source = str(tmp_path / "nowhere")
    elif broken == "no config":
        (folder / "config.json").unlink()
    elif broken == "no model":
        if importlib.util.find_spec("torch"):
            pytest.skip("torch is installed, so the folder without ONNX goes to torch")
        (folder / "model.onnx").unlink()
    else:
        (folder / "model.onnx").write_bytes(b"broken")
    with pytest.raises(AttuneError) as caught:
        TransformerTextModel.load(source)
    assert "\n" not in str(caught.value)


def test_a_torch_classifier_runs_where_torch_is_installed(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not part of the default install")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label={0: "anger", 1: "joy"},
        label2id={"anger": 0, "joy": 1},
    )
    folder = tmp_path / "torch"
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    _tokenizer(folder)
    estimate = TransformerTextModel.load(str(folder)).estimate("I hate my order", WORDS)
    assert estimate.top in {Emotion.ANGRY, Emotion.HAPPY}
