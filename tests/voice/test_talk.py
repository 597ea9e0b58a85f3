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
from voice.types import RATE_HZ

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
        talking.send_signal(signal.SIGINT)
    printed, problems = await asyncio.wait_for(talking.communicate(), 30)
    assert b"Traceback" not in problems, problems.decode()
    return [json.loads(line) for line in printed.splitlines()], gaps


@needs_sound
@pytest.mark.slow
async def test_a_conversation_through_a_loudspeaker_that_the_microphone_hears(
    server: dict[str, str], tmp_path: Path, samples_dir: Path
) -> None:
    sound_server.echo(server, 0.3)
    turns, gaps = await talk_with(server, tmp_path, samples_dir)
    assert [turn["turn"] for turn in turns] == [1, 2]
    assert all(turn["transcript"]["text"] and turn["decision"]["strategy"] for turn in turns)
    assert not any(turn["interrupted"] for turn in turns)
    assert len(gaps) == 2
    kept = (tmp_path / "turns.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in kept] == turns
    assert "<html" in (tmp_path / "report.html").read_text()
    sound, rate_hz = soundfile.read(tmp_path / "conversation.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    for turn in turns:
        for clause in turn["spoken"]:
            span = sound[clause["start_ms"] * 16 : clause["end_ms"] * 16]
            caller, assistant = np.sqrt((span**2).mean(axis=0))
            assert assistant > 0.02
            assert caller < 0.1 * assistant


def test_without_a_device_one_sentence_says_so(tmp_path: Path) -> None:
    environment = os.environ | {
        "PULSE_SERVER": "unix:/nowhere",
        "ALSA_CONFIG_PATH": "/dev/null",
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    done = subprocess.run(TALK, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("attune: ")
    assert "--list-devices" in last or "install" in last
    assert "Traceback" not in done.stderr
