"""What understanding a turn costs: CPU of a 3 s utterance, cold start, resident memory.

    python benchmarks/understand_cost.py [--audio FILE] [--pack retail] [--times 300] [--stages]

CPU time (not wall time) of one process with one thread for linear algebra. `cold` counts from the
start of a fresh interpreter to its first result; resident memory is that process's peak. The voice
is judged from samples each time, as if nothing had been heard while the caller spoke; in a call the
frames are described while they come, and less is left to do at the end of the turn.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SAMPLE = Path(__file__).parents[1] / "audio_samples" / "angry_late_delivery.flac"
TEXTS = (
    "this is the third time I have called about order four five seven one and nobody helps",
    "my email is jane dot doe at gmail dot com and it came last Tuesday",
    "I was charged forty nine ninety nine twice on the third of March",
    "can you tell me where my parcel is please",
    "thank you so much that's all I needed bye",
)


def spread(spent: list[float]) -> str:
    ordered = sorted(spent)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"p50 {middle * 1e3:6.2f} ms   p95 {late * 1e3:6.2f} ms"


def timed(work: Callable[[int], object], times: int) -> str:
    spent = []
    for at in range(times):
        began = time.process_time()
        work(at)
        spent.append(time.process_time() - began)
    return spread(spent)


def first_result(pack: str, audio: Path) -> None:
    """In a fresh process: everything up to the first result; prints seconds of CPU and MB."""
    mind, sound, grants = prepare(pack, audio)
    from nlu.types import Transcript

    mind.understand(Transcript(TEXTS[0]), audio=sound, grants=grants)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.process_time():.3f} {peak:.0f}")


def prepare(pack: str, audio: Path):  # type: ignore[no-untyped-def]
    from dialogue.customers.consent import operator_grants
    from dialogue.packs.loader import load_pack
    from nlu.types import CallerAudio
    from nlu.understand import Understander
    from voice.audio import read_audio

    samples = read_audio(audio, None, 16_000)[: 3 * 16_000]
    mind = Understander(load_pack(pack).language())
    return mind, CallerAudio(samples, 16_000), operator_grants(["emotion_voice", "emotion_words"])


def stages(mind, sound, grants, times: int) -> None:  # type: ignore[no-untyped-def]
    from nlu.emotion.acoustic import AcousticModel
    from nlu.entities import find_entities
    from nlu.redaction import redact
    from nlu.signals import find_signals

    now = datetime(2026, 1, 5, 12)
    model = AcousticModel.load()
    for name, work in {
        "voice (3 s)": lambda _: model.estimate(sound, grants["emotion_voice"]),
        "feeling in the words": lambda at: mind._feeling.estimate(
            TEXTS[at % len(TEXTS)], grants["emotion_words"]
        ),
        "intent": lambda at: mind._intents.classify(TEXTS[at % len(TEXTS)]),
        "entities": lambda at: find_entities(TEXTS[at % len(TEXTS)], now),
        "signals": lambda at: find_signals(TEXTS[at % len(TEXTS)]),
        "redaction": lambda at: redact(TEXTS[at % len(TEXTS)], ("Jane Doe",)),
    }.items():
        print(f"  {name:<22}{timed(work, times)}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--audio", type=Path, default=SAMPLE)
    options.add_argument("--pack", default="retail")
    options.add_argument("--times", type=int, default=300)
    options.add_argument("--stages", action="store_true")
    options.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.cold:
        first_result(chosen.pack, chosen.audio)
        return
    from nlu.types import Transcript

    mind, sound, grants = prepare(chosen.pack, chosen.audio)
    for text in TEXTS:
        mind.understand(Transcript(text), audio=sound, grants=grants)
    print(f"a turn of {len(sound.samples) / sound.rate_hz:.1f} s, warm, without recognition:")
    print(
        f"  {'everything':<22}"
        + timed(
            lambda at: mind.understand(
                Transcript(TEXTS[at % len(TEXTS)]), audio=sound, grants=grants
            ),
            chosen.times,
        )
    )
    print(
        f"  {'words alone':<22}"
        + timed(
            lambda at: mind.understand(Transcript(TEXTS[at % len(TEXTS)]), grants=grants),
            chosen.times,
        )
    )
    if chosen.stages:
        stages(mind, sound, grants, chosen.times)
    cold = [
        subprocess.run(
            [sys.executable, __file__, "--cold", "--audio", chosen.audio, "--pack", chosen.pack],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(5)
    ]
    seconds = sorted(float(one[0]) for one in cold)
    print(f"cold start to the first result: {seconds[2]:.2f} s of CPU (median of 5)")
    print(f"resident memory: {max(int(one[1]) for one in cold)} MB")


if __name__ == "__main__":
    main()
