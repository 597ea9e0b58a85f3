"""Who may open a kiosk session: origins, tokens, and what a jurisdiction lets a button say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.consent_question import voice_question
from dialogue.delivery import RATE_LIMIT
from dialogue.regulation import load as load_regulations
from dialogue.types import Clause, Delivery
from voice.channels.browser import Wishes
from voice.channels.playback import OVERDUE_S, ReportedPlayout
from voice.mouth import ListenerPace
from voice.server.kiosk_tokens import MOST_WAITING, PER_MINUTE, VALID_S, KioskTokens
from voice.server.origins import Origins

WISHES = Wishes(emotion_voice=True, may_analyse_voice=True)


class Hands:
    """A clock that is moved by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_opens_one_socket_of_the_address_that_asked() -> None:
    tokens = KioskTokens(Hands())
    token = tokens.issue("10.0.0.1", WISHES)
    assert token
    assert tokens.redeem(token, "10.0.0.1") == WISHES
    assert tokens.redeem(token, "10.0.0.1") is None
    other = tokens.issue("10.0.0.1", WISHES)
    assert tokens.redeem(other or "", "10.0.0.2") is None


def test_a_token_is_good_for_a_minute() -> None:
    clock = Hands()
    tokens = KioskTokens(clock)
    token = tokens.issue("a", WISHES)
    clock.now_s += VALID_S + 0.1
    assert tokens.redeem(token or "", "a") is None


def test_an_address_that_asks_too_often_waits() -> None:
    clock = Hands()
    tokens = KioskTokens(clock)
    given = [tokens.issue("a", WISHES) for _ in range(PER_MINUTE + 5)]
    assert sum(token is not None for token in given) == PER_MINUTE
    assert tokens.issue("b", WISHES)
    clock.now_s += 2.1
    assert tokens.issue("a", WISHES)


def test_what_is_kept_of_tokens_and_addresses_is_bounded() -> None:
    tokens = KioskTokens(Hands())
    for number in range(3 * MOST_WAITING):
        assert tokens.issue(f"address {number}", WISHES)
    assert len(tokens._issued) <= MOST_WAITING
    assert len(tokens._left) <= MOST_WAITING


@given(st.text(max_size=40))
def test_no_random_token_opens_anything(token: str) -> None:
    tokens = KioskTokens(Hands())
    tokens.issue("a", WISHES)
    assert tokens.redeem(token, "a") is None


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "127.0.0.1:8080", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://localhost:8080", "localhost:8080", True),
        ("https://[::1]:8080", "[::1]:8080", True),
        ("https://kiosk.example.com", "kiosk.example.com", True),
        ("https://KIOSK.example.com", "10.0.0.5:8080", True),
        ("https://rebound.example.net", "rebound.example.net", False),
        ("http://127.0.0.1:9999", "127.0.0.1:8080", False),
        ("https://evil.example.net", "127.0.0.1:8080", False),
        ("null", "127.0.0.1:8080", False),
        ("", "127.0.0.1:8080", False),
        ("http://[", "127.0.0.1:8080", False),
    ],
)
def test_only_our_own_pages_may_come_in(origin: str | None, host: str, allowed: bool) -> None:
    assert Origins(["https://kiosk.example.com/"]).allow(origin, host) is allowed


def test_a_button_asks_only_where_its_yes_would_count() -> None:
    regulations = load_regulations()
    asked = {name: voice_question(row) is not None for name, row in regulations.rows.items()}
    assert asked == {
        "eu": True,
        "uk": True,
        "us_ca": True,
        "us_il": False,
        "us_all_party": True,
        "us_one_party": True,
        "unknown": True,
    }


def test_what_was_heard_follows_the_reports() -> None:
    playout = ReportedPlayout()
    playout.sent(20, 0.0)
    playout.item_begins(20)
    for _ in range(49):
        playout.sent(20, 0.0)
    assert playout.unplayed_ms(0.4) == pytest.approx(600)
    playout.played(250, 0.4)
    assert playout.unplayed_ms(0.4) == pytest.approx(750)
    assert playout.unplayed_ms(0.5) == pytest.approx(650)
    playout.cleared(0.5)
    assert playout.unplayed_ms(0.5) == 0
    playout.sent(20, 1.0)
    playout.item_begins(20)
    playout.played(10_000, 1.0)
    assert playout.unplayed_ms(1.0) == 0


def test_a_client_that_stops_reporting_does_not_hold_the_call() -> None:
    playout = ReportedPlayout()
    for _ in range(10):
        playout.sent(20, 0.0)
    playout.played(0, 0.19)
    assert playout.unplayed_ms(0.2) > 0
    assert playout.unplayed_ms(0.2 + OVERDUE_S + 0.1) == 0


@given(st.floats(0.5, 2.0), st.floats(0.85, 1.15))
def test_a_listeners_pace_changes_the_rate_within_deliverys_limits(
    factor: float, rate: float
) -> None:
    clause = Clause("Your order is on its way.", Delivery(rate=rate, pitch_st=-1.0))
    spoken = ListenerPace(factor).applied(clause)
    assert 1 - RATE_LIMIT <= spoken.delivery.rate <= 1 + RATE_LIMIT
    assert (spoken.delivery.rate - rate) * (factor - 1) >= -1e-4
    assert spoken.delivery.pitch_st == -1.0
