"""What has changed between two runs of `make bench`.

    python benchmarks/compare.py A.json B.json [--percent 5] [--all]

Every figure of both that differs by more than `--percent`, and what only one of them has. Whether
more is better the figure does not say: read the name. Times on a busy machine differ by more than
code does; `load_at_start` of both is printed first.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

NAME_WIDTH = 88


def read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"measured_on": dict(found["measured_on"]), "benchmarks": dict(found["benchmarks"])}
    except OSError as error:
        sys.exit(f"{path} cannot be read ({error.strerror}); name a file of benchmarks/results.")
    except (ValueError, KeyError, TypeError):
        sys.exit(f"{path} is no result of make bench; name a file of benchmarks/results.")


def numbers(result: dict[str, Any]) -> dict[str, float]:
    times = {name: float(result[name]) for name in ("wall_s", "cpu_s") if name in result}
    return times | {name: float(value) for name, value in result.get("figures", {}).items()}


def change(before: float, after: float) -> float:
    """In percent of `before`; infinite from nothing."""
    if before == after:
        return 0.0
    return 100 * (after - before) / abs(before) if before else float("inf")


def lines(before: dict[str, Any], after: dict[str, Any], percent: float) -> list[str]:
    """What is told of one benchmark."""
    told = [
        f"  {side}: failed: {one['failed']}"
        for side, one in (("before", before), ("after", after))
        if "failed" in one
    ]
    old, new = numbers(before), numbers(after)
    for name in [*old, *(each for each in new if each not in old)]:
        if name not in new:
            told.append(f"  {name[:NAME_WIDTH]:{NAME_WIDTH}} {old[name]:>12g} {'gone':>12}")
        elif name not in old:
            told.append(f"  {name[:NAME_WIDTH]:{NAME_WIDTH}} {'new':>12} {new[name]:>12g}")
        elif abs(change(old[name], new[name])) > percent:
            share = f"{change(old[name], new[name]):+.1f} %"
            told.append(
                f"  {name[:NAME_WIDTH]:{NAME_WIDTH}} {old[name]:>12g} {new[name]:>12g} {share:>10}"
            )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--percent", type=float, default=5.0)
    parser.add_argument("--all", action="store_true", help="what has not changed too")
    options = parser.parse_args()
    before, after = read(options.before), read(options.after)
    for name in sorted(before["measured_on"].keys() | after["measured_on"].keys()):
        values = [one["measured_on"].get(name) for one in (before, after)]
        if values[0] != values[1] or name == "load_at_start":
            print(f"{name}: {values[0]} -> {values[1]}")
    for name in dict.fromkeys([*before["benchmarks"], *after["benchmarks"]]):
        one, other = (each["benchmarks"].get(name) for each in (before, after))
        if one is None or other is None:
            print(f"\n{name}: only {'after' if one is None else 'before'}")
            continue
        told = lines(one, other, -1.0 if options.all else options.percent)
        if told:
            print(f"\n{name}")
            print("\n".join(told))


if __name__ == "__main__":
    main()
