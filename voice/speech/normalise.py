"""Text made ready to be spoken: no markup, no pictures, every number as the words one says."""

from __future__ import annotations

import html
import re
import unicodedata

from voice.speech.spoken_numbers import numbers_as_words

LONGEST_PIECE = 320
"""Characters rendered at once: longer sentences are cut at a comma or a space."""

_TAG = re.compile(r"<[/!?]?[a-zA-Z][^<>]{0,2000}>|<!--.{0,2000}?-->", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,2000}\)")
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}|[-*•]|>)[ \t]+", re.MULTILINE)
_LINE_END = re.compile(r"(?<=[\w)\"'])[ \t]*\n\s*\n?")
_ABBREVIATIONS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\bMr\.(?=\s)", "Mister"),
        (r"\bMrs\.(?=\s)", "Missus"),
        (r"\bMs\.(?=\s)", "Miz"),
        (r"\bDr\.(?=\s[A-Z])", "Doctor"),
        (r"(?<=[a-z] )St\.(?= [a-z]|,|$)", "Street"),
        (r"\bSt\.(?=\s[A-Z])", "Saint"),
        (r"\bRd\.", "Road"),
        (r"\bAve\.", "Avenue"),
        (r"\bApt\.(?=\s)", "Apartment"),
        (r"\b[Nn]o\.\s?(?=\d)", "number "),
        (r"#\s?(?=\d)", "number "),
        (r"\be\.g\.,?", "for example,"),
        (r"\bi\.e\.,?", "that is,"),
        (r"\betc\.(?=\s[A-Z]|$)", "and so on."),
        (r"\betc\.", "and so on"),
        (r"\bvs\.?(?=\s)", "versus"),
        (r"\bapprox\.(?=\s)", "about"),
        (r"\bASAP\b", "as soon as possible"),
        (r"\bw/o\b", "without"),
        (r"\band/or\b", "or"),
    )
)
_SIGNS = (
    (re.compile(r"(?<=\w)\s*&\s*(?=\w)"), " and "),
    (re.compile(r"(?<=\s)@(?=\s)"), "at"),
    (re.compile(r"(?<=\w) \+ (?=\w)"), " plus "),
    (re.compile(r"(?<=\w) = (?=\w)"), " equals "),
    (re.compile(r"(?<=\w) < (?=\w)"), " is less than "),
    (re.compile(r"(?<=\w) > (?=\w)"), " is more than "),
    (re.compile(r"~(?=\d)"), "about "),
    (re.compile(r"(?<=[a-z])/(?=[a-z])"), " or "),
    (re.compile(r"\s+[-–—]{1,2}\s+|—"), ", "),
    (re.compile(r"\.{2,}|…"), ". "),
    (re.compile(r"\s*[|;]\s*"), ", "),
)
_UNSPOKEN = re.compile(r"[<>{}\[\]*_`~^\\=|#@+$/&§¶•·]+")
_REPEATED = re.compile(r"([!?.,:;-])(?:\s*[!?.,:;-])+")
_STRETCHED = re.compile(r"(\w)\1{4,}")
_SENTENCE_END = re.compile(r"[.!?][\"')]*(\s+)(?=[\"'(]?[A-Z])")


def spoken(text: str) -> str:
    """The text as it is to be said; empty when nothing in it can be said."""
    text = _without_markup(text)
    text = _without_pictures(text)
    for pattern, words in _ABBREVIATIONS:
        text = pattern.sub(words, text)
    text = numbers_as_words(text)
    for pattern, words in _SIGNS:
        text = pattern.sub(words, text)
    text = _UNSPOKEN.sub(" ", text)
    text = _STRETCHED.sub(r"\1\1\1", text)
    text = _REPEATED.sub(_strongest, " ".join(text.split()))
    text = re.sub(r"\s+([,.!?:;])", r"\1", text).rstrip(" ,:;-").lstrip("!?.,:;- ")
    return text if any(map(str.isalnum, text)) else ""


def sentences(text: str) -> list[str]:
    """A spoken text in pieces that are rendered one by one, each at most `LONGEST_PIECE` long."""
    pieces: list[str] = []
    begin = 0
    for end in [*_SENTENCE_END.finditer(text), None]:
        sentence = text[begin : end.start(1)] if end else text[begin:]
        if any(map(str.isalnum, sentence)):
            pieces.extend(_cut(sentence))
            begin = end.end(1) if end else begin
    return [piece for piece in pieces if any(map(str.isalnum, piece))]


def _cut(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > LONGEST_PIECE:
        head = sentence[:LONGEST_PIECE]
        place = max(head.rfind(", "), head.rfind(": ")) + 1
        if place < LONGEST_PIECE // 3:
            place = head.rfind(" ")
        if place <= 0:
            place = LONGEST_PIECE
        pieces.append(sentence[:place].strip())
        sentence = sentence[place:].lstrip()
    return [*pieces, sentence] if sentence else pieces


def _without_markup(text: str) -> str:
    text = _TAG.sub(" ", text)
    text = _TAG.sub(" ", html.unescape(text))
    text = _LINK.sub(r"\1", text)
    text = _LINE_MARK.sub("", text)
    return _LINE_END.sub(". ", text.strip())


def _without_pictures(text: str) -> str:
    """No control characters, emoji, symbols or lone surrogates; full-width forms as plain ones."""
    text = text.replace("…", ". ").replace("™", "").replace("’", "'").replace("‘", "'")
    text = text.replace("“", '"').replace("”", '"').replace("−", "-")
    kept = []
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        if character.isspace() or category == "Cc":
            kept.append(" ")
        elif character == "°" or (category[0] != "C" and category not in ("So", "Sk", "Me")):
            kept.append(character)
        elif category == "So":
            kept.append(" ")
    return " ".join("".join(kept).split())


def _strongest(found: re.Match[str]) -> str:
    marks = found[0]
    return next(mark for mark in "?!.:,;-" if mark in marks)
