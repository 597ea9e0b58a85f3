"""Few-shot intents: Banking77, CLINC150, a 12-intent pack and the shipped retail pack.

    python benchmarks/intents.py --data DIR [--phrases 10] [--seeds 2] [--encoder PATH_OR_NAME]

Prints accuracy with and without rejection, calibration, out-of-scope AUROC and CPU time, with the
embedded encoder or with any other (`--encoder` names a model in the layout of transformers).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np

from dialogue.packs.loader import load_pack
from nlu.encoder import Encoder, SentenceEncoder
from nlu.intents import IntentClassifier
from nlu.training import texts as corpora
from nlu.types import OTHER_INTENT, Intent, Language

DRAWS = 6
TWELVE = (
    "order_status", "cancel_reservation", "report_lost_card", "pin_change", "balance", "bill_due",
    "pay_bill", "redeem_rewards", "replacement_card_duration", "transfer", "report_fraud",
    "thank_you",
)  # fmt: skip

Pairs = list[tuple[str, str]]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--phrases", type=int, default=10)
    asked.add_argument("--seeds", type=int, default=2)
    asked.add_argument("--encoder", default=None)
    options = asked.parse_args()
    encoder: SentenceEncoder = Encoder.load()
    if options.encoder:
        from nlu.transformer_encoder import TransformerEncoder

        encoder = TransformerEncoder.load(options.encoder)
    data: Path = options.data
    errors = corpora.WordErrors([text for text, _ in corpora.banking77(data, "train")], 1)
    strange = [text for text, _ in corpora.clinc150(data, "oos_test")]
    bank = corpora.banking77(data, "train"), corpora.banking77(data, "test")
    clinc = corpora.clinc150(data, "train"), corpora.clinc150(data, "test")
    sets = {"12 service intents of CLINC150": only(clinc, TWELVE)}
    every = sorted({intent for _, intent in clinc[0]})
    for draw in range(DRAWS):
        sets[f"12 intents of CLINC150 at random, draw {draw}"] = only(
            clinc, random.Random(draw).sample(every, 12)
        )
    sets |= {"Banking77": bank, "CLINC150": clinc}
    found = defaultdict(list)
    for seed in range(options.seeds):
        for name, (train, test) in sets.items():
            shots = pick(train, options.phrases, seed)
            foreign = [] if name == "Banking77" else strange
            found[name.split(", draw")[0]].append(score(shots, test, foreign, encoder))
            if name == "Banking77":
                noisy = [(errors(text, 0.15), intent) for text, intent in test]
                found["Banking77, 15 % word errors"].append(score(shots, noisy, [], encoder))
        shots, rest = halves(seed, options.phrases)
        found["retail pack, phrases held out"].append(score(shots, rest, strange, encoder))
    for name in ("retail", "bank"):
        whole = IntentClassifier(load_pack(name).language(), encoder)
        other = np.mean([whole.classify(text).name == OTHER_INTENT for text in strange])
        print(json.dumps({"set": f"{name} pack as shipped", "out_of_scope_rejected": other}))
    for name, runs in found.items():
        mean = {key: round(float(np.mean([run[key] for run in runs])), 4) for key in runs[0]}
        print(json.dumps({"set": name, "phrases": options.phrases, "runs": len(runs), **mean}))


def only(splits: tuple[Pairs, Pairs], intents: Collection[str]) -> tuple[Pairs, Pairs]:
    """The pairs of these intents alone."""
    train, test = ([pair for pair in pairs if pair[1] in intents] for pairs in splits)
    return train, test


def pick(pairs: Pairs, count: int, seed: int) -> Pairs:
    """`count` phrases of each intent."""
    by_intent: dict[str, list[str]] = defaultdict(list)
    for text, intent in pairs:
        by_intent[intent].append(text)
    chance = random.Random(seed)
    return [
        (text, intent)
        for intent in sorted(by_intent)
        for text in chance.sample(by_intent[intent], min(count, len(by_intent[intent])))
    ]


def halves(seed: int, count: int) -> tuple[Pairs, Pairs]:
    """The retail pack's phrases: `count` of each intent, and the others."""
    phrases = load_pack("retail").language().intents
    pairs = [(text, intent) for intent, said in phrases.items() for text in said]
    shots = pick(pairs, count, seed)
    return shots, [pair for pair in pairs if pair not in set(shots)]


def score(
    shots: Pairs, test: Pairs, foreign: list[str], encoder: SentenceEncoder
) -> dict[str, float]:
    language: dict[str, list[str]] = defaultdict(list)
    for text, intent in shots:
        language[intent].append(text)
    classifier = IntentClassifier(
        Language({name: tuple(said) for name, said in language.items()}), encoder
    )
    started = time.process_time()
    heard = [classifier.classify(text) for text, _ in test]
    cpu_ms = (time.process_time() - started) * 1000 / len(test)
    forced = [best(intent) for intent in heard]
    right = np.asarray([name == goal for (name, _), (_, goal) in zip(forced, test, strict=True)])
    sure = np.asarray([chance for _, chance in forced])
    kept = np.asarray([intent.name != OTHER_INTENT for intent in heard])
    result = {
        "accuracy": right.mean(),
        "accuracy_with_rejection": (right & kept).mean(),
        "rejected": 1 - kept.mean(),
        "ece": gap(sure, right),
        "cpu_ms": cpu_ms,
    }
    if foreign:
        others = [classifier.classify(text) for text in foreign]
        result["out_of_scope_auroc"] = auroc(sure, np.asarray([best(one)[1] for one in others]))
        result["out_of_scope_rejected"] = np.mean([one.name == OTHER_INTENT for one in others])
    return {key: float(value) for key, value in result.items()}


def best(intent: Intent) -> tuple[str, float]:
    """The most probable intent of the pack, rejected or not."""
    if intent.name != OTHER_INTENT:
        return intent.name, intent.score
    first = intent.alternatives[0] if intent.alternatives else None
    return (first.name, first.score) if first else ("", 0.0)


def gap(sure: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    at = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [
        (at == one).mean() * abs(sure[at == one].mean() - right[at == one].mean())
        for one in np.unique(at)
    ]
    return float(sum(gaps))


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    order = np.argsort(np.concatenate((inside, outside)), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(1, len(order) + 1)
    count = len(inside)
    return float((rank[:count].sum() - count * (count + 1) / 2) / (count * len(outside)))


if __name__ == "__main__":
    main()
