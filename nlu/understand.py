"""The one door: a turn's words, its sound and the conversation so far become `Understanding`."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from nlu.denials import without_denied
from nlu.emotion.acoustic import AcousticModel, AcousticStream
from nlu.emotion.fusion import Reliability, fuse
from nlu.emotion.sarcasm import unpraised
from nlu.emotion.text import TextModel
from nlu.emotion.trajectory import follow
from nlu.encoder import Encoder, SentenceEncoder
from nlu.entities import find_entities
from nlu.intents import IntentClassifier, pattern_of, without
from nlu.signals import find_signals
from nlu.types import (
    OTHER_INTENT,
    CallerAudio,
    ConversationSoFar,
    EmotionEstimate,
    Entity,
    Grant,
    Intent,
    Language,
    Source,
    Transcript,
    Understanding,
    VoiceEvidence,
)

VOICE = "emotion_voice"
WORDS = "emotion_words"
SARCASM = "sarcasm"
THANKS = "thanks"
"""The name of a signal, and of the intent that every pack gives the same meaning."""
MAX_CHARACTERS = 20_000
"""What intents and feelings are read from; signals and entities have limits of their own."""

_WORD = re.compile(r"\w+")
_GIVEN = {"order_number", "account_number", "card_number", "digits", "email", "phone", "name"}
_PART_OF_WISH = {"name"}
"""What may be a part of the wish itself; a code's digits only blur what is wanted."""
_CARRIERS = set(
    "the my it s its is that would be a an this so okay ok yes yeah sure well um uh hi sorry i said"
    " order account card customer reference phone telephone mobile email e mail address name"
    " number it's that's here you go please of course".split()
)
_SHORT = 80
_NAMING = _CARRIERS | set(
    "one ones old new other first second last mean i think no not and".split()
)
_BEGINNING = ConversationSoFar()


class Understander:
    """Understands turns in one pack's `language`. Load it once; it keeps nothing between turns."""

    def __init__(self, language: Language, encoder: SentenceEncoder | None = None) -> None:
        self._language = language
        self._encoder = encoder or Encoder.load()
        self._intents = IntentClassifier(language, self._encoder)
        self._things = pattern_of(language.things)
        self._feeling = TextModel.load(language.phrase_bank, self._encoder)
        find_signals("warm")
        find_entities("01/02/2020", datetime(2020, 1, 1))

    def understand(
        self,
        transcript: Transcript,
        *,
        audio: CallerAudio | None = None,
        voice: EmotionEstimate | VoiceEvidence | None = None,
        so_far: ConversationSoFar = _BEGINNING,
        grants: Mapping[str, Grant],
        reliability: Reliability | None = None,
        features: Mapping[str, float] | None = None,
        resolved: bool = False,
    ) -> Understanding:
        """What the caller meant and felt in one turn.

        `grants` are keyed by purpose: without `emotion_voice` no estimate of the voice is made and
        a given `voice` is put aside; without `emotion_words` none of the words. `voice` is what a
        stream (see `listen`) heard while the caller spoke; otherwise `audio` is judged. `features`
        (a stream's summary) are compared with `so_far.baseline`. `resolved` says that the matter
        before this turn was settled. Input that says nothing gives abstentions with a reason.
        """
        text = transcript.text
        if isinstance(voice, VoiceEvidence):
            features = features or voice.features
        heard, quality = self._hear(audio, voice, grants)
        signals = find_signals(text)
        words = self._read(transcript, grants)
        if SARCASM in signals:
            # Praise for something bad is neither joy nor gratitude.
            signals -= {THANKS}
            words = unpraised(words)
        fused, conflict = fuse(heard, words, reliability or _reliability(transcript, quality))
        entities = find_entities(
            text,
            so_far.now or datetime.now(),
            so_far.expects,
            locale=self._language.locale,
            currency=so_far.currency,
        )
        intent = self._intent(text, entities)
        if SARCASM in signals:
            intent = without(intent, THANKS)
        return Understanding(
            transcript=transcript,
            intent=intent,
            entities=entities,
            voice=heard,
            words=words,
            fused=fused,
            conflict=conflict,
            trajectory=follow(
                so_far.smoothed,
                fused,
                so_far.turns,
                resolved=resolved,
                features=features if VOICE in grants else None,
                baseline=so_far.baseline,
            ),
            signals=signals,
        )

    def listen(self, rate_hz: int, grants: Mapping[str, Grant]) -> AcousticStream | None:
        """A stream for the caller's voice at `rate_hz`; None without a grant for it."""
        grant = grants.get(VOICE)
        return None if grant is None else _acoustic().stream(rate_hz, grant)

    def _intent(self, text: str, entities: tuple[Entity, ...]) -> Intent:
        text = text[:MAX_CHARACTERS]
        given = [entity for entity in entities if entity.type in _GIVEN]
        if not text.strip() or self._only_names(text) or _only_gives(text, given):
            return Intent(OTHER_INTENT, 1.0)
        codes = [entity for entity in given if entity.type not in _PART_OF_WISH]
        return self._intents.classify(_without(text, codes) if codes else text)

    def _only_names(self, text: str) -> bool:
        """Whether nothing but a thing of the trade is named ("yes, the blender"): that answers a
        question, and wants nothing of its own."""
        if self._things is None or len(text) > _SHORT:
            return False
        rest, named = self._things.subn(" ", text)
        return named > 0 and all(word in _NAMING for word in _WORD.findall(rest.lower()))

    def _hear(
        self,
        audio: CallerAudio | None,
        voice: EmotionEstimate | VoiceEvidence | None,
        grants: Mapping[str, Grant],
    ) -> tuple[EmotionEstimate, Mapping[str, float]]:
        grant = grants.get(VOICE)
        if grant is None:
            return EmotionEstimate.abstain(Source.VOICE, "no consent to analyse the voice"), {}
        if isinstance(voice, VoiceEvidence):
            return voice.estimate, voice.quality
        if voice is not None:
            return voice, {}
        if audio is None:
            return EmotionEstimate.abstain(Source.VOICE, "no sound was given"), {}
        return _judge(audio, grant)

    def _read(self, transcript: Transcript, grants: Mapping[str, Grant]) -> EmotionEstimate:
        grant = grants.get(WORDS)
        if grant is None:
            return EmotionEstimate.abstain(Source.WORDS, "no consent to read feeling from words")
        felt = without_denied(transcript.text[:MAX_CHARACTERS])
        return self._feeling.estimate(felt, grant, transcript.confidence)


def _only_gives(text: str, given: Sequence[Entity]) -> bool:
    """Whether the words only hand over what is `given`, a number, an address or a name ("it's order
    44172"): that is an answer and no new request, whatever intent it resembles."""
    rest = _without(text, given).lower()
    return bool(given) and all(word in _CARRIERS for word in _WORD.findall(rest))


def _without(text: str, entities: Sequence[Entity]) -> str:
    """`text` without the words that make up `entities`."""
    kept, end = [], 0
    for entity in sorted(entities, key=lambda one: one.start):
        kept.append(text[end : max(end, entity.start)])
        end = max(end, entity.end)
    return " ".join((*kept, text[end:]))


def _judge(audio: CallerAudio, grant: Grant) -> tuple[EmotionEstimate, Mapping[str, float]]:
    """The voice's estimate, and the quality of the sound it was made from."""
    model = _acoustic()
    samples = np.asarray(audio.samples, np.float32)
    if audio.rate_hz not in range(8_000, 48_001) or samples.ndim != 1:
        return model.estimate(audio, grant), {}
    stream = model.stream(audio.rate_hz, grant)
    stream.accept(samples, last=True)
    return stream.estimate(), stream.quality()


@functools.cache
def _acoustic() -> AcousticModel:
    """Loaded only when a voice is judged for the first time."""
    return AcousticModel.load()


def _reliability(transcript: Transcript, quality: Mapping[str, float]) -> Reliability:
    return Reliability(
        snr_db=quality.get("snr_db"),
        voiced_s=quality.get("voiced_s"),
        asr_confidence=transcript.confidence,
        words=len(_WORD.findall(transcript.text[:MAX_CHARACTERS])),
    )
