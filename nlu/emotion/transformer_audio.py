"""Any audio-classification model of the transformers library as the estimate from the voice."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from nlu.emotion.label_map import Matrix, chances_of, label_matrix
from nlu.emotion.phrase_bank import EMOTIONS
from nlu.emotion.text import AFFECT
from nlu.errors import AttuneError
from nlu.model_folder import ModelFolder
from nlu.types import CallerAudio, EmotionEstimate, Grant, Intensity, Samples, Source

PURPOSE = "emotion_voice"

_SHORTEST_S = 1.0
_LONGEST_S = 30.0


class TransformerAudioModel:
    """A classifier of raw samples (wav2vec 2.0, HuBERT, WavLM, ...) from a folder or a hub.

    Its confidence is its own: nothing here has calibrated it.
    """

    def __init__(self, model: ModelFolder, labels: Path | None = None) -> None:
        self.name = model.source
        self._matrix: Matrix = label_matrix(model.labels, labels)
        extractor = model.json("preprocessor_config.json")
        self._rate_hz = int(extractor.get("sampling_rate", 16_000))
        self._normalises = bool(extractor.get("do_normalize", True))
        self._run: Any = model.runner() if model.onnx else _torch_classifier(model)

    @classmethod
    def load(cls, source: str, labels: Path | None = None) -> TransformerAudioModel:
        """The model in the folder `source`, or of that name on the hub.

        `labels` maps its labels to emotions (YAML or JSON) where their names do not say it.
        Raises `AttuneError` when the model is not there, cannot be run, or a label is unknown.
        """
        return cls(ModelFolder.open(source), labels)

    def estimate(self, audio: CallerAudio, grant: Grant) -> EmotionEstimate:
        """The feeling in the caller's voice, or an abstention.

        Raises `ValueError` for another grant and `TypeError` for audio that is no caller's.
        """
        if grant.purpose != PURPOSE:
            raise ValueError(f"a grant for {PURPOSE} is needed, this one is for {grant.purpose}")
        if not isinstance(audio, CallerAudio):
            raise TypeError("only a caller's voice is estimated")
        samples = np.nan_to_num(np.asarray(audio.samples, np.float32))
        seconds = len(samples) / max(1, audio.rate_hz)
        if seconds < _SHORTEST_S or float(np.abs(samples).max(initial=0.0)) < 1e-4:
            return EmotionEstimate.abstain(Source.VOICE, "too little speech")
        made = self._run(self._prepared(samples[: int(_LONGEST_S * audio.rate_hz)], audio.rate_hz))
        logits = np.asarray(made)[0]
        if logits.shape != (len(self._matrix),):
            raise AttuneError(
                f"{self.name}: the model's output of shape {logits.shape} does not fit the "
                f"{len(self._matrix)} labels of config.json; correct id2label."
            )
        return _estimate(chances_of(logits, self._matrix, several=False))

    def _prepared(self, samples: Samples, rate_hz: int) -> dict[str, Any]:
        if rate_hz != self._rate_hz:
            import soxr

            samples = soxr.resample(samples, rate_hz, self._rate_hz)
        if self._normalises:
            samples = (samples - samples.mean()) / (samples.std() + 1e-7)
        values = np.asarray(samples, np.float32)[None]
        return {"input_values": values, "attention_mask": np.ones(values.shape, np.int64)}


def _estimate(chances: Matrix) -> EmotionEstimate:
    affect = np.asarray([AFFECT[emotion] for emotion in EMOTIONS])
    valence, arousal = chances @ affect
    top = int(chances.argmax())
    felt = 1.0 - float(chances[0])
    step = Intensity.HIGH if felt > 0.85 else Intensity.MEDIUM if felt > 0.6 else Intensity.LOW
    return EmotionEstimate(
        MappingProxyType(dict(zip(EMOTIONS, map(float, chances), strict=True))),
        float(valence),
        float(arousal),
        Intensity.NONE if top == 0 else step,
        float(chances[top]),
        Source.VOICE,
    )


def _torch_classifier(model: ModelFolder) -> Any:
    try:
        import torch
        from transformers import AutoModelForAudioClassification
    except ImportError:
        raise AttuneError(model.without_torch()) from None
    network = AutoModelForAudioClassification.from_pretrained(model.folder).eval()

    def run(given: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(given["input_values"])).logits.float().numpy()

    return run
