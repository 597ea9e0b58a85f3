"""A pronunciation for a word that the dictionary does not have, from its spelling.

Letter-to-sound rules of English in the order of their length, enough for product and company
names. The phones are those of CMUdict without stress. Real words belong in the dictionary.
"""

from __future__ import annotations

_RULES: tuple[tuple[str, str], ...] = (
    ("tion", "SH AH N"), ("sion", "ZH AH N"), ("ough", "AO"), ("ight", "AY T"),
    ("eigh", "EY"), ("tch", "CH"), ("dge", "JH"), ("sch", "SH"), ("igh", "AY"), ("eau", "OW"),
    ("ch", "CH"), ("sh", "SH"), ("th", "TH"), ("ph", "F"), ("gh", "G"), ("ck", "K"),
    ("ng", "NG"), ("qu", "K W"), ("wh", "W"), ("wr", "R"), ("kn", "N"), ("ee", "IY"),
    ("ea", "IY"), ("oo", "UW"), ("ou", "AW"), ("ow", "OW"), ("oi", "OY"), ("oy", "OY"),
    ("ai", "EY"), ("ay", "EY"), ("au", "AO"), ("aw", "AO"), ("oa", "OW"), ("ie", "IY"),
    ("ei", "IY"), ("ey", "IY"), ("ue", "UW"), ("ui", "UW"), ("er", "ER"), ("ir", "ER"),
    ("ur", "ER"), ("ar", "AA R"), ("or", "AO R"), ("bb", "B"), ("dd", "D"), ("ff", "F"),
    ("gg", "G"), ("ll", "L"), ("mm", "M"), ("nn", "N"), ("pp", "P"), ("rr", "R"), ("ss", "S"),
    ("tt", "T"), ("zz", "Z"), ("cc", "K"), ("ce", "S"), ("ci", "S IH"), ("cy", "S IY"),
    ("ge", "JH"), ("a", "AE"), ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH"), ("f", "F"),
    ("g", "G"), ("h", "HH"), ("i", "IH"), ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"),
    ("n", "N"), ("o", "OW"), ("p", "P"), ("q", "K"), ("r", "R"), ("s", "S"), ("t", "T"),
    ("u", "AH"), ("v", "V"), ("w", "W"), ("x", "K S"), ("y", "IY"), ("z", "Z"),
)  # fmt: skip
_LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}
_VOWELS = frozenset("aeiou")


def pronounce(word: str) -> str:
    """Phones of `word`, separated by spaces; empty when no letter of it is known."""
    text = word.lower().replace("'", "")
    phones: list[str] = []
    at = 0
    while at < len(text):
        if _final_silent_e(text, at):
            break
        if text[at] in _LONG and _before_silent_e(text, at):
            phones.append(_LONG[text[at]])
            at += 1
            continue
        for letters, sounds in _RULES:
            if text.startswith(letters, at):
                phones.append(sounds)
                at += len(letters)
                break
        else:
            at += 1
    return " ".join(phones)


def _final_silent_e(text: str, at: int) -> bool:
    return at == len(text) - 1 and text[at] == "e" and at > 1 and text[at - 1] not in _VOWELS


def _before_silent_e(text: str, at: int) -> bool:
    """A vowel, one consonant and a last e: `tone`, `blaze`."""
    return at == len(text) - 3 and text[-1] == "e" and text[-2] not in _VOWELS
