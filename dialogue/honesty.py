"""What a reply may not say: invented facts, named feelings, a second apology, hollow promises.

Used on everything the assistant says in tests, and on every draft of a language model in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+")
_EMAIL_OR_LINK = re.compile(r"[\w.+-]+@[\w.-]+\w|https?://\S+|www\.\S+", re.I)

_CALENDAR = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february april june july "
    "august september october november december today tomorrow yesterday tonight".split()
)
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split(),
        2,
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90"}
_NOT_NAMES = frozenset({"I", "I'm", "I'll", "I've", "I'd", "I’m", "I’ll", "I’ve", "I’d", "OK"})

FEELINGS = (
    r"angry|anger|mad|furious|upset|annoyed|annoying|frustrat\w+|irritat\w+|disappoint\w+|sad|"
    r"sadness|unhappy|happy|happiness|glad|delighted|pleased|joy|worried|worry(?:ing)?|anxious|"
    r"anxiety|afraid|scared|stress\w*|nervous|confused|confusing|confusion|surprised|hurt|"
    r"feel\w*|felt|emotion\w*|mood|lovely|wonderful"
)
_FEELING = re.compile(rf"\b(?:{FEELINGS})\b", re.I)
_ATTRIBUTED = re.compile(
    r"\byou(?:'re| are| must be| must| seem| sound| look| feel| may be| might be)(?: \w+)? "
    rf"(?:{FEELINGS})\b"
    rf"|\byour (?:{FEELINGS})\b"
    r"|\bI (?:can )?(?:hear|sense|tell|see|understand|know) (?:that |how )?you(?:'re| are)? ?"
    rf"(?:\w+ )?(?:{FEELINGS})\b"
    r"|\bhow you(?:'re| are)? feel\w*|\bcalm down\b|\byour (?:tone|voice) (?:sounds|tells|shows)",
    re.I,
)
_APOLOGY = re.compile(r"\b(?:sorry|apolog\w+|regret)\b", re.I)
_EMPATHIC = re.compile(
    r"\b(?:sorry|apolog\w+|regret|understand|hear you|appreciate|patience|condolences|must be|"
    rf"imagine|{FEELINGS})\b",
    re.I,
)
_PROMISE = re.compile(
    r"\b(?:promise\w*|guarantee\w*|definitely|certainly will|never happen again|compensat\w+|"
    r"discount\w*|voucher\w*|gift\w*|free of charge|for free|bonus|legal\w*|liab\w+|lawsuit|"
    r"admit|negligen\w+)\b",
    re.I,
)
_DONE = re.compile(
    r"\b(?:I(?:'ve|’ve| have|'ve just| have just| just| already)?|(?:has|have|was|were|is|are) "
    r"(?:now |already |just |been )*|it's (?:now |already |been )*)\s*"
    r"(refunded|sent|resent|cancelled|canceled|blocked|credited|transferred|booked|ordered|"
    r"changed|updated|emailed|arranged|issued|processed|completed|reversed|waived|paid|done)\b",
    re.I,
)
_HUMAN = re.compile(
    r"\bI(?:'m|’m| am) (?:a |an )?(?:real |actual )?(?:human|person|man|woman)\b", re.I
)
_NEGATION = re.compile(r"\b(?:not|no|never|cannot|nothing|none)\b|n['’]t\b", re.I)


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, without their surrounding space."""
    return tuple(part for part in _SENTENCE_END.split(text.strip()) if part)


def count_words(text: str) -> int:
    """Words and figures of a text."""
    return len(re.findall(r"[\w'’$€£@.,:-]*\w[\w'’%]*", text))


def names_feeling(text: str) -> bool:
    """Whether any word for a feeling occurs, whoever's feeling it is."""
    return _FEELING.search(text) is not None


def attributes_feeling(text: str) -> bool:
    """Whether the caller is told what they feel ("I can hear you are angry", "calm down")."""
    return _ATTRIBUTED.search(text) is not None


def apologies(text: str) -> int:
    """How many sentences apologise."""
    return sum(_APOLOGY.search(sentence) is not None for sentence in sentences(text))


def empathic_words(text: str) -> int:
    """Words of the sentences that speak of feelings or apologise."""
    return sum(count_words(part) for part in sentences(text) if _EMPATHIC.search(part))


def claims(text: str) -> frozenset[str]:
    """What in a text can be true or false on its face: figures, days, sums, names, addresses."""
    found = {address.casefold().rstrip(".,") for address in _EMAIL_OR_LINK.findall(text)}
    bare = _EMAIL_OR_LINK.sub(" ", text)
    found |= {_plain_number(number) for number in _NUMBER.findall(bare)}
    for sentence in sentences(bare):
        for place, word in enumerate(_WORD.findall(sentence)):
            lower = word.casefold()
            if lower in _CALENDAR:
                found.add(lower)
            elif lower in _NUMBER_WORDS:
                found.add(_NUMBER_WORDS[lower])
            elif place > 0 and word[0].isupper() and word not in _NOT_NAMES:
                found.add(lower.removesuffix("'s").removesuffix("’s"))
    return frozenset(found)


def invented(text: str, sources: Iterable[str]) -> tuple[str, ...]:
    """The claims of `text` that no source backs, in alphabetical order.

    `sources` are the facts as said, the caller's own words, and wording that a person wrote.
    """
    material = tuple(sources)
    known = {claim for source in material for claim in claims(source)}
    words = {word.casefold() for source in material for word in _WORD.findall(source)}
    return tuple(sorted(claim for claim in claims(text) if claim not in known | words))


def forbidden(text: str, draft: str) -> tuple[str, ...]:
    """Why a rewording of `draft` may not be said: what it claims beyond it. Empty when it may."""
    problems = []
    if attributes_feeling(text):
        problems.append("tells the caller what they feel")
    if _HUMAN.search(text):
        problems.append("claims to be human")
    if beyond := _found(_PROMISE, text) - _found(_PROMISE, draft):
        problems.append(f"promises beyond the draft: {', '.join(sorted(beyond))}")
    if beyond := _found(_DONE, text) - _found(_DONE, draft):
        problems.append(f"reports what was not done: {', '.join(sorted(beyond))}")
    if bool(_NEGATION.search(text)) != bool(_NEGATION.search(draft)):
        problems.append("turns a no into a yes, or the other way round")
    if text.count("?") > draft.count("?"):
        problems.append("asks more than the draft")
    if re.search(r"[*_#`{}<>\[\]|]|https?:", text):
        problems.append("holds markup or a link")
    if not text.isascii() and any(ord(sign) > 0x2030 for sign in text):
        problems.append("holds signs that cannot be spoken")
    return tuple(problems)


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade: the school year in which a text is understood (Kincaid 1975)."""
    parts = sentences(text)
    words = _WORD.findall(text)
    if not parts or not words:
        return 0.0
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(parts) + 11.8 * syllables / len(words) - 15.59


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    return {
        (match.group(match.lastindex) if match.lastindex else match.group()).casefold()
        for match in pattern.finditer(text)
    }


def _plain_number(number: str) -> str:
    plain = number.replace(",", "")
    if re.fullmatch(r"\d+\.\d+", plain):
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") or "0"


def _syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word.casefold()))
    silent = word.casefold().endswith("e") and not word.casefold().endswith(("le", "ee"))
    return max(1, groups - silent)
