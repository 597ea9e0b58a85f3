"""Whether what was heard can be judged at all: the reasons to abstain before any model is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlu.emotion.features import Speech
from nlu.types import Samples

LEAST_VOICED_S = 1.0
LEAST_SNR_DB = 4.0
SILENCE_DB = -75.0
MOST_CLIPPED = 0.05

_FLAT = 1e-4
_NEAR_PEAK = 0.985


@dataclass(slots=True)
class InputHealth:
    """What is wrong with the samples themselves, counted over a turn as they come."""

    samples: int = 0
    flat_at_peak: int = 0
    peak: float = 0.0
    finite: bool = True

    def note(self, samples: Samples) -> bool:
        """Count `samples`; False when they hold a value that is no number and must be dropped."""
        if not np.isfinite(samples).all():
            self.finite = False
            return False
        size = np.abs(samples)
        self.peak = max(self.peak, float(size.max(initial=0.0)))
        loud = size[1:] >= max(_NEAR_PEAK * self.peak, 1e-3)
        flat = np.abs(np.diff(samples)) <= _FLAT * self.peak
        self.flat_at_peak += int((loud & flat).sum())
        self.samples += len(samples)
        return True

    @property
    def clipped_share(self) -> float:
        """The share of samples that stand still at the loudest level."""
        return self.flat_at_peak / max(self.samples, 1)


def reason_to_abstain(health: InputHealth, speech: Speech) -> str | None:
    """Why no feeling should be read from this input, or None when it can be judged."""
    if not health.finite:
        return "the audio holds samples that are no numbers"
    if health.samples == 0 or not speech.voiced.any() or speech.level_db < SILENCE_DB:
        return "silence: no voiced speech was heard"
    if health.clipped_share > MOST_CLIPPED:
        return f"heavily clipped: {health.clipped_share:.0%} of the samples stand at the limit"
    if speech.seconds < LEAST_VOICED_S:
        return f"too little voiced speech: {speech.seconds:.1f} s of {LEAST_VOICED_S:.1f} s"
    if speech.snr_db < LEAST_SNR_DB:
        return f"strong noise: speech is only {max(speech.snr_db, 0.0):.0f} dB above it"
    return None
