"""How wordings that nothing was made from fare: signals, sarcasm, and the packs' intents.

    python benchmarks/wordings.py [--set unseen|second|third|fourth|figures] [--errors 0.1]

The lists in `benchmarks/wordings/` were written before any was tried, and all but `fourth` have
been mended on since: their figures say that nothing regressed. `fourth` was tried at the end only.
`--errors` replaces, drops or inserts so large a share of the words, as a recogniser does (seed 3).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from pathlib import Path

from dialogue.customers.consent import operator_grants
from dialogue.packs.loader import load_pack
from nlu.encoder import Encoder
from nlu.intents import IntentClassifier
from nlu.signals import find_signals
from nlu.types import OTHER_INTENT, Emotion, Intensity, Transcript
from nlu.understand import Understander

FOLDER = Path(__file__).with_name("wordings")
PACKS = ("retail", "bank")
CONFUSED = {
    "the": "a", "a": "the", "my": "by", "is": "as", "to": "two", "for": "four", "and": "an",
    "in": "on", "it": "at", "have": "of", "your": "you", "you": "your", "i": "eye", "was": "what",
    "can": "could", "that": "at", "of": "off", "me": "be", "want": "won't", "on": "own",
}  # fmt: skip


def sections(path: Path) -> dict[str, list[str]]:
    """The texts under each heading "[...]" of a file."""
    found: dict[str, list[str]] = defaultdict(list)
    heading = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            heading = line.replace("[", "").replace("]", "").strip()
        elif line.strip() and not line.startswith("#"):
            found[heading].append(line.strip())
    return found


def with_errors(text: str, share: float, chance: random.Random) -> str:
    """`text` with `share` of its words misheard, dropped or followed by a filler."""
    words: list[str] = []
    for word in text.split():
        drawn = chance.random()
        if drawn >= share:
            words.append(word)
        elif drawn < share * 0.6:
            plain = word.lower()
            words.append(CONFUSED.get(plain, plain[:-1] if len(plain) > 3 else plain))
        elif drawn < share * 0.8:
            words += [word, "uh"]
    return " ".join(words)


def signals(texts: dict[str, list[str]], misses: int) -> None:
    spent = []
    shown = []
    for heading, said in texts.items():
        name, wanted = heading.split()
        right = 0
        for text in said:
            began = time.process_time()
            heard = name in find_signals(text)
            spent.append(time.process_time() - began)
            right += heard == (wanted == "yes")
            if heard != (wanted == "yes"):
                shown.append(f"{heading}: {text}")
        what = "found" if wanted == "yes" else "rightly silent"
        print(json.dumps({"signal": name, what: f"{right}/{len(said)}"}))
    spent.sort()
    print(json.dumps({"cpu_ms_p50": round(spent[len(spent) // 2] * 1e3, 3)}))
    print("\n".join(shown[:misses]))


def feelings(texts: dict[str, list[str]], misses: int) -> None:
    """Sarcasm is neither happy nor thanks; sincere words are not angry and keep their thanks."""
    door = Understander(load_pack("retail").language())
    grants = operator_grants(("emotion_words",))
    for heading in ("sarcasm yes", "sarcasm no"):
        wrong = []
        for text in texts[heading]:
            one = door.understand(Transcript(text), grants=grants)
            words = one.words
            thanked = "thanks" in one.signals or one.intent.name == "thanks"
            happy = words.abstained is None and words.top is Emotion.HAPPY
            angry = (
                words.abstained is None
                and words.top is Emotion.ANGRY
                and words.intensity is not Intensity.NONE
            )
            if heading == "sarcasm yes" and (thanked or happy):
                wrong.append(text)
            if heading == "sarcasm no" and (angry or ("thank" in text and not thanked)):
                wrong.append(text)
        total = len(texts[heading])
        print(json.dumps({"read rightly, " + heading: f"{total - len(wrong)}/{total}"}))
        print("\n".join(f"  {text}" for text in wrong[:misses]))


def intents(name: str, texts: dict[str, list[str]], errors: float, misses: int) -> None:
    classifier = IntentClassifier(load_pack(name).language(), Encoder.load())
    chance = random.Random(3)
    right = also = rejected = total = 0
    worst: dict[str, list[str]] = defaultdict(list)
    for wanted, said in texts.items():
        for text in said:
            heard = with_errors(text, errors, chance)
            found = classifier.classify(heard)
            ranked = [found.name, *(one.name for one in found.alternatives)]
            best = ranked[1] if found.name == OTHER_INTENT and len(ranked) > 1 else ranked[0]
            total += 1
            right += found.name == wanted
            also += best == wanted
            rejected += found.name == OTHER_INTENT
            if found.name != wanted:
                worst[wanted].append(f"{heard} -> {found.name} {found.score} (best {best})")
    print(
        json.dumps(
            {
                "pack": name,
                "errors": errors,
                "texts": total,
                "right": round(right / total, 3),
                "right_without_rejection": round(also / total, 3),
                "rejected": round(rejected / total, 3),
                "by_intent": {
                    wanted: f"{len(said) - len(worst[wanted])}/{len(said)}"
                    for wanted, said in texts.items()
                },
            }
        )
    )
    shown = [f"  {wanted}: {text}" for wanted, lines in worst.items() for text in lines]
    print("\n".join(shown[:misses]))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--set", choices=("unseen", "second", "third", "fourth", "figures"), default="unseen"
    )
    asked.add_argument("--errors", type=float, default=0.0)
    asked.add_argument("--misses", type=int, default=0, help="show so many of each kind")
    asked.add_argument("--only", choices=("signals", "feelings", "intents"), default=None)
    options = asked.parse_args()
    said = sections(FOLDER / f"signals_{options.set}.txt")
    if options.only in (None, "signals"):
        signals(said, options.misses)
    if options.only in (None, "feelings"):
        feelings(said, options.misses)
    for name in PACKS if options.only in (None, "intents") else ():
        path = FOLDER / f"intents_{options.set}_{name}.txt"
        if path.exists():
            intents(name, sections(path), options.errors, options.misses)


if __name__ == "__main__":
    main()
