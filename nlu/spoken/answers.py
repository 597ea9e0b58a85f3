"""Yes and no, as people say them."""

from __future__ import annotations

import re

from nlu.spoken.tokens import Found, Token

_YES = (
    r"yes|yeah|yep|yup|yea|ya|aye|sure|correct|right|okay|ok|absolutely|definitely|certainly|"
    r"of course|exactly|indeed|please do|go ahead|uh huh|uh-huh|mm hmm|mm-hmm|mhm|affirmative|"
    r"that's right|"
    r"that is right|that's correct|that is correct|that's it|sounds good|that works|that's fine|"
    r"that(?:'d| would) be (?:great|lovely|nice|fine|good|perfect|grand|wonderful|super|ideal)|"
    r"by all means|yes please|go on then|i'd (?:like|love) (?:that|to|it)|"
    r"do it|i do|i am|i did|it is|why not|no problem|please|fine|perfect|i agree|you got it"
)
_NO = (
    r"no|nope|nah|no thanks|no thank you|not really|not at all|negative|never|don't|do not|"
    r"that's wrong|that is wrong|incorrect|that's not right|that is not right|wrong|"
    r"i don't|i do not|i'm not|i am not|i didn't|it isn't|it's not|absolutely not|definitely not|"
    r"of course not|"
    r"not at the moment|not at present|not today|not yet|"
    r"certainly not|i'd rather not|i'd rather you (?:didn't|don't|not)|i would rather not|"
    r"better not|rather not|please don't|no way|not right now|not now|i'd prefer not"
)
_UNSURE = re.compile(
    r"(?i)\b(?:not sure|don't know|do not know|no idea|maybe|perhaps|i guess|dunno|not certain|"
    r"might be|possibly)\b"
)
_LEAD = r"(?:(?:uh|um|er|erm|well|oh|so|ah|hmm|hm|like)[\s,.]+)*"
_AT_START = re.compile(rf"(?i)^\s*{_LEAD}(?:(?P<no>{_NO})|(?P<yes>{_YES}))\b(?!['’-]\w)")
_ANYWHERE = re.compile(rf"(?i)\b(?:(?P<no>{_NO})|(?P<yes>{_YES}))\b(?!['’-]\w)")
_BARE = re.compile(
    r"(?i)^(?:yes|yeah|yep|yup|no|nope|nah|sure|correct|absolutely|definitely|not really|"
    r"of course|of course not|by all means|go ahead|i'd rather not|i'd rather you .*|better not|"
    r"that(?:'d| would) be .*)$"
)
_SWAPPED = re.compile(r"(?i)^\s*(?:yeah|yes)[\s,]+no\b(?!\s+(?:problem|worries))")
_MEANS_YES = re.compile(
    r"(?i)^\s*i (?:wouldn't|would not|won't) say no\b|"
    r"^\s*no[\s,]+(?:that's|that is|it's|you're) (?:fine|ok|okay|right|good)"
)
_POLITE_NO = re.compile(r"(?i)^\s*(?:no problem|no worries)")
_LATER = re.compile(
    r"(?i)\b(?:wait|actually|sorry|i mean|on second thoughts?|scratch that)[\s,]+"
    r"(?:wait|actually|sorry|i mean)?[\s,]*(?:(?P<no>no\b|don't)|(?P<yes>yes\b|yeah\b|do\b))"
)


def find_answer(text: str, tokens: list[Token], asked: bool) -> Found | None:
    """The yes or no of an utterance, or None when it holds none or says it is unsure.

    Not `asked`, only a plain yes or no that opens the utterance counts.
    """
    if not tokens or len(tokens) > 200 or _UNSURE.search(text):
        return None
    if asked and (later := _LATER.search(text)) is not None:
        return _found(later, "no" if later["no"] else "yes", 0.8)
    match = _AT_START.match(text)
    if match is None and asked:
        match = _ANYWHERE.search(text)
    if match is None:
        return None
    said = (match["no"] or match["yes"]).strip()
    if not asked and not _BARE.match(said):
        return None
    value = "no" if match["no"] else "yes"
    if _SWAPPED.match(text):
        return _found(match, "no", 0.8)
    if _POLITE_NO.match(text) or _MEANS_YES.match(text):
        return _found(match, "yes", 0.6)
    return _found(match, value, 1.0 if asked and _BARE.match(said) else 0.8)


def _found(match: re.Match[str], value: str, confidence: float) -> Found:
    group = "no" if match["no"] else "yes"
    return Found("yes_no", value, match.start(group), match.end(group), confidence)
