"""Two people on one channel: who spoke when, without a model.

Speech is cut at pauses of a quarter of a second and then into pieces of two seconds at most. Of
each piece the cepstra's Gaussian and the pitch are kept (some kilobytes a minute, no sound). Two
speakers are then two Gaussians: pieces are assigned to the likelier one along the most probable
path, in which a change costs more within a stretch of speech than between two, and the Gaussians
are estimated again until nothing moves. `docs/evaluation.md` states how often this is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from voice.evaluation.segmenting import STOP_MS, SpokenTurn, turns
from voice.evaluation.talk import Party
from voice.recognition.telephone import log_bands
from voice.turns.prosody import pitch_track
from voice.types import FRAME_MS, RATE_HZ, AudioFrame, Pcm

PIECE_MS = 2_000
PAUSE_MS = 260
CEPSTRA = 14
LONGEST_TURN_MS = 90_000

_Floats = npt.NDArray[np.float64]
_EDGE_MS = 200
_BELOW_LOUDEST = 5.0
_FRAMES_A_VOTE = 8.0
"""Neighbouring frames say nearly the same: so many count as one."""
_CHANGE_WITHIN, _CHANGE_BETWEEN = 6.0, 0.5
_PITCH_WEIGHT = 2.0
_ROUNDS = 12
_SHRINK = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """The turns of a call by party, as (party, start, end, speech) in ms.

    `separation` is how much likelier a piece is from its own speaker than from the other, in nats
    a piece at the median: below 2 the split is a guess.
    """

    stretches: tuple[tuple[Party, int, int, int], ...]
    separation: float

    @property
    def described(self) -> dict[str, Any]:
        """What a call's file says of the split."""
        return {
            "method": "two Gaussians of cepstra and pitch",
            "caller_is": "the one who spoke second",
            "separation": round(self.separation, 2),
            "unsure": self.separation < 2.0,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """`stretch` numbers the stretch of speech that the piece belongs to."""

    start_ms: int
    end_ms: int
    stretch: int
    frames: int
    mean: _Floats
    moment: _Floats
    pitch_st: float


def split_speakers(heard: Iterable[AudioFrame]) -> Split:
    """Tell the two speakers of one channel apart; the first to speak is taken for the agent."""
    pieces = list(_pieces(heard))
    if not pieces:
        return Split((), 0.0)
    who, margin = _assign(pieces)
    separation = float(np.median(margin))
    # The very first piece may be a short "hello": the first that is clearly somebody's decides.
    first = int(who[int((margin >= separation / 2).argmax())])
    parties: dict[int, Party] = {first: "agent", 1 - first: "caller"}
    return Split(tuple(_turns(pieces, [parties[int(each)] for each in who])), separation)


def cut(heard: Iterable[AudioFrame], split: Split) -> Iterator[tuple[Party, SpokenTurn]]:
    """The turns of a split with their sound, in a second pass over the same frames."""
    waiting = deque(split.stretches)
    before: deque[AudioFrame] = deque(maxlen=_EDGE_MS // FRAME_MS)
    current: list[AudioFrame] = []
    for frame in heard:
        if waiting and current and frame.start_ms >= waiting[0][2] + _EDGE_MS:
            yield _spoken(waiting.popleft(), current)
            current = []
        if waiting and frame.end_ms > waiting[0][1]:
            if not current:
                current = list(before)
            current.append(frame)
        before.append(frame)
    if waiting and current:
        yield _spoken(waiting.popleft(), current)


def _spoken(
    stretch: tuple[Party, int, int, int], heard: list[AudioFrame]
) -> tuple[Party, SpokenTurn]:
    party, start_ms, end_ms, talk_ms = stretch
    return party, SpokenTurn(start_ms, end_ms, talk_ms, tuple(heard))


def _pieces(heard: Iterable[AudioFrame]) -> Iterator[_Piece]:
    for number, turn in enumerate(turns(heard, PAUSE_MS)):
        pcm = turn.pcm
        first_ms = turn.frames[0].start_ms
        count = max(1, -(-(turn.end_ms - turn.start_ms) // PIECE_MS))
        edges = np.linspace(turn.start_ms, turn.end_ms, count + 1).round().astype(int)
        for start_ms, end_ms in pairwise(edges):
            piece = pcm[(start_ms - first_ms) * RATE_HZ // 1000 :][
                : (end_ms - start_ms) * RATE_HZ // 1000
            ]
            described = _describe(piece, int(start_ms), int(end_ms), number)
            if described is not None:
                yield described


def _describe(pcm: Pcm, start_ms: int, end_ms: int, stretch: int) -> _Piece | None:
    bands = log_bands(pcm.astype(np.float32)).astype(np.float64)
    if len(bands) < 4:
        return None
    loudness = bands.max(axis=1)
    cepstra: _Floats = dct(bands[loudness > loudness.max() - _BELOW_LOUDEST], axis=1, norm="ortho")[
        :, 1 : CEPSTRA + 1
    ]
    f0_hz, _ = pitch_track(pcm)
    voiced = f0_hz[f0_hz > 0]
    pitch_st = float(12 * np.log2(np.median(voiced))) if len(voiced) >= 5 else float("nan")
    moment = cepstra.T @ cepstra / len(cepstra)
    return _Piece(start_ms, end_ms, stretch, len(cepstra), cepstra.mean(axis=0), moment, pitch_st)


def _assign(pieces: Sequence[_Piece]) -> tuple[npt.NDArray[np.int_], _Floats]:
    """0 or 1 for each piece and by how much in nats: of several beginnings, the end that explains
    the sound best."""
    one = np.zeros(len(pieces), dtype=int), np.zeros(len(pieces))
    if len(pieces) < 2:
        return one
    best: tuple[float, npt.NDArray[np.int_], _Floats] | None = None
    for beginning in _beginnings(pieces):
        who = beginning
        if len(set(who.tolist())) < 2:
            continue
        for _ in range(_ROUNDS):
            likely = _likelihoods(pieces, who)
            again = _path(pieces, likely)
            if len(set(again.tolist())) < 2 or np.array_equal(again, who):
                break
            who = again
        likely = _likelihoods(pieces, who)
        total = float(likely[np.arange(len(who)), who].sum())
        if best is None or total > best[0]:
            best = total, who, likely
    if best is None:
        return one
    _, who, likely = best
    margin = likely[np.arange(len(who)), who] - likely[np.arange(len(who)), 1 - who]
    return who, margin


def _beginnings(pieces: Sequence[_Piece]) -> Iterator[npt.NDArray[np.int_]]:
    """First guesses: by pitch, and by the two main directions in which the pieces differ."""
    pitch = _filled_pitch(pieces)
    yield (pitch > _middle(pitch)).astype(int)
    means = np.stack([piece.mean for piece in pieces])
    spread = (means - means.mean(axis=0)) / (means.std(axis=0) + 1e-9)
    joint = np.column_stack([spread, 2 * (pitch - pitch.mean()) / (pitch.std() + 1e-9)])
    _, _, directions = np.linalg.svd(joint - joint.mean(axis=0), full_matrices=False)
    for direction in directions[:3]:
        along = joint @ direction
        yield (along > _middle(along)).astype(int)


def _middle(values: _Floats) -> float:
    """The border of two groups on a line (2-means, started at the quartiles)."""
    low, high = (float(each) for each in np.percentile(values, [15, 85]))
    for _ in range(20):
        border = (low + high) / 2
        below, above = values[values <= border], values[values > border]
        if not len(below) or not len(above):
            break
        low, high = float(below.mean()), float(above.mean())
    return (low + high) / 2


def _filled_pitch(pieces: Sequence[_Piece]) -> _Floats:
    pitch = np.asarray([piece.pitch_st for piece in pieces])
    known = pitch[np.isfinite(pitch)]
    return np.where(np.isfinite(pitch), pitch, float(np.median(known)) if len(known) else 0.0)


def _likelihoods(pieces: Sequence[_Piece], who: npt.NDArray[np.int_]) -> _Floats:
    """Log-likelihood [pieces, 2] of each piece under the Gaussians of both speakers."""
    counts = np.asarray([piece.frames for piece in pieces], dtype=np.float64)
    means = np.stack([piece.mean for piece in pieces])
    moments = np.stack([piece.moment for piece in pieces])
    pitch = np.asarray([piece.pitch_st for piece in pieces])
    everyone = _gaussian(counts, means, moments)[1]
    found = np.zeros((len(pieces), 2))
    for speaker in (0, 1):
        mine = who == speaker
        mean, covariance = _gaussian(counts[mine], means[mine], moments[mine])
        covariance = (1 - _SHRINK) * covariance + _SHRINK * everyone
        inverse = np.linalg.inv(covariance)
        offset = means - mean
        about = moments - np.einsum("ni,nj->nij", means, means)
        scatter = np.einsum("ij,nji->n", inverse, about)
        distance = np.einsum("ni,ij,nj->n", offset, inverse, offset)
        log_determinant = float(np.linalg.slogdet(covariance)[1])
        found[:, speaker] = -0.5 * counts / _FRAMES_A_VOTE * (log_determinant + scatter + distance)
        heard = pitch[mine & np.isfinite(pitch)]
        if len(heard):
            centre, width = float(np.median(heard)), max(1.5, float(heard.std()))
            z = np.where(np.isfinite(pitch), (pitch - centre) / width, 0.0)
            found[:, speaker] -= _PITCH_WEIGHT * (0.5 * np.minimum(z**2, 9.0) + np.log(width))
    return found


def _gaussian(counts: _Floats, means: _Floats, moments: _Floats) -> tuple[_Floats, _Floats]:
    weights = counts / counts.sum()
    mean = weights @ means
    covariance = np.einsum("n,nij->ij", weights, moments) - np.outer(mean, mean)
    return mean, covariance + 1e-3 * np.eye(len(mean))


def _path(pieces: Sequence[_Piece], likely: _Floats) -> npt.NDArray[np.int_]:
    """The most probable sequence of speakers (Viterbi)."""
    score = likely[0].copy()
    back = np.zeros((len(pieces), 2), dtype=int)
    for place in range(1, len(pieces)):
        within = pieces[place].stretch == pieces[place - 1].stretch
        cost = _CHANGE_WITHIN if within else _CHANGE_BETWEEN
        stay, change = score, score[::-1] - cost
        back[place] = np.where(stay >= change, (0, 1), (1, 0))
        score = np.maximum(stay, change) + likely[place]
    who = np.zeros(len(pieces), dtype=int)
    who[-1] = int(score.argmax())
    for place in range(len(pieces) - 1, 0, -1):
        who[place - 1] = back[place, who[place]]
    return who


def _turns(
    pieces: Sequence[_Piece], parties: Sequence[Party]
) -> Iterator[tuple[Party, int, int, int]]:
    """Pieces of the same speaker joined over pauses that end no turn."""
    party, start_ms, end_ms, talk_ms = parties[0], pieces[0].start_ms, pieces[0].end_ms, 0
    for piece, now in zip(pieces, parties, strict=True):
        long = piece.end_ms - start_ms > LONGEST_TURN_MS
        if now != party or piece.start_ms - end_ms >= STOP_MS or long:
            yield party, start_ms, end_ms, talk_ms
            party, start_ms, talk_ms = now, piece.start_ms, 0
        end_ms = piece.end_ms
        talk_ms += piece.end_ms - piece.start_ms
    yield party, start_ms, end_ms, talk_ms
