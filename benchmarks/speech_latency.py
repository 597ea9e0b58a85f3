"""How soon the first sample of a clause is there after `speak` is called, warm.

    python benchmarks/speech_latency.py [--clauses N]

Every clause is new to the worker, so nothing comes from its memory. Wall-clock times suffer when
other programs use the cores: the processor time to the first sample, measured with the engine
loaded into this process, is given beside them.
"""

from __future__ import annotations

import argparse
import functools
import os
import time

import numpy as np

from dialogue.types import Delivery
from voice.speech import open_synthesizer
from voice.speech.engine import Engine

SUBJECTS = ("Your order", "The parcel", "The refund", "Your new card", "The second box")
VERBS = ("left the warehouse on", "was sent back to us on", "will be with you before")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ENDS = ("as we promised.", "at the very latest.", "and nothing else is due.")
DELIVERIES = {
    "neutral": Delivery(),
    "calm (pace corrected)": Delivery(rate=0.92, pitch_st=-1.5, range=0.85, level_db=-2.5),
}


@functools.cache
def engine_here() -> Engine:
    """The engine in this process, of which there may be only one."""
    from voice.speech.espeak_engine import EspeakEngine

    return EspeakEngine("en-us+f2")


def processor_ms(texts: list[str], delivery: Delivery) -> float:
    """Median processor time from the request to the first samples, with the engine loaded here."""
    engine = engine_here()
    first: list[float] = []

    def emit(_samples: object, _words: object) -> bool:
        first.append(time.process_time())
        return False

    times = []
    for text in texts:
        began = time.process_time()
        first.clear()
        engine.speak(text, delivery, emit, opens=True)
        times.append(1e3 * (first[0] - began))
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clauses", type=int, default=60)
    count = parser.parse_args().clauses
    texts = [
        f"{subject} {verb} {day} {end}"
        for day in DAYS
        for subject in SUBJECTS
        for verb in VERBS
        for end in ENDS
    ][: 2 * count]
    synthesizer = open_synthesizer()
    synthesizer.ready()
    print(f"{'':24}{'p50 ms':>8}{'p90 ms':>8}{'whole, p50':>12}{'processor, first':>18}")
    for start, (name, delivery) in enumerate(DELIVERIES.items()):
        firsts, totals = [], []
        chosen = texts[start::2][:count]
        for text in chosen:
            began = time.perf_counter()
            chunks = synthesizer.speak(text, delivery)
            next(chunks)
            firsts.append(1e3 * (time.perf_counter() - began))
            list(chunks)
            totals.append(1e3 * (time.perf_counter() - began))
        print(
            f"{name:24}{np.median(firsts):8.2f}{np.percentile(firsts, 90):8.2f}"
            f"{np.median(totals):12.1f}{processor_ms(chosen, delivery):18.2f}"
        )
    words = np.mean([len(text.split()) for text in texts])
    load = os.getloadavg()[0]
    print(f"{len(texts) // 2} clauses of {words:.0f} words for each; load average {load:.1f}")
    synthesizer.close()


if __name__ == "__main__":
    main()
