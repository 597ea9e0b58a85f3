"""Feelings that a caller denies: "I'm not angry, I just want to know when it comes".

A model of single words hears the anger in them. What denies a feeling is taken out before the words
are read for one; praise that is denied ("not what I'd call good service") is turned round.
"""

from __future__ import annotations

import re

_HOW = (
    r"(?:angry|mad|cross|furious|upset|annoyed|irritated|frustrated|unhappy|worried|anxious|"
    r"scared|afraid|nervous|sad|disappointed|complaining|having a go|fussed|"
    r"blaming (?:you|anyone|anybody)|"
    r"bothered|concerned|offended|in a panic|panicking|stressed)"
)
_MUCH = (
    r"(?:really |even |that |so |very |too |at all |trying to be |being |particularly |overly )*"
)
_ABOUT = (
    r"(?: (?:at|with|about|by) (?:you|it|that|this|them|anyone|anything)"
    r"(?: at all| or anything)?)?"
)
_DENIED = re.compile(
    rf"\b(?:it'?s not (?:that|as if|like) (?:i'?m|i am|we'?re|we are) {_MUCH}{_HOW}"
    rf"|(?:i'?m|i am|we'?re|we are) not {_MUCH}{_HOW}"
    rf"|(?:don't|do not) (?:get me wrong|worry)|no (?:hard feelings|offen[cs]e|rush|hurry|worries))"
    rf"{_ABOUT}(?: or {_HOW}{_ABOUT})?[,.;:]?\s*",
    re.IGNORECASE,
)
_STILL = re.compile(r"\b(?:i'?m|i am) not (?:just |only |merely |simply )", re.IGNORECASE)
"""'I'm not just angry, I'm furious' denies nothing."""
_MORE = re.compile(
    r"^\s*(?:,? ?(?:but )?(?:i'?m|i am|it'?s) (?:absolutely |just |really |so |very )*"
    r"(?:furious|livid|devastated|fuming|terrified|heartbroken|disgusted))",
    re.IGNORECASE,
)
_PRAISE = (
    r"(?:good|great|nice|happy|pleased|thrilled|impressed|delighted|satisfied|helpful|ideal|fun)"
)
_NEVER_QUITE = (
    r"(?:can'?t|cannot|can not|wouldn'?t|couldn'?t) (?:exactly |really )?"
    r"(?:say|call|claim)(?: that)?"
    r"|(?:isn'?t|is not|wasn'?t|was not|not) (?:(?:exactly|really|precisely|quite) )*"
    r"(?:what i'?d (?:ever )?call|my idea of)"
    r"|(?:isn'?t|is not|wasn'?t|was not|not) (?:exactly|precisely)|hardly|far from|anything but"
)
_UNPRAISED = re.compile(
    rf"\b(?:{_NEVER_QUITE})(?: (?:i'?m|i am|it'?s|that|this|it|you'?re))?"
    rf"(?: (?:a|an|very|too|so|exactly|really))* {_PRAISE}\b",
    re.IGNORECASE,
)
_DISPLEASED = "unhappy and annoyed"


def without_denied(text: str) -> str:
    """`text` as it is to be read for feelings; unchanged where nothing is denied.

    Where nothing else was said, the caller is taken at the word: calm.
    """
    said = plain = text.replace("’", "'")
    if _STILL.search(said):
        return text
    found = _DENIED.search(said)
    if found is not None and not _MORE.search(said[found.end() :]):
        left = _DENIED.sub(" ", said).strip(" ,.;")
        left = re.sub(r"^(?:and|but|so)\b\s*", "", left)
        plain = left if len(left.split()) > 1 else "I am calm"
    turned = _UNPRAISED.sub(_DISPLEASED, plain)
    return text if turned == said else turned
