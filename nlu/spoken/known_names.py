"""Names that are known beforehand, found whole, in part, and spelled letter by letter."""

from __future__ import annotations

import re

from nlu.spoken.codes import find_codes
from nlu.spoken.tokens import Found, Taken, Token

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "sir", "madam", "von", "van", "der", "de"})


def find_known_names(text: str, tokens: list[Token], names: tuple[str, ...]) -> list[Found]:
    """Every place where one of `names`, or a part of two letters or more, is said or spelled."""
    parts = {
        part
        for name in names
        for part in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", name.lower())
        if len(part) > 1 and part not in _TITLES
    }
    if not parts:
        return []
    spelled = {part.upper() for part in parts} | {
        "".join(re.findall(r"[^\W\d_]", name)).upper() for name in names
    }
    taken = Taken(len(text))
    taken.add(
        Found("name", code.value, code.start, code.end)
        for code in find_codes(tokens)
        if 2 <= code.letters <= 60 and (code.value in spelled or _all_parts(code.value, parts))
    )
    alternatives = "|".join(re.escape(part) for part in sorted(parts, key=len, reverse=True))
    pattern = rf"(?i)\b(?:{alternatives})(?:\s+(?:{alternatives}))*(?=\b|['’]s\b)"
    taken.add(
        Found("name", match[0], match.start(), match.end())
        for match in re.finditer(pattern, text)
        if len(match[0]) > 2 or match[0][0].isupper()
    )
    return taken.values


def _all_parts(value: str, parts: set[str]) -> bool:
    """Whether a spelling is two known parts in a row."""
    upper = {part.upper() for part in parts}
    return any(value[:cut] in upper and value[cut:] in upper for cut in range(2, len(value) - 1))
