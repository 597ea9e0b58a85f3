"""What a caller's words mean as an answer to the question just asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dialogue.frames import Heard
from dialogue.packs.format import Option

_YES = re.compile(
    r"^(?:(?:oh|um|uh|well|ah|and|so|okay|ok|actually|sorry|wait)[, ]+)*"
    r"(?:yes|yeah|yep|yup|sure|fine|okay|ok|alright|all right|correct|right|exactly|absolutely|"
    r"definitely|certainly|of course|please do|go ahead|do it|do that|please|sounds good|perfect|"
    r"by all means|why not|go on|that(?:'d| would) be (?:great|lovely|nice|fine|good|perfect)|"
    r"that's (?:right|correct|it|fine)|that is (?:right|correct|it|fine)|thats right)\b"
)
_NO = re.compile(
    r"^(?:(?:oh|um|uh|well|ah|and|so|okay|ok)[, ]+)*"
    r"(?:no|nope|nah|not|never|don't|do not|i don't want|i do not want|i'd rather not|please don't|"
    r"i'd rather you|better not|no need|i'd prefer not|"
    r"i would rather not|neither|none|stop|leave it|forget it|cancel that|"
    r"nothing|wrong|incorrect|that's (?:wrong|not)|that is (?:wrong|not))\b"
)
_NEGATED = re.compile(
    r"\b(?:don't|do not|doesn't|didn't|won't|can't|not|never|no|without|rather than|instead of)\b"
    r"[^,.;!?]*?(?=[,.;!?]|\bbut\b|$)"
)
_ASKS_ABOUT = re.compile(
    r"(?:^|[,.;!?] |\b(?:and|so|but|okay|ok|well|um|uh|just|know|tell me|wondering) )"
    r"(?:when|how|what|why|who|which|whether|if|will|do|does|is|are)\b"
)
_MEANT = re.compile(
    r"\b(?:yes|yeah|yep|yup|ye|aye|please|that'd be|that would be|go ahead|go on|do it|"
    r"do that|do so|sounds good|"
    r"i'd (?:like|love)|i would (?:like|love)|let's|sign me up|why not|absolutely|definitely|"
    r"certainly|of course|by all means)\b"
)
"""Words of a yes that stand for more than "I hear you"."""
_CORRECTION = re.compile(
    r"\b(?:no|sorry|actually|i mean|i meant|wrong|not that|correction|make that|oops|rather|"
    r"instead|wait)\b"
)
_OTHER_ONE = re.compile(r"\b(?:the )?(?:other|different|another) (?:one|order|account|card|item)\b")
_ORDINALS = (
    re.compile(r"\b(?:first|former|option one|number one|the one)\b"),
    re.compile(r"\b(?:second|option two|number two)\b"),
    re.compile(r"\b(?:third|option three|number three)\b"),
)
_LAST = re.compile(r"\b(?:last|latter)\b")
_ANY = re.compile(r"\b(?:either|whatever|whichever|any of them|up to you|you decide|don't mind)\b")


def yes_or_no(heard: Heard) -> bool | None:
    """Yes, no, or neither. An entity found by `nlu` decides; else how the words begin."""
    for entity in heard.entities:
        if entity.type == "yes_no":
            return entity.value == "yes"
    text = heard.text.lower().strip(" .,!?")
    if _NO.match(text):
        return False
    return True if _YES.match(text) else None


def clear_yes(heard: Heard) -> bool:
    """Whether a yes is meant for what was asked, and is not politeness or a question about it:
    "ok thanks" and "okay and when would it come" are none."""
    if not yes_or_no(heard):
        return False
    text = heard.text.lower()
    if _MEANT.search(text):
        return True
    leaving = bool(heard.signals & {"thanks", "goodbye"}) or heard.intent in {"thanks", "goodbye"}
    return not (leaving or asks_about(text))


def corrects(heard: Heard) -> bool:
    """Whether the words take something back: "no", "sorry", "I mean", ..."""
    return bool(_CORRECTION.search(heard.text.lower()))


def means_other(heard: Heard) -> bool:
    """Whether the caller means the other one."""
    return bool(_OTHER_ONE.search(heard.text.lower()))


def ordinal(heard: Heard, count: int) -> int | None:
    """Which of `count` things is meant by "the first", "the second", "the last"."""
    text = heard.text.lower()
    if _LAST.search(text) and count > 1:
        return count - 1
    for place, pattern in enumerate(_ORDINALS[:count]):
        if pattern.search(text):
            return place
    return None


def mentions(text: str, cue: str) -> bool:
    """Whether a cue stands in the text as whole words; plural and past tense count."""
    return bool(re.search(rf"\b{re.escape(cue.lower())}(?:s|es|ed|d|ing)?\b", text.lower()))


def affirmed(text: str) -> str:
    """The words that are not negated: "I don't want a refund, send it" is ", send it"."""
    return _NEGATED.sub(" ", text.lower())


def asks_about(text: str) -> bool:
    """Whether the words are a question about a thing ("when will I get the money back")."""
    return _ASKS_ABOUT.search(text.lower()) is not None


def chosen_option(heard: Heard, options: Sequence[Option]) -> Option | None:
    """The option that the words pick: the most cues, else the place, else a yes to the only one.

    None when nothing is picked, or two are picked alike.
    """
    said = affirmed(heard.text)
    scores = [sum(mentions(said, cue) for cue in option.cues) for option in options]
    best = max(scores, default=0)
    if best > 0 and scores.count(best) == 1:
        return options[scores.index(best)]
    place = ordinal(heard, len(options))
    if place is not None:
        return options[place]
    if options and _ANY.search(heard.text.lower()):
        return options[0]
    if len(options) == 1 and best == 0 and yes_or_no(heard):
        return options[0]
    return None


def chosen_row(heard: Heard, rows: Sequence[object], *, by_place: bool = True) -> object | None:
    """The candidate row whose words were said, or that was counted out ("the second one")."""
    if not rows:
        return None
    scores = [_overlap(heard.text, row) for row in rows]
    best = max(scores)
    if best > 0 and scores.count(best) == 1:
        return rows[scores.index(best)]
    place = ordinal(heard, len(rows)) if by_place else None
    return rows[place] if place is not None else None


def _overlap(text: str, row: object) -> int:
    values: Iterable[object] = row.values() if isinstance(row, dict) else ()
    words = {word for value in values for word in str(value).lower().split() if len(word) > 2}
    return sum(mentions(text, word) for word in words)
