"""The model cards of the sentence encoder and the text model, written from their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def encoder_card(held: Mapping[str, Any]) -> str:
    """`encoder.md`, from what `encoder.json` holds."""
    likeness = held["held_out"]
    return f"""# Sentence encoder

A static encoder of {held["settings"]["pieces"]} word pieces with one convolution and an attentive
mean, distilled from all-MiniLM-L6-v2; {held["bytes"] / 1e6:.2f} MB, numpy alone at run time.

{_data(held)}
- Trained on {held["texts"]} texts without labels, seed {held["seed"]}:
  `attune train encoder --data DIR`.
- Held-out texts ({likeness["texts"]}): cosine to the teacher's vector
  {likeness["cosine_to_teacher"]:.3f}, correlation of the likeness between texts
  {likeness["correlation_of_likeness"]:.3f}.

## Limits

English only. The training texts include those of Banking77 and CLINC150 (train split, without
labels), so figures on their test splits are in domain; expect a few points less elsewhere. The
first 128 pieces of a text count. Measured by `benchmarks/intents.py`.
"""


def text_card(held: Mapping[str, Any]) -> str:
    """`text.md`, from what `text.json` holds."""
    metrics = held["metrics"]
    sets = list(next(iter(metrics["macro_f1"].values())))
    rows = "\n".join(
        f"| {condition} | " + " | ".join(f"{found[name]:.3f}" for name in sets) + " |"
        for condition, found in metrics["macro_f1"].items()
    )
    seven = metrics["seven_emotions_word_errors"]
    return f"""# Emotion from words

{held["settings"]["members"]} small convolutional networks over word pieces, taught by a fine-tuned
all-MiniLM-L6-v2, their logits averaged, a regression on words and pairs of words that joins them
for the labels and their groups, and a phrase bank scored by sentence vectors;
{held["bytes"] / 1e6:.2f} MB, numpy alone at run time.

{_data(held)}
- Trained on {held["texts"]} texts, seed {held["seed"]}: `attune train text --data DIR`.
- Thresholds, the labels' calibration and the blend are fitted on the dev split, noisy versions
  included, the blend also on sentences written for it (`service_dev.tsv`), the confidence on half
  of dev and on other sentences (`service_calibration.tsv`); nothing is fitted on the test split.

## Measured on GoEmotions test (n = {metrics["n"]}), macro-F1

| | {" | ".join(sets)} |
|---|{"---|" * len(sets)}
{rows}

95 % of resampled test sets lie within {metrics["interval_28_labels"][0]:.3f} and
{metrics["interval_28_labels"][1]:.3f} (28 labels, as written). Calibration with 15 % word errors:
expected calibration error {metrics["ece_28_labels_word_errors"]:.3f} over the 28 labels and
{seven["ece"]:.3f} of the confidence of the seven emotions that a caller's turn is given, whose
accuracy is {seven["accuracy"]:.3f} there (n = {seven["n"]}, one emotion each).

## Measured on sentences of a service desk that were never trained on

{_desk(held.get("service_desk", {}))}
The first row of each pair is as written, the second with 15 % word errors put in five times.
`service_texts_frozen.tsv` was written before the bank and the training sentences were enlarged, by
the same hand, and no choice hung on it; `service_texts.tsv` was looked at when the shares of the
blend's fit were chosen. Expect less from real calls. The last column is the calibration error that
exactly right confidences would show on average on so few texts: what is not above it cannot be told
from none.
`benchmarks/text_emotion.py` measures them again.

## Aimed at and not reached

The aim was 0.50 / 0.49 / 0.45 over the 28 labels (as written, speech-like, 15 % word errors), 0.62
over Ekman's and 0.69 over the four groups, and a calibration error of 0.05 everywhere. As written
and with word errors the 28 labels stay a point below. Calibration on clean sentences of a service
desk cannot be shown to be within 0.05 on sets as small as these.

On dev, with thresholds taken from the other half of it (the 28 labels in three conditions, the
groups as written):

| | 28 labels | Ekman | 4 groups |
|---|---|---|---|
| the teacher alone | 0.521 / 0.515 / 0.455 | 0.638 | 0.703 |
| what ships | 0.515 / 0.510 / 0.458 | 0.625 | 0.689 |
| shipped before | 0.507 / 0.504 / 0.454 | 0.619 | 0.685 |
| no teacher, narrower networks | 0.504 / 0.499 / 0.444 | 0.603 | 0.667 |
| one network alone, as shipped before (two seeds) | 0.497, 0.502 | 0.617, 0.613 | 0.681, 0.681 |
| one network, and reworked texts | 0.503 | 0.617 | 0.684 |
| one network, reworked texts and residual layers | 0.505 | 0.618 | 0.689 |

The teacher is all-MiniLM-L6-v2, its upper four layers fine-tuned in three epochs (two are as good).
What shipped before had 0.479 / 0.478 / 0.428, 0.614 and 0.686 on test. Rare labels fall most from
dev to test: grief has 6 texts there, relief 11, nervousness 23.

Not better on dev: networks without a teacher averaged with these (the groups lose up to 0.007); a
regression on all outputs for each label (0.002 to 0.006 less over the 28); thresholds of their own
for written texts; more texts with errors; word pairs taught by the teacher (groups a little up, the
28 labels down); thresholds from expected F1; other shares of the labels in their groups than half;
chances more modest for longer turns (of use without a teacher, not with one). Smoother thresholds
raised the 28 labels by 0.003 and lowered the groups by as much. One wider network without a teacher
gave less, and a regression on runs of letters less than that on words. Longer training, more
reworked texts, means beside the highest responses, other shares of the teacher than 0.8 and what it
says of noisy texts instead of clean ones were not compared.

A turn of several sentences is judged as a whole and by its strongest part, half and half. On turns
put together of one neutral and one felt sentence of `service_dev.tsv` that took accuracy from 0.58
to 0.72, at 0.93 instead of 0.95 where both are neutral. The table of GoEmotions is without it.

## Limits

English only; Reddit comments and sentences written for a service desk, not transcripts of real
calls. Sarcasm is mostly missed. Valence and arousal follow from the emotions by a table set by
hand. Feelings that only the situation shows are found as far as the phrase bank and the training
sentences reach. Words another recogniser garbles in other ways may cost more than measured.
"""


def _desk(measured: Mapping[str, Any]) -> str:
    if not measured:
        return "Not measured in this run.\n"
    rows = "\n".join(
        f"| {name} | {one['n']} | {one['accuracy']:.3f} | {one['unweighted_recall']:.3f} "
        f"| {one['false_alarms_on_neutral']:.3f} | {one['ece']:.3f} | {one['ece_by_chance']:.3f} |"
        for name, one in measured.items()
    )
    head = (
        "| | n | accuracy | mean recall | false alarms on neutral | calibration error "
        "| by chance alone |"
    )
    return f"{head}\n|---|---|---|---|---|---|---|\n{rows}\n"


def _data(held: Mapping[str, Any]) -> str:
    lines = "\n".join(f"  - {name}: {terms}" for name, terms in held["data"].items())
    return f"- Licence: {held['licence']}.\n- Data:\n{lines}"
