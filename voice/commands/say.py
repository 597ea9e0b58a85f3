"""`attune say`: speak a text with a given delivery into a WAV file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialogue.types import Delivery, Strategy
from nlu.errors import AttuneError

if TYPE_CHECKING:
    from voice.types import AchievedDelivery, Synthesizer

app = typer.Typer(add_completion=False)

_SHOWN_CHARACTERS = 160


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say. Markup and emoji are left out.")],
    out: Annotated[Path, typer.Option(help="The WAV file to write (16 kHz, mono, 16 bit).")],
    strategy: Annotated[
        str | None, typer.Option(help="Take the delivery of a strategy, such as DE_ESCALATE_FIX.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Pace as a factor of neutral, 0.85 to 1.15.")
    ] = None,
    pitch: Annotated[float | None, typer.Option(help="Pitch in semitones, -2 to 2.")] = None,
    range_: Annotated[
        float | None, typer.Option("--range", help="Liveliness of the melody, factor 0.7 to 1.3.")
    ] = None,
    level: Annotated[float | None, typer.Option(help="Level in dB, -3 to 3.")] = None,
    engine: Annotated[str | None, typer.Option(help="espeak, piper or system.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="The engine's voice: en-us+f2, or a Piper model's path.")
    ] = None,
) -> None:
    """Speak TEXT into a WAV file, and print what was asked of the voice and what came out.

    Acts for the operator: nobody is greeted, no consent is asked, nothing is stored but the file.
    --rate, --pitch, --range and --level override the strategy's.
    """
    from voice.settings import load
    from voice.speech import open_synthesizer
    from voice.speech.normalise import spoken

    if out.is_dir():
        raise AttuneError(f"--out {out} is a folder; name a WAV file in it.")
    delivery = _delivery(strategy, rate, pitch, range_, level)
    said = spoken(text)
    if not said:
        raise AttuneError("TEXT holds nothing that can be spoken; give at least one word.")
    settings = load()
    synthesizer = open_synthesizer(engine or settings.speech_engine, voice or settings.voice)
    try:
        seconds, achieved = _write(synthesizer, text, delivery, out)
    finally:
        synthesizer.close()
    shown = said if len(said) <= _SHOWN_CHARACTERS else said[:_SHOWN_CHARACTERS] + " ..."
    typer.echo(f"said       {shown}")
    typer.echo(f"voice      {synthesizer.name}")
    typer.echo(f"file       {out}, {seconds:.2f} s")
    _print(delivery, achieved)


def _delivery(
    strategy: str | None,
    rate: float | None,
    pitch: float | None,
    range_: float | None,
    level: float | None,
) -> Delivery:
    from voice.speech import limits

    delivery = _of_strategy(strategy) if strategy is not None else Delivery()
    for option, value, (low, high), field in (
        ("--rate", rate, limits.RATE, "rate"),
        ("--pitch", pitch, limits.PITCH_ST, "pitch_st"),
        ("--range", range_, limits.RANGE, "range"),
        ("--level", level, limits.LEVEL_DB, "level_db"),
    ):
        if value is None:
            continue
        if not math.isfinite(value) or not low <= value <= high:
            raise AttuneError(f"{option} {value:g} cannot be used; give {low:g} to {high:g}.")
        changes: dict[str, Any] = {field: value}
        delivery = replace(delivery, **changes)
    return delivery


def _of_strategy(name: str) -> Delivery:
    """The delivery of the first rule of the policy that chooses the strategy."""
    from dialogue import policy
    from dialogue.delivery import target

    wanted = name.strip().upper().replace("-", "_")
    for rule in policy.load().rules:
        if rule.strategy == wanted:
            profile = rule.delivery.profile
            return target("neutral" if profile == "by_feeling" else profile, rule.delivery.scale)
    known = ", ".join(strategy.value for strategy in Strategy)
    raise AttuneError(f"--strategy {name!r} is not a strategy; use one of {known}.")


def _write(
    synthesizer: Synthesizer, text: str, delivery: Delivery, out: Path
) -> tuple[float, AchievedDelivery | None]:
    import soundfile

    from voice.audio import replacing
    from voice.types import RATE_HZ

    samples = 0
    achieved = None
    with replacing(out) as draft:
        try:
            with soundfile.SoundFile(
                str(draft), "w", samplerate=RATE_HZ, channels=1, subtype="PCM_16", format="WAV"
            ) as file:
                for chunk in synthesizer.speak(text, delivery):
                    file.write(chunk.samples)
                    samples += len(chunk.samples)
                    achieved = chunk.achieved or achieved
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AttuneError(f"{out} cannot be written ({error}); free some space.") from None
    return samples / RATE_HZ, achieved


def _print(asked: Delivery, got: AchievedDelivery | None) -> None:
    typer.echo("           requested  achieved")
    for label, wanted, unit, value in (
        ("rate", asked.rate, "x", got and got.rate),
        ("pitch", asked.pitch_st, "st", got and got.pitch_st),
        ("range", asked.range, "x", got and got.range),
        ("level", asked.level_db, "dB", got and got.level_db),
    ):
        measured = "-" if value is None else f"{value:.2f}"
        typer.echo(f"{label:10} {wanted:9.2f}  {measured:>8} {unit}")
    if got is not None:
        typer.echo(f"{'pace':10} {'':9}  {got.words_per_minute:8.0f} words a minute")
