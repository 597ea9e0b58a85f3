"""Texts put together from pieces of other texts, for a teacher to label (Tang et al. 2019).

What a teacher says of the texts that it was trained on is little more than their labels. On texts
that nobody has written it says what it has understood, and a student hears more of that.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from nlu.training.texts import speech_like

_LEAST_WORDS = 3
_CUT = 0.35
_JOINED = 0.35
_ALSO_CHANGED = 0.3
_CHANGED_WORDS = 0.15
_SPEECH_LIKE = 0.35
_FREQUENT = 8_000
_DRAWN = 400_000


def reworked(texts: Sequence[str], seed: int) -> list[str]:
    """Each text once: a run of its words, such a run and one of another text in either order, or
    all of it with some words changed for others; a third of them speech-like."""
    chance = random.Random(seed)
    counts = Counter(word for text in texts for word in text.split())
    frequent = [word for word, _ in counts.most_common(_FREQUENT)]
    others = chance.choices(frequent, [counts[word] for word in frequent], k=_DRAWN)
    used = 0
    made: list[str] = []
    for text in texts:
        kind = chance.random()
        if kind < _CUT:
            words = _run(text, chance)
        elif kind < _CUT + _JOINED:
            other = _run(chance.choice(texts), chance)
            own = _run(text, chance)
            words = own + other if chance.random() < 0.5 else other + own
        else:
            words = text.split()
        if kind >= _CUT + _JOINED or chance.random() < _ALSO_CHANGED:
            for at in range(len(words)):
                if chance.random() < _CHANGED_WORDS:
                    words[at] = others[used % _DRAWN]
                    used += 1
        said = " ".join(words)
        if chance.random() < _SPEECH_LIKE:
            said = speech_like(said) or said
        made.append(said)
    return made


def _run(text: str, chance: random.Random) -> list[str]:
    words = text.split()
    if len(words) <= _LEAST_WORDS:
        return words
    length = chance.randint(_LEAST_WORDS, len(words))
    start = chance.randint(0, len(words) - length)
    return words[start : start + length]
