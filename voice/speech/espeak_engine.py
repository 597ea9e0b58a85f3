"""The espeak-ng voice as it runs in a worker process: settings, one correction of pace, sound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

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

_LISTEN_S = 2.5
"""How much of a piece the pace is measured on while a listener waits for the first sample."""

_TAIL = RATE_HZ // 100
_REMEMBERED = 512
_NEUTRAL = Delivery()
_OnSamples = Callable[[Samples, list[Mark]], bool]


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
        self._neutral: OrderedDict[str, Measurement] = OrderedDict()
        # The first use loads filters and code: nobody shall wait for that.
        self.speak("One, two.", Delivery(rate=0.9), lambda _samples, _words: True, opens=True)

    def speak(self, text: str, delivery: Delivery, emit: Emit, *, opens: bool) -> Ending | None:
        """Render one piece; see `Engine`."""
        settings = self._calibration.settings(delivery)
        if delivery.rate != 1:
            settings = self._pace_corrected(text, delivery.rate, settings, opens=opens)
        stream = _Stream(text, Master(self.rate_hz, settings.gain_db), self.rate_hz, emit)
        self._run(text, settings, stream.push)
        tail = stream.finish()
        if tail is None:
            return None
        spoken = measure(stream.samples(), stream.words)
        if (delivery.rate, delivery.pitch_st, delivery.range, delivery.level_db) == (1, 0, 1, 0):
            self._remember(text, spoken)
            return Ending(tail, spoken, spoken)
        return Ending(tail, spoken, self._at_neutral(text))

    def _pace_corrected(
        self, text: str, asked: float, settings: EspeakSettings, *, opens: bool
    ) -> EspeakSettings:
        limit = _LISTEN_S if opens else None
        neutral = self._times(text, self._calibration.neutral, limit)
        predicted = self._times(text, settings, limit)
        common = min(len(neutral), len(predicted))
        if common == 0 or predicted[common - 1] <= 0:
            return settings
        got = neutral[common - 1] / predicted[common - 1]
        return self._calibration.corrected(settings, asked, got)

    def _times(self, text: str, settings: EspeakSettings, limit_s: float | None) -> list[int]:
        """When words begin and clauses end, in samples, without keeping the sound."""
        times: list[int] = []

        def note(_samples: Samples, marks: list[Mark]) -> bool:
            times.extend(mark.sample for mark in marks)
            return limit_s is None or not times or times[-1] < limit_s * self.rate_hz

        self._run(text, settings, note)
        return times

    def _at_neutral(self, text: str) -> Measurement:
        if text in self._neutral:
            self._neutral.move_to_end(text)
            return self._neutral[text]
        settings = self._calibration.neutral
        samples, words = self.raw(text, settings)
        measured = measure(mastered(samples, self.rate_hz, settings.gain_db), words)
        self._remember(text, measured)
        return measured

    def raw(self, text: str, settings: EspeakSettings) -> tuple[Samples, int]:
        """The engine's own sound, float32 at `rate_hz`, and how many words it found."""
        blocks: list[Samples] = [np.zeros(0, dtype=np.float32)]
        words = 0

        def keep(samples: Samples, marks: list[Mark]) -> bool:
            nonlocal words
            blocks.append(samples)
            words += sum(mark.kind == EVENT_WORD for mark in marks)
            return True

        self._run(text, settings, keep)
        return np.concatenate(blocks), words

    def _remember(self, text: str, measured: Measurement) -> None:
        self._neutral[text] = measured
        while len(self._neutral) > _REMEMBERED:
            self._neutral.popitem(last=False)

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
        samples = np.frombuffer(pcm, dtype=np.int16).astype(np.float32) / np.float32(32768)
        try:
            if not self._receiver(samples, marks):
                self._pyttsx3.stop()
        except Exception as error:  # pyttsx3 would swallow it
            self._on_error(None, error)
            self._pyttsx3.stop()

    def _on_error(self, name: str | None, exception: Exception) -> None:
        del name
        known = isinstance(exception, (AttuneError, OSError))
        self._error = exception if known else AttuneError(f"espeak-ng failed: {exception}.")


class _Stream:
    """Cuts the sound into chunks that begin at words, so that each carries the words in it."""

    def __init__(self, text: str, master: Master, rate_hz: int, emit: Emit) -> None:
        self._text = text
        self._master = master
        self._rate_hz = rate_hz
        self._emit = emit
        self._waiting: list[Samples] = []
        self._sent: list[Samples] = []
        self._begun: list[Mark] = []
        self._end = 0
        self._listening = True
        self.words = 0

    def push(self, samples: Samples, marks: list[Mark]) -> bool:
        """Take what the engine made."""
        self._keep(self._master.push(samples))
        for mark in marks:
            if mark.kind == EVENT_WORD:
                if self._begun and mark.sample > self._begun[-1].sample:
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
        self._keep(self._master.push(np.zeros(0, dtype=np.float32), last=True))
        rest = np.concatenate([np.zeros(0, dtype=np.float32), *self._waiting])
        body, tail = np.split(rest, [max(0, len(rest) - _TAIL)])
        self._waiting = [body]
        self._flush(self._end)
        self._sent.append(tail)
        return pcm_of(tail) if self._listening else None

    def samples(self) -> Samples:
        """All that was handed over."""
        return np.concatenate(self._sent) if self._sent else np.zeros(0, dtype=np.float32)

    def _keep(self, samples: Samples) -> None:
        if len(samples):
            self._waiting.append(samples)

    def _flush(self, next_word: int) -> None:
        """Send what is ready, with the words that have begun; the next begins at `next_word`."""
        if not self._waiting or not self._listening:
            return
        ready = np.concatenate(self._waiting)
        starts = [mark.sample for mark in self._begun] + [next_word]
        words = tuple(
            Word(self._said(mark), self._ms(start), self._ms(end), 1.0)
            for mark, start, end in zip(self._begun, starts, starts[1:], strict=False)
        )
        self._waiting, self._begun = [], []
        self._sent.append(ready)
        self._listening = self._emit(pcm_of(ready), words)

    def _said(self, mark: Mark) -> str:
        return self._text[mark.offset : mark.offset + mark.length]

    def _ms(self, sample: int) -> int:
        lead = self._master.lead_samples * 1000 / RATE_HZ
        return max(0, round(sample * 1000 / self._rate_hz - lead))
