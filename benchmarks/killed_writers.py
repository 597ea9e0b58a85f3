"""Two processes on one database, killed at random while they write 1,000 turns.

    python benchmarks/killed_writers.py [--turns 1000] [--kills 60] [--url URL] [--seed 1]

Both write the same turns (a customer's, with an effect, an offer, a promise, a case and a consent
each) and start again from the first when they are killed. Prints one JSON object: turns half
written, doubled and missing (all must be 0), and what is wrong with the audit chain (null).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.dialogue import killed_writers


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--turns", type=int, default=1_000)
    options.add_argument("--kills", type=int, default=60)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--url")
    options.add_argument("--data", help="not needed; accepted as by the other benchmarks")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/customers.db"
        begun = time.perf_counter()
        outcome = killed_writers.run(url, given.turns, given.kills, given.seed, longest_s=1.0)
        print(json.dumps({**asdict(outcome), "seconds": round(time.perf_counter() - begun, 1)}))
    broken = outcome.half_written + outcome.doubled + outcome.missing
    sys.exit(1 if broken or outcome.audit_problem else 0)


if __name__ == "__main__":
    main()
