"""How long a decision takes, warm: `python benchmarks/decide.py [--turns N] [--pack NAME]`.

One call after another, each with a read of the pack's systems, a strategy, words and a delivery;
effects are not carried out. Reports wall-clock and CPU milliseconds. With `--database URL` the
context of `--customer ID`, or of one of `--customers N` named C1 to CN drawn anew (seed 3), is read
before each turn as well, as at the start of a call.
"""

import argparse
import random
import time

from dialogue.asking import AT
from dialogue.conversation import Conversation
from dialogue.packs.loader import load_pack
from dialogue.regulation import load as load_regulations
from dialogue.types import ConsentState, CustomerContext, Patterns, Purpose
from nlu.types import (
    Emotion,
    EmotionEstimate,
    Entity,
    Intensity,
    Intent,
    Source,
    Trajectory,
    Transcript,
    Understanding,
)


def understanding(number: int) -> Understanding:
    """Turns with every feeling and a few matters, in a fixed order."""
    emotion = list(Emotion)[number % len(Emotion)]
    spread = {each: 0.8 if each is emotion else 0.2 / 6 for each in Emotion}
    fused = EmotionEstimate(spread, -0.3, 0.4, Intensity.HIGH, 0.8, Source.FUSED)
    silent = EmotionEstimate.abstain(Source.VOICE, "no grant")
    intent = ("where_is_my_order", "refund", "delivery_question", "cancel_order")[number % 4]
    order = Entity("order_number", "44172", "44172", 0, 5)
    return Understanding(
        Transcript("my order 44172 is late and I have been waiting for days"),
        Intent(intent, 0.9),
        (order,) if number % 2 else (),
        silent,
        fused,
        fused,
        None,
        Trajectory(fused),
    )


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--pack", default="retail")
    parser.add_argument("--database", help="a customers' database to read the context from")
    parser.add_argument("--customer", default="C1001")
    parser.add_argument("--customers", type=int, help="how many customers, named C1 and so on")
    options = parser.parse_args()
    chance = random.Random(3)
    pack = load_pack(options.pack)
    context = CustomerContext(
        options.customer,
        "Marcus Reed",
        jurisdiction="US-NY",
        consents=dict.fromkeys(Purpose, ConsentState.GRANTED),
        patterns=Patterns({"where_is_my_order": 2}),
    )
    store = None
    if options.database:
        from dialogue.customers.store import CustomerStore

        store = CustomerStore.open(options.database)
    conversation = Conversation(
        pack, context, regulation=load_regulations().row("US-NY"), started_at=AT
    )
    wall: list[float] = []
    cpu: list[float] = []
    for number in range(options.turns + 50):
        heard = understanding(number)
        began, began_cpu = time.perf_counter(), time.process_time()
        if store is not None:
            drawn = f"C{chance.randint(1, options.customers)}" if options.customers else None
            store.context(drawn or options.customer, now=AT)
        conversation.decide(heard, now=AT)
        if number >= 50:
            wall.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - began_cpu) * 1000)
    for name, values in (("wall", wall), ("cpu", cpu)):
        p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
        print(f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms over {len(values)} turns")
    if store is not None:
        store.close()


if __name__ == "__main__":
    main()
