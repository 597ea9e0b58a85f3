"""`attune understand`: what was meant and felt, from text or audio."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlu.errors import AttuneError
from voice.commands.options import PackOption, RecognizerKind
from voice.json_lines import filled_lines, json_object, readable

if TYPE_CHECKING:
    from nlu.types import CallerAudio, Transcript, Understanding

app = typer.Typer(add_completion=False)

_FIELDS = frozenset({"text", "audio"})


@app.command()
def understand(
    text: Annotated[str | None, typer.Option(help="What the caller said.")] = None,
    audio: Annotated[
        Path | None,
        typer.Option(help="A recording of the caller; transcribed unless --text is given."),
    ] = None,
    pack: PackOption = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(help='A file with one {"text":..., "audio":...} a line; - for the input.'),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each result.")
    ] = False,
    recognizer: Annotated[
        RecognizerKind, typer.Option(help="auto, whisper or sphinx.")
    ] = RecognizerKind.AUTO,
    caller_channel: Annotated[
        str | None, typer.Option(help="left, right or mono, for stereo recordings.")
    ] = None,
) -> None:
    """Say what a caller meant and felt: intent, values, feeling, conflict, signals.

    This acts for the operator, on material that the operator may analyse: no customer's consent is
    looked up, and the feeling in voice and words is estimated. Nothing is stored.
    """
    if text is None and audio is None and jsonl is None:
        raise AttuneError("there is nothing to understand; give --text, --audio or --jsonl FILE.")
    if jsonl is not None and (text is not None or audio is not None):
        raise AttuneError("--jsonl stands alone; put text and audio into its lines.")
    # Small matrices: threads of the linear algebra would cost more than they bring.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mind = _Mind(pack, recognizer.value, caller_channel)
    if jsonl is not None:
        raise typer.Exit(1 if _file(mind, jsonl, as_json=json_lines) else 0)
    said = None if text is None else readable(text)
    _print(mind.result(said, audio), as_json=json_lines)


class _Mind:
    """The models, loaded when they are first needed."""

    def __init__(self, pack: str | None, recognizer: str, caller_channel: str | None) -> None:
        from dialogue.customers.consent import operator_grants
        from dialogue.packs.loader import load_pack
        from nlu.understand import Understander
        from voice.settings import load

        if caller_channel not in (None, "left", "right", "mono"):
            raise AttuneError(
                f"--caller-channel '{caller_channel}': there is no such channel; "
                "use left, right or mono."
            )
        loaded = load_pack(pack or load().pack)
        self._language = loaded.language()
        self._currency = getattr(loaded, "currency", None) or "USD"
        self._understander = Understander(self._language)
        self._grants = operator_grants(["emotion_voice", "emotion_words"])
        self._kind: Any = recognizer
        self._channel: Any = caller_channel
        self._recognizer: Any = None

    def result(self, text: str | None, audio: Path | None) -> dict[str, Any]:
        """Everything that can be said of one utterance, ready for JSON."""
        from nlu.types import ConversationSoFar, Transcript

        sound = self._sound(audio) if audio is not None else None
        if text is not None:
            transcript = Transcript(text)
        elif sound is not None:
            transcript = self._transcribe(sound)
        else:
            raise AttuneError("neither text nor audio was given; give one of them.")
        understanding = self._understander.understand(
            transcript,
            audio=sound,
            so_far=ConversationSoFar(now=datetime.now(), currency=self._currency),
            grants=self._grants,
        )
        return as_json(understanding)

    def _sound(self, path: Path) -> CallerAudio:
        from nlu.types import CallerAudio
        from voice.audio import read_audio
        from voice.types import RATE_HZ

        return CallerAudio(read_audio(path, self._channel, RATE_HZ), RATE_HZ)

    def _transcribe(self, sound: CallerAudio) -> Transcript:
        from voice.audio import to_pcm
        from voice.recognition import choose
        from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame

        if self._recognizer is None:
            self._recognizer = choose(self._kind, self._language)
        stream = self._recognizer.stream()
        try:
            pcm = to_pcm(sound.samples)
            for start in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
                frame = pcm[start : start + FRAME_SAMPLES]
                stream.accept(AudioFrame(frame, start * 1000 // RATE_HZ))
            transcript: Transcript = stream.final()
        finally:
            stream.close()
        return transcript


def as_json(understanding: Understanding) -> dict[str, Any]:
    """The fields of the result, in plain values."""
    from voice.records import plain_json, understanding_json

    transcript = understanding.transcript
    return {
        **understanding_json(understanding),
        "recognition": {
            "engine": transcript.engine,
            "confidence": plain_json(transcript.confidence),
            "words": plain_json(transcript.words),
        },
    }


def _file(mind: _Mind, path: Path, *, as_json: bool) -> int:
    """Understand every line, in order; the number of lines that failed."""
    failed = 0
    for number, line in filled_lines(path):
        where = f"{path.name} line {number}"
        try:
            result = mind.result(*_fields(line, where, path))
        except AttuneError as error:
            failed += 1
            message = str(error) if str(error).startswith(where) else f"{where}: {error}"
            print(f"attune: {message}", file=sys.stderr)  # noqa: T201
            result = {"line": number, "error": message}
        _print(result, as_json=as_json)
    return failed


def _fields(line: str, where: str, path: Path) -> tuple[str | None, Path | None]:
    """Text and audio of a line; a relative recording is looked for beside the file too."""
    value = json_object(line, where)
    for name in _FIELDS:
        if value.get(name) is not None and not isinstance(value[name], str):
            raise AttuneError(f"{where}: field '{name}' is no text; write a string.")
    text, audio = value.get("text"), value.get("audio")
    if text is None and audio is None:
        raise AttuneError(f"{where}: holds neither 'text' nor 'audio'; give one of them.")
    if audio is None:
        return text, None
    recording = Path(audio)
    beside = path.parent / recording
    return text, beside if not recording.exists() and beside.exists() else recording


def _print(result: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False), flush=True)  # noqa: T201
        return
    if "error" in result:
        return
    _show(result)


def _show(result: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{escape(result['transcript']) or '(no words)'}[/bold]")
    intent = result["intent"]
    others = ", ".join(f"{one['name']} {one['score']:.2f}" for one in intent["alternatives"][:3])
    console.print(f"intent    {intent['name']} {intent['score']:.2f}  [dim]{others}[/dim]")
    for entity in result["entities"]:
        console.print(
            f"{entity['type']:<9} {escape(entity['value'])}  [dim]{escape(entity['text'])}[/dim]"
        )
    table = Table("", "feeling", "confidence", "valence", "arousal", "intensity")
    for source, one in result["emotion"].items():
        if one["abstained"]:
            table.add_row(source, f"[dim]{escape(one['abstained'])}[/dim]")
            continue
        table.add_row(
            source,
            one["top"],
            f"{one['confidence']:.2f}",
            f"{one['valence']:+.2f}",
            f"{one['arousal']:+.2f}",
            one["intensity"],
        )
    console.print(table)
    if result["conflict"]:
        clash = result["conflict"]
        console.print(f"conflict  {clash['kind']}: voice {clash['voice']}, words {clash['words']}")
    if result["signals"]:
        console.print(f"signals   {', '.join(result['signals'])}")
