"""Attune's voice activity, recogniser, mind and voice as services of a Pipecat pipeline.

Written as its documentation shows: a transport, `VADProcessor`, a streaming STT service that
delivers a finalised transcript, `UserTurnProcessor` with the default strategies (VAD and
transcription start a turn, Smart Turn v3 ends it), a processor in the language model's place, a TTS
service. What blocks runs in threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime

import numpy as np
from live_caller import LiveCaller
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from dialogue.conversation import Conversation
from dialogue.regulation import load as load_regulations
from dialogue.types import ConsentState, Delivery, Purpose
from nlu.types import CallerAudio, Transcript
from voice.audio import to_float
from voice.engines import Engines
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector

BEFORE_FRAMES = 25
"""Audio kept from before the detector's verdict, which comes 200 ms after speech began."""
GRANTED = {Purpose.EMOTION_VOICE: ConsentState.GRANTED}


class Ears(BaseInputTransport):
    """The caller's frames, as they come."""

    def __init__(self, caller: LiveCaller) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=RATE_HZ))
        self._caller = caller
        self.hung_up: Callable[[], Awaitable[None]]

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._listening = self.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self._caller.frames():
            heard = InputAudioRawFrame(frame.samples.tobytes(), RATE_HZ, 1)
            await self.push_audio_frame(heard)
        await self.hung_up()


class Mouth(BaseOutputTransport):
    """What the bot says, at the pace at which it is heard."""

    def __init__(self, caller: LiveCaller) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE_HZ))
        self._caller = caller
        self._free_at = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self._caller.clear()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = asyncio.get_running_loop().time()
        samples = np.frombuffer(frame.audio, np.int16)
        self._free_at = max(now, self._free_at) + len(samples) / RATE_HZ
        await self._caller.play(samples)
        # A device's buffer is short: the next piece is taken when this one is nearly played.
        await asyncio.sleep(max(0.0, self._free_at - now - 0.04))
        return True


class Activity(VADAnalyzer):
    """Attune's speech detector; Pipecat's own start and stop times."""

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE_HZ, params=VADParams(min_volume=0.0))
        self._detector = SpeechDetector()
        self._at_ms = 0

    def num_frames_required(self) -> int:
        return FRAME_SAMPLES

    def voice_confidence(self, buffer: bytes) -> float:
        frame = AudioFrame(np.frombuffer(buffer, np.int16), self._at_ms)
        self._at_ms = frame.end_ms
        return float(self._detector.push(frame).speech)


class Recognition(STTService):
    """Attune's recogniser as a stream: decodes while the caller speaks, ends where the VAD does."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(
            sample_rate=RATE_HZ,
            ttfs_p99_latency=1.0,
            settings=STTSettings(model=None, language=None),
        )
        self._recognizer = engines.recognizer
        self._stream = None
        self._before: deque[bytes] = deque(maxlen=BEFORE_FRAMES)
        self.heard: list[bytes] = []

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        self._before.append(audio)
        if self._stream is not None:
            await self._accept([audio])
        yield None

    async def _accept(self, pieces: list[bytes]) -> None:
        self.heard += pieces
        stream = self._stream
        frames = [AudioFrame(np.frombuffer(piece, np.int16), 0) for piece in pieces]
        await asyncio.to_thread(lambda: [stream.accept(frame) for frame in frames])

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame) and self._stream is None:
            self._stream = self._recognizer.stream()
            await self._accept(list(self._before))
        elif isinstance(frame, VADUserStoppedSpeakingFrame) and self._stream is not None:
            stream, self._stream = self._stream, None
            transcript = await asyncio.to_thread(stream.final)
            stream.close()
            if transcript.text:
                now = datetime.now(UTC).isoformat()
                told = TranscriptionFrame(transcript.text, "", now, finalized=True)
                told.result = transcript
                await self.push_frame(told)


class Mind(FrameProcessor):
    """Attune's understanding and dialogue where a language model would stand."""

    def __init__(self, engines: Engines, ears: Recognition, call: str) -> None:
        super().__init__()
        self._engines, self._ears = engines, ears
        self.conversation = Conversation(
            engines.pack,
            engines.store.context(None, now=datetime.now(UTC), but_call=call),
            regulation=load_regulations().row("US-NY"),
            call_id=call,
            store=engines.store,
            consents=GRANTED,
            channel="benchmark",
            started_at=datetime.now(UTC),
        )
        self._said: list[Transcript] = []
        self._speaking = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self._said.append(frame.result)
        elif isinstance(frame, UserStoppedSpeakingFrame) and self._said:
            said, self._said = self._said, []
            heard, self._ears.heard = b"".join(self._ears.heard), []
            clauses = await asyncio.to_thread(self._answer, said, heard)
            await self.push_frame(LLMFullResponseStartFrame())
            for clause in clauses:
                await self.push_frame(LLMTextFrame(clause + " "))
            await self.push_frame(LLMFullResponseEndFrame())
        await self.push_frame(frame, direction)

    def _answer(self, said: list[Transcript], heard: bytes) -> list[str]:
        words = tuple(word for one in said for word in one.words)
        confidence = sum(one.confidence for one in said) / len(said)
        text = " ".join(one.text for one in said)
        transcript = Transcript(text, words, confidence, said[0].engine)
        talk = self.conversation
        audio = CallerAudio(to_float(np.frombuffer(heard, np.int16)), RATE_HZ)
        understanding = self._engines.mind.understand(
            transcript, audio=audio, so_far=talk.so_far(), grants=talk.grants
        )
        decision = talk.commit(talk.decide(understanding, now=datetime.now(UTC)))
        return [clause.text for clause in decision.reply.clauses if clause.text]


class Voice(TTSService):
    """Attune's synthesiser, a sentence at a time."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(
            sample_rate=RATE_HZ,
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._synthesizer = engines.synthesizer

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        chunks = iter(self._synthesizer.speak(text, Delivery()))
        while True:
            chunk = await asyncio.to_thread(next, chunks, None)
            if chunk is None:
                return
            yield TTSAudioRawFrame(chunk.samples.tobytes(), RATE_HZ, 1, context_id=context_id)


async def hold(engines: Engines, caller: LiveCaller, call: str, *, smart_turn: bool = True) -> None:
    """One call on a pipeline of its own, until the caller hangs up.

    Without `smart_turn` silence alone ends a turn, after Pipecat's own time for that.
    """
    ears = Recognition(engines)
    mind = Mind(engines, ears, call)
    line = Ears(caller)
    silence = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()])
    pipeline = Pipeline(
        [
            line,
            VADProcessor(vad_analyzer=Activity()),
            ears,
            UserTurnProcessor(user_turn_strategies=None if smart_turn else silence),
            mind,
            Voice(engines),
            Mouth(caller),
        ]
    )
    params = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    worker = PipelineWorker(pipeline, params=params, enable_rtvi=False, idle_timeout_secs=None)
    line.hung_up = worker.cancel
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    mind.conversation.close()
