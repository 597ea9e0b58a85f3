"""The optional rewording: used when it keeps every promise, dropped when it does not.

The model is a real HTTP server on the loopback interface that streams, stalls, lies and breaks.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dialogue.conversation import Conversation
from dialogue.language_model import Endpoint, LanguageModel, check
from dialogue.rendering import Piece
from dialogue.types import CustomerContext
from nlu.errors import AttuneError
from tests.dialogue.turns import WEDNESDAY, turn

PIECES = (
    Piece("I'm sorry about that.", "empathy", move="apologise_event"),
    Piece("I'll look it up first, and then I'll tell you exactly what I can do.", "action"),
    Piece("Your reference is 7 0 3,", "fact", "Your reference is 70315", True, True),
    Piece("1 5.", "fact", ".", True),
    Piece("What's the order number?", "question"),
)
GOOD = {
    0: "I'm sorry for that.",
    1: "First I'll find it, and then I'll say exactly what I can do.",
    4: "Which order number is it?",
}


def completion(lines: dict[int, str]) -> str:
    return json.dumps({"lines": [{"id": number, "text": text} for number, text in lines.items()]})


def whole(handler: BaseHTTPRequestHandler, content: object, status: int = 200) -> None:
    body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def streamed(handler: BaseHTTPRequestHandler, content: str, pause_s: float = 0.0) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    for start in range(0, len(content), 20):
        part = {"choices": [{"delta": {"content": content[start : start + 20]}}]}
        handler.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
        handler.wfile.flush()
        time.sleep(pause_s)
    handler.wfile.write(b"data: [DONE]\n\n")


class Model:
    """A chat endpoint whose behaviour a test sets."""

    def __init__(self) -> None:
        self.behave: Callable[[BaseHTTPRequestHandler], None] = lambda handler: None
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.requests.append(json.loads(self.rfile.read(length)))
                outer.headers.append(dict(self.headers))
                with contextlib.suppress(OSError):
                    outer.behave(self)

            def log_message(self, *args) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    running = Model()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def rewriter(model: Model) -> Iterator[LanguageModel]:
    model.requests.clear()
    made = LanguageModel(Endpoint(model.url, "small", key="secret", deadline_s=1.0))
    yield made
    made.close()


def reworded(rewriter: LanguageModel) -> tuple[str, ...] | None:
    pieces = rewriter.reword(PIECES, "ACKNOWLEDGE_FIX", {"reference": "70315"})
    return None if pieces is None else tuple(piece.text for piece in pieces)


EXPECTED = (GOOD[0], GOOD[1], PIECES[2].text, PIECES[3].text, GOOD[4])


def test_a_good_answer_is_used_and_what_is_written_down_stays(model, rewriter) -> None:
    model.behave = lambda handler: whole(handler, completion(GOOD))
    assert reworded(rewriter) == EXPECTED
    sent = json.loads(model.requests[0]["messages"][1]["content"])
    assert [line["id"] for line in sent["lines"]] == [0, 1, 4]
    assert "70315" not in json.dumps(model.requests[0])
    assert model.headers[-1]["Authorization"] == "Bearer secret"


def test_a_streamed_answer_is_used(model, rewriter) -> None:
    model.behave = lambda handler: streamed(handler, completion(GOOD))
    assert reworded(rewriter) == EXPECTED


def test_the_same_draft_is_asked_for_once(model, rewriter) -> None:
    model.behave = lambda handler: whole(handler, completion(GOOD))
    assert reworded(rewriter) == reworded(rewriter)
    assert len(model.requests) == 1


def changed(place: int, text: str) -> dict[int, str]:
    return GOOD | {place: text}


LIES = {
    "invents": changed(1, "I'll have it to you by Friday, and then tell you what I can do."),
    "reports what was not done": changed(1, "I've refunded it, and now I say what I can do."),
    "promises beyond": changed(1, "I guarantee that I'll look it up and say what I can do."),
    "tells the caller what they feel": changed(0, "I'm sorry you are upset."),
    "claims to be human": changed(1, "I'm a real person, and I'll tell you what I can do."),
    "asks more": changed(1, "Shall I look it up first? I'll then tell you what I can do."),
    "turns a no into a yes": changed(1, "I can't look it up, and I'll tell you what I can do."),
    "apologises more": changed(1, "I'm sorry, I'll look first and then say what I can do."),
    "holds markup": changed(1, "**First** I'll find it, and then I'll say what I can do."),
    "longer than the draft": changed(
        1, "I'll look it up first. " + "And then I go on and look at it again for you. " * 3
    ),
    "other lines": {0: GOOD[0], 1: GOOD[1]},
    "empty": changed(4, ""),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_breaks_a_promise_is_dropped(model, rewriter, lie: str) -> None:
    model.behave = lambda handler: whole(handler, completion(LIES[lie]))
    assert reworded(rewriter) is None
    assert lie in rewriter.refusals[-1]


BROKEN = {
    "status": lambda handler: whole(handler, completion(GOOD), 500),
    "no text": lambda handler: whole(handler, None),
    "a list": lambda handler: whole(handler, ["lines"]),
    "prose": lambda handler: whole(handler, "Sure! Here is a friendlier version."),
    "half a json": lambda handler: whole(handler, completion(GOOD)[:-20]),
    "no choices": lambda handler: streamed_raw(handler, b'data: {"choices": []}\n\n'),
    "no json": lambda handler: streamed_raw(handler, b"data: nonsense\n\n"),
    "hangs up": lambda handler: handler.connection.close(),
    "too much": lambda handler: whole(handler, "x" * 100_000),
}


def streamed_raw(handler: BaseHTTPRequestHandler, raw: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    handler.wfile.write(raw)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_is_dropped(model, rewriter, fault: str) -> None:
    model.behave = BROKEN[fault]
    assert reworded(rewriter) is None
    assert rewriter.refusals


def test_an_answer_past_the_deadline_is_not_waited_for(model) -> None:
    released = threading.Event()
    model.behave = lambda handler: released.wait(30)
    impatient = LanguageModel(Endpoint(model.url, "small", deadline_s=0.2))
    assert reworded(impatient) is None
    assert not released.is_set()
    released.set()
    impatient.close()


def test_an_answer_that_trickles_past_the_deadline_is_dropped(model) -> None:
    model.behave = lambda handler: streamed(handler, completion(GOOD), pause_s=0.2)
    impatient = LanguageModel(Endpoint(model.url, "small", deadline_s=0.3))
    assert reworded(impatient) is None
    impatient.close()


def test_nobody_there_is_no_reason_to_fail() -> None:
    absent = LanguageModel(Endpoint("http://127.0.0.1:9/v1", "small", deadline_s=0.5))
    assert reworded(absent) is None
    absent.close()


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(AttuneError, match="is no address"):
        LanguageModel(Endpoint("localhost:8000", "small"))


def test_the_call_goes_on_with_the_phrases_when_the_model_lies(model, rewriter) -> None:
    model.behave = lambda handler: whole(handler, "I refunded everything and I am human.")
    heard = turn("where is my order", "where_is_my_order")
    plain = Conversation("retail", CustomerContext(), started_at=WEDNESDAY)
    helped = Conversation("retail", CustomerContext(), started_at=WEDNESDAY, rewriter=rewriter)
    assert helped.decide(heard).reply == plain.decide(heard).reply
    assert model.requests


def test_checked_against_itself_a_draft_passes() -> None:
    assert check(PIECES, PIECES, ["70315"]) == ()
