"""MiniLM, or any sentence encoder of the transformers library, behind `SentenceEncoder`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nlu.encoder import Vectors
from nlu.errors import AttuneError
from nlu.model_folder import ModelFolder, OnnxRunner, Tokenizer

_BATCH = 64


class TransformerEncoder:
    """Mean of the last layer over the pieces, length 1 (Reimers and Gurevych 2019)."""

    def __init__(self, model: ModelFolder) -> None:
        self._tokenizer = Tokenizer(model, longest=128)
        self._runner: OnnxRunner | _TorchRunner
        self._runner = model.runner() if model.onnx else _TorchRunner(model)
        self.dimensions: int = self._vectors(["a"]).shape[1]

    @classmethod
    def load(cls, source: str) -> TransformerEncoder:
        """The encoder in the folder `source`, or of that name on the hub.

        Raises `AttuneError` when it is not there or cannot be run here.
        """
        return cls(ModelFolder.open(source))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text: float32 [len(texts), dimensions]."""
        parts = [
            self._vectors(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), np.float32)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        given = self._tokenizer([text[:4_000] for text in texts])
        made = self._runner(given)
        if made.ndim == 3:
            mask = given["attention_mask"][..., None].astype(np.float32)
            made = (made * mask).sum(1) / np.maximum(mask.sum(1), 1e-9)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(made / np.maximum(lengths, 1e-12), np.float32)


class _TorchRunner:
    def __init__(self, model: ModelFolder) -> None:
        try:
            import torch
            from transformers import AutoModel
        except ImportError:
            raise AttuneError(model.without_torch()) from None
        self._torch = torch
        self._model = AutoModel.from_pretrained(model.folder).eval()

    def __call__(self, given: dict[str, Any]) -> Any:
        with self._torch.inference_mode():
            batch = {name: self._torch.from_numpy(array) for name, array in given.items()}
            return self._model(**batch).last_hidden_state.float().numpy()
