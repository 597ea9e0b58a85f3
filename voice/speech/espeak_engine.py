"""The espeak-ng voice as it runs in a worker process: settings, one correction of pace, sound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np

from dialogue.types import Delivery
from nlu.errors import AttuneError
from nlu.types import Samples
from voice.speech import calibration, espeak_driver
from voice.speech.calibration import EspeakSettings
from voice.speech.engine import Emit, Ending
from voice.speech.espeak_library import EVENT_CLAUSE_END, EVENT_WORD, Mark
from voice.speech.master import Master, mastered, pcm_of
from voice.speech.prosody import Measurement, measure
from voice.types import RATE_HZ, Pcm, Word

_OPENING_CHARACTERS = 40
"""The longest piece whose pace is measured and corrected while a listener waits for its first
sample: that takes two silent passes, 1.1 ms for each second of speech. A longer opening relies on
the table (mean error of pace 0.5 % against 0.3 %, `benchmarks/delivery.py`)."""

_TAIL = RATE_HZ // 100
_REMEMBERED = 512
_T = TypeVar("_T")
_OnSamples = Callable[[bytes, list[Mark]], bool]


class EspeakEngine:
    """espeak-ng behind pyttsx3. The library is global: one engine in a process."""

    def __init__(self, voice: str) -> None:
        import pyttsx3

        self._voice = voice
        self.name = f"espeak-ng {self._voice}"
        self._pyttsx3: Any = pyttsx3.init(espeak_driver.register())
        self._pyttsx3.connect("samples", self._on_samples)
        self._pyttsx3.connect("error", self._on_error)
        self._receiver: _OnSamples | None = None
        self._error: Exception | None = None
        self.rate_hz = 22_050
        self._calibration = calibration.load(self._voice)
        self._neutral: _Memory[Measurement] = _Memory()
        self._settings: _Memory[EspeakSettings] = _Memory()
        # The first use loads filters and code: nobody shall wait for that.
        self.speak("One, two.", Delivery(rate=0.9), lambda _samples, _words: True, opens=True)

    def speak(self, text: str, delivery: Delivery, emit: Emit, *, opens: bool) -> Ending | None:
        """Render one piece; see `Engine`."""
        settings = self._settings_for(text, delivery, opens=opens)
        stream = _Stream(text, Master(self.rate_hz, settings.gain_db), self.rate_hz, emit)
        self._run(text, settings, stream.push)
        tail = stream.finish()
        if tail is None:
            return None
        spoken = measure(stream.samples(), stream.words)
        if (delivery.rate, delivery.pitch_st, delivery.range, delivery.level_db) == (1, 0, 1, 0):
            self._neutral.keep(text, spoken)
            return Ending(tail, spoken, spoken)
        return Ending(tail, spoken, self._at_neutral(text))

    def _settings_for(self, text: str, delivery: Delivery, *, opens: bool) -> EspeakSettings:
        key = (text, delivery.rate, delivery.pitch_st, delivery.range, delivery.level_db, opens)
        settings = self._settings.get(key)
        if settings is None:
            settings = self._calibration.settings(delivery)
            if delivery.rate != 1 and not (opens and len(text) > _OPENING_CHARACTERS):
                settings = self._pace_corrected(text, delivery.rate, settings)
            self._settings.keep(key, settings)
        return settings

    def _pace_corrected(self, text: str, asked: float, settings: EspeakSettings) -> EspeakSettings:
        neutral = self._length(text, self._calibration.neutral)
        predicted = self._length(text, settings)
        if not neutral or not predicted:
            return settings
        return self._calibration.corrected(settings, asked, neutral / predicted)

    def _length(self, text: str, settings: EspeakSettings) -> int:
        """Where the last clause ends, in samples; the sound is dropped."""
        ends = [0]

        def note(_pcm: bytes, marks: list[Mark]) -> bool:
            ends.extend(mark.sample for mark in marks if mark.kind == EVENT_CLAUSE_END)
            return True

        self._run(text, settings, note)
        return ends[-1]

    def _at_neutral(self, text: str) -> Measurement:
        if (known := self._neutral.get(text)) is not None:
            return known
        settings = self._calibration.neutral
        samples, words = self.raw(text, settings)
        measured = measure(mastered(samples, self.rate_hz, settings.gain_db), words)
        self._neutral.keep(text, measured)
        return measured

    def raw(self, text: str, settings: EspeakSettings) -> tuple[Samples, int]:
        """The engine's own sound, float32 at `rate_hz`, and how many words it found."""
        blocks: list[bytes] = []
        words = 0

        def keep(pcm: bytes, marks: list[Mark]) -> bool:
            nonlocal words
            blocks.append(pcm)
            words += sum(mark.kind == EVENT_WORD for mark in marks)
            return True

        self._run(text, settings, keep)
        return _floats(blocks), words

    def _run(self, text: str, settings: EspeakSettings, receiver: _OnSamples) -> None:
        self._receiver, self._error = receiver, None
        engine = self._pyttsx3
        if engine.getProperty("voice") != self._voice:
            engine.setProperty("voice", self._voice)
        engine.setProperty("rate", settings.rate)
        engine.setProperty("pitch", settings.pitch)
        engine.setProperty("range", settings.range)
        engine.say(text)
        engine.runAndWait()
        if self._error is not None:
            raise self._error

    def _on_samples(self, name: str | None, pcm: bytes, marks: list[Mark], rate_hz: int) -> None:
        del name
        self.rate_hz = rate_hz
        if self._receiver is None or self._error is not None:
            return
        try:
            if not self._receiver(pcm, marks):
                self._pyttsx3.stop()
        except Exception as error:  # pyttsx3 would swallow it
            self._on_error(None, error)
            self._pyttsx3.stop()

    def _on_error(self, name: str | None, exception: Exception) -> None:
        del name
        known = isinstance(exception, (AttuneError, OSError))
        self._error = exception if known else AttuneError(f"espeak-ng failed: {exception}.")


class _Memory(Generic[_T]):
    """The values used last. What is remembered is what would be computed again."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, key: Hashable) -> _T | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def keep(self, key: Hashable, value: _T) -> None:
        self._values[key] = value
        while len(self._values) > _REMEMBERED:
            self._values.popitem(last=False)


def _floats(blocks: list[bytes]) -> Samples:
    pcm = np.frombuffer(b"".join(blocks), dtype=np.int16)
    return pcm.astype(np.float32) / np.float32(32768)


class _Stream:
    """Cuts the sound into chunks that begin at words, so that each carries the words in it."""

    def __init__(self, text: str, master: Master, rate_hz: int, emit: Emit) -> None:
        self._text = text
        self._master = master
        self._rate_hz = rate_hz
        self._emit = emit
        self._raw: list[bytes] = []
        self._waiting: list[Samples] = []
        self._sent: list[Samples] = []
        self._sent_samples = 0
        self._begun: list[Mark] = []
        self._end = 0
        self._listening = True
        self.words = 0

    def push(self, pcm: bytes, marks: list[Mark]) -> bool:
        """Take what the engine made."""
        self._raw.append(pcm)
        for mark in marks:
            if mark.kind == EVENT_WORD:
                if self._begun and mark.sample > self._begun[-1].sample:
                    self._master_raw()
                    self._flush(mark.sample)
                self._begun.append(mark)
                self.words += 1
            elif mark.kind == EVENT_CLAUSE_END:
                self._end = mark.sample
        return self._listening

    def finish(self) -> Pcm | None:
        """Hand over what is left but the last milliseconds, which are returned; None when the
        listener has gone."""
        if not self._listening:
            return None
        self._master_raw(last=True)
        rest = np.concatenate([np.zeros(0, dtype=np.float32), *self._waiting])
        body, tail = np.split(rest, [max(0, len(rest) - _TAIL)])
        self._waiting = [body]
        self._flush(self._end, everything=True)
        self._sent.append(tail)
        return pcm_of(tail) if self._listening else None

    def samples(self) -> Samples:
        """All that was handed over."""
        return np.concatenate(self._sent) if self._sent else np.zeros(0, dtype=np.float32)

    def _master_raw(self, *, last: bool = False) -> None:
        samples = self._master.push(_floats(self._raw), last=last)
        self._raw = []
        if len(samples):
            self._waiting.append(samples)

    def _flush(self, next_word: int, *, everything: bool = False) -> None:
        """Send the sound up to `next_word`, with the words that have begun."""
        if not self._waiting or not self._listening:
            return
        ready = np.concatenate(self._waiting)
        cut = len(ready)
        if not everything:
            place = round(next_word * RATE_HZ / self._rate_hz) - self._master.lead_samples
            cut = min(cut, max(0, place - self._sent_samples))
        starts = [mark.sample for mark in self._begun] + [next_word]
        words = tuple(
            Word(self._said(mark), self._ms(start), self._ms(end), 1.0)
            for mark, start, end in zip(self._begun, starts, starts[1:], strict=False)
        )
        self._waiting, self._begun = [ready[cut:]], []
        self._sent.append(ready[:cut])
        self._sent_samples += cut
        self._listening = self._emit(pcm_of(ready[:cut]), words)

    def _said(self, mark: Mark) -> str:
        return self._text[mark.offset : mark.offset + mark.length]

    def _ms(self, sample: int) -> int:
        lead = self._master.lead_samples * 1000 / RATE_HZ
        return max(0, round(sample * 1000 / self._rate_hz - lead))
