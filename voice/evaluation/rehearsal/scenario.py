"""What a scenario may say: a caller's lines, the line they call on, and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from dialogue.types import ConsentState, Purpose, Strategy
from nlu.types import Emotion, Intensity

WEDNESDAY_MORNING = datetime(2026, 11, 4, 15, 0, tzinfo=UTC)
"""When a call takes place unless its scenario says otherwise: in working hours everywhere."""


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Strategies = Annotated[tuple[Strategy, ...], BeforeValidator(_one_or_more)]
FeelingName = Emotion | Literal["abstained"]
Feelings = Annotated[tuple[FeelingName, ...], BeforeValidator(_one_or_more)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Entry):
    """A number within limits; one of the two may be left out."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Bounds:
        if self.at_least is None and self.at_most is None:
            raise ValueError("gives no limit; write at_least, at_most or both")
        return self

    def missed_by(self, value: float) -> str | None:
        """What is wrong with `value`; None when it lies within."""
        if self.at_least is not None and value < self.at_least:
            return f"{value:g} is under {self.at_least:g}"
        if self.at_most is not None and value > self.at_most:
            return f"{value:g} is over {self.at_most:g}"
        return None


class Feels(_Entry):
    """A stated estimate of a feeling, in place of a model's."""

    emotion: Emotion | None = None
    intensity: Intensity = Intensity.NONE
    confidence: float = Field(0.8, ge=0, le=1)
    abstained: str | None = None

    @model_validator(mode="after")
    def _either(self) -> Feels:
        if (self.emotion is None) == (self.abstained is None):
            raise ValueError("needs either `emotion` or `abstained`, and not both")
        return self


class DeliveryBounds(_Entry):
    """Limits of how an answer is spoken: measured on the sound where it is played."""

    rate: Bounds | None = None
    pitch_st: Bounds | None = None
    range: Bounds | None = None
    level_db: Bounds | None = None


class TurnExpectations(_Entry):
    """What is expected of the answer to one line; what is left out is not looked at."""

    answered: bool = True
    """False for what is no turn: a hum, a cough, silence."""
    words: Names = ()
    """Words that the transcript must have."""
    intent: Names = ()
    """Acceptable intents."""
    emotion: Feelings = ()
    """Acceptable feelings, or `abstained`."""
    strategy: Strategies = ()
    """Acceptable strategies."""
    rules: Names = ()
    """Rules that must have fired."""
    not_rules: Names = ()
    acts: Names = ()
    """Moves, effects' actions, `offer`, `handoff`, `apology` that must be part of the turn."""
    forbidden_acts: Names = ()
    """The same names, and `effect` for any effect at all."""
    says: Names = ()
    """Words that the reply must have."""
    says_one_of: Names = ()
    forbidden_words: Names = ()
    delivery: DeliveryBounds | None = None
    handoff: bool | None = None
    offer: bool | None = None
    effects: tuple[str, ...] | None = None
    """The effects carried out in this turn, exactly."""
    ends_call: bool | None = None
    voice_analysed: bool | None = None
    """Whether a voice estimate (or an abstention of the model) exists at all."""
    interrupts: bool | None = None
    """Whether the assistant stopped for this line."""
    stops_within_ms: float | None = None
    gap_ms: Bounds | None = None
    """End of speech to the first sound, computing included: as long as a caller would wait."""
    waits_ms: Bounds | None = None
    """The silence in audio time after which the turn was taken to be over."""
    redacted: Names = ()
    """Kinds of personal data that must have been taken out of the record."""


class CallExpectations(_Entry):
    """What is expected of the call as a whole."""

    opening_says: Names = ()
    opening_lacks: Names = ()
    ends: Literal["hangup", "handoff", "closed"] | None = None
    turns: int | None = None
    """The number of turns, exactly."""
    rules: Names = ()
    not_rules: Names = ()
    forbidden_acts: Names = ()
    forbidden_words: Names = ()
    effects: tuple[str, ...] | None = None
    voice_analysed: bool | None = None
    kept: Literal["nothing", "contact", "words"] | None = None
    """What of this call is in the customers' store afterwards."""


class Line(_Entry):
    """One thing the caller does: says a line, plays a recording, or is silent."""

    say: str | None = None
    """Words for the caller's voice; `[700]` is a pause of 700 ms."""
    recording: str | None = None
    """A sound file beside the scenario, in place of the voice."""
    silence_ms: int | None = Field(None, ge=0, le=60_000)
    feeling: Emotion = Emotion.NEUTRAL
    """How the line is spoken."""
    pace: float = Field(1.0, ge=0.8, le=1.25)
    wait_ms: int = Field(400, ge=0, le=20_000)
    interrupts_after_ms: int | None = Field(None, ge=0, le=60_000)
    """Begin so long after the assistant began to speak, whatever it says."""
    hangs_up: bool = False
    heard: str | None = None
    """What the recogniser is taken to have heard."""
    heard_confidence: float = Field(0.95, ge=0, le=1)
    feels: Feels | None = None
    """The fused feeling, in place of the models'."""
    voice_estimate: Feels | None = None
    """What the voice model is taken to say; fused with the words as always."""
    words_estimate: Feels | None = None
    expect: TurnExpectations | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Line:
        given = [
            name for name in ("say", "recording", "silence_ms") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError("needs one of `say`, `recording` or `silence_ms`")
        if self.feels and (self.voice_estimate or self.words_estimate):
            raise ValueError("`feels` stands for voice and words; leave the other estimates out")
        return self


class Noise(_Entry):
    """What else is on the line."""

    kind: Literal["white", "hum", "babble"] | None = None
    file: str | None = None
    snr_db: float = Field(20.0, ge=-5, le=60)

    @model_validator(mode="after")
    def _one(self) -> Noise:
        if (self.kind is None) == (self.file is None):
            raise ValueError("needs either `kind` or `file`")
        return self


class Caller(_Entry):
    """The voice and the line of the caller."""

    voice: str = "man"
    """`man`, `woman`, or a voice of espeak-ng such as `en-gb+m4`."""
    line: Literal["wideband", "telephone"] = "wideband"
    noise: Noise | None = None


class Scenario(_Entry):
    """A call as it is rehearsed."""

    name: str
    shows: str = ""
    """One sentence: what this scenario is there for."""
    covers: Names = ()
    """Tags, such as `rule 4` or `telephone`."""
    known_weakness: str = ""
    """Why this scenario is known not to pass yet; it is shown, and does not fail the rehearsal."""
    pack: str = "retail"
    customer: str | None = None
    phone: str | None = None
    jurisdiction: str | None = None
    consents: Mapping[Purpose, ConsentState] = Field(default_factory=dict)
    at: datetime = WEDNESDAY_MORNING
    caller: Caller = Caller()
    turns: tuple[Line, ...] = Field(min_length=1)
    expect: CallExpectations = CallExpectations()

    _path: Path = PrivateAttr(default=Path("scenario.yaml"))

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def stated(self) -> tuple[str, ...]:
        """What is stated in this scenario instead of being recognised or felt."""
        found = []
        if any(line.heard is not None for line in self.turns):
            found.append("words")
        if any(line.feels or line.voice_estimate or line.words_estimate for line in self.turns):
            found.append("feelings")
        return tuple(found)
