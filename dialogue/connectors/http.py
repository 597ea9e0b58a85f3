"""A business behind HTTP: signed requests, deadlines, and retries only where they are safe."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from dialogue.connectors.protocol import UNAVAILABLE, UNKNOWN_RESULT
from dialogue.frames import ReadResult
from dialogue.packs import format as packs
from dialogue.types import Effect, EffectResult
from nlu.errors import AttuneError

_MOST_BYTES = 256 * 1024
"""An answer beyond this is nonsense for a spoken sentence and is not read to its end."""
_BACKOFF_S = 0.05


def signature(secret: str, method: str, target: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256, in hex, over `METHOD\\ntarget\\ntimestamp\\nsha256(body)`."""
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((method, target, timestamp, digest)).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class HttpConnector:
    """Calls a service as a pack describes it.

    Reads are repeated after a failure. Effects are repeated only when they surely did not arrive
    (no connection was made), or when the service honours the `Idempotency-Key` header; otherwise
    a lost answer is `unknown_result`, for a human to look at.

    Raises:
        AttuneError: the environment variable of the signing secret is not set.
    """

    def __init__(
        self,
        settings: packs.HttpConnector,
        *,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = ""
        if settings.secret_env is not None:
            self._secret = environment.get(settings.secret_env, "")
            if not self._secret:
                raise AttuneError(
                    f"the environment variable {settings.secret_env} is not set; put the signing"
                    f" secret of {settings.url} there"
                )
        self._client = httpx.Client(
            timeout=httpx.Timeout(settings.timeout_s), follow_redirects=False, trust_env=False
        )

    def read(self, action: packs.Action, values: Mapping[str, Any]) -> ReadResult:
        """See `Connector.read`."""
        if action.http is None:
            return ReadResult(problem=UNAVAILABLE)
        answer = self._ask(action.http, values, key=None, repeatable=True)
        return ReadResult(answer.facts, answer.problem)

    def carry_out(
        self, action: packs.Action, effect: Effect, values: Mapping[str, Any]
    ) -> EffectResult:
        """See `Connector.carry_out`."""
        if action.http is None:
            return EffectResult(effect, False, problem=UNAVAILABLE)
        answer = self._ask(action.http, values, effect.key, self._settings.idempotent)
        return EffectResult(effect, answer.problem is None, answer.facts, answer.problem)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(
        self, operation: packs.Http, values: Mapping[str, Any], key: str | None, repeatable: bool
    ) -> ReadResult:
        deadline = time.monotonic() + self._settings.timeout_s * 2
        result = ReadResult(problem=UNAVAILABLE)
        for attempt in range(self._settings.retries + 1):
            if attempt:
                pause = _BACKOFF_S * 2 ** (attempt - 1)
                if time.monotonic() + pause >= deadline:
                    break
                time.sleep(pause)
            result, again = self._try(operation, values, key, repeatable)
            if not again:
                break
        return result

    def _try(
        self, operation: packs.Http, values: Mapping[str, Any], key: str | None, repeatable: bool
    ) -> tuple[ReadResult, bool]:
        """One request: what it told, and whether it is safe to send it again."""
        in_doubt = UNAVAILABLE if key is None else UNKNOWN_RESULT
        request = self._request(operation, values, key)
        try:
            status, content = self._send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return ReadResult(problem=UNAVAILABLE), True
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, _NonsenseError):
            return ReadResult(problem=in_doubt), repeatable
        if status in operation.problems:
            return ReadResult(problem=operation.problems[status]), False
        if status in (429, 503):
            return ReadResult(problem=UNAVAILABLE), repeatable
        if status >= 500:
            return ReadResult(problem=in_doubt), repeatable
        if not 200 <= status < 300:
            return ReadResult(problem=UNAVAILABLE), False
        try:
            return ReadResult(_facts(operation, content)), False
        except _NonsenseError:
            return ReadResult(problem=in_doubt), repeatable

    def _request(
        self, operation: packs.Http, values: Mapping[str, Any], key: str | None
    ) -> httpx.Request:
        path = re.sub(
            r"\{(\w+)\}", lambda name: quote(str(values.get(name[1], "")), safe=""), operation.path
        )
        body = b""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if operation.body:
            wanted = {name: values.get(name) for name in operation.body}
            body = json.dumps(wanted, sort_keys=True).encode()
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        url = self._settings.url.rstrip("/") + path
        request = self._client.build_request(operation.method, url, content=body, headers=headers)
        if self._secret:
            timestamp = str(int(self._clock()))
            target = request.url.raw_path.decode("ascii")
            request.headers["X-Attune-Timestamp"] = timestamp
            request.headers["X-Attune-Signature"] = signature(
                self._secret, operation.method, target, timestamp, body
            )
        return request

    def _send(self, request: httpx.Request) -> tuple[int, bytes]:
        """Status and body within the deadline, however slowly the bytes drip.

        A library's timeouts count from byte to byte, so the request gets a thread of its own,
        which is left behind when the deadline has passed.
        """
        answers: queue.SimpleQueue[tuple[int, bytes] | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._fetch, args=(request, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=self._settings.timeout_s)
        except queue.Empty:
            raise httpx.ReadTimeout("the deadline has passed", request=request) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _fetch(
        self, request: httpx.Request, answers: queue.SimpleQueue[tuple[int, bytes] | Exception]
    ) -> None:
        ends = time.monotonic() + self._settings.timeout_s
        try:
            response = self._client.send(request, stream=True)
            try:
                content = b""
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > _MOST_BYTES or time.monotonic() > ends:
                        raise _NonsenseError
                answers.put((response.status_code, content))
            finally:
                response.close()
        except Exception as error:
            answers.put(error)


class _NonsenseError(Exception):
    """An answer that cannot be used: too long, too slow, no JSON, or without the facts."""


def _facts(operation: packs.Http, content: bytes) -> dict[str, Any]:
    if not operation.facts:
        return {}
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise _NonsenseError from None
    facts = {}
    for fact, where in operation.facts.items():
        value: Any = answer
        for step in where.split("."):
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                value = None
        if isinstance(value, str | int | float | bool):
            facts[fact] = value
    if not facts:
        raise _NonsenseError
    return facts
