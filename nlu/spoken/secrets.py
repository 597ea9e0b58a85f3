"""Passwords and memorable words said aloud: "my password is bluebird seventy seven".

Numbers said after such a cue are found with all other numbers; here it is the words.
"""

from __future__ import annotations

import re

from nlu.spoken.tokens import Found

_CUE = re.compile(
    r"\b(?:pass ?(?:word|phrase|code)|pin(?: number)?|(?:memorable|secret|security|code) word|"
    r"c ?v ?[vc](?: number| code)?|maiden name|(?:security|secret) answer)"
    r"(?: (?:that )?i (?:use|have|chose|set|picked)| (?:for|on|of|to) (?:[\w']+ ){0,2}[\w']+)?"
    r"(?:,? (?:is|was|would be|should be|it's)| ?[:=])"
    r"(?: now| still| just| simply| called| spelled)?"
    r"[ ,:]+(?P<secret>[\w'@#$%&*!-]+(?: (?!(?:and|but|can|could|so|because|please|thanks|is|i|it|"
    r"which|that|or|if|when|then|for|on|in)\b)[\w'@#$%&*!-]+){0,3})",
    re.IGNORECASE,
)
_SAYS_HOW = frozenset(
    "not wrong blocked locked expired incorrect never too always rejected refused being invalid "
    "gone lost forgotten still no correct right saved ok okay fine broken missing needed required "
    "asked unknown the a an my something what where how that this it to written on in at as old "
    "new weak strong short long changed reset stolen compromised safe secure frozen disabled sent "
    "different same also really very so now because due printed supposed case already accepted "
    "working recognised recognized denied failing failed set empty".split()
)
"""A word that tells what is the matter with a password, and is none."""


def find_secrets(text: str) -> list[Found]:
    """Every secret in words that is announced as one."""
    return [
        Found("secret", match["secret"], match.start("secret"), match.end("secret"), 0.8)
        for match in _CUE.finditer(text)
        if match["secret"].split()[0].lower() not in _SAYS_HOW
        and not match["secret"].lower().endswith(("n't", "ing"))
    ]
