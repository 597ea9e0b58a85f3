"""What a run is asked to analyse: files, folders, globs and manifests, good and bad."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from voice.evaluation.folder import RunFolder, fingerprint
from voice.evaluation.inputs import Job, gather
from voice.evaluation.manifest import read_manifest


def sound(path: Path, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (800, channels) if channels > 1 else 800
    soundfile.write(path, np.zeros(shape), 8_000)
    return path


def manifest(folder: Path, *lines: str) -> Path:
    path = folder / "calls.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_folder_is_searched_to_the_bottom_and_other_files_are_left_aside(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "monday" / "b.flac")
    for number in range(50):
        (tmp_path / f"note{number}.txt").write_text("x")

    found = gather([str(tmp_path)])

    assert [job.name for job in found.jobs] == ["a", "monday__b"]
    assert found.left_aside == 50
    assert found.failures == ()


def test_a_recording_named_twice_is_analysed_once(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")

    found = gather([str(path), str(tmp_path), str(tmp_path / "*.wav")])

    assert [job.path for job in found.jobs] == [path]


def test_recordings_of_the_same_name_get_files_of_their_own(tmp_path: Path) -> None:
    first, second = sound(tmp_path / "1" / "call.wav"), sound(tmp_path / "2" / "call.wav")

    found = gather([str(first), str(second)])
    alone = gather([str(second), str(first)])

    assert len({job.name for job in found.jobs}) == 2
    assert found.jobs == alone.jobs


def test_a_table_among_the_recordings_is_told_where_it_belongs(tmp_path: Path) -> None:
    table = manifest(tmp_path, "path", str(sound(tmp_path / "a.wav")))

    found = gather([str(table)])

    assert found.jobs == ()
    assert found.failures[0].reason == f"{table} is a table; give it with --manifest."


def test_what_does_not_exist_is_a_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")

    found = gather([str(tmp_path / "a.wav"), str(tmp_path / "gone.wav")])

    assert [job.name for job in found.jobs] == ["a"]
    assert "gone.wav does not exist" in found.failures[0].reason


def test_nothing_to_do_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(AttuneError, match="no recording was found"):
        gather([str(tmp_path)])


def test_the_manifest_says_what_is_known_of_each_call(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav", channels=2)
    rows, bad = read_manifest(
        manifest(
            tmp_path,
            "path,caller_channel,customer,jurisdiction,consent,reference_emotion,outcome",
            "a.wav,left,C1001,DE,emotion_voice=granted;offers=denied,angry,resolved",
        )
    )
    job = gather([], rows).jobs[0]

    assert not bad
    assert (job.path, job.channel, job.customer, job.jurisdiction) == (path, "left", "C1001", "DE")
    assert job.consents == {
        Purpose.EMOTION_VOICE: ConsentState.GRANTED,
        Purpose.OFFERS: ConsentState.DENIED,
    }
    assert (job.reference_emotion, job.outcome) == ("angry", "resolved")


def test_a_no_in_the_options_beats_a_yes_in_the_manifest(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    rows, _ = read_manifest(manifest(tmp_path, "path,consent", "a.wav,emotion_voice=granted"))
    defaults = Job(Path(), consents={Purpose.EMOTION_VOICE: ConsentState.DENIED})

    job = gather([], rows, defaults=defaults).jobs[0]

    assert job.consents[Purpose.EMOTION_VOICE] is ConsentState.DENIED


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.wav,middle,", "line 2: caller_channel 'middle'"),
        ("a.wav,,emotion_voice", "line 2: --consent 'emotion_voice': no '='"),
        ("a.wav,,telepathy=granted", "line 2: Consent purpose 'telepathy'"),
    ],
)
def test_a_bad_row_fails_alone_and_its_recording_is_not_guessed_at(
    tmp_path: Path, line: str, said: str
) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "b.wav")
    rows, bad = read_manifest(manifest(tmp_path, "path,caller_channel,consent", line, "b.wav,,"))

    found = gather([str(tmp_path)], rows, bad_rows=bad)

    assert [job.name for job in found.jobs] == ["b"]
    assert said in found.failures[0].reason


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,customer\na.wav,C1\n", "has no column 'path'"),
        ("path\nmüller.wav\n".encode("latin-1"), "is not UTF-8"),
        (b"path\na.wav\na.wav\n", "stands on line 2 too"),
        (b"", "has no column 'path'"),
        (b"path;customer\na.wav;C1\n", "separated by ';'"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(content)
    with pytest.raises(AttuneError, match=said):
        read_manifest(path)


def test_a_manifest_may_name_what_is_not_there(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    rows, bad = read_manifest(manifest(tmp_path, "path", "a.wav", "gone.wav"))

    found = gather([], rows, bad_rows=bad)

    assert len(found.jobs) == 1
    assert "gone.wav does not exist" in found.failures[0].reason


def test_a_result_is_stale_once_anything_it_depends_on_has_changed(tmp_path: Path) -> None:
    job = gather([str(sound(tmp_path / "a.wav"))]).jobs[0]
    before = fingerprint(job, {"recognizer": "sphinx"})

    assert fingerprint(job, {"recognizer": "sphinx"}) == before
    assert fingerprint(job, {"recognizer": "whisper"}) != before
    sound(tmp_path / "a.wav", channels=2)
    assert fingerprint(job, {"recognizer": "sphinx"}) != before


def test_two_runs_never_write_into_one_folder(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(AttuneError, match="being written by another run"),
        RunFolder(tmp_path).locked(),
    ):
        pass
    with RunFolder(tmp_path).locked():
        pass
