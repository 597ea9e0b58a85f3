"""What a scenario states in place of a recogniser or a model, handed to the real loop.

Only words and estimates are replaced. Speech detection, whose turn it is, consent, the decision,
the voice and the loop stay the real ones; an estimate of the voice exists only with a grant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nlu.emotion.fusion import Reliability, fuse
from nlu.types import (
    ConversationSoFar,
    Emotion,
    EmotionEstimate,
    Grant,
    Samples,
    Source,
    Transcript,
    Understanding,
    VoiceEvidence,
    Word,
)
from voice.ears import VoiceStream
from voice.evaluation.rehearsal.scenario import Feels, Line
from voice.speculation import Mind
from voice.types import AudioFrame, Expectation, Recognizer, RecognizerStream

_TOP = 0.8
_AFFECT: Mapping[Emotion, tuple[float, float]] = {
    Emotion.NEUTRAL: (0.0, 0.0),
    Emotion.HAPPY: (0.7, 0.5),
    Emotion.SAD: (-0.6, -0.5),
    Emotion.ANGRY: (-0.7, 0.7),
    Emotion.ANXIOUS: (-0.6, 0.6),
    Emotion.SURPRISED: (0.1, 0.7),
    Emotion.CONFUSED: (-0.3, 0.1),
}
_NOTHING_EXPECTED = Expectation()
_BEGINNING = ConversationSoFar()
_VOICE, _WORDS = "emotion_voice", "emotion_words"


@dataclass(frozen=True, slots=True)
class Cue:
    """The line that is being spoken, and how much of it has been said at a moment of the call."""

    line: Line
    share_said: Callable[[int], float]


CueAt = Callable[[], Cue | None]


def estimate_of(feels: Feels, source: Source) -> EmotionEstimate:
    """A stated feeling as an estimate."""
    if feels.emotion is None:
        return EmotionEstimate.abstain(source, feels.abstained or "stated")
    rest = (1.0 - _TOP) / (len(Emotion) - 1)
    spread = {each: _TOP if each is feels.emotion else rest for each in Emotion}
    valence, arousal = _AFFECT[feels.emotion]
    return EmotionEstimate(spread, valence, arousal, feels.intensity, feels.confidence, source)


class CuedRecognizer:
    """The real recogniser, but for lines that state what is heard."""

    def __init__(self, real: Recognizer, cue: CueAt) -> None:
        self._real = real
        self._cue = cue
        self.name = real.name

    def stream(self, expectation: Expectation = _NOTHING_EXPECTED) -> RecognizerStream:
        """Begin a turn."""
        cue = self._cue()
        if cue is None or cue.line.heard is None:
            return self._real.stream(expectation)
        return _StatedWords(cue)


class _StatedWords:
    """Gives the words of a line as far as its sound has been accepted."""

    def __init__(self, cue: Cue) -> None:
        self._cue = cue
        self._start_ms = self._end_ms = -1

    def accept(self, frame: AudioFrame) -> None:
        """Take the next frame."""
        if self._start_ms < 0:
            self._start_ms = frame.start_ms
        self._end_ms = frame.end_ms

    def partial(self) -> str:
        """The words so far."""
        return self.final().text

    def final(self) -> Transcript:
        """The stated words, as many of them as have been spoken."""
        words = (self._cue.line.heard or "").split()
        if self._end_ms < 0:
            return Transcript("", (), 0.0, "stated")
        # A turn that begins within the line (it was cut in two) hears what is said from there on.
        first = round(self._cue.share_said(self._start_ms) * len(words))
        last = math.ceil(self._cue.share_said(self._end_ms) * len(words) - 1e-9)
        said = words[first:last]
        confidence = self._cue.line.heard_confidence
        step = (self._end_ms - self._start_ms) / max(1, len(said))
        timed = tuple(
            Word(
                word,
                round(self._start_ms + place * step),
                round(self._start_ms + (place + 1) * step),
                confidence,
            )
            for place, word in enumerate(said)
        )
        return Transcript(" ".join(said), timed, confidence if said else 0.0, "stated")

    def close(self) -> None:
        """Nothing is held."""


class _StatedVoice:
    """A voice stream that says what the scenario states."""

    def __init__(self, feels: Feels) -> None:
        self._estimate = estimate_of(feels, Source.VOICE)

    def accept(self, samples: Samples) -> None:
        """Take the next samples."""

    def estimate(self) -> EmotionEstimate:
        """The stated feeling."""
        return self._estimate

    def quality(self) -> Mapping[str, float]:
        """Nothing was measured."""
        return {}

    def features_summary(self) -> Mapping[str, float]:
        """Nothing was measured."""
        return {}


class CuedMind:
    """The real understanding, but for lines that state a feeling."""

    def __init__(self, real: Mind, cue: CueAt) -> None:
        self._real = real
        self._cue = cue

    def listen(self, rate_hz: int, grants: Mapping[str, Grant]) -> VoiceStream | None:
        """A voice stream; None without a grant for the voice, whatever is stated."""
        cue = self._cue()
        stated = None if cue is None else cue.line.feels or cue.line.voice_estimate
        if stated is None:
            return self._real.listen(rate_hz, grants)
        return _StatedVoice(stated) if _VOICE in grants else None

    def understand(
        self,
        transcript: Transcript,
        *,
        voice: VoiceEvidence | None = None,
        so_far: ConversationSoFar = _BEGINNING,
        grants: Mapping[str, Grant],
    ) -> Understanding:
        """What was meant, and what was felt or is stated to have been."""
        understood = self._real.understand(transcript, voice=voice, so_far=so_far, grants=grants)
        cue = self._cue()
        if cue is None or not transcript.text.strip():
            return understood
        return _with_statements(understood, cue.line, voice is not None, grants)


def stated_voice(line: Line, grants: Mapping[str, Grant]) -> VoiceEvidence | None:
    """What a voice stream would have said of a line; None without a grant for the voice."""
    stated = line.feels or line.voice_estimate
    if stated is None or _VOICE not in grants:
        return None
    return VoiceEvidence(estimate_of(stated, Source.VOICE))


def _with_statements(
    understood: Understanding, line: Line, heard: bool, grants: Mapping[str, Any]
) -> Understanding:
    if line.feels is not None:
        return _feeling(understood, line.feels, heard and _VOICE in grants, _WORDS in grants)
    if line.words_estimate is None or _WORDS not in grants:
        return understood
    words = estimate_of(line.words_estimate, Source.WORDS)
    reliability = Reliability(asr_confidence=understood.transcript.confidence)
    fused, conflict = fuse(understood.voice, words, reliability)
    course = replace(understood.trajectory, smoothed=fused)
    return replace(understood, words=words, fused=fused, conflict=conflict, trajectory=course)


def _feeling(understood: Understanding, feels: Feels, voice: bool, words: bool) -> Understanding:
    """Voice, words and their fusion as stated, as far as each may be known at all."""
    if not (voice or words):
        return understood
    fused = estimate_of(feels, Source.FUSED)
    return replace(
        understood,
        voice=estimate_of(feels, Source.VOICE) if voice else understood.voice,
        words=estimate_of(feels, Source.WORDS) if words else understood.words,
        fused=fused,
        conflict=None,
        trajectory=replace(understood.trajectory, smoothed=fused),
    )
