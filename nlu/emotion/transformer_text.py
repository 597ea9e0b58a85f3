"""Any text-classification model of the transformers library as the estimate from words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlu.emotion.label_map import Matrix, chances_of, label_matrix
from nlu.emotion.text import PURPOSE, estimate_from
from nlu.errors import AttuneError
from nlu.model_folder import ModelFolder, Tokenizer
from nlu.types import EmotionEstimate, Grant, Source

_MOST_CHARACTERS = 3_000


class TransformerTextModel:
    """A classifier from a folder or a hub, behind the interface of `TextModel`.

    Its confidence is its own: nothing here has calibrated it.
    """

    def __init__(self, model: ModelFolder, labels: Path | None = None) -> None:
        self.name = model.source
        self._matrix: Matrix = label_matrix(model.labels, labels)
        self._several = model.config.get("problem_type") == "multi_label_classification"
        self._tokenizer = Tokenizer(model)
        self._run: Any = model.runner() if model.onnx else _torch_classifier(model)

    @classmethod
    def load(cls, source: str, labels: Path | None = None) -> TransformerTextModel:
        """The model in the folder `source`, or of that name on the hub.

        `labels` maps its labels to emotions (YAML or JSON) where their names do not say it.
        Raises `AttuneError` when the model is not there, cannot be run, or a label is unknown.
        """
        return cls(ModelFolder.open(source), labels)

    def estimate(self, text: str, grant: Grant, asr_confidence: float = 1.0) -> EmotionEstimate:
        """The feeling in `text`, or an abstention. Raises `ValueError` for another grant."""
        if grant.purpose != PURPOSE:
            raise ValueError(f"a grant for {PURPOSE} is needed, this one is for {grant.purpose}")
        said = text[:_MOST_CHARACTERS]
        if not any(letter.isalpha() for letter in said):
            return EmotionEstimate.abstain(Source.WORDS, "no words")
        logits = self._run(self._tokenizer([said]))[0]
        if len(logits) != len(self._matrix):
            raise AttuneError(
                f"{self.name}: the model has {len(logits)} outputs but config.json names "
                f"{len(self._matrix)} labels; correct id2label."
            )
        scale = 0.5 + 0.5 * min(1.0, max(0.0, asr_confidence))
        return estimate_from(said, chances_of(logits * scale, self._matrix, several=self._several))


def _torch_classifier(model: ModelFolder) -> Any:
    try:
        import torch
        from transformers import AutoModelForSequenceClassification
    except ImportError:
        raise AttuneError(model.without_torch()) from None
    network = AutoModelForSequenceClassification.from_pretrained(model.folder).eval()

    def run(given: dict[str, Any]) -> Any:
        taken = {"input_ids", "attention_mask"}
        with torch.inference_mode():
            batch = {k: torch.from_numpy(v) for k, v in given.items() if k in taken}
            return network(**batch).logits.float().numpy()

    return run
