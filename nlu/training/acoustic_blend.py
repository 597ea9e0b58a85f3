"""Small models on the statistics of a voice, fitted apart, asked together, as one ONNX file.

A logistic regression, a perceptron with dropout and mixup (Zhang et al. 2018), and a logistic
regression on radial kernels at some hundred training rows (Nystroem) are blended. A fourth member,
`mild`, is a logistic regression on normally acted feeling alone, smoother than the first: feeling
outside a studio is milder, and it gives arousal and valence. Beside them stand how strongly a
feeling is shown, how far the voice lies from those of the training (Mahalanobis), and whether it
is speech at all.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from nlu.training.acoustic_examples import Examples, Numbers, Rows
from nlu.training.corpora import LABELS

try:
    import torch
    from sklearn.linear_model import LogisticRegression
    from torch import nn
except ImportError as error:
    raise AttuneError(
        f"training needs {error.name}; install it with `pip install attune[train]`."
    ) from None


_LARGE = 50_000


@dataclass(frozen=True, slots=True)
class BlendSettings:
    """What the shipped model was trained with. `mild_natural`: how much less ordinary speech counts
    for the member that gives arousal: the more of it, the worse arousal transfers."""

    linear_c: float = 0.004
    mild_c: float = 0.001
    mild_natural: float = 0.25
    hidden: int = 256
    perceptrons: int = 2
    epochs: int = 24
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    mixup: float = 0.3
    smoothing: float = 0.05
    kernels: int = 700
    kernel_width: float = 0.4
    kernel_c: float = 0.3
    clip: float = 4.0


class Blend(nn.Module):  # type: ignore[misc]
    """`forward(statistics [n, d])` -> `scores` [n, 4, 8] (log probabilities of each member, `mild`
    last), `strength` [n, 1], `oddness` [n, 2] (distance, probability of being speech)."""

    def __init__(self, rows: int, kernels: int, hidden: int, perceptrons: int) -> None:
        super().__init__()
        labels = len(LABELS)
        for name, shape in (("mean", (rows,)), ("spread", (rows,)), ("landmarks", (kernels, rows))):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("whitening", torch.zeros(rows, rows))
        self.register_buffer("width", torch.ones(()))
        self.clip = 4.0
        self.lift = 0.0
        self.linear = nn.Linear(rows, labels)
        self.mild = nn.Linear(rows, labels)
        self.perceptrons = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(0.2),
                nn.Linear(rows, hidden),
                nn.ReLU(),
                nn.Dropout(0.6),
                nn.Linear(hidden, labels),
            )
            for _ in range(perceptrons)
        )
        self.kernel = nn.Linear(kernels, labels)
        self.strength = nn.Linear(rows, 1)
        self.speech = nn.Linear(rows, 1)

    def standard(self, statistics: Any) -> Any:
        """Rows with mean 0 and spread 1 over the training, clipped."""
        return ((statistics - self.mean) / self.spread).clamp(-self.clip, self.clip)

    def near(self, rows: Any) -> Any:
        """Radial kernels between standard rows and the landmarks."""
        apart = (
            (rows**2).sum(1, keepdim=True)
            - 2 * rows @ self.landmarks.T
            + (self.landmarks**2).sum(1)
        )
        return torch.exp(-self.width * apart.clamp(min=0.0))

    def forward(self, statistics: Any) -> tuple[Any, Any, Any]:
        """See the class."""
        rows = self.standard(statistics)
        perceptron = torch.stack([torch.log_softmax(one(rows), 1) for one in self.perceptrons])
        scores = (
            torch.log_softmax(self.linear(rows), 1),
            perceptron.mean(0),
            torch.log_softmax(self.kernel(self.near(rows)), 1),
            torch.log_softmax(self.mild(rows), 1),
        )
        distance = ((rows @ self.whitening) ** 2).mean(1, keepdim=True)
        oddness = torch.cat([distance, torch.sigmoid(self.speech(rows))], 1)
        return torch.stack(scores, 1), torch.sigmoid(self.strength(rows)), oddness


def fit(
    examples: Examples,
    others: Rows,
    weights: Numbers,
    natural: npt.NDArray[np.bool_],
    seed: int,
    settings: BlendSettings,
) -> Blend:
    """Fit every part on `examples`; `natural` [n] marks those of ordinary speech, `others` are rows
    of sounds that are no speech."""
    # The same weights on every machine, and a process that may still be forked.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    blend = Blend(
        examples.statistics.shape[1],
        min(settings.kernels, len(examples)),
        settings.hidden,
        settings.perceptrons,
    )
    blend.clip = settings.clip
    table = torch.from_numpy(examples.statistics)
    share = torch.from_numpy(weights / weights.sum()).float()[:, None]
    blend.mean.copy_((share * table).sum(0))
    blend.spread.copy_((share * (table - blend.mean) ** 2).sum(0).sqrt() + 1e-6)
    rows = blend.standard(table)
    standard = rows.numpy()
    _copy(blend.linear, _logistic(standard, examples.label, weights, settings.linear_c))
    mild = ~examples.strong
    mild_rows, mild_labels = standard[mild], examples.label[mild]
    mild_weights = (weights * np.where(natural, settings.mild_natural, 1.0))[mild]
    _copy(blend.mild, _logistic(mild_rows, mild_labels, mild_weights, settings.mild_c))
    for at, perceptron in enumerate(blend.perceptrons):
        _fit_perceptron(perceptron, rows, examples.label, weights, seed + at, settings)
    _fit_kernel(blend, rows, examples.label, weights, seed, settings)
    _fit_strength(blend.strength, standard, examples)
    blend.whitening.copy_(torch.from_numpy(_whitening(standard, weights)))
    odd = blend.standard(torch.from_numpy(others)).numpy()
    spoken = np.r_[np.ones(len(standard)), np.zeros(len(odd))]
    even = np.r_[weights / weights.sum(), np.full(len(odd), 1 / len(odd))] * len(spoken)
    _copy(blend.speech, _logistic(np.concatenate([standard, odd]), spoken, even, 0.001))
    blend.eval()
    return blend


def predict(blend: Blend, statistics: Rows) -> tuple[Numbers, Numbers, Numbers]:
    """`scores` [n, 4, 8], `strength` [n] and `oddness` [n, 2] of rows."""
    with torch.inference_mode():
        scores, strength, oddness = blend(torch.from_numpy(statistics))
    return (
        scores.double().numpy(),
        strength[:, 0].double().numpy(),
        oddness.double().numpy(),
    )


def to_onnx(blend: Blend) -> bytes:
    """The blend as an ONNX model: input `statistics` [1, d]; outputs as `Blend` says."""
    file = io.BytesIO()
    torch.onnx.export(
        blend,
        (torch.zeros(1, len(blend.mean)),),
        file,
        dynamo=False,
        input_names=["statistics"],
        output_names=["scores", "strength", "oddness"],
    )
    return _halved(file.getvalue())


def _halved(model: bytes) -> bytes:
    """Large weights as float16, cast back when the model is loaded: half the size, the same
    answers to three digits. The kernels' own weights cancel each other and stay as they are."""
    import onnx
    from onnx import helper, numpy_helper

    read = onnx.load_from_string(model)
    casts = []
    for weight in read.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= _LARGE:
            name = weight.name
            small = numpy_helper.from_array(values.astype(np.float16), f"{name}_half")
            weight.CopyFrom(small)
            casts.append(
                helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *read.graph.node]
    del read.graph.node[:]
    read.graph.node.extend(nodes)
    onnx.checker.check_model(read)
    return bytes(read.SerializeToString())


def _logistic(rows: Rows, label: npt.NDArray[Any], weights: Numbers, c: float) -> Any:
    model = LogisticRegression(C=c, max_iter=150)
    return model.fit(rows, label, sample_weight=weights * len(weights) / weights.sum())


def _copy(layer: Any, model: Any) -> None:
    """Weights of a fitted scikit-learn model; a label it never saw is ruled out by its bias."""
    classes = [int(label) for label in model.classes_]
    if layer.out_features == 1:
        classes = [0]
    layer.weight.data.zero_()
    layer.bias.data.fill_(-12.0)
    layer.weight.data[classes] = torch.from_numpy(model.coef_).float()
    layer.bias.data[classes] = torch.from_numpy(np.atleast_1d(model.intercept_)).float()


def _fit_perceptron(
    model: Any,
    rows: Any,
    label: npt.NDArray[np.intp],
    weights: Numbers,
    seed: int,
    settings: BlendSettings,
) -> None:
    chance = torch.Generator().manual_seed(seed)
    target = torch.nn.functional.one_hot(torch.from_numpy(label), len(LABELS)).float()
    target = target * (1 - settings.smoothing) + settings.smoothing / len(LABELS)
    steps = settings.epochs * (len(rows) // settings.batch)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(steps, 2), pct_start=0.2
    )
    share = torch.from_numpy(weights / weights.sum()).float()
    mixing = torch.distributions.Beta(settings.mixup, settings.mixup)
    for _ in range(steps):
        one, other = torch.multinomial(
            share, 2 * settings.batch, replacement=True, generator=chance
        ).chunk(2)
        part = float(mixing.sample())
        mixed = part * rows[one] + (1 - part) * rows[other]
        goal = part * target[one] + (1 - part) * target[other]
        loss = -(goal * torch.log_softmax(model(mixed), 1)).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()


def _fit_kernel(
    blend: Blend,
    rows: Any,
    label: npt.NDArray[np.intp],
    weights: Numbers,
    seed: int,
    settings: BlendSettings,
) -> None:
    """Logistic regression on Nystroem features (Williams and Seeger 2001); the normalisation of
    the kernels is multiplied into its weights."""
    chance = np.random.default_rng(seed)
    chosen = chance.choice(len(rows), len(blend.landmarks), replace=False)
    blend.landmarks.copy_(rows[torch.from_numpy(chosen)])
    blend.width.fill_(settings.kernel_width / rows.shape[1])
    values, vectors = np.linalg.eigh(blend.near(blend.landmarks).double().numpy())
    root = vectors / np.sqrt(np.maximum(values, 1e-6)) @ vectors.T * 10.0
    features = (blend.near(rows).double().numpy() @ root).astype(np.float32)
    model = _logistic(features, label, weights, settings.kernel_c)
    model.coef_ = model.coef_ @ root.T
    _copy(blend.kernel, model)


def _fit_strength(layer: Any, rows: Rows, examples: Examples) -> None:
    """Strong against normal, from the corpora that tell the two apart."""
    tells = np.isin(examples.corpus, np.unique(examples.corpus[examples.strong]))
    if not tells.any():
        layer.weight.data.zero_()
        layer.bias.data.zero_()
        return
    model = LogisticRegression(C=0.001, max_iter=150, class_weight="balanced")
    _copy(layer, model.fit(rows[tells], examples.strong[tells].astype(int)))


def _whitening(rows: Rows, weights: Numbers) -> Rows:
    covariance = np.cov(rows.T, aweights=weights)
    values, vectors = np.linalg.eigh(covariance)
    floor = 0.1 * values.mean()
    return np.asarray(vectors / np.sqrt(values + floor), np.float32)
