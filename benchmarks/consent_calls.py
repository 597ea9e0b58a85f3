"""10,000 random calls: grants, denials, withdrawals, transfers, erasures; violations must be 0.

    python benchmarks/consent_calls.py [--calls 10000] [--steps 10]

Every call is a fresh order of events from the Hypothesis state machine in
`tests/dialogue/consent_world.py`, which knows on its own what the table allows and compares after
every step. Prints one JSON object; on a violation Hypothesis prints the shortest order of events
that shows it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.dialogue.consent_world import ConsentWorld


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=10_000)
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--data", help="not needed; accepted as by the other benchmarks")
    given = options.parse_args()
    checked = 0

    class Counted(ConsentWorld):
        def teardown(self) -> None:
            nonlocal checked
            checked += 1
            super().teardown()

    begun = time.perf_counter()
    violations = 0
    try:
        run_state_machine_as_test(
            Counted,
            settings=settings(
                max_examples=given.calls,
                stateful_step_count=given.steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except AssertionError as violation:
        violations = 1
        print(violation, file=sys.stderr)
    seconds = round(time.perf_counter() - begun, 1)
    print(json.dumps({"calls": checked, "violations": violations, "seconds": seconds}))
    sys.exit(violations)


if __name__ == "__main__":
    main()
