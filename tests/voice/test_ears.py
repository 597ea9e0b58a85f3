"""One turn being heard: who gives up on a slow recogniser leaves it alone until it has ended."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nlu.types import Transcript
from voice.ears import StageClock, TurnEar
from voice.types import FRAME_SAMPLES, AudioFrame, Expectation


class SlowStream:
    """Ends only when it is told to; notes who came while it was at work."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.at_work = False
        self.log: list[str] = []

    def stream(self, expectation: Expectation) -> "SlowStream":
        return self

    def _enter(self, what: str) -> None:
        self.log.append(f"{what} while at work" if self.at_work else what)

    def accept(self, frame: AudioFrame) -> None:
        self._enter("accept")

    def partial(self) -> str:
        return ""

    def final(self) -> Transcript:
        self._enter("final")
        self.at_work = True
        self.may_end.wait(10)
        self.at_work = False
        return Transcript("late")

    def close(self) -> None:
        self._enter("close")


async def test_a_recogniser_that_was_given_up_on_is_closed_only_when_it_has_ended() -> None:
    stream = SlowStream()
    with ThreadPoolExecutor(4) as executor:
        ear = TurnEar(stream, Expectation(), None, executor, StageClock())  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ear.transcript(), 0.05)
        ear.hear(AudioFrame(np.zeros(FRAME_SAMPLES, np.int16), 0))
        later = asyncio.gather(ear.flush(), ear.close())
        await asyncio.sleep(0.05)
        assert stream.log == ["final"]
        stream.may_end.set()
        await later

    assert stream.log == ["final", "accept", "close"]


async def test_a_segment_that_is_still_open_is_ended_off_the_event_loop() -> None:
    """A decoder's last pass over it takes as long as three hundred packets of a call."""
    closed_in: list[str] = []

    class Stream(SlowStream):
        def close(self) -> None:
            closed_in.append(threading.current_thread().name)

    with ThreadPoolExecutor(1, thread_name_prefix="threads of a call") as executor:
        ear = TurnEar(Stream(), Expectation(), None, executor, StageClock())  # type: ignore[arg-type]
        ear.hear(AudioFrame(np.zeros(FRAME_SAMPLES, np.int16), 0))
        await ear.flush()
        await ear.close()

    assert [name.startswith("threads of a call") for name in closed_in] == [True]
