"""The HTTP connector against a real server on loopback that fails in every way."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from dialogue.actions import Actions
from dialogue.connectors.http import HttpConnector, signature
from dialogue.packs import load_pack
from dialogue.packs.format import Action
from dialogue.packs.format import HttpConnector as HttpSettings
from dialogue.types import CustomerContext, Effect
from nlu.errors import AttuneError

READ = Action(
    kind="read",
    does="look up the order",
    connector="shop",
    serves=("where",),
    arguments=("order_number",),
    http={
        "path": "/orders/{order_number}",
        "facts": {"item": "order.items.0.name", "order_status": "order.status"},
        "problems": {404: "unknown_order"},
    },
)
REFUND = Action(
    kind="effect",
    does="refund the order",
    connector="shop",
    serves=("where",),
    http={
        "method": "POST",
        "path": "/refunds",
        "body": ["order_number"],
        "facts": {"reference": "reference"},
        "problems": {409: "already_refunded"},
    },
)
ORDER = json.dumps({"order": {"status": "late", "items": [{"name": "lamp"}]}}).encode()
REFUNDED = json.dumps({"reference": "R1"}).encode()
EFFECT = Effect("refund", {"order_number": "4571"}, "call:1:refund")


@dataclass
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Service:
    """A scripted service: each request gets the next answer, the last one for ever."""

    url: str = ""
    answers: list[Callable[[http.server.BaseHTTPRequestHandler], None]] = field(
        default_factory=list
    )
    seen: list[Seen] = field(default_factory=list)
    refunds: dict[str, bytes] = field(default_factory=dict)


def say(status: int, body: bytes = b"{}") -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(seconds: float) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)

    return answer


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no single read times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_headers(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A header that grows for ever, a few letters at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(20):
        handler.wfile.write(b"z")
        handler.wfile.flush()
        time.sleep(0.05)


def cut_off(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"order": ')


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b"x" * 16_384)


def no_http(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")


@pytest.fixture
def service() -> Iterator[Service]:
    scripted = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            scripted.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            place = min(len(scripted.seen), len(scripted.answers)) - 1
            with contextlib.suppress(OSError):
                scripted.answers[place](self)
            self.close_connection = True

        do_GET = do_POST = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield scripted
    server.shutdown()
    thread.join()
    server.server_close()


def connector(url: str, **settings: object) -> HttpConnector:
    given = {"type": "http", "url": url, "timeout_s": 0.15, **settings}
    environment = {"SHOP_SECRET": "s3cret"}
    return HttpConnector(
        HttpSettings.model_validate(given), clock=lambda: 1_700_000_000.0, environment=environment
    )


def test_a_read_tells_the_facts_where_the_pack_says_they_stand(service: Service) -> None:
    service.answers = [say(200, ORDER)]
    told = connector(service.url).read(READ, {"order_number": "45/71?x"})
    assert told.facts == {"item": "lamp", "order_status": "late"}
    assert service.seen[0].path == "/orders/45%2F71%3Fx"


def test_a_status_that_the_pack_names_is_that_problem_and_is_not_tried_again(
    service: Service,
) -> None:
    service.answers = [say(404)]
    assert connector(service.url).read(READ, {"order_number": "1"}).problem == "unknown_order"
    assert len(service.seen) == 1


FAILURES = {
    "500": say(500),
    "503": say(503),
    "429": say(429),
    "hangs": hang(0.25),
    "hangs up": hang_up,
    "cut off": cut_off,
    "endless": endless,
    "drips": drip,
    "drips headers": drip_headers,
    "no http": no_http,
    "html": say(200, b"<html>"),
    "no facts": say(200, b'{"order": 7}'),
    "deep": say(200, b"[" * 100_000),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_read_is_repeated_after_a_failure_and_then_unavailable(
    service: Service, failure: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> None:
    service.answers = [failure, say(200, ORDER)]
    assert connector(service.url).read(READ, {"order_number": "1"}).facts["item"] == "lamp"
    service.answers = [failure]
    before = len(service.seen)
    assert (
        connector(service.url, retries=1).read(READ, {"order_number": "1"}).problem == "unavailable"
    )
    assert 1 <= len(service.seen) - before <= 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 418])
def test_a_refusal_is_unavailable_at_once(service: Service, status: int) -> None:
    service.answers = [say(status)]
    assert connector(service.url).read(READ, {"order_number": "1"}).problem == "unavailable"
    assert len(service.seen) == 1


def test_nobody_listening_is_unavailable_for_reads_and_effects() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    shop = connector(url, retries=1)
    assert shop.read(READ, {"order_number": "1"}).problem == "unavailable"
    result = shop.carry_out(REFUND, EFFECT, {"order_number": "4571"})
    assert (result.succeeded, result.problem) == (False, "unavailable")


@pytest.mark.parametrize("failure", [say(500), hang(0.25), hang_up, cut_off, say(200, b"ok")])
def test_an_effect_in_doubt_is_sent_once_and_its_outcome_unknown(
    service: Service, failure: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> None:
    service.answers = [failure, say(200, REFUNDED)]
    result = connector(service.url).carry_out(REFUND, EFFECT, {"order_number": "4571"})
    assert (result.succeeded, result.problem) == (False, "unknown_result")
    assert len(service.seen) == 1


def test_an_effect_is_sent_again_under_its_key_where_the_service_honours_keys(
    service: Service,
) -> None:
    def refund_then_hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
        service.refunds[handler.headers["Idempotency-Key"]] = REFUNDED
        hang_up(handler)

    def refund(handler: http.server.BaseHTTPRequestHandler) -> None:
        key = handler.headers["Idempotency-Key"]
        say(200, service.refunds.setdefault(key, b'{"reference": "R2"}'))(handler)

    service.answers = [refund_then_hang_up, refund]
    shop = connector(service.url, idempotent=True)
    result = shop.carry_out(REFUND, EFFECT, {"order_number": "4571"})
    assert result.facts == {"reference": "R1"}
    assert service.refunds == {"call:1:refund": REFUNDED}
    assert [seen.headers["Idempotency-Key"] for seen in service.seen] == ["call:1:refund"] * 2


def test_a_refusal_of_an_effect_is_the_pack_s_problem(service: Service) -> None:
    service.answers = [say(409)]
    result = connector(service.url).carry_out(REFUND, EFFECT, {"order_number": "4571"})
    assert (result.succeeded, result.problem) == (False, "already_refunded")


def test_requests_are_signed_over_method_target_time_and_body(service: Service) -> None:
    service.answers = [say(200, REFUNDED)]
    shop = connector(service.url + "/v1?tenant=7", secret_env=None)
    shop.close()
    shop = connector(service.url + "/v1", secret_env="SHOP_SECRET")
    shop.carry_out(REFUND, EFFECT, {"order_number": "4571", "customer_id": "C1"})
    seen = service.seen[0]
    assert json.loads(seen.body) == {"order_number": "4571"}
    assert seen.headers["X-Attune-Timestamp"] == "1700000000"
    expected = signature("s3cret", "POST", "/v1/refunds", "1700000000", seen.body)
    assert seen.headers["X-Attune-Signature"] == expected
    assert signature("other", "POST", "/v1/refunds", "1700000000", seen.body) != expected
    assert signature("s3cret", "POST", "/v1/refunds", "1700000000", b"{}") != expected


def test_a_missing_secret_is_said_before_the_first_call(service: Service) -> None:
    with pytest.raises(AttuneError, match="NO_SUCH_SECRET is not set"):
        connector(service.url, secret_env="NO_SUCH_SECRET")
    assert service.seen == []


def test_a_pack_with_a_service_behind_it_works_like_one_with_a_database(service: Service) -> None:
    retail = load_pack("retail")
    online = retail.model_copy(
        update={
            "connectors": {"shop": HttpSettings(type="http", url=service.url)},
            "actions": {**retail.actions, "find_order": READ},
        }
    )
    service.answers = [say(200, ORDER), say(500)]
    actions = Actions.open(online, datetime(2026, 6, 4, tzinfo=UTC))
    now = datetime(2026, 6, 4, tzinfo=UTC)
    told = actions.read("find_order", {"order_number": "4571"}, CustomerContext(), now)
    assert told.facts["item"] == "lamp"
    actions.close()
    assert actions.read("find_order", {"order_number": "1"}, CustomerContext(), now).problem
