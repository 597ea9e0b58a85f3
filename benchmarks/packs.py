"""What the shipped packs cost and how well their examples tell intents apart.

    python benchmarks/packs.py [--pack NAME|DIR ...]

CPU times of this process; `held out` is the share of example phrases recognised by a classifier
made from the other three quarters of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from datetime import datetime

from dialogue.actions import Actions
from dialogue.frames import Heard, TaskState
from dialogue.packs import Pack, find_pack, load_pack, shipped_packs
from dialogue.packs.loader import read_pack
from dialogue.tasks import advance
from dialogue.types import CustomerContext
from nlu.encoder import Encoder
from nlu.intents import IntentClassifier
from nlu.types import OTHER_INTENT

FOLDS = 4


def cpu_ms(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) * 1000 / times


def held_out(pack: Pack, encoder: Encoder) -> tuple[int, int, int]:
    """How many examples were tried, recognised rightly, and rejected."""
    language = pack.language()
    tried = right = rejected = 0
    for fold in range(FOLDS):
        kept = {
            name: tuple(text for place, text in enumerate(said) if place % FOLDS != fold)
            for name, said in language.intents.items()
        }
        classifier = IntentClassifier(dataclasses.replace(language, intents=kept), encoder)
        for name, said in language.intents.items():
            for text in said[fold::FOLDS]:
                found = classifier.classify(text).name
                tried += 1
                right += found == name
                rejected += found == OTHER_INTENT
    return tried, right, rejected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", action="append")
    parser.add_argument("--data", help="not needed here")
    names = parser.parse_args().pack or shipped_packs()
    encoder = Encoder.load()
    now = datetime(2026, 6, 4, 15, 0)
    print(f"{'pack':10} {'load':>8} {'seed':>8} {'a turn':>8}   held out")
    for name in names:
        pack = load_pack(name)
        folder = find_pack(name)
        load = cpu_ms(lambda folder=folder: read_pack(folder), 5)
        seed = cpu_ms(lambda pack=pack: Actions.open(pack, now).close(), 5)
        actions, context = Actions.open(pack, now), CustomerContext()
        read = actions.reader(context, now)
        heard = [Heard(intent) for intent in pack.intents]
        turn = cpu_ms(
            lambda pack=pack, heard=heard, read=read, context=context: [
                advance(TaskState(), one, pack, context, now, read) for one in heard
            ],
            20,
        ) / len(heard)
        tried, right, rejected = held_out(pack, encoder)
        print(
            f"{pack.name:10} {load:5.0f} ms {seed:5.1f} ms {turn:5.2f} ms   "
            f"{right / tried:.3f} of {tried}, {rejected / tried:.3f} rejected"
        )


if __name__ == "__main__":
    main()
