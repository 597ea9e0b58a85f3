"""How a caller feels, from the voice alone: a stream of frames, statistics, one small ONNX model.

Nothing here can be called without a `Grant` for `emotion_voice` and a `CallerAudio`.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soxr

from nlu.emotion import features
from nlu.emotion.fitness import InputHealth, reason_to_abstain
from nlu.emotion.frames import HOP, HOPS_PER_S, RATE_HZ, Frames, Table, describe, join
from nlu.emotion.trust import Trust, doubt_signals
from nlu.errors import AttuneError
from nlu.probabilities import softmax
from nlu.types import CallerAudio, Emotion, EmotionEstimate, Grant, Intensity, Samples, Source

PURPOSE = "emotion_voice"
WINDOW_S = 10

_SHIPPED = Path(__file__).parents[1] / "weights" / "acoustic.onnx"
_RATES_HZ = range(8_000, 48_001)
_PIECE_S = 5

SERVICE_LABEL: Mapping[str, Emotion] = MappingProxyType(
    {
        "neutral": Emotion.NEUTRAL,
        "calm": Emotion.NEUTRAL,
        "happy": Emotion.HAPPY,
        "sad": Emotion.SAD,
        "angry": Emotion.ANGRY,
        "disgust": Emotion.ANGRY,
        "fearful": Emotion.ANXIOUS,
        "surprised": Emotion.SURPRISED,
    }
)
"""Which feeling of a caller each label of the acted corpora stands for."""


class AcousticModel:
    """The shipped acoustic model. Load it once; it is safe to share between calls."""

    def __init__(self, path: Path) -> None:
        card_path = path.with_suffix(".json")
        try:
            self.card: Mapping[str, Any] = json.loads(card_path.read_text("utf-8"))
            self._session = _session(path.read_bytes())
            judging = self.card["judging"]
            self.labels: tuple[str, ...] = tuple(judging["labels"])
            self._temperature = float(judging["temperature"])
            self._neutral_odds = math.exp(float(judging.get("neutral_lift", 0.0)))
            self._arousal = np.asarray(judging["arousal"], np.float64)
            self._valence = np.asarray(judging["valence"], np.float64)
            self._label_arousal = np.asarray(judging["label_arousal"], np.float64)
            self._trust = Trust(judging["trust"]["weights"], judging["trust"]["bias"])
            self._most_strange = float(judging["most_strange"])
            self._least_speechlike = float(judging["least_speechlike"])
        except FileNotFoundError as error:
            raise AttuneError(
                f"{error.filename}: not there; train with `attune train acoustic --data DIR`."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise AttuneError(
                f"{path}: not a model of `attune train acoustic` ({error}); train it again."
            ) from None

    @classmethod
    def load(cls, path: Path | None = None) -> AcousticModel:
        """The shipped model, or the one at `path` (`acoustic.onnx`, `acoustic.json` beside it).

        Raises `AttuneError` if a file is missing or is no such model.
        """
        return _load(path or _SHIPPED)

    def estimate(self, audio: CallerAudio, grant: Grant) -> EmotionEstimate:
        """The feeling in `audio`; of a long recording, in its last `WINDOW_S` seconds.

        Raises `TypeError` for anything but a `CallerAudio` and a `Grant`, `ValueError` for a grant
        of another purpose. Input that cannot be judged gives an abstention with the reason.
        """
        if not isinstance(audio, CallerAudio):
            raise TypeError(f"only CallerAudio is judged, not {type(audio).__name__}")
        _check(grant)
        if audio.rate_hz not in _RATES_HZ:
            return _abstain(f"the sampling rate of {audio.rate_hz} Hz is outside 8-48 kHz")
        samples = np.asarray(audio.samples, np.float32)
        if samples.ndim != 1:
            return _abstain("the audio is not one channel")
        stream = self.stream(audio.rate_hz, grant)
        stream.accept(samples, last=True)
        return stream.estimate()

    def stream(self, rate_hz: int, grant: Grant) -> AcousticStream:
        """Begin a turn of the caller at `rate_hz`; raises as `estimate` does for the grant."""
        _check(grant)
        return AcousticStream(self, rate_hz)

    def judge(self, statistics: Table, speech: features.Speech) -> EmotionEstimate:
        """The model's word on the statistics of frames that are fit to be judged."""
        scores, strength, oddness = self._session.run(
            ["scores", "strength", "oddness"],
            {"statistics": statistics[None]},
        )
        strangeness, speechlike = (float(value) for value in oddness[0])
        if speechlike < self._least_speechlike:
            return _abstain("out of domain: this does not sound like one person speaking")
        if strangeness > self._most_strange:
            return _abstain("out of domain: unlike any voice the model was trained on")
        members, mild = scores[:, :-1] / self._temperature, scores[:, -1] / self._temperature
        blended = self._service(softmax(members.mean(1)))
        arousal, valence = (softmax(mild) @ place for place in (self._arousal, self._valence))
        signals = doubt_signals(
            blended,
            self._service(softmax(members)),
            arousal,
            self._label_arousal,
            np.asarray([speech.snr_db]),
        )
        return EmotionEstimate(
            MappingProxyType(dict(zip(Emotion, map(float, blended[0]), strict=True))),
            float(valence[0]),
            float(arousal[0]),
            _intensity(blended[0], float(strength[0, 0])),
            float(self._trust.confidence(signals)[0]),
            Source.VOICE,
        )

    def _service(self, probabilities: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """[..., corpus labels] to [..., every Emotion], neutral raised to its share of callers."""
        order = list(Emotion)
        folded = np.zeros((*probabilities.shape[:-1], len(order)))
        for column, label in enumerate(self.labels):
            folded[..., order.index(SERVICE_LABEL[label])] += probabilities[..., column]
        folded[..., order.index(Emotion.NEUTRAL)] *= self._neutral_odds
        return np.asarray(folded / folded.sum(-1, keepdims=True))


class _Heard:
    """What the window holds at this moment: described once, however often it is asked about."""

    def __init__(self, frames: Frames, speech: features.Speech) -> None:
        self.speech = speech
        self._frames = frames

    @cached_property
    def named(self) -> Mapping[str, float]:
        """The statistics by name; only where anything is voiced."""
        return features.named(self._frames, self.speech)


class AcousticStream:
    """A caller's turn as it is heard. Keeps the last `WINDOW_S` seconds of frames, no audio."""

    def __init__(self, model: AcousticModel, rate_hz: int) -> None:
        if rate_hz not in _RATES_HZ:
            raise ValueError(f"a sampling rate of {rate_hz} Hz is outside 8-48 kHz")
        self._model = model
        self._rate_hz = rate_hz
        self._resampler = (
            None if rate_hz == RATE_HZ else soxr.ResampleStream(rate_hz, RATE_HZ, 1, "float32")
        )
        self._health = InputHealth()
        self._rest: Samples = np.zeros(0, np.float32)
        self._parts: deque[Frames] = deque()
        self._held = 0
        self._latest: _Heard | None = None

    def accept(self, samples: Samples, last: bool = False) -> None:
        """Take the next samples (float32 mono at the stream's rate, any number of them).

        `last` says that none will follow, so that the resampler need hold nothing back.
        """
        self._latest = None
        samples = np.asarray(samples, np.float32).reshape(-1)
        step = _PIECE_S * self._rate_hz
        keep = (WINDOW_S + 1) * self._rate_hz
        for start in range(0, max(len(samples), 1), step):
            piece = samples[start : start + step]
            ends = start + step >= len(samples)
            # What has left the window before anyone asks need not be described.
            if self._health.note(piece) and len(samples) - start <= keep + step:
                self._hear(piece, last and ends)

    def estimate(self) -> EmotionEstimate:
        """The feeling so far, over the last `WINDOW_S` seconds, or an abstention."""
        heard = self._heard()
        reason = reason_to_abstain(self._health, heard.speech)
        if reason:
            return _abstain(reason)
        return self._model.judge(features.table_of(heard.named), heard.speech)

    def features_summary(self) -> Mapping[str, float]:
        """Pitch, ranges, rhythm and brightness so far, for showing change within a call; empty
        while there is no voiced speech."""
        heard = self._heard()
        voiced = heard.speech.voiced.any()
        return MappingProxyType(dict(features.summary_of(heard.named)) if voiced else {})

    def quality(self) -> Mapping[str, float]:
        """How good the sound is: `snr_db` and `voiced_s` of the window."""
        speech = self._heard().speech
        return MappingProxyType({"snr_db": float(speech.snr_db), "voiced_s": float(speech.seconds)})

    def _heard(self) -> _Heard:
        if self._latest is None:
            frames = join(tuple(self._parts)) if self._parts else describe(self._rest[:0])
            frames = frames.last(WINDOW_S * HOPS_PER_S)
            self._latest = _Heard(frames, features.find_speech(frames))
        return self._latest

    def _hear(self, samples: Samples, last: bool) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        waiting = np.concatenate((self._rest, samples))
        frames = describe(waiting)
        self._rest = waiting[len(frames) * HOP :]
        if len(frames):
            self._parts.append(frames)
            self._held += len(frames)
        while self._parts and self._held - len(self._parts[0]) >= WINDOW_S * HOPS_PER_S:
            self._held -= len(self._parts.popleft())


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no narrower class
        raise ValueError(str(error).splitlines()[0]) from None


def _check(grant: Grant) -> None:
    if not isinstance(grant, Grant):
        raise TypeError(f"a Grant for {PURPOSE} is needed, not {type(grant).__name__}")
    if grant.purpose != PURPOSE:
        raise ValueError(f"the grant is for {grant.purpose}, not for {PURPOSE}")


def _abstain(reason: str) -> EmotionEstimate:
    return EmotionEstimate.abstain(Source.VOICE, reason)


def _intensity(probabilities: np.ndarray[Any, Any], strength: float) -> Intensity:
    """None for a neutral voice; else by the model's `strength` in [0, 1]."""
    if list(Emotion)[int(probabilities.argmax())] is Emotion.NEUTRAL:
        return Intensity.NONE
    if strength < 0.35:
        return Intensity.LOW
    return Intensity.MEDIUM if strength < 0.65 else Intensity.HIGH


@lru_cache(maxsize=4)
def _load(path: Path) -> AcousticModel:
    return AcousticModel(path)
