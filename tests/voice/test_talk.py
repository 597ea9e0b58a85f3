"""`attune talk` on virtual sound devices, and what it says where there are none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.voice import sound_server
from tests.voice.server.callers import turns_of
from tests.voice.sound_server import RoomCaller
from voice.audio import read_audio
from voice.channels.echo import EchoGuard
from voice.turns.interruption import InterruptionDetector
from voice.turns.suspicion import BargeIn
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector

TALK = [sys.executable, "-m", "voice.cli", "talk"]
needs_sound = pytest.mark.skipif(
    sound_server.missing() is not None, reason=str(sound_server.missing())
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sound_server.sound_server(tmp_path_factory.mktemp("sound")) as environment:
        yield environment


async def talk_with(
    environment: dict[str, str], out: Path, samples_dir: Path, *options: str
) -> tuple[list[dict[str, object]], list[float]]:
    """A whole conversation in front of the machine; the turns as printed and the gaps heard."""
    talking = await asyncio.create_subprocess_exec(
        *TALK,
        "--recognizer=sphinx",
        "--customer=C1005",
        "--consent=emotion_voice=granted",
        f"--out={out}",
        "--json",
        *options,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said = turns_of(samples_dir / "neutral_where_is_my_order.flac")
    async with RoomCaller(environment) as caller:
        gaps = await caller.converse(said[:2])
    if talking.returncode is None:
        # Whoever ends it, the call is hung up and what it kept is written.
        talking.send_signal(signal.SIGTERM)
    printed, problems = await asyncio.wait_for(talking.communicate(), 30)
    assert b"Traceback" not in problems, problems.decode()
    return [json.loads(line) for line in printed.splitlines()], gaps


@needs_sound
@pytest.mark.slow
async def test_a_conversation_through_microphone_and_loudspeaker(
    server: dict[str, str], tmp_path: Path, samples_dir: Path
) -> None:
    turns, gaps = await talk_with(server, tmp_path, samples_dir, "--headphones")
    assert len(turns) >= 2
    assert len(gaps) == 2
    assert any("order" in str(turn["transcript"]["text"]) for turn in turns)
    assert all(turn["decision"]["strategy"] and turn["engines"]["channel"] for turn in turns)
    kept = (tmp_path / "turns.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in kept] == turns
    assert "<html" in (tmp_path / "report.html").read_text()
    sound, rate_hz = soundfile.read(tmp_path / "conversation.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    caller, assistant = np.sqrt((sound**2).mean(axis=0))
    assert caller > 0.005
    assert assistant > 0.005


class Echo:
    """A room: what the loudspeaker plays comes back late, coloured and a little distorted."""

    def __init__(self, assistant: np.ndarray, level_db: float, delay_ms: int = 90) -> None:
        random = np.random.default_rng(4)
        response = random.normal(0, 1, 1_600) * np.exp(-np.arange(1_600) / 250)
        response[0] = 6.0
        heard = np.convolve(np.tanh(assistant * 2) / 2, response)[: len(assistant)]
        heard *= 10 ** (level_db / 20) * 0.05 / np.sqrt(np.mean(heard**2))
        delayed = np.concatenate([np.zeros(delay_ms * 16), heard])[: len(assistant)]
        self.sound = delayed + random.normal(0, 5e-4, len(assistant))


@pytest.fixture(scope="module")
def assistant(samples_dir: Path) -> np.ndarray:
    """20 s of somebody speaking, as the loudspeaker is given it."""
    spoken = read_audio(samples_dir / "confused_bill.flac", "mono").astype(np.float64)
    spoken = spoken[np.abs(spoken) > 1e-4]
    return np.resize(spoken, 20 * RATE_HZ) * 0.07 / np.sqrt(np.mean(spoken**2))


def guarded(microphone: np.ndarray, given: np.ndarray) -> list[np.ndarray]:
    guard = EchoGuard()
    heard = np.clip(microphone * 32_768, -32_768, 32_767).astype(np.int16)
    played = np.clip(given * 32_768, -32_768, 32_767).astype(np.int16)
    return [
        guard.push(heard[i : i + FRAME_SAMPLES], played[i : i + FRAME_SAMPLES])
        for i in range(0, len(heard) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]


def interruptions(frames: list[np.ndarray]) -> tuple[list[int], int]:
    """When the assistant fell silent for good, and how long it was silent for nothing, in ms."""
    detector, interruption = SpeechDetector(), InterruptionDetector()
    found, since_ms, silent_ms = [], 0, 0
    for number, samples in enumerate(frames):
        frame = AudioFrame(samples, number * FRAME_MS)
        match interruption.push(frame, detector.push(frame)):
            case BargeIn.HOLD:
                since_ms = frame.end_ms
            case BargeIn.CONFIRM:
                found.append(since_ms)
            case BargeIn.RESUME:
                silent_ms += frame.end_ms - since_ms
    return found, silent_ms


@pytest.mark.parametrize("level_db", [-10.0, 0.0, 10.0])
def test_the_assistant_does_not_interrupt_itself(assistant: np.ndarray, level_db: float) -> None:
    echo = Echo(assistant, level_db).sound
    frames = (echo * 32_768).clip(-32_768, 32_767).astype(np.int16).reshape(-1, FRAME_SAMPLES)
    stopped, _ = interruptions(list(frames))
    assert stopped
    stopped, silent_ms = interruptions(guarded(echo, assistant))
    assert not stopped
    assert silent_ms <= 0.02 * len(frames) * FRAME_MS


def test_a_caller_is_heard_over_the_echo(assistant: np.ndarray, samples_dir: Path) -> None:
    caller = read_audio(samples_dir / "neutral_where_is_my_order.flac", "mono")[: 3 * RATE_HZ]
    microphone = Echo(assistant, -10.0).sound
    begin = 12 * RATE_HZ
    microphone[begin : begin + len(caller)] += caller * 0.05 / np.sqrt(np.mean(caller**2))
    found, _ = interruptions(guarded(microphone, assistant))
    assert found
    assert 12_000 < found[0] < 15_000


def test_a_silent_assistant_leaves_the_microphone_alone() -> None:
    random = np.random.default_rng(2)
    microphone = random.normal(0, 0.05, RATE_HZ)
    frames = guarded(microphone, np.zeros(RATE_HZ))
    same = np.clip(microphone * 32_768, -32_768, 32_767).astype(np.int16)
    assert np.array_equal(np.concatenate(frames), same)


def test_without_a_device_one_sentence_says_so(tmp_path: Path) -> None:
    environment = os.environ | {"PULSE_SERVER": "unix:/nowhere", "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [*TALK, "--input-device=no such microphone"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("attune: ")
    assert "--list-devices" in last or "install" in last
    assert "Traceback" not in done.stderr
