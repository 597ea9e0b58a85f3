"""Other words for a reply from an OpenAI-compatible chat endpoint, behind the same door.

The model is given the strategy, the facts and the phrases, and may only reword them. What it
returns passes the same checks as everything else the assistant says, within a deadline; otherwise
the phrases are spoken as they are. Lines with codes, sums and dates are never sent.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx

from dialogue import honesty
from dialogue.rendering import SLOW_SENTENCE_WORDS, Piece
from nlu.errors import AttuneError

_log = logging.getLogger(__name__)

_MOST_BYTES = 20_000
_KEPT_ANSWERS = 64

_INSTRUCTIONS = (
    "You reword what a voice assistant says on the telephone. You get JSON: a strategy, and lines"
    ' with an id, a kind and a text. Return JSON only: {"lines": [{"id": ..., "text": ...}]},'
    " the same ids in the same order. Change wording, never meaning."
    " Add no fact, figure, name, promise, offer, question or apology. Do not say"
    " what the caller feels. Use I, short sentences, plain spoken English, no markup. Do not make a"
    " line longer than its text."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model answers. `url` is the base, as in `http://localhost:8000/v1`."""

    url: str
    model: str
    key: str | None = None
    deadline_s: float = 0.6
    """For the whole answer, streamed or not."""


class LanguageModel:
    """A rewriter for `Conversation(rewriter=...)`. Never raises while a call is running.

    The same pieces get the same words for as long as the conversation lasts, so that a decision
    that is drafted twice is worded once.
    """

    def __init__(self, endpoint: Endpoint, client: httpx.Client | None = None) -> None:
        if not re.match(r"https?://", endpoint.url):
            raise AttuneError(
                f"language model: '{endpoint.url}' is no address; write http:// or https://, host"
                " and path, as in http://localhost:8000/v1."
            )
        self._endpoint = endpoint
        self._client = client or httpx.Client(timeout=endpoint.deadline_s)
        self._threads = ThreadPoolExecutor(2, "language-model")
        self._answers: dict[str, tuple[Piece, ...] | None] = {}
        self.refusals: list[str] = []
        """Why drafts were not used, latest last."""

    def reword(
        self, pieces: tuple[Piece, ...], strategy: str, facts: Mapping[str, str]
    ) -> tuple[Piece, ...] | None:
        """Other words for `pieces`, checked; None when they are not to be used."""
        plain = [piece for piece in pieces if _may_change(piece)]
        if not plain:
            return None
        key = json.dumps([strategy, [piece.text for piece in pieces]])
        if key not in self._answers:
            if len(self._answers) >= _KEPT_ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = self._attempt(pieces, strategy, facts)
        return self._answers[key]

    def close(self) -> None:
        """Close the connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _attempt(
        self, pieces: tuple[Piece, ...], strategy: str, facts: Mapping[str, str]
    ) -> tuple[Piece, ...] | None:
        try:
            # The client's own timeouts hold for each read; only waiting from outside bounds all.
            asked = self._threads.submit(self._ask, pieces, strategy)
            texts = _texts(asked.result(self._endpoint.deadline_s), pieces)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self._refuse(str(error) or type(error).__name__)
            return None
        reworded = tuple(
            replace(piece, text=texts[place], written=None) if place in texts else piece
            for place, piece in enumerate(pieces)
        )
        problems = check(reworded, pieces, facts.values())
        if problems:
            self._refuse("; ".join(problems))
            return None
        return reworded

    def _refuse(self, why: str) -> None:
        self.refusals = [*self.refusals[-99:], why]
        _log.info("the language model's wording was not used: %s", why)

    def _ask(self, pieces: Sequence[Piece], strategy: str) -> str:
        """The model's answer as text. Raises on every kind of failure, and past the deadline."""
        lines = [
            {"id": place, "kind": piece.kind, "text": piece.text}
            for place, piece in enumerate(pieces)
            if _may_change(piece)
        ]
        body = {
            "model": self._endpoint.model,
            "temperature": 0,
            "stream": True,
            "messages": [
                {"role": "system", "content": _INSTRUCTIONS},
                {"role": "user", "content": json.dumps({"strategy": strategy, "lines": lines})},
            ],
        }
        headers = {"Authorization": f"Bearer {self._endpoint.key}"} if self._endpoint.key else {}
        ends_at = time.monotonic() + self._endpoint.deadline_s
        url = self._endpoint.url.rstrip("/") + "/chat/completions"
        with self._client.stream("POST", url, json=body, headers=headers) as response:
            response.raise_for_status()
            raw = _read(response, ends_at)
        kind = response.headers.get("content-type", "")
        return _streamed(raw) if "event-stream" in kind else _whole(raw)


def check(
    reworded: Sequence[Piece], pieces: Sequence[Piece], facts: Iterable[str]
) -> tuple[str, ...]:
    """Why `reworded` may not be said in place of `pieces`; empty when it may.

    The draft sets the limits: its facts, promises, questions, apologies, empathy and length.
    """
    new = " ".join(piece.text for piece in reworded)
    old = " ".join(piece.text for piece in pieces)
    problems = list(honesty.forbidden(new, old))
    if invented := honesty.invented(new, (*facts, old)):
        problems.append(f"invents {', '.join(invented)}")
    if lost := honesty.claims(old) - honesty.claims(new):
        problems.append(f"leaves out {', '.join(sorted(lost))}")
    if honesty.apologies(new) > honesty.apologies(old):
        problems.append("apologises more than the draft")
    if honesty.empathic_words(new) > honesty.empathic_words(old):
        problems.append("spends more empathy than the draft")
    if not any(piece.kind == "empathy" for piece in pieces) and (
        honesty.names_feeling(new) and not honesty.names_feeling(old)
    ):
        problems.append("names a feeling")
    if honesty.count_words(new) > honesty.count_words(old) * 1.2 + 3:
        problems.append("is longer than the draft")
    longest = max((honesty.count_words(part) for part in honesty.sentences(old)), default=0)
    limit = max(SLOW_SENTENCE_WORDS, longest)
    if any(honesty.count_words(part) > limit for part in honesty.sentences(new)):
        problems.append(f"has a sentence of more than {limit} words")
    if any(not piece.text.strip() for piece in reworded):
        problems.append("leaves a line empty")
    return tuple(problems)


def _may_change(piece: Piece) -> bool:
    """Codes, sums and dates are said exactly as they are."""
    return not piece.slow and not piece.group and piece.written is None


def _read(response: httpx.Response, ends_at: float) -> bytes:
    raw = b""
    for part in response.iter_bytes():
        raw += part
        if time.monotonic() > ends_at:
            raise TimeoutError("the answer took too long")
        if len(raw) > _MOST_BYTES:
            raise ValueError("the answer is too long")
    return raw


def _streamed(raw: bytes) -> str:
    text = ""
    for line in raw.decode("utf-8", "replace").splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        text += _content(json.loads(data), "delta")
    return text


def _whole(raw: bytes) -> str:
    return _content(json.loads(raw), "message")


def _content(answer: Any, part: str) -> str:
    try:
        content = answer["choices"][0][part].get("content") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("the answer has not the form of a chat completion") from None
    if not isinstance(content, str):
        raise ValueError("the answer's content is no text")
    return content


def _texts(content: str, pieces: Sequence[Piece]) -> dict[int, str]:
    """Piece number -> its new text.

    Raises:
        ValueError: not exactly the lines that were sent.
    """
    found = re.search(r"\{.*\}", content, re.S)
    answer = json.loads(found.group()) if found else None
    lines = answer.get("lines") if isinstance(answer, dict) else None
    if not isinstance(lines, list):
        raise ValueError("the answer holds no lines")
    texts: dict[int, str] = {}
    for line in lines:
        if not isinstance(line, dict) or not isinstance(line.get("text"), str):
            raise ValueError("a line of the answer holds no text")
        texts[line.get("id", -1)] = " ".join(line["text"].split())
    wanted = [place for place, piece in enumerate(pieces) if _may_change(piece)]
    if list(texts) != wanted:
        raise ValueError("the answer has other lines than the draft")
    return texts
