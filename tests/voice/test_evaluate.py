"""`attune evaluate` on real recordings: mono, stereo, shared channel, telephone, broken."""

import base64
import csv
import json
import multiprocessing
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from dialogue.types import ConsentState, Purpose
from voice.audio import read_audio
from voice.cli import app
from voice.evaluation.analysis import Options
from voice.evaluation.inputs import Gathered, Job, gather
from voice.evaluation.pool import Result
from voice.evaluation.run import Plan, Report, Watcher, evaluate

RATE_HZ = 16_000
SPHINX = Options(recognizer="sphinx", audio=True)
GRANTED = {
    Purpose.EMOTION_VOICE: ConsentState.GRANTED,
    Purpose.STORE_AUDIO: ConsentState.GRANTED,
}


def alternating(samples_dir: Path) -> np.ndarray:
    """A caller on the left and an agent on the right, taking turns: (n, 2)."""
    caller = read_audio(samples_dir / "anxious_double_charge.flac")
    agent = read_audio(samples_dir / "neutral_where_is_my_order.flac")[: round(4.2 * RATE_HZ)]
    parts = [(agent, 1), (caller[: 6 * RATE_HZ], 0), (agent, 1)]
    sides = np.zeros((sum(len(part) for part, _ in parts), 2), np.float32)
    at = 0
    for part, side in parts:
        sides[at : at + len(part), side] = part
        at += len(part)
    return sides


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, samples_dir: Path) -> Path:
    """A mixed folder, with a manifest."""
    path = tmp_path_factory.mktemp("calls")
    shutil.copy(samples_dir / "wants_human.flac", path)
    spelled = read_audio(samples_dir / "neutral_spelled_email.flac")[4 * RATE_HZ : 13 * RATE_HZ]
    soundfile.write(path / "spelled_email.flac", spelled, RATE_HZ)
    sides = alternating(samples_dir)
    soundfile.write(path / "stereo.wav", sides, RATE_HZ)
    soundfile.write(path / "unsaid.wav", sides[:RATE_HZ], RATE_HZ)
    soundfile.write(path / "shared.flac", sides.sum(axis=1), RATE_HZ)
    soundfile.write(path / "silence.ogg", np.zeros(3 * RATE_HZ), RATE_HZ)
    (path / "broken.wav").write_bytes(b"RIFF1234WAVEnothing")
    (path / "empty.wav").write_bytes(b"")
    (path / "manifest.csv").write_text(
        "path,caller_channel,parties,consent,reference_transcript,outcome\n"
        "stereo.wav,left,,emotion_voice=granted,"
        "hi i am really worried i was charged twice,unresolved\n"
        "shared.flac,,2,emotion_voice=granted,,\n"
        "wants_human.flac,,,emotion_voice=denied;store_text=denied,,\n"
    )
    return path


def gathered(folder: Path, consents: dict = GRANTED) -> Gathered:
    from voice.evaluation.manifest import read_manifest

    rows, bad = read_manifest(folder / "manifest.csv")
    defaults = Job(Path(), consents=consents)
    return gather([str(folder)], rows, defaults=defaults, bad_rows=bad)


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The mixed folder, evaluated in one go in this process."""
    out = tmp_path_factory.mktemp("whole")
    return out, evaluate(gathered(folder), out, SPHINX, workers=1)


def call(out: Path, name: str) -> dict:
    return json.loads((out / "calls" / f"{name}.json").read_text(encoding="utf-8"))


def rows(out: Path) -> list[dict]:
    with (out / "turns.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_every_recording_has_its_file_and_every_bad_one_its_reason(
    whole: tuple[Path, Report],
) -> None:
    out, report = whole
    with (out / "failures.csv").open(encoding="utf-8", newline="") as file:
        failed = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}

    assert sorted(path.stem for path in (out / "calls").iterdir()) == [
        "shared",
        "silence",
        "spelled_email",
        "stereo",
        "wants_human",
    ]
    assert set(failed) == {"broken.wav", "empty.wav", "unsaid.wav"}
    assert "--caller-channel" in failed["unsaid.wav"]
    assert report.calls == 5


def test_a_stereo_call_is_told_apart_by_channel(whole: tuple[Path, Report]) -> None:
    found = call(whole[0], "stereo")

    said = [(turn["ParticipantId"], turn["Content"]) for turn in found["Transcript"]]
    assert {who for who, _ in said} == {"CUSTOMER", "AGENT"}
    assert any(who == "CUSTOMER" and "charged twice" in text for who, text in said)
    assert any(who == "AGENT" and "order" in text for who, text in said)
    talk = found["ConversationCharacteristics"]["TalkTime"]["DetailsByParticipant"]
    assert 0.8 < talk["AGENT"]["TotalTimeMillis"] / talk["CUSTOMER"]["TotalTimeMillis"] < 2.0
    assert found["Attune"]["outcome"] == {
        "value": "unresolved",
        "basis": "stated",
        "why": "as the manifest says",
    }


def test_the_agent_is_transcribed_and_never_felt(whole: tuple[Path, Report]) -> None:
    found = call(whole[0], "stereo")
    agent = [turn for turn in found["Transcript"] if turn["ParticipantId"] == "AGENT"]

    assert agent and all(turn["Content"] for turn in agent)
    assert not any("Sentiment" in turn or "emotion" in turn["Attune"] for turn in agent)
    for row in rows(whole[0]):
        if row["party"] == "agent":
            assert not row["emotion"] + row["valence"] + row["emotion_voice"] + row["strategy"]


def test_each_turn_of_the_caller_says_what_attune_would_have_done_and_nothing_is_done(
    whole: tuple[Path, Report],
) -> None:
    callers = [row for row in rows(whole[0]) if row["party"] == "caller"]

    assert callers and all(row["strategy"] and row["intent"] for row in callers)
    assert any(row["strategy"] == "HANDOFF" for row in callers if row["call"] == "wants_human")
    source = "".join(
        path.read_text() for path in Path("voice/evaluation").glob("*.py") if path.is_file()
    )
    assert ".commit(" not in source and "record_contact" not in source


def test_a_voice_is_read_only_where_the_caller_has_agreed(whole: tuple[Path, Report]) -> None:
    voices = {row["call"]: row["emotion_voice"] for row in rows(whole[0]) if row["emotion_voice"]}

    assert "no consent" not in voices["stereo"]
    assert "no consent" in voices["wants_human"]
    assert "one channel" in voices["shared"]


def test_two_people_on_one_channel_are_told_apart(whole: tuple[Path, Report]) -> None:
    """The same conversation is on two channels and on one: the split is held against the truth."""
    truth, split = (
        [(t["ParticipantId"], t["BeginOffsetMillis"], t["EndOffsetMillis"]) for t in turns]
        for turns in (call(whole[0], name)["Transcript"] for name in ("stereo", "shared"))
    )
    wrong = right = 0
    for party, start, end in split:
        for real, begin, finish in truth:
            shared = max(0, min(end, finish) - max(start, begin))
            wrong, right = wrong + shared * (party != real), right + shared * (party == real)

    assert wrong < 0.1 * right


def test_nothing_personal_is_written(whole: tuple[Path, Report]) -> None:
    found = call(whole[0], "spelled_email")

    assert "email" in found["Attune"]["redacted"]
    assert "[EMAIL]" in " ".join(turn["Content"] for turn in found["Transcript"])
    # The sidecar's address, as it is said and as it is typed.
    for name, content in files(whole[0]).items():
        assert not re.search(rb"example dot com|@example", content), name


def test_the_parquet_table_holds_what_the_csv_holds(whole: tuple[Path, Report]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")

    def as_csv(value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        text = "" if value is None else str(value)
        return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@" and text else text

    table = parquet.read_table(whole[0] / "turns.parquet")

    found = [{name: as_csv(value) for name, value in row.items()} for row in table.to_pylist()]
    assert found == rows(whole[0])
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["start_ms"] == "int64" and kinds["valence"] == "double"
    assert kinds["interrupts"] == "bool" and kinds["text"] == "string"


def test_silence_is_a_call_without_turns(whole: tuple[Path, Report]) -> None:
    found = call(whole[0], "silence")

    assert found["Transcript"] == []
    assert found["Attune"]["outcome"]["value"] == "no_speech"


def test_metrics_hold_n_and_interval_where_there_is_a_reference(
    whole: tuple[Path, Report],
) -> None:
    metrics = json.loads((whole[0] / "metrics.json").read_text())

    assert metrics["calls"] == 5 and metrics["failures"] == 3
    assert metrics["distributions"]["turns"]["agent"] >= 2
    assert metrics["reference"]["word_error_rate"]["reference_words"] == 9


def pages(out: Path) -> dict[str, dict]:
    """The pages of single calls, unpacked as the browser does it, in their order."""
    report = (out / "report.html").read_text(encoding="utf-8")
    found = {}
    for names, packed in re.findall(r'data-calls="([^"]*)">([^<]*)<', report):
        unpacked = json.loads(zlib.decompress(base64.b64decode(packed)))
        found |= dict(zip(names.split(), unpacked, strict=True))
    return found


def test_the_page_needs_no_network_and_shows_the_worst_first(whole: tuple[Path, Report]) -> None:
    report = (whole[0] / "report.html").read_text(encoding="utf-8")

    assert not re.search(r"(?:src|href)=\"(?!#|data:)|url\(|https?:|@import|fetch\(", report)
    scores = [
        int(score) for score in re.findall(r'<td class="n"><span class="score[^>]*>(\d+)', report)
    ]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert [page["score"] for page in pages(whole[0]).values()] == scores


def test_the_page_of_a_call_says_who_said_what_and_what_attune_would_have_said(
    whole: tuple[Path, Report],
) -> None:
    page = pages(whole[0])["stereo"]
    callers = [turn for turn in page["turns"] if turn["party"] == "caller"]
    agents = [turn for turn in page["turns"] if turn["party"] == "agent"]

    assert all(turn["reply"] and turn["strategy"] and "valence" in turn for turn in callers)
    assert agents and not any("emotion" in turn or "reply" in turn for turn in agents)
    assert pages(whole[0])["wants_human"]["turns"][0]["text"] == "[withheld]"
    assert not any("reply" in turn for turn in pages(whole[0])["wants_human"]["turns"])


def test_personal_data_is_silent_in_the_sound_and_the_rest_is_heard(
    whole: tuple[Path, Report],
) -> None:
    found = call(whole[0], "spelled_email")
    words = [word for turn in found["Transcript"] for word in turn["Attune"]["words"]]
    heard = read_audio(whole[0] / "audio" / "spelled_email.mp3")

    def loudest(word: list) -> float:
        return float(np.abs(heard[word[1] * 16 : word[2] * 16]).max())

    personal = [word for word in words if word[0] == "[EMAIL]"]
    said = [word for word in words if word[2] < personal[0][1] - 300]
    assert personal and said
    assert max(map(loudest, personal)) < 0.01 < 0.05 < min(map(loudest, said))
    assert pages(whole[0])["spelled_email"]["audio"] == "audio/spelled_email.mp3"


def test_there_is_no_sound_of_one_whose_words_may_not_be_kept(
    whole: tuple[Path, Report],
) -> None:
    assert not (whole[0] / "audio" / "wants_human.mp3").exists()
    assert "may not be kept" in call(whole[0], "wants_human")["Attune"]["sound"]["why_not"]


class KillsOneWorker(Watcher):
    """Kills the first worker that it sees."""

    killed = False

    def advanced(self, done_ms: int) -> None:
        children = multiprocessing.active_children()
        if children and not self.killed:
            children[0].kill()
            self.killed = True


def test_two_workers_of_which_one_dies_give_the_same_bytes_as_one(
    whole: tuple[Path, Report], folder: Path, tmp_path: Path
) -> None:
    some = ("silence", "wants_human")
    jobs = tuple(job for job in gathered(folder).jobs if job.name in some)
    watcher = KillsOneWorker()

    report = evaluate(Gathered(jobs), tmp_path, SPHINX, workers=2, watcher=watcher)

    assert watcher.killed and not report.failures
    for name in some:
        for kept in (f"calls/{name}.json", f".state/{name}.json"):
            assert (tmp_path / kept).read_bytes() == (whole[0] / kept).read_bytes()


def test_ray_gives_the_same_bytes(whole: tuple[Path, Report], folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    some = ("silence", "wants_human")
    jobs = tuple(job for job in gathered(folder).jobs if job.name in some)

    report = evaluate(Gathered(jobs), tmp_path, SPHINX, workers=1, ray="local")

    assert report.calls == len(some) and not report.failures
    for name in some:
        for kept in (f"calls/{name}.json", f".state/{name}.json"):
            assert (tmp_path / kept).read_bytes() == (whole[0] / kept).read_bytes()


class StopsAfterOne(Watcher):
    """Breaks a run off when its first call is done."""

    kept = -1

    def planned(self, plan: Plan) -> None:
        self.kept = len(plan.kept)

    def finished(self, result: Result) -> None:
        raise KeyboardInterrupt


def test_a_broken_off_run_goes_on_where_it_stopped(
    whole: tuple[Path, Report], folder: Path, tmp_path: Path
) -> None:
    for name in ("calls", ".state", "audio"):
        shutil.copytree(whole[0] / name, tmp_path / name)
    for name in ("wants_human", "silence"):
        (tmp_path / ".state" / f"{name}.json").unlink()
    (tmp_path / "calls" / ".writing-half.json").write_text("{")
    with pytest.raises(KeyboardInterrupt):
        evaluate(gathered(folder), tmp_path, SPHINX, workers=1, watcher=StopsAfterOne())

    report = evaluate(gathered(folder), tmp_path, SPHINX, workers=1)

    assert report.resumed == 4
    assert files(tmp_path) == files(whole[0])


def test_words_are_withheld_from_one_who_does_not_want_them_kept(
    whole: tuple[Path, Report],
) -> None:
    found = call(whole[0], "wants_human")

    assert {turn["Content"] for turn in found["Transcript"]} == {"[withheld]"}
    assert not any("words" in turn["Attune"] for turn in found["Transcript"])
    for name, content in files(whole[0]).items():
        assert b"talk to a machine" not in content and b"speak to a real" not in content, name


def test_wrong_usage_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    for arguments, said in (
        ([], "there is nothing to evaluate"),
        ([str(tmp_path)], "no recording was found"),
        ([str(tmp_path), "--caller-channel", "middle"], "--caller-channel 'middle'"),
        ([str(tmp_path), "--consent", "emotion_voice"], "no '='"),
    ):
        result = CliRunner().invoke(app, ["evaluate", *arguments])
        assert said in str(result.exception), arguments


def test_a_run_in_which_everything_failed_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")

    result = CliRunner().invoke(
        app, ["evaluate", str(tmp_path / "empty.wav"), "--out", str(tmp_path / "out")]
    )

    assert result.exit_code == 1
    assert "is empty" in (tmp_path / "out" / "failures.csv").read_text()
    assert "0 calls evaluated" in (tmp_path / "out" / "report.html").read_text()
