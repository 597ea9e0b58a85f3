"""One recording of a corpus, and how its sound is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from nlu.errors import AttuneError
from nlu.types import Samples


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: where it lies, who speaks (unique over all corpora), and how. `part_s`: from
    where to where, if not the whole file."""

    path: Path
    corpus: str
    speaker: str
    label: str
    strong: bool = False
    part_s: tuple[float, float] | None = None

    def read(self, rate_hz: int) -> Samples:
        """The samples, mono float32 at `rate_hz`; `AttuneError` if the file is no sound."""
        samples = read_sound(self.path, rate_hz)
        if self.part_s is None:
            return samples
        start_s, end_s = self.part_s
        return samples[int(start_s * rate_hz) : int(end_s * rate_hz)]


def read_sound(path: Path, rate_hz: int) -> Samples:
    """A sound file as mono float32 at `rate_hz`; `AttuneError` if it is not one."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AttuneError(
            f"{path}: cannot be read as sound ({error}); mend the file or take it out of its table."
        ) from None
    return np.asarray(soxr.resample(samples.mean(1), rate, rate_hz), np.float32)
