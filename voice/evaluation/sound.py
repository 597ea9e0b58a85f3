"""The sound of a call for the report: one channel of MP3, silent where personal data is said."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from nlu.errors import AttuneError
from nlu.redaction import PLACEHOLDERS
from nlu.types import Samples, Transcript
from voice.audio import inspect, replacing, stream_channel
from voice.types import RATE_HZ

Stretch = tuple[int, int]
"""From when to when, in ms since the call began."""

AROUND_MS = 200
"""Silenced before and after a word too: a recogniser's word times are off by as much."""
_MP3_QUALITY = 0.85


def personal_stretches(redacted: Transcript, start_ms: int, end_ms: int) -> tuple[Stretch, ...]:
    """Where a turn says personal data, by its redacted words; all of it when they do not tell."""
    kinds = set(PLACEHOLDERS.values())
    found = [word for word in redacted.words if word.text in kinds]
    located = {word.text for word in found}
    if any(kind in redacted.text and kind not in located for kind in kinds):
        return ((start_ms, end_ms),)
    return tuple((word.start_ms - AROUND_MS, word.end_ms + AROUND_MS) for word in found)


def write_sound(path: Path, recording: Path, silenced: Sequence[Stretch]) -> None:
    """Write a recording, its channels mixed, as MP3 with `silenced` as silence, in flat memory.

    Raises `AttuneError` when it cannot be written.
    """
    with replacing(path) as draft:
        try:
            with soundfile.SoundFile(
                str(draft),
                "w",
                RATE_HZ,
                1,
                format="MP3",
                subtype="MPEG_LAYER_III",
                bitrate_mode="CONSTANT",
                compression_level=_MP3_QUALITY,
            ) as file:
                for block in without(stream_channel(inspect(recording), "mono"), silenced):
                    file.write(block)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AttuneError(f"{path} cannot be written ({error}); free some space.") from None


def without(blocks: Iterator[Samples], silenced: Sequence[Stretch]) -> Iterator[Samples]:
    """Blocks of float32 at 16 kHz with zeros in every stretch of `silenced`."""
    per_ms = RATE_HZ // 1000
    merged = _merged(silenced)
    ends = [end * per_ms for _, end in merged]
    position = 0
    for heard in blocks:
        block = np.array(heard, dtype=np.float32)
        place = bisect_left(ends, position)
        while place < len(merged) and merged[place][0] * per_ms < position + len(block):
            start = max(0, merged[place][0] * per_ms - position)
            block[start : max(0, ends[place] - position)] = 0.0
            place += 1
        position += len(block)
        yield block


def _merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
