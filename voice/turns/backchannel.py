"""What is said over the assistant in a word or two: a turn, or only "I am listening"?"""

from __future__ import annotations

import re

from nlu.types import Transcript
from voice.turns.suspicion import Heard

_BACKCHANNEL = re.compile(
    r"^((mm|mhm|hm+|mm hm+|uh huh|uh|ah|oh|yeah|yes|yep|ok|okay|right|sure|i see|got it|alright|"
    r"all right|fine|good|great)\s*)+$"
)
_ANSWER = re.compile(r"\b(yes|yep)\b")
_LINKS = frozenset(
    "a an the and or but so then than that this they them he she it we you i i'm i'll i've it's "
    "of to in on at for from with as if is are was be been do can could have huh uh um mm what "
    "who how".split()
)
"""Words that are seldom said alone, and that recognisers make of hums, coughs and laughter."""
_CALLS = frozenset(
    "no nope yes yep stop wait hello agent operator human person representative cancel sorry "
    "hang hold excuse".split()
)
"""What callers say to be let in: no cough is taken for these alone."""
LEAST_CONFIDENCE = 0.2
"""Of the least sure word otherwise: PocketSphinx gives what it makes of coughs less."""
WARY_CONFIDENCE = 0.5
"""Soon after a false alarm: coughs come in rows."""


def is_backchannel(text: str) -> bool:
    """Whether the words, said by one person to another, only say "I am listening"."""
    return bool(_BACKCHANNEL.match(text.strip().lower()))


def takes_the_turn(text: str, *, asked: bool = False) -> bool:
    """Whether words said over the assistant are meant to stop it. "Yes" is: to a machine it is an
    answer. "Okay" is one where the assistant has just `asked` something."""
    said = text.strip().lower()
    return bool(said) and (asked or not is_backchannel(said) or _ANSWER.search(said) is not None)


def were_words(heard: Transcript, *, wary: bool = False) -> bool:
    """Whether a short sound was speech, going by what a recogniser has made of it; `wary` says that
    there has just been a false alarm."""
    least = WARY_CONFIDENCE if wary else LEAST_CONFIDENCE
    words = heard.text.lower().split()
    sure = all(word.confidence >= least for word in heard.words)
    said = [word for word in words if word not in _LINKS]
    return bool(said) and (sure or _CALLS.issuperset(said))


def what_was_said(heard: Transcript, *, wary: bool = False, asked: bool = False) -> Heard:
    """What a recogniser has made of a short sound, as an answer to `BargeIn.ASK`."""
    if is_backchannel(heard.text) and not takes_the_turn(heard.text, asked=asked):
        return Heard.LISTENING
    return Heard.WORDS if were_words(heard, wary=wary) else Heard.NOTHING
