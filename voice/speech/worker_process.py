"""The worker's side: `python -m voice.speech.worker_process MODULE:CLASS OPTIONS-AS-JSON`.

A thread reads requests, so that a cancellation is seen while a piece is being rendered; when the
parent goes away the reading ends, and with it the process.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from nlu.errors import AttuneError
from voice.speech.engine import Engine
from voice.speech.wire import Cancel, Failed, Finished, Ready, Sound, Speak, receive, send
from voice.types import Pcm, Word


class _Worker:
    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._requests: queue.SimpleQueue[Speak] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

    def serve(self, make_engine: Any) -> None:
        try:
            engine: Engine = make_engine()
        except (AttuneError, ImportError, OSError) as error:
            send(self._outgoing, Failed(-1, str(error)))
            return
        threading.Thread(target=self._read, daemon=True).start()
        send(self._outgoing, Ready(engine.name))
        while True:
            self._render(engine, self._requests.get())

    def _read(self) -> None:
        while (message := receive(self._incoming)) is not None:
            if isinstance(message, Cancel):
                self._cancelled.add(message.number)
            else:
                self._requests.put(message)
        os._exit(0)

    def _render(self, engine: Engine, request: Speak) -> None:
        number = request.number

        def emit(samples: Pcm, words: tuple[Word, ...]) -> bool:
            if number in self._cancelled:
                return False
            send(self._outgoing, Sound(number, samples.tobytes(), words))
            return True

        answer: Finished | Failed
        try:
            if number in self._cancelled:
                answer = Finished(number, None)
            else:
                rendered = engine.speak(request.text, request.delivery, emit, opens=request.opens)
                answer = Finished(number, rendered)
        except BrokenPipeError:
            os._exit(0)
        except AttuneError as error:
            answer = Failed(number, str(error))
        except Exception as error:  # the worker must outlive a bad text
            answer = Failed(number, f"the speech engine failed ({error}); try another wording.")
        self._cancelled.discard(number)
        send(self._outgoing, answer)


def main() -> None:
    """Load the engine named on the command line and serve until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A C library that prints would break the protocol: its standard output goes to the errors.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, name = sys.argv[1].partition(":")
    options = json.loads(sys.argv[2])
    worker = _Worker(sys.stdin.buffer, outgoing)
    try:
        worker.serve(lambda: getattr(importlib.import_module(module), name)(**options))
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
