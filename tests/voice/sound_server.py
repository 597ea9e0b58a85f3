"""A sound server of our own with virtual devices, and a caller in front of them.

What `attune talk` plays goes into the sink `assistant`; what a caller plays into the sink `caller`
is what its microphone hears. A loopback from one to the other is the echo of a room.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tests.voice.server.callers import Caller
from voice.types import Pcm

_DEVICES = """
load-module module-native-protocol-unix
load-module module-null-sink sink_name=caller rate=16000 channels=1
load-module module-null-sink sink_name=assistant rate=16000 channels=1
set-default-sink assistant
set-default-source caller.monitor
"""
_NEEDED = ("pulseaudio", "pactl", "pacat")


def missing() -> str | None:
    """What a virtual sound device needs and this machine has not; None where one can be made."""
    programs = [name for name in _NEEDED if shutil.which(name) is None]
    if programs:
        return f"{', '.join(programs)} not installed (apt-get install pulseaudio pulseaudio-utils)"
    if ctypes.util.find_library("portaudio") is None:
        return "PortAudio not installed (apt-get install libportaudio2)"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA cannot reach PulseAudio (apt-get install libasound2-plugins)"
    return None


@contextmanager
def sound_server(folder: Path) -> Iterator[dict[str, str]]:
    """A running sound server; the environment in which programs find it."""
    run = folder / "run"
    run.mkdir(mode=0o700)
    script = folder / "devices.pa"
    script.write_text(_DEVICES, encoding="utf-8")
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(run),
        "XDG_CONFIG_HOME": str(folder),
        "PULSE_SERVER": f"unix:{run}/pulse/native",
        "PULSE_COOKIE": str(folder / "cookie"),
    }
    server = subprocess.Popen(
        ["pulseaudio", "-n", f"--file={script}", "--exit-idle-time=-1", "--daemonize=no"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            asked = subprocess.run(
                ["pactl", "info"], env=environment, capture_output=True, check=False
            )
            if asked.returncode:
                time.sleep(0.1)
                continue
            break
        yield environment
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(5)
        server.kill()


def echo(environment: dict[str, str], volume: float) -> None:
    """From now on the microphone hears the loudspeaker, `volume` times as loud."""
    module = ["load-module", "module-loopback", "source=assistant.monitor", "sink=caller"]
    subprocess.run(
        ["pactl", *module, "latency_msec=60", "adjust_time=0"],
        env=environment,
        check=True,
        capture_output=True,
    )
    for _ in range(50):
        listed = subprocess.run(
            ["pactl", "list", "short", "sink-inputs"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        if listed:
            break
        time.sleep(0.1)
    loudness = str(round(65_536 * volume ** (1 / 3)))
    subprocess.run(
        ["pactl", "set-sink-input-volume", listed[0], loudness], env=environment, check=True
    )


class RoomCaller(Caller):
    """Speaks into the microphone and listens to the loudspeaker."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__()
        self._environment = environment
        self._mouth_process: asyncio.subprocess.Process | None = None
        self._ear: asyncio.subprocess.Process | None = None

    async def connect(self) -> None:
        raw = ["--raw", "--format=s16le", "--rate=8000", "--channels=1", "--latency-msec=40"]
        self._mouth_process = await asyncio.create_subprocess_exec(
            "pacat",
            "--playback",
            "--device=caller",
            *raw,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
        )
        self._ear = await asyncio.create_subprocess_exec(
            "pacat",
            "--record",
            "--device=assistant.monitor",
            *raw,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
        )

    async def send(self, samples: Pcm) -> None:
        assert self._mouth_process is not None and self._mouth_process.stdin is not None
        self._mouth_process.stdin.write(samples.astype("<i2").tobytes())
        await self._mouth_process.stdin.drain()

    async def listen(self) -> None:
        assert self._ear is not None and self._ear.stdout is not None
        while data := await self._ear.stdout.read(640):
            self.hear(np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2"))

    async def hang_up(self) -> None:
        for process in (self._mouth_process, self._ear):
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
                await process.wait()
