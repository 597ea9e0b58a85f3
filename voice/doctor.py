"""What is here, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from typing import Literal

from nlu.errors import AttuneError
from voice.settings import Settings

Status = Literal["ok", "optional", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and the command that mends it where it is missing."""

    part: str
    status: Status
    found: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything. Nothing is downloaded and nothing is changed."""
    findings = [_python()]
    for check in (_recognition, _vad, _speech, _store, _pack):
        findings.extend(_guarded(check, settings))
    findings.extend(_weights())
    findings.extend(_audio_devices())
    findings.extend(_optional())
    return findings


def _guarded(check: Callable[[Settings], list[Finding]], settings: Settings) -> list[Finding]:
    part = check.__name__.strip("_")
    try:
        return check(settings)
    except AttuneError as error:
        return [Finding(part, "missing", str(error))]
    except Exception as error:
        return [
            Finding(
                part,
                "missing",
                f"{type(error).__name__}: {error}",
                "pip install --force-reinstall attune",
            )
        ]


def _python() -> Finding:
    enough = sys.version_info >= (3, 11)
    return Finding(
        "python",
        "ok" if enough else "missing",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "" if enough else "install Python 3.11 or newer",
    )


def _recognition(settings: Settings) -> list[Finding]:
    from dialogue.packs import load_pack
    from voice import recognition

    chosen = recognition.choose(
        settings.recognizer,
        load_pack(settings.pack).language(),
        model=settings.whisper_model,
        cache_dir=settings.cache_dir,
    )
    reason = getattr(chosen, "reason", "")
    findings = [Finding("recognition", "ok", f"{chosen.name} ({reason})")]
    if "whisper" not in chosen.name.lower():
        findings.append(
            Finding(
                "whisper weights",
                "optional",
                f"none on disk for '{settings.whisper_model}'",
                "attune needs a network once, or a folder: ATTUNE_WHISPER_MODEL=/path/to/model",
            )
        )
    return findings


def _vad(settings: Settings) -> list[Finding]:
    del settings
    from voice.vad import Silero

    Silero()
    return [Finding("voice activity", "ok", "webrtcvad gate, Silero from faster-whisper's wheel")]


def _speech(settings: Settings) -> list[Finding]:
    from dialogue.types import Delivery
    from voice.speech import open_synthesizer

    synthesizer = open_synthesizer(settings.speech_engine, settings.voice)
    try:
        samples = sum(len(chunk.samples) for chunk in synthesizer.speak("Ready.", Delivery()))
    finally:
        synthesizer.close()
    if not samples:
        return [Finding("speech", "missing", f"{synthesizer.name} gives no sound")]
    return [Finding("speech", "ok", synthesizer.name)]


def _store(settings: Settings) -> list[Finding]:
    from dialogue.customers.store import CustomerStore

    settings.make_data_dir()
    CustomerStore.open(settings.database).close()
    name = settings.database if "@" not in settings.database else "database as configured"
    return [Finding("customers", "ok", name)]


def _pack(settings: Settings) -> list[Finding]:
    from dialogue.packs import load_pack

    pack = load_pack(settings.pack)
    return [Finding("pack", "ok", f"{pack.name}: {len(pack.intents)} intents")]


def _weights() -> list[Finding]:
    findings = []
    for name in ("acoustic", "text", "encoder"):
        card = resources.files("nlu") / "weights" / f"{name}.json"
        if not card.is_file():
            mend = f"attune train {name} --data DIR"
            findings.append(Finding(f"{name} weights", "missing", "not in this install", mend))
            continue
        about = json.loads(card.read_text(encoding="utf-8"))
        licence = about.get("licence") or about.get("license") or "licence not stated"
        findings.append(Finding(f"{name} weights", "ok", f"shipped; {licence}"))
    return findings


def _audio_devices() -> list[Finding]:
    mend = "pip install sounddevice"
    if importlib.util.find_spec("sounddevice") is None:
        return [Finding("microphone", "optional", "sounddevice is not installed", mend)]
    try:
        import sounddevice

        devices = sounddevice.query_devices()
    except OSError:
        mend = "apt-get install libportaudio2 (or your system's PortAudio)"
        return [Finding("microphone", "optional", "PortAudio is not on this machine", mend)]
    inputs = [d["name"] for d in devices if d["max_input_channels"] > 0]
    outputs = [d["name"] for d in devices if d["max_output_channels"] > 0]
    if not inputs or not outputs:
        found = f"{len(inputs)} inputs, {len(outputs)} outputs"
        return [Finding("microphone", "optional", found, "plug in a microphone and a loudspeaker")]
    return [Finding("microphone", "ok", f"{inputs[0]} → {outputs[0]}")]


_EXTRAS = (
    ("piper", "piper-tts", "piper", "neural voices"),
    ("transformers", "transformers", "hub", "models by hub name or path"),
    ("torch", "torch", "train", "training"),
    ("psycopg", "psycopg", "postgres", "PostgreSQL"),
    ("ray", "ray", "ray", "evaluation on several machines"),
    ("opentelemetry.sdk", "opentelemetry-sdk", "otel", "traces of served calls"),
)


def _optional() -> list[Finding]:
    findings = []
    for module, distribution, extra, use in _EXTRAS:
        try:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError
            findings.append(Finding(distribution, "ok", f"{version(distribution)} ({use})"))
        except ModuleNotFoundError:
            mend = f'pip install "attune[{extra}]"'
            findings.append(Finding(distribution, "optional", f"not installed ({use})", mend))
    return findings
