"""Simulated callers against the real loop, with sound."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.channels.simulated import PATIENCE_MS, CallerLine, SimulatedCallerChannel
from voice.evaluation.rehearsal import reading
from voice.evaluation.rehearsal.checking import Miss, check
from voice.evaluation.rehearsal.page import write_page
from voice.evaluation.rehearsal.results import Result, write_junit
from voice.evaluation.rehearsal.scenario import Scenario
from voice.evaluation.rehearsal.sound import CallerVoices, Piece, Spoken, caller_lines
from voice.evaluation.rehearsal.stage import Stage
from voice.records import plain_json
from voice.settings import Settings
from voice.types import RATE_HZ, Pcm

TONE = np.full(RATE_HZ // 2, 1000, np.int16)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    opened = Stage(Settings(recognizer="sphinx"))
    yield opened
    opened.close()


def shipped(name: str) -> Scenario:
    return reading.read(reading.SHIPPED / f"{name}.yaml")


def scenario(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "try.yaml"
    path.write_text(text, encoding="utf-8")
    return reading.read(path)


# --- the channel --------------------------------------------------------------------------------


def listen(channel: SimulatedCallerChannel, answers: dict[int, Pcm], seconds: int = 60) -> Pcm:
    """Hear the caller out, answering at the given times (ms) of the call."""

    async def hear() -> Pcm:
        heard = []
        async for frame in channel.frames():
            heard.append(frame.samples)
            if frame.end_ms in answers:
                await channel.play(answers[frame.end_ms])
            if frame.end_ms >= seconds * 1000:
                await channel.close()
        return np.concatenate(heard) if heard else np.zeros(0, np.int16)

    return asyncio.run(hear())


def test_a_line_begins_when_the_assistant_has_finished_and_the_caller_has_waited() -> None:
    channel = SimulatedCallerChannel([CallerLine(TONE, wait_ms=700)])
    listen(channel, {100: np.zeros(2 * RATE_HZ, np.int16)})
    assert channel.spans[0].start_ms == 100 + 2_000 + 700
    assert channel.spans[0].end_ms == channel.spans[0].start_ms + 500


def test_an_interruption_begins_so_long_after_the_assistant_began() -> None:
    lines = [CallerLine(TONE, into_answer_ms=600)]
    channel = SimulatedCallerChannel(lines)
    listen(channel, {100: np.zeros(2 * RATE_HZ, np.int16)})
    assert channel.spans[0].start_ms == 700


def test_a_caller_who_is_not_answered_goes_on_at_last() -> None:
    channel = SimulatedCallerChannel([CallerLine(TONE), CallerLine(TONE)])
    listen(channel, {100: np.zeros(RATE_HZ, np.int16)})
    first, second = channel.spans
    assert second.start_ms - first.end_ms == PATIENCE_MS


def test_after_hanging_up_nothing_is_heard() -> None:
    channel = SimulatedCallerChannel([CallerLine(TONE, hangs_up=True), CallerLine(TONE)])
    heard = listen(channel, {100: np.zeros(RATE_HZ, np.int16)})
    assert len(channel.spans) == 1
    assert heard[-len(TONE) :].min() == 1000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=8), st.integers(0, 200))
def test_what_was_heard_never_exceeds_what_was_queued(frames: list[int], stop: int) -> None:
    channel = SimulatedCallerChannel([CallerLine(np.zeros(4 * RATE_HZ, np.int16))])

    async def hear() -> None:
        queued = 0
        for samples in frames:
            await channel.play(np.zeros(samples * 320, np.int16))
            queued += samples * 20
        async for frame in channel.frames():
            assert 0 <= channel.heard_ms() <= min(queued, frame.end_ms)
            if frame.end_ms >= stop * 20:
                await channel.clear()
                await channel.close()

    asyncio.run(hear())
    assert channel.heard_ms() <= sum(frames) * 20


# --- the caller's sound -------------------------------------------------------------------------


class Tones:
    """A voice that is quick to make: half a second of a tone for each word."""

    name = "tones"

    def speak(self, text: str, delivery: Any) -> Iterator[Any]:
        from voice.types import SpeechChunk

        n = len(text.split()) * RATE_HZ // 2
        wave = 6000 * np.sin(2 * np.pi * 3000 * np.arange(n) / RATE_HZ)
        yield SpeechChunk(wave.astype(np.int16))

    def close(self) -> None:
        pass


def sound(tmp_path: Path, caller: str, say: str = "one two") -> tuple[Spoken, Pcm | None]:
    text = f'turns: [{{say: "{say}"}}]\ncaller: {{{caller}}}\n'
    lines, background = caller_lines(scenario(tmp_path, text), CallerVoices(lambda _: Tones()))
    return lines[0], background


@pytest.mark.parametrize("kind", ["white", "hum", "babble"])
@pytest.mark.parametrize("snr_db", [5, 20])
def test_noise_lies_as_far_under_the_voice_as_asked(tmp_path: Path, kind: str, snr_db: int) -> None:
    spoken, noise = sound(tmp_path, f"noise: {{kind: {kind}, snr_db: {snr_db}}}")
    assert noise is not None
    rms = [np.sqrt(np.mean(x.astype(float) ** 2)) for x in (spoken.line.samples, noise)]
    assert 20 * np.log10(rms[0] / rms[1]) == pytest.approx(snr_db, abs=1.0)
    assert np.array_equal(noise, sound(tmp_path, f"noise: {{kind: {kind}, snr_db: {snr_db}}}")[1])


def test_the_telephone_lets_nothing_above_4_khz_through(tmp_path: Path) -> None:
    wide = sound(tmp_path, "noise: {kind: white, snr_db: 10}")[1]
    narrow = sound(tmp_path, "noise: {kind: white, snr_db: 10}, line: telephone")[1]

    def high_share(samples: Pcm) -> float:
        power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
        return float(power[len(power) * 9 // 16 :].sum() / power.sum())

    assert wide is not None
    assert narrow is not None
    assert high_share(wide) > 0.3
    assert high_share(narrow) < 0.01


def test_a_pause_in_a_line_is_silence_of_that_length(tmp_path: Path) -> None:
    spoken, _ = sound(tmp_path, "voice: man", "one two [750] three")
    assert [(p.start_ms, p.end_ms, p.words) for p in spoken.pieces] == [
        (0, 1000, 2), (1750, 2250, 1),
    ]  # fmt: skip
    assert not spoken.line.samples[16 * 1005 : 16 * 1745].any()


@given(st.lists(st.tuples(st.integers(1, 2_000), st.integers(1, 900)), min_size=1, max_size=6))
def test_the_share_said_grows_from_none_to_all(lengths: list[tuple[int, int]]) -> None:
    pieces, at_ms = [], 0
    for length, pause in lengths:
        pieces.append(Piece(at_ms, at_ms + length, 1 + length // 300))
        at_ms += length + pause
    spoken = Spoken(CallerLine(TONE), tuple(pieces))
    shares = [spoken.share_said(ms) for ms in range(0, at_ms + 50, 50)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert spoken.share_said(at_ms) == 1


# --- the loop -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "backchannel_does_not_stop_it",
        "hesitation",
        "interruption_stops_the_assistant",
        "line_goes_dead",
        "long_pauses",
        "noise_hum",
        "privacy_forget_this_call",
        "privacy_personal_data_is_redacted",
        "privacy_withdrawn_in_mid_call",
        "rule_5_anxious_about_money",
        "rule_7_happy_words_in_an_angry_voice",
        "rule_g3_abuse",
        "silence",
        "telephone_noisy",
        "telephone_recognised",
    ],
)
def test_the_loop_passes_shipped_scenarios(stage: Stage, name: str) -> None:
    performance = stage.perform(shipped(name))
    assert check(performance) == ()
    assert performance.audio_s > 5
    assert performance.conversation is not None


def test_a_rehearsal_goes_the_same_way_again(stage: Stage) -> None:
    def run() -> Any:
        records = stage.perform(shipped("rule_5_anxious_about_money")).records
        return [
            plain_json(replace(record, latency_ms={}, extra={}, engines={})) for record in records
        ]

    assert run() == run()


def test_what_does_not_come_true_is_missed(stage: Stage, tmp_path: Path) -> None:
    wrong = scenario(
        tmp_path,
        """
customer: C1005
turns:
  - say: "Where is my order?"
    heard: where is my order
    feels: {emotion: neutral}
    expect:
      words: [parcel]
      intent: refund
      emotion: sad
      strategy: [SUPPORT, CLARIFY]
      rules: ["6"]
      not_rules: ["9"]
      acts: [condolence]
      forbidden_acts: [answer]
      says: [condolences]
      forbidden_words: [bookshelf]
      delivery: {rate: {at_most: 0.5}}
      handoff: true
      offer: true
      effects: [cancel_order]
      ends_call: true
      voice_analysed: false
      interrupts: true
      waits_ms: {at_most: 1}
      gap_ms: {at_most: 1}
      redacted: [email]
  - say: "Goodbye."
    interrupts_after_ms: 500
    heard: goodbye
    expect: {answered: false}
expect:
  opening_says: [good evening]
  opening_lacks: [automated assistant]
  ends: handoff
  turns: 7
  kept: nothing
""",
    )
    missed = {miss.field for miss in check(stage.perform(wrong))}
    assert missed >= {
        "words", "intent", "emotion", "strategy", "rules", "not_rules", "acts", "forbidden_acts",
        "says", "forbidden_words", "delivery.rate", "handoff", "offer", "effects", "ends_call",
        "voice_analysed", "interrupts", "waits_ms", "gap_ms", "redacted", "answered",
        "opening_says", "opening_lacks", "ends", "turns", "kept",
    }  # fmt: skip


def test_a_recording_can_stand_in_for_the_voice(
    stage: Stage, samples_dir: Path, tmp_path: Path
) -> None:
    text = f"""
turns:
  - recording: {samples_dir / "wants_human.flac"}
    heard: let me speak to a real person
    expect: {{strategy: HANDOFF}}
"""
    performance = stage.perform(scenario(tmp_path, text))
    assert performance.records[0].decision["strategy"] == "HANDOFF"


# --- reports ------------------------------------------------------------------------------------


def test_junit_holds_a_case_for_each_run_and_survives_any_text(
    stage: Stage, tmp_path: Path
) -> None:
    passed = shipped("rule_9_plain_question")
    performance = stage.perform_words(passed)
    odd = passed.model_copy(update={"name": 'a <b> & "c" \x00'})
    results = [
        Result(passed, 1, performance, ()),
        Result(odd, 2, performance, (Miss(1, "says", "'x' is not in '<&\x07>'"),)),
    ]
    write_junit(tmp_path / "j.xml", results)
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    first, second = suite
    assert first.find("failure") is None
    assert second.find("failure") is not None
    assert "run 2" in (second.get("name") or "")


def test_a_known_weakness_is_shown_and_fails_nothing(stage: Stage, tmp_path: Path) -> None:
    weak = shipped("rule_9_plain_question").model_copy(update={"known_weakness": "not yet"})
    performance = stage.perform_words(weak)
    result = Result(weak, 1, performance, (Miss(1, "says", "'x' is missing"),))
    assert (result.passed, result.failed, result.outcome) == (False, False, "known")
    write_junit(tmp_path / "j.xml", [result])
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    write_page(tmp_path / "report.html", [result])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0 failed" in page
    assert "Known weakness: not yet" in page


def test_the_page_holds_its_sound_and_asks_for_nothing_outside(
    stage: Stage, tmp_path: Path
) -> None:
    performance = stage.perform(shipped("rule_9_plain_question"))
    result = Result(performance.scenario, 1, performance, check(performance))
    write_page(tmp_path / "report.html", [result])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "data:audio/mpeg;base64," in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "Stated in the scenario" in page


# --- the command --------------------------------------------------------------------------------


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voice.cli", "rehearse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_the_command_repeats_reports_and_exits_by_the_outcome(tmp_path: Path) -> None:
    failing = tmp_path / "failing.yaml"
    failing.write_text('turns: [{say: "Hello.", expect: {strategy: SAFETY}}]\n', encoding="utf-8")
    done = rehearse(
        *("rule_g2_asks_for_a_human", str(failing), "--words", "--repeat", "2"),
        *("--out", str(tmp_path / "out"), "--junit", str(tmp_path / "j.xml")),
    )
    assert done.returncode == 1, done.stderr
    assert "2 passed, 2 failed" in done.stdout
    assert "not SAFETY" in done.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [result["passed"] for result in results] == [True, True, False, False]
    assert len(list(ElementTree.parse(tmp_path / "j.xml").getroot().iter("testcase"))) == 4
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "nothing to rehearse"),
        ("turns: []\n", "line 1: turns: "),
        ("customer: NOBODY\nturns: [{say: Hi}]\n", "no customer 'NOBODY'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    tmp_path: Path, content: str | None, told: str
) -> None:
    arguments = ["--words", "--out", str(tmp_path / "out")]
    if content is not None:
        (tmp_path / "bad.yaml").write_text(content, encoding="utf-8")
        arguments.insert(0, str(tmp_path / "bad.yaml"))
    done = rehearse(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
