"""How strong a feeling is, from how sure the model is of it and from strong words."""

from __future__ import annotations

import re

from nlu.types import Emotion, Intensity

_STRONG = re.compile(
    r"\b(?:furious|livid|outrag\w+|disgust\w+|disgrace\w*|appalling|unacceptable|ridiculous"
    r"|infuriat\w+|hate|worst|useless|pathetic|shambles|idiots?|liars?|fuck\w*|shit\w*|bloody"
    r"|bullshit|damn\w*|hell|sick (?:and tired )?of|fed up|had enough|up to here|demand"
    r"|terrif\w+|panick?\w*|desperate\w*|freaking|scared|frighten\w+|urgent\w*|emergency"
    r"|heart ?broken|devastat\w+|died|passed away|death|dead|funeral|grie[fv]\w*|miscarriage"
    r"|stillborn|cry(?:ing)?|crie[ds]|thrilled|delighted|amazing|fantastic|brilliant|wonderful"
    r"|over the moon|ecstatic|life ?saver|shocked|unbelievable)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:really|so|very|extremely|absolutely|completely|totally|incredibly|utterly|never|ever"
    r"|always|every (?:single )?time|again|third|fourth|fifth|\w+ times|hours?|weeks|months)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:a (?:bit|little|tad)|slightly|somewhat|kind of|sort of|not too|a touch)\b",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_MOST_CHARACTERS = 2_000


def intensity_of(text: str, top: Emotion, chance: float) -> Intensity:
    """The step of a feeling held with `chance`; none when the top is neutral.

    Strong words and shouting raise it, "a bit" and doubt lower it.
    """
    if top is Emotion.NEUTRAL:
        return Intensity.NONE
    said = text[:_MOST_CHARACTERS]
    points = 0.0
    points += 1.5 * min(2, len(_STRONG.findall(said)))
    points += 0.5 * min(3, len(_MORE.findall(said)))
    points += 0.5 * min(2, said.count("!")) + 0.5 * min(2, len(_SHOUTED.findall(said)))
    points -= 1.5 * len(_LESS.findall(said))
    points += 2.0 * (chance - 0.6)
    if points >= 1.5:
        return Intensity.HIGH
    return Intensity.MEDIUM if points >= 0.0 else Intensity.LOW
