"""The small networks: what is trained in torch is what runs in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from nlu.emotion.words_model import WordsModel
from nlu.emotion.words_trust import SIGNALS
from nlu.training.text import shipped
from nlu.training.text_student import Student, StudentSettings

torch = pytest.importorskip("torch", reason="needs torch (the training extra)")

PIECES = ["[UNK]", "my", "parcel", "is", "late", "again", "thanks"]
SETTINGS = StudentSettings(dimensions=8, layers=2, widths=(1, 2), filters=6)
OUTPUTS = 46 + 7


@pytest.fixture
def student() -> Student:
    torch.manual_seed(3)
    start = np.random.default_rng(0).normal(size=(len(PIECES), 8)).astype(np.float32)
    made = Student(start, OUTPUTS, np.zeros(OUTPUTS, np.float32), SETTINGS)
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.normal_(std=0.3)
            layer.bias.normal_(std=0.3)
        made.linear.weight.normal_(std=0.5)
    return made


def _model(student: Student) -> WordsModel:
    weights = {f"{name}_0": array for name, array in shipped(student).items()}
    return WordsModel(
        {
            **weights,
            "vocabulary": np.frombuffer("\n".join(PIECES).encode("utf-8"), np.uint8),
            "widths": np.asarray(SETTINGS.widths, np.int8),
            "thresholds": np.zeros(46),
            "temperatures": np.asarray([1, 0]),
            "blend": np.ones(9),
            "trust": np.zeros(len(SIGNALS) + 1),
            "desk_direction": np.zeros(9),
        }
    )


def test_the_shipped_network_says_what_the_trained_one_says(student: Student) -> None:
    with torch.no_grad():
        wanted = student(student.padded([[1, 2, 3, 4, 5]])).numpy()[0]
    said = _model(student)("my parcel is late again")
    assert said.labels == pytest.approx(wanted[:46], abs=0.1)
    assert said.desk == pytest.approx(wanted[46:], abs=0.1)
    assert np.abs(wanted).max() > 0.5


def test_a_text_beside_a_longer_one_in_a_batch_is_read_as_if_alone(student: Student) -> None:
    with torch.no_grad():
        alone = student(student.padded([[1, 2, 3, 4]])).numpy()[0]
        beside = student(student.padded([[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 1, 2]])).numpy()[0]
    assert beside == pytest.approx(alone, abs=1e-4)


def test_neighbours_change_what_a_word_means(student: Student) -> None:
    model = _model(student)
    apart = model("late").labels + model("thanks").labels - model("late thanks").labels
    assert np.abs(apart).max() > 0.1
