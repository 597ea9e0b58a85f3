"""Measure a voice and write its table: `python -m voice.speech.calibrate [VOICE]`.

Runs the engine in this process (about a minute), which is why nothing else imports this module.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import yaml

from voice.speech import calibration
from voice.speech.calibration import EspeakSettings
from voice.speech.espeak_engine import EspeakEngine
from voice.speech.master import TARGET_LUFS, mastered
from voice.speech.prosody import Measurement, measure
from voice.speech.synthesizer import SENTENCE_PAUSE_MS

NEUTRAL_WORDS_PER_MINUTE = 160.0
"""As a listener counts them: with the pause between two sentences."""

TEXTS = (
    "Your order left the warehouse on Monday morning.",
    "I have sent the refund, and you should see it within five days.",
    "Could you tell me the number at the top of the letter?",
    "That was our mistake, and I am going to put it right for you now.",
    "We can bring a new one tomorrow, or give the money back today.",
    "Your card is blocked, so nobody can use it any more.",
    "Thank you for waiting while I looked that up.",
    "The bill is higher because the price changed in March.",
    "Which of the two would you like?",
    "The driver tried to deliver it twice, but nobody was at home.",
    "I will put you through to somebody who can help with that.",
    "There is nothing else that you need to do.",
)
_STEPS = (*range(10, 91, 10), 99)
_RATES = tuple(range(90, 200, 4))


def main() -> None:
    """Measure the voice named on the command line, or the default one."""
    voice = sys.argv[1] if len(sys.argv) > 1 else "en-us+f2"
    bench = _Bench(voice)
    rates = [bench.measured(EspeakSettings(rate, 50, 50, 0.0)) for rate in _RATES]
    paces = [_words_per_minute(row) for row in rates]
    rate = round(float(np.interp(NEUTRAL_WORDS_PER_MINUTE, paces, _RATES)))
    neutral = bench.measured(EspeakSettings(rate, 50, 50, 0.0))
    gain = TARGET_LUFS - float(np.mean([m.loudness for m in neutral]))
    table: dict[str, Any] = {
        "neutral": {"rate": rate, "pitch": 50, "range": 50, "gain_db": round(gain, 2)},
        "rates": list(_RATES),
        "paces": [_median(n.seconds / m.seconds for n, m in _pairs(neutral, r)) for r in rates],
        "rate_levels_db": [
            _median(m.loudness - n.loudness for n, m in _pairs(neutral, r)) for r in rates
        ],
        "steps": list(_STEPS),
        "pitch_st": [],
        "ranges": [],
        "levels_db": [],
    }
    for pitch in _STEPS:
        rows = [bench.measured(EspeakSettings(rate, pitch, range_, 0.0)) for range_ in _STEPS]
        table["pitch_st"].append(
            [_median(m.f0_mean_st - n.f0_mean_st for n, m in _pairs(neutral, r)) for r in rows]
        )
        table["ranges"].append(
            [
                _median((m.f0_variance / n.f0_variance) ** 0.5 for n, m in _pairs(neutral, r))
                for r in rows
            ]
        )
        table["levels_db"].append(
            [_median(m.loudness - n.loudness for n, m in _pairs(neutral, r)) for r in rows]
        )
    tables: dict[str, Any] = {}
    if calibration.FILE.is_file():
        tables = yaml.safe_load(calibration.FILE.read_text(encoding="utf-8")) or {}
    tables[voice] = table
    text = "# Written by `python -m voice.speech.calibrate`; rows are pitch, columns are range.\n"
    text += yaml.safe_dump(tables, default_flow_style=None, sort_keys=False, width=100)
    calibration.FILE.write_text(text, encoding="utf-8")


class _Bench:
    def __init__(self, voice: str) -> None:
        self._engine = EspeakEngine(voice)

    def measured(self, settings: EspeakSettings) -> list[Measurement]:
        return [self._one(text, settings) for text in TEXTS]

    def _one(self, text: str, settings: EspeakSettings) -> Measurement:
        samples, words = self._engine.raw(text, settings)
        return measure(mastered(samples, self._engine.rate_hz, 0.0), words)


def _words_per_minute(row: list[Measurement]) -> float:
    pauses = len(row) * SENTENCE_PAUSE_MS / 1000
    return 60 * sum(m.words for m in row) / (sum(m.seconds for m in row) + pauses)


def _pairs(neutral: list[Measurement], row: list[Measurement]) -> Any:
    return zip(neutral, row, strict=True)


def _median(values: Any) -> float:
    return round(float(np.median(list(values))), 4)


if __name__ == "__main__":
    main()
