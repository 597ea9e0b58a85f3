"""PocketSphinx behind the Recognizer protocol: the recogniser that needs no download.

A turn is decoded while it is spoken. At a pause `final()` closes a *segment*, which costs the
decoder its second pass; audio that follows opens the next segment only when it holds voice, so a
second `final()` after more silence costs nothing.

Numbers and addresses are spelled with pauses in them, and halves of a number are recognised worse
than the whole: 42 % of real people's digits wrong against 31 %. So where one is expected, a segment
that goes on soon after a pause is opened again, and the decoder catches up with the caller a few
frames at a time. In other speech that doubles the computing and gains little
(LibriSpeech 65 % wrong against 69 %, `audio_samples` nothing).
"""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlu.types import Transcript, Word
from voice.recognition.domain_model import DomainModel
from voice.recognition.front_end import CHANNEL_SEARCH, FrontEnd, open_front_end
from voice.recognition.silence import MIN_VOICED_MS, VoicedCounter, has_speech
from voice.recognition.sphinx_library import Decoder, open_decoder
from voice.types import FRAME_MS, RATE_HZ, AudioFrame, Expectation, Pcm

_NUMBERS = frozenset(("order_number", "account_number", "card_number", "digits", "phone"))
_NUMBER_SEARCH, _EMAIL_SEARCH = "numbers", "email"
_FRAME_MS = 10
_PRE_ROLL_FRAMES = 15
_OPEN_AFTER_VOICED = 3
_GATHER_FRAMES = 60
_LONGEST_SEGMENT_FRAMES = 30_000 // FRAME_MS
"""A decoder's memory grows with its segment; speech or noise without a pause is cut here."""
_REOPEN_WITHIN_MS = 700
_REOPEN_UP_TO_FRAMES = 6_000 // FRAME_MS
_CATCH_UP_FRAMES = 6
_NOT_WORDS = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
_VARIANT = re.compile(r"\(\d+\)$")


class SphinxRecognizer:
    """Recognition with pocketsphinx and the language model of a pack.

    Streams take a decoder from a pool, which grows when several calls speak at once; a decoder
    needs about 100 MB and half a second to load.
    """

    def __init__(
        self,
        model: DomainModel,
        *,
        telephone: bool | None = None,
        reason: str = "asked for by name",
    ) -> None:
        self.name = "pocketsphinx en-us"
        self.reason = reason
        self.telephone = telephone
        self._model = model
        self._idle: list[Decoder] = [self._load()]
        self._lock = threading.Lock()

    def stream(self, expectation: Expectation = Expectation()) -> SphinxStream:  # noqa: B008
        """Begin a turn."""
        with self._lock:
            decoder = self._idle.pop() if self._idle else None
        decoder = decoder or self._load()
        # Without it the noise statistics of the turn before stay, and the same turn gets other
        # confidences.
        decoder.start_stream()
        search = _search_for(expectation.expects)
        decoder.activate_search(search)
        return SphinxStream(self, decoder, reopens=search is not None)

    def give_back(self, decoder: Decoder) -> None:
        """Take a decoder back for the next stream."""
        with self._lock:
            self._idle.append(decoder)

    def _load(self) -> Decoder:
        import pocketsphinx

        acoustic_model = Path(pocketsphinx.get_model_path("en-us/en-us"))
        decoder = open_decoder(acoustic_model, self._model.language_model, self._model.dictionary)
        decoder.add_lm_file(_NUMBER_SEARCH, str(self._model.number_model))
        decoder.add_lm_file(_EMAIL_SEARCH, str(self._model.email_model))
        decoder.add_keyphrase(CHANNEL_SEARCH, "hello")
        return decoder


def _search_for(expects: frozenset[str]) -> str | None:
    """The decoder's search for what was asked: a number or an e-mail address is spelled, and a
    language model that expects it hears twice as many digits right."""
    if "email" in expects:
        return _EMAIL_SEARCH
    return _NUMBER_SEARCH if expects & _NUMBERS else None


@dataclass(frozen=True, slots=True)
class _Closed:
    """The last closed segment: its sound, and where its words begin in the turn's."""

    samples: list[Pcm]
    start_ms: int
    end_ms: int
    first_word: int
    voiced_before_ms: int


class SphinxStream:
    """One turn being recognised."""

    def __init__(self, recognizer: SphinxRecognizer, decoder: Decoder, *, reopens: bool) -> None:
        self._recognizer = recognizer
        self._decoder = decoder
        self._words: list[Word] = []
        self._waiting: deque[AudioFrame] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._front_end: FrontEnd | None = None
        self._run = 0
        self._open = False
        self._segment_ms = 0
        self._voiced_before_ms = 0
        self._voiced = VoicedCounter()
        self._segment: list[Pcm] = []
        self._backlog: deque[Pcm] = deque()
        self._closed: _Closed | None = None
        self._reopens = reopens
        self._freed = False

    def accept(self, frame: AudioFrame) -> None:
        """Take the next frame."""
        self._run = self._run + 1 if self._voiced.accept(frame.samples) else 0
        if not self._open:
            self._waiting.append(frame)
            if self._run >= _OPEN_AFTER_VOICED:
                self._begin()
            return
        self._segment.append(frame.samples)
        self._backlog.append(frame.samples)
        if self._front_end is not None:
            self._catch_up(_CATCH_UP_FRAMES)
        elif len(self._backlog) >= _GATHER_FRAMES:
            self._settle()
        if len(self._segment) >= _LONGEST_SEGMENT_FRAMES:
            self._end()

    def partial(self) -> str:
        """The words so far; may change."""
        words = [word.text for word in self._words]
        decoding = self._open and self._front_end is not None
        if decoding:
            words += [_VARIANT.sub("", word) for word in self._decoder.words().split()]
        return " ".join(words)

    def final(self) -> Transcript:
        """The words of everything accepted so far; closes the open segment."""
        if self._open:
            self._end()
        text = " ".join(word.text for word in self._words)
        confidence = float(np.mean([w.confidence for w in self._words])) if self._words else 0.0
        return Transcript(text, tuple(self._words), confidence, self._recognizer.name)

    def close(self) -> None:
        """Give the decoder back."""
        if self._freed:
            return
        if self._open and self._front_end is not None:
            self._decoder.end_utt()
        self._open = False
        self._recognizer.give_back(self._decoder)
        self._freed = True

    def _begin(self) -> None:
        self._open = True
        waiting = [frame.samples for frame in self._waiting]
        begins_ms = self._waiting[0].start_ms
        self._waiting.clear()
        closed = self._closed
        if closed is not None and self._goes_on(closed, begins_ms):
            silence = np.zeros((begins_ms - closed.end_ms) * RATE_HZ // 1000, np.int16)
            between = [frame.samples for frame in frames_of(silence)]
            self._segment = [*closed.samples, *between, *waiting]
            self._segment_ms = closed.start_ms
            self._voiced_before_ms = closed.voiced_before_ms
            del self._words[closed.first_word :]
        else:
            self._segment = waiting
            self._segment_ms = begins_ms
            self._voiced_before_ms = self._voiced.voiced_ms - self._run * FRAME_MS
        self._backlog.extend(self._segment)
        if self._front_end is not None:
            self._front_end.begin()
            self._catch_up(_CATCH_UP_FRAMES)

    def _goes_on(self, closed: _Closed, begins_ms: int) -> bool:
        """Whether what begins now belongs to the number or address of the closed segment."""
        soon = 0 <= begins_ms - closed.end_ms <= _REOPEN_WITHIN_MS
        return self._reopens and soon and len(closed.samples) <= _REOPEN_UP_TO_FRAMES

    def _settle(self) -> FrontEnd:
        """Enough is heard to know the channel: choose the front end and catch up."""
        heard = np.concatenate(self._backlog)
        front_end = open_front_end(self._decoder, heard, self._recognizer.telephone)
        front_end.begin()
        self._front_end = front_end
        self._catch_up(len(self._backlog))
        return front_end

    def _catch_up(self, frames: int) -> None:
        """Decode so many frames of what was heard and not yet decoded."""
        taken = [self._backlog.popleft() for _ in range(min(frames, len(self._backlog)))]
        if taken and self._front_end is not None:
            self._front_end.feed(np.concatenate(taken))

    def _end(self) -> None:
        front_end = self._front_end or self._settle()
        self._catch_up(len(self._backlog))
        front_end.flush()
        self._decoder.end_utt()
        self._open = False
        self._run = 0
        heard, self._segment = self._segment, []
        self._closed = _Closed(
            heard,
            self._segment_ms,
            self._segment_ms + len(heard) * FRAME_MS,
            len(self._words),
            self._voiced_before_ms,
        )
        voiced_ms = self._voiced.voiced_ms - self._voiced_before_ms
        if voiced_ms < MIN_VOICED_MS or not has_speech(
            np.concatenate(heard), telephone=front_end.telephone
        ):
            return
        for segment in self._decoder.seg():
            if _NOT_WORDS.match(segment.word):
                continue
            self._words.append(
                Word(
                    _VARIANT.sub("", segment.word),
                    self._segment_ms + segment.start_frame * _FRAME_MS,
                    self._segment_ms + (segment.end_frame + 1) * _FRAME_MS,
                    min(1.0, segment.prob),
                )
            )


def frames_of(samples: Pcm, start_ms: int = 0) -> list[AudioFrame]:
    """Cut int16 samples at 16 kHz into 20 ms frames; the last one is filled with zeros."""
    size = RATE_HZ * FRAME_MS // 1000
    padded = np.pad(samples, (0, -len(samples) % size))
    return [
        AudioFrame(padded[i : i + size], start_ms + i * 1000 // RATE_HZ)
        for i in range(0, len(padded), size)
    ]
