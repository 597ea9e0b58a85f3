"""Everyday and regional words put plainly ("twelve quid", "it's knackered"), so that a pack's
phrases need not be written in every dialect. The table is data: `colloquial.yaml`."""

from __future__ import annotations

import functools
import re

from nlu import written_data


def plainly(text: str) -> str:
    """`text` with every word of the table replaced by its plain one."""
    pattern, plain = _table()
    said = text.replace("’", "'")
    return pattern.sub(lambda found: plain[int(str(found.lastgroup)[1:])], said)


@functools.cache
def _table() -> tuple[re.Pattern[str], tuple[str, ...]]:
    written: dict[str, list[str]] = written_data.read("colloquial.yaml")
    groups = (rf"(?P<w{at}>{'|'.join(forms)})" for at, forms in enumerate(written.values()))
    pattern = re.compile(rf"(?<![\w'])(?:{'|'.join(groups)})(?![\w'])", re.IGNORECASE)
    return pattern, tuple(written)
