"""Corpora in their publishers' own layouts, and the plain table of one's own recordings."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nlu.errors import AttuneError
from nlu.training.conditions import add_noise, read_surroundings, telephone
from nlu.training.corpora import read_corpora
from nlu.training.natural import checking_pieces


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.zeros(800, np.float32), 16_000)


@pytest.mark.parametrize(
    ("corpus", "name", "speaker", "label", "strong"),
    [
        ("RAVDESS", "Actor_12/03-01-06-02-02-01-12.wav", "ravdess-12", "fearful", True),
        ("CREMA-D", "1001_DFA_ANG_XX.wav", "cremad-1001", "angry", False),
        ("CREMA-D", "1003_IEO_DIS_HI.wav", "cremad-1003", "disgust", True),
        ("EmoDB", "03a01Wa.wav", "emodb-03", "angry", False),
        ("EmoDB", "16b10Lb.wav", "emodb-16", "calm", False),
        ("nEMO", "EB0_anger_1.wav", "nemo-EB0", "angry", False),
        ("TESS", "OAF_back_ps.wav", "tess-OAF", "surprised", False),
        ("SAVEE", "DC_sa03.wav", "savee-DC", "sad", False),
        ("SAVEE", "JK/su11.wav", "savee-JK", "surprised", False),
    ],
)
def test_a_publishers_file_name_says_speaker_and_emotion(
    tmp_path: Path, corpus: str, name: str, speaker: str, label: str, strong: bool
) -> None:
    lay(tmp_path / corpus, name, "readme_of_no_emotion.wav")
    (clips,) = read_corpora(tmp_path).values()
    assert [(clip.speaker, clip.label, clip.strong) for clip in clips] == [(speaker, label, strong)]


def test_songs_of_ravdess_are_left_out(tmp_path: Path) -> None:
    lay(tmp_path / "ravdess", "03-02-05-01-01-01-01.wav", "03-01-05-01-01-01-01.wav")
    assert len(read_corpora(tmp_path)["ravdess"]) == 1


def test_ones_own_recordings_need_a_table_only(tmp_path: Path) -> None:
    lay(tmp_path / "calls", "a.wav", "b.wav", "c.wav")
    table = tmp_path / "calls" / "clips.csv"
    table.write_text(
        "file,speaker,emotion,intensity\na.wav,anna,Anger,strong\nb.wav,ben,joy,\nc.wav,ben,bored,\n",
        "utf-8",
    )
    expected = [("calls-anna", "angry", True), ("calls-ben", "happy", False)]
    found = read_corpora(tmp_path)["calls"]
    assert [(clip.speaker, clip.label, clip.strong) for clip in found] == expected
    table = table.rename(tmp_path / "calls" / "mine.csv")
    assert [clip.label for clip in read_corpora(table)["mine"]] == ["angry", "happy"]


def test_a_table_without_a_column_is_named_with_the_column(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("file,emotion\na.wav,angry\n", "utf-8")
    with pytest.raises(AttuneError, match=r"mine\.csv: column 'speaker' is missing"):
        read_corpora(table)


def test_a_missing_recording_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("file,speaker,emotion\ngone.wav,anna,angry\n", "utf-8")
    with pytest.raises(AttuneError, match=r"line 2: gone\.wav is not there"):
        read_corpora(table)


def test_a_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"not sound")
    (tmp_path / "mine.csv").write_text("file,speaker,emotion\nx.wav,anna,angry\n", "utf-8")
    (clip,) = read_corpora(tmp_path / "mine.csv")["mine"]
    with pytest.raises(AttuneError, match=r"x\.wav: cannot be read as sound"):
        clip.read(8_000)


def test_an_empty_folder_points_to_the_guide(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match=r"docs/training\.md"):
        read_corpora(tmp_path)


def librispeech(folder: Path) -> None:
    """Two speakers without transcripts, one of 9 s and one of 1 s, and one with transcripts."""
    folder.mkdir()
    rows = ["file,speaker,gender,transcript,seconds"]
    for name, speaker, said, seconds in (
        ("a.wav", "1", "", 9.0),
        ("b.wav", "2", "", 1.0),
        ("c.wav", "3", "it is so", 8.0),
        ("d.wav", "3", "", 8.0),
    ):
        when = np.arange(int(seconds * 8_000)) / 8_000
        soundfile.write(folder / name, when / 10, 8_000)
        rows.append(f"{name},{speaker},F,{said},{seconds}")
    (folder / "clips.csv").write_text("\n".join(rows), "utf-8")


def test_ordinary_speech_is_neutral_in_pieces_that_do_not_overlap(tmp_path: Path) -> None:
    librispeech(tmp_path / "librispeech")
    pieces = read_corpora(tmp_path)["librispeech"]
    assert {(piece.speaker, piece.label) for piece in pieces} == {("librispeech-1", "neutral")}
    heard = [piece.read(8_000) for piece in pieces]
    assert all(2.0 <= len(samples) / 8_000 <= 4.0 for samples in heard)
    # The recording rises steadily, so that a piece's first and last sample tell where it lies.
    lies = [(float(samples[0]), float(samples[-1])) for samples in heard]
    assert len(lies) >= 2
    assert all(one[1] <= after[0] for one, after in itertools.pairwise(lies))


def test_speakers_that_the_model_is_checked_with_are_in_no_training(tmp_path: Path) -> None:
    librispeech(tmp_path / "LibriSpeech")
    checked = checking_pieces(tmp_path)
    assert [piece.part_s for piece in checked] == [(0.0, 3.5), (3.5, 7.0)]
    trained = {piece.speaker for piece in read_corpora(tmp_path)["librispeech"]}
    assert not trained & {piece.speaker for piece in checked}


def test_without_a_table_the_parts_of_librispeech_tell_what_is_kept_for_the_check(
    tmp_path: Path,
) -> None:
    for part, speaker in (("train-clean-100", 19), ("test-other", 367)):
        path = tmp_path / "LibriSpeech" / part / str(speaker) / "198" / f"{speaker}-198-0000.flac"
        path.parent.mkdir(parents=True)
        soundfile.write(path, np.zeros(64_000), 16_000)
    (trained,) = read_corpora(tmp_path).values()
    assert {piece.speaker for piece in trained} == {"librispeech-19"}
    assert {piece.speaker for piece in checking_pieces(tmp_path)} == {"librispeech-367"}


def test_noises_of_training_and_test_are_disjoint(tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    rows = ["file,kind,source"]
    for at in range(9):
        soundfile.write(folder / f"{at}.wav", np.full(80, (at + 1) / 20, np.float32), 8_000)
        rows.append(f"{at}.wav,noise,x")
    (folder / "clips.csv").write_text("\n".join(rows), "utf-8")
    train, test = (
        {round(float(noise[0]), 2) for noise in read_surroundings(tmp_path, part).noises}
        for part in ("train", "test")
    )
    assert train and test and not train & test
    assert len(train | test) == 9


def test_noise_is_added_at_the_ratio_asked_for() -> None:
    chance = np.random.default_rng(0)
    speech = chance.normal(0, 0.1, 8_000).astype(np.float32)
    added = add_noise(speech, chance.normal(0, 1, 3_000).astype(np.float32), 12.0) - speech
    ratio_db = 10 * np.log10((speech**2).mean() / (added**2).mean())
    assert ratio_db == pytest.approx(12.0, abs=0.2)


def test_the_telephone_takes_lows_and_highs_away() -> None:
    when = np.arange(8_000) / 8_000

    def level(hz: float) -> float:
        mixed = np.sin(2 * np.pi * 1000 * when) + np.sin(2 * np.pi * hz * when)
        spectrum = np.abs(np.fft.rfft(telephone(mixed.astype(np.float32))))
        return float(20 * np.log10(spectrum[int(hz)] / spectrum[1000]))

    assert level(120) < -30
    assert level(3_900) < -20
    assert level(2_000) == pytest.approx(0, abs=1)
