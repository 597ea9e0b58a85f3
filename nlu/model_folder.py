"""Models in the layout of the transformers library, from a folder or a hub, run without torch.

A folder holds `config.json`, a tokenizer or feature extractor, and `model.onnx` (also in
`onnx/`), which onnxruntime runs; without an ONNX file torch runs it, where torch is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError

Array = npt.NDArray[Any]

_ONNX = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
_WANTED = ["*.json", "*.txt", "*.model", *_ONNX]
_TORCH = ["*.safetensors", "pytorch_model*.bin"]


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk. `source` is what the user named it by."""

    folder: Path
    source: str

    @classmethod
    def open(cls, source: str) -> ModelFolder:
        """The folder named `source`, or the model of that name from the hub or its cache.

        Raises `AttuneError` when it is neither, or has no `config.json`.
        """
        folder = Path(source).expanduser()
        if not folder.is_dir():
            folder = _from_hub(source)
        if not (folder / "config.json").is_file():
            raise AttuneError(
                f"{source}: no config.json there; name a folder with a model in the layout of "
                "transformers, or a model's name on the hub."
            )
        return cls(folder, source)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """`config.json`."""
        return self.json("config.json")

    @cached_property
    def onnx(self) -> Path | None:
        """The ONNX file, if there is one."""
        return next((self.folder / name for name in _ONNX if (self.folder / name).is_file()), None)

    def json(self, name: str) -> Mapping[str, Any]:
        """A JSON object beside the model; empty when there is no such file."""
        path = self.folder / name
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise AttuneError(f"{path}: not JSON ({error}); fetch the model again.") from None
        if not isinstance(found, dict):
            raise AttuneError(f"{path}: not a JSON object; fetch the model again.")
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of a classifier's outputs, in order."""
        named = self.config.get("id2label")
        if not isinstance(named, dict) or not named:
            raise AttuneError(f"{self.source}: config.json names no labels (id2label); add them.")
        return tuple(str(named[key]) for key in sorted(named, key=int))

    def runner(self) -> OnnxRunner:
        """The ONNX model, on one thread. Raises `AttuneError` if there is none or it is broken."""
        if self.onnx is None:
            raise AttuneError(self.without_torch())
        return OnnxRunner(self.onnx)

    def without_torch(self) -> str:
        """What to tell a user when neither an ONNX file nor torch is there."""
        return (
            f"{self.source}: there is no model.onnx and torch is not installed; export the model "
            "to ONNX, or install torch and transformers with `pip install attune[train]`."
        )


class OnnxRunner:
    """One ONNX model in onnxruntime, on one thread."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise AttuneError(
                f"{path}: not a usable ONNX model ({reason}); export it again."
            ) from None
        self.inputs = tuple(one.name for one in self._session.get_inputs())

    def __call__(self, given: Mapping[str, Array]) -> Array:
        """The model's first output for those of `given` that it takes.

        Raises `AttuneError` when it takes an input that is not given.
        """
        missing = [name for name in self.inputs if name not in given]
        if missing:
            raise AttuneError(
                f"the ONNX model asks for the inputs {', '.join(missing)}, which are not known "
                "here; export it with the usual names (input_ids, attention_mask, input_values)."
            )
        made = self._session.run(None, {name: given[name] for name in self.inputs})
        return np.asarray(made[0])


class Tokenizer:
    """`tokenizer.json` of a model folder: texts to padded numbers."""

    def __init__(self, model: ModelFolder, longest: int = 256) -> None:
        from tokenizers import Tokenizer as Fast

        path = model.folder / "tokenizer.json"
        if not path.is_file():
            raise AttuneError(f"{model.source}: no tokenizer.json there; save a fast tokenizer.")
        try:
            self._fast = Fast.from_file(str(path))
        except Exception as error:
            raise AttuneError(f"{path}: not a tokenizer ({error}); save it again.") from None
        self._fast.enable_truncation(longest)
        self._fast.enable_padding(pad_id=int(model.config.get("pad_token_id") or 0))

    def __call__(self, texts: Sequence[str]) -> dict[str, Array]:
        """`input_ids`, `attention_mask`, `token_type_ids`: int64 [texts, pieces]."""
        made = self._fast.encode_batch(list(texts))
        return {
            "input_ids": np.asarray([one.ids for one in made], np.int64),
            "attention_mask": np.asarray([one.attention_mask for one in made], np.int64),
            "token_type_ids": np.asarray([one.type_ids for one in made], np.int64),
        }


def _from_hub(source: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(source, allow_patterns=_WANTED))
        if not any((folder / name).is_file() for name in _ONNX):
            folder = Path(snapshot_download(source, allow_patterns=[*_WANTED, *_TORCH]))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AttuneError(
            f"{source}: neither a folder here nor a model that can be fetched ({reason}); "
            "check the name, or give the path of a folder."
        ) from None
    return folder
