"""How long a silence must be before the caller's turn is over: a list of small policies.

A fixed silence cannot win: 500 ms cuts service callers off, 1,200 ms feels slow. Each policy looks
at the pause so far and either has an opinion or passes on to the next. All times are audio time.
`benchmarks/endpointing.py` measures the defaults below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voice.turns.completeness import Completeness, Judged
from voice.turns.prosody import PhraseEnd

UNKNOWN_MS = 900
SHORT_ANSWER_MS = 360
LONGEST_MS = 1_500
HABIT = 1.2
SHORTEST_PAUSE_MS = 250

_HESITATION = {"um", "uh", "er", "erm", "hmm", "well", "like"}
_DIGIT = (
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred double triple"
).split()
_NATO = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar "
    "papa quebec romeo sierra tango uniform victor whiskey yankee zulu"
).split()
_ONE_DIGIT = {word: str(value) for value, word in enumerate(_DIGIT[:1] + _DIGIT[2:11])} | {
    "oh": "0"
}
_TIMES = {"double": 2, "triple": 3}
_EMAIL_WORD = re.compile(r"\be ?mail\b")
_EMAIL_TAIL = re.compile(r"\b(at|dot|underscore|dash|hyphen)( \w+){0,2}$")
_SHORT_EMAIL_WORDS = 3
_LONGEST_CODE = 20
_YES_NO = re.compile(
    r"^(oh )?(yes|yeah|yep|yup|sure|ok|okay|no|nope|nah|right|correct|exactly|please do|go ahead)"
    r"( (please|thanks|thank you|it is|that( is|'s) (right|correct|fine|it)|sir|ma'am))*$"
)
_DOMAIN_END = re.compile(r"\b(dot|point|\.) ?(com|org|net|edu|gov|info|co uk|co|uk|de|fr|io|eu)$")


@dataclass(frozen=True, slots=True)
class Pause:
    """What is known while the caller is silent.

    `text` is None until the recogniser has answered. `caller_pauses_ms` are pauses after which
    this caller went on.
    """

    text: str | None
    expects: frozenset[str] = frozenset()
    end: PhraseEnd = PhraseEnd()
    caller_pauses_ms: tuple[int, ...] = ()
    speech_ms: int = 0


@dataclass(frozen=True, slots=True)
class StopSilence:
    """The silence after which the turn is over, and which policy said so."""

    stop_ms: int
    policy: str


class EndpointPolicy(Protocol):
    """Looks at a pause; None when it has no opinion."""

    def judge(self, pause: Pause) -> StopSilence | None:
        """The stop silence that this policy asks for."""


class WordsNotYetKnown:
    """Until the recogniser has answered, wait as for an ordinary sentence."""

    def judge(self, pause: Pause) -> StopSilence | None:
        """Only while `text` is None."""
        return StopSilence(UNKNOWN_MS, "words not yet known") if pause.text is None else None


class ShortAnswer:
    """A yes or no to a question that asked for one is complete at once."""

    def judge(self, pause: Pause) -> StopSilence | None:
        """Only where `yes_no` is expected and a bare answer was given."""
        if "yes_no" in pause.expects and _YES_NO.match((pause.text or "").strip().lower()):
            return StopSilence(SHORT_ANSWER_MS, "answer to a yes-or-no question")
        return None


class Hesitation:
    """After "um" the caller is still looking for words."""

    def judge(self, pause: Pause) -> StopSilence | None:
        """Only where the last word is a filler."""
        words = (pause.text or "").lower().split()
        if words and words[-1] in _HESITATION:
            return StopSilence(LONGEST_MS, "hesitation")
        return None


class Spelling:
    """Digits, letters and e-mail addresses come in groups with long pauses between them.

    `codes` are regular expressions of the numbers that the business uses: a number that matches one
    of them in full, and could not go on, is complete, and one that could is not. Of what is spelled
    otherwise only the melody tells: within a number it stays up, at its end it falls.
    """

    DIGITS_MS = 1_350
    FALLEN_MS = 700
    MANY_DIGITS_MS = 900
    COMPLETE_MS = 400
    EMAIL_MS = 1_450
    EMAIL_FALLEN_MS = 860
    EMAIL_DONE_MS = 480
    MANY_DIGITS = 5
    FALL_BEGINS_ST = -2.3
    FALL_ENDS_ST = -4.3

    def __init__(self, codes: Sequence[str] = ()) -> None:
        self._codes = [re.compile(code) for code in codes]

    def judge(self, pause: Pause) -> StopSilence | None:
        """Where the text ends in spelled items, or in an address that is not finished."""
        text = (pause.text or "").lower().strip()
        words = re.findall(r"[a-z']+|\d", text)
        count = _spelled(words)
        if self._in_email(text, words, count, pause.expects):
            if _DOMAIN_END.search(text):
                return StopSilence(self.EMAIL_DONE_MS, "a complete e-mail address")
            stop_ms = self._by_melody(pause.end, self.EMAIL_MS, self.EMAIL_FALLEN_MS)
            return StopSilence(stop_ms, "e-mail address")
        if count == 0:
            return None
        digits = _digits(words[-count:])
        if self._complete(digits):
            return StopSilence(self.COMPLETE_MS, "a complete number")
        if digits and self._codes:
            if self._may_go_on(digits):
                return StopSilence(self.DIGITS_MS, "a number not complete yet")
            return StopSilence(self.MANY_DIGITS_MS, "a number longer than expected")
        enough = count >= self.MANY_DIGITS and not self._codes
        longest_ms = self.MANY_DIGITS_MS if enough else self.DIGITS_MS
        fallen_ms = self.MANY_DIGITS_MS if self._codes else self.FALLEN_MS
        return StopSilence(self._by_melody(pause.end, longest_ms, fallen_ms), "spelled number")

    def _by_melody(self, end: PhraseEnd, longest_ms: int, fallen_ms: int) -> int:
        """The shorter, the deeper the voice has fallen."""
        share = (end.fall_st - self.FALL_BEGINS_ST) / (self.FALL_ENDS_ST - self.FALL_BEGINS_ST)
        return round(longest_ms - min(1.0, max(0.0, share)) * (longest_ms - fallen_ms))

    @staticmethod
    def _in_email(text: str, words: Sequence[str], count: int, expects: frozenset[str]) -> bool:
        if "email" in expects and (count > 0 or len(words) <= _SHORT_EMAIL_WORDS):
            return True
        mentioned = "email" in expects or _EMAIL_WORD.search(text) is not None
        return mentioned and _EMAIL_TAIL.search(text) is not None

    def _may_go_on(self, digits: str) -> bool:
        """Whether more digits could still make it one of the numbers that are expected."""
        longer = [digits + "0" * more for more in range(1, _LONGEST_CODE)]
        return any(code.fullmatch(number) for code in self._codes for number in longer)

    def _complete(self, digits: str | None) -> bool:
        if digits is None:
            return False
        return any(
            code.fullmatch(digits) and not code.fullmatch(digits + "0") for code in self._codes
        )


def _spelled(words: Sequence[str]) -> int:
    """How many spelled digits or letters the words end with."""
    count = 0
    for word in reversed(words):
        if not (word in _DIGIT or word in _NATO or word.isdigit() or len(word) == 1):
            break
        if word == "i" or (word == "a" and count == 0):
            break
        count += 1
    if count == 1 and words[-1] not in _DIGIT and not words[-1].isdigit():
        return 0
    return count


def _digits(words: Sequence[str]) -> str | None:
    """Digits spoken one by one, with "double" and "triple"; None for anything else."""
    digits, times = "", 1
    for word in words:
        if word in _TIMES:
            times = _TIMES[word]
            continue
        digit = _ONE_DIGIT.get(word, word if word.isdigit() else None)
        if digit is None:
            return None
        digits += digit * times
        times = 1
    return digits


class SoundsFinished:
    """Words and melody together: the more finished it sounds, the shorter the wait.

    `log_odds` is a logistic regression on 469 pauses in synthesised speech (flite's kal16 and rms,
    two of espeak's voices), recognised by pocketsphinx: in and after sentences of CLINC150 and
    Banking77 that the words' model had not seen. For pauses whose length is exponentially
    distributed the best wait falls with the log-odds in a straight line; its slope and ends gave a
    short mean wait on the same pauses. None of their sentences is in `benchmarks/endpointing.py`,
    and of its voices only rms.
    """

    FASTEST_MS = 380
    FASTEST_WHERE_MORE_MS = 640
    SLOWEST_MS = 1_250
    SLOWEST_AFTER_ONE_MS = 860
    SURELY_ENDED = 3.0
    EVEN_ODDS_MS = 1_350
    MS_PER_LOG_ODDS = 800
    RARELY_MORE = -4.0
    OFTEN_MORE = -1.0
    BIAS = -1.15
    WORDS_WEIGHT = 0.6
    FALL_WEIGHT = -0.6
    WHOLE_PHRASE_MS = 1_500
    FADE_WEIGHT = -0.05
    MELODY_UNKNOWN = 1.0

    def __init__(self) -> None:
        self._words = Completeness.load()

    def judge(self, pause: Pause) -> StopSilence | None:
        """Always has an opinion where there are words."""
        if not pause.text:
            return None
        odds = self.log_odds(pause)
        stop_ms = self.EVEN_ODDS_MS - self.MS_PER_LOG_ODDS * odds
        judged = self._words.judge(pause.text)
        stop_ms = max(self._fastest_ms(judged), min(self._slowest_ms(judged), stop_ms))
        return StopSilence(round(stop_ms), f"sounds {1.0 / (1.0 + math.exp(-odds)):.0%} finished")

    def _fastest_ms(self, judged: Judged) -> float:
        """A sentence after which callers go on with another is given the pause between them."""
        share = (judged.goes_on - self.RARELY_MORE) / (self.OFTEN_MORE - self.RARELY_MORE)
        spread_ms = self.FASTEST_WHERE_MORE_MS - self.FASTEST_MS
        return self.FASTEST_MS + min(1.0, max(0.0, share)) * spread_ms

    def _slowest_ms(self, judged: Judged) -> float:
        """Where a whole sentence was said before, what was wanted is known, and what follows is
        oftener the end misheard."""
        said = judged.ended_before > self.SURELY_ENDED
        return self.SLOWEST_AFTER_ONE_MS if said else self.SLOWEST_MS

    def log_odds(self, pause: Pause) -> float:
        """The log-odds that the caller has finished."""
        odds = self.BIAS + self.WORDS_WEIGHT * self._words.judge(pause.text or "").finished
        if not pause.end.known:
            return odds + self.MELODY_UNKNOWN
        # Of a word or two there is no melody that the end could be compared with.
        phrase = min(1.0, pause.speech_ms / self.WHOLE_PHRASE_MS)
        melody = self.FALL_WEIGHT * phrase * pause.end.fall_st
        return odds + melody + self.FADE_WEIGHT * pause.end.fade_db


class NothingRecognised:
    """Speech without words (noise, a cough): end soon, nothing is lost."""

    def judge(self, pause: Pause) -> StopSilence | None:
        """Only for an empty text."""
        return StopSilence(UNKNOWN_MS, "no words") if not pause.text else None


def default_policies(codes: Sequence[str] = ()) -> list[EndpointPolicy]:
    """The policies in the order in which they are asked; `codes` as for `Spelling`."""
    return [
        WordsNotYetKnown(),
        NothingRecognised(),
        ShortAnswer(),
        Hesitation(),
        Spelling(codes),
        SoundsFinished(),
    ]


def stop_silence(policies: Sequence[EndpointPolicy], pause: Pause) -> StopSilence:
    """The first opinion, raised to this caller's own habit.

    A caller who has paused and gone on is given a little more than their median such pause, but at
    most a fifth more than anybody: what is surely finished stays quickly answered.
    """
    verdict = next(
        (opinion for policy in policies if (opinion := policy.judge(pause)) is not None),
        StopSilence(UNKNOWN_MS, "no opinion"),
    )
    pauses_ms = sorted(ms for ms in pause.caller_pauses_ms if ms >= SHORTEST_PAUSE_MS)
    if not pauses_ms:
        return verdict
    own_ms = pauses_ms[len(pauses_ms) // 2] * 1.2 + 60
    habit_ms = round(min(own_ms, verdict.stop_ms * HABIT, LONGEST_MS))
    if habit_ms <= verdict.stop_ms:
        return verdict
    return StopSilence(habit_ms, f"{verdict.policy}; caller's own pauses")
