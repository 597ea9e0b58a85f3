"""The table of what a jurisdiction asks, and the words it puts at the start of a call."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue import regulation
from dialogue.customers.consent import grants_for
from dialogue.regulation import Regime, Regulation, opening_disclosure
from dialogue.types import ConsentState, CustomerContext, Purpose
from nlu.errors import AttuneError

TABLE = regulation.load()

EU_AND_EEA = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO"
)
STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC"
)


def disclosure(code: str, recorded: bool = False, **consents: str) -> str:
    context = CustomerContext(
        consents={Purpose(name): ConsentState(state) for name, state in consents.items()}
    )
    row = TABLE.row(code)
    return " ".join(opening_disclosure(row, grants_for(context, row), "Acme", recorded=recorded))


# --- finding the row ------------------------------------------------------------------------


def test_every_member_of_the_eu_and_eea_has_its_row() -> None:
    assert len(EU_AND_EEA.split()) == 30
    assert {TABLE.row(code).row for code in [*EU_AND_EEA.split(), "EU"]} == {"eu"}


def test_every_state_has_a_row_and_california_and_illinois_their_own() -> None:
    rows = {state: TABLE.row(f"US-{state}").row for state in STATES.split()}
    assert len(rows) == 51 and "unknown" not in rows.values()
    assert [state for state, row in rows.items() if row == "us_ca"] == ["CA"]
    assert [state for state, row in rows.items() if row == "us_il"] == ["IL"]
    for state in ("FL", "PA", "WA", "MD", "MA", "MT", "NH", "CT", "DE"):
        assert rows[state] == "us_all_party"
    for state in ("NY", "TX", "OH", "GA"):
        assert rows[state] == "us_one_party"


@pytest.mark.parametrize(
    ("code", "row"),
    [
        ("de", "eu"),
        ("DE-BY", "eu"),
        ("US-DE", "us_all_party"),
        ("us_ca", "us_ca"),
        ("GB", "uk"),
        ("GB-SCT", "uk"),
        ("US", "unknown"),
        ("US-ZZ", "unknown"),
        ("JP", "unknown"),
        ("CH", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        ("unknown", "unknown"),
    ],
)
def test_codes_find_their_row_in_any_spelling(code: str | None, row: str) -> None:
    assert TABLE.row(code).row == row


@given(st.text(max_size=12))
def test_whatever_is_asked_there_is_a_row(code: str) -> None:
    assert isinstance(TABLE.row(code), Regulation)


@pytest.mark.parametrize("code", ["Mars!", "germany", "U", "US-CALIFORNIA", ""])
def test_what_is_no_code_is_refused_where_a_user_typed_it(code: str) -> None:
    if not code:
        assert TABLE.require(code).row == "unknown"
        return
    with pytest.raises(AttuneError, match="not a code; write a country"):
        TABLE.require(code)


# --- what the rows say, against the evidence ------------------------------------------------


@pytest.mark.parametrize(
    ("row", "assistant", "tone", "voice", "words", "audio", "offers", "days", "deadline"),
    [
        ("eu", "required", "required", "opt_in", "objection", "opt_in", "opt_in", 30, 30),
        ("uk", "do", "do", "opt_in", "objection", "notice", "opt_in", 30, 30),
        ("us_ca", "if_selling", "notice", "opt_out", "opt_out", "opt_in", "opt_out", 365, 45),
        ("us_il", "do", "do", "written_release", "on", "opt_in", "opt_out", 30, 45),
        ("us_all_party", "do", "do", "opt_in", "on", "opt_in", "opt_out", 30, 45),
        ("us_one_party", "do", "do", "opt_out", "on", "notice", "opt_out", 90, 45),
        ("unknown", "on", "on", "off", "on", "off", "off", 30, 30),
    ],
)
def test_the_rows_are_those_of_the_evidence(
    row: str,
    assistant: str,
    tone: str,
    voice: str,
    words: str,
    audio: str,
    offers: str,
    days: int,
    deadline: int,
) -> None:
    found = TABLE.rows[row]
    assert (found.disclose_assistant, found.disclose_tone) == (assistant, tone)
    assert (found.emotion_voice, found.emotion_words) == (voice, words)
    assert (found.keep_audio, found.offers) == (audio, offers)
    assert found.transcript_retention_days == days
    assert found.rights_deadline_days <= deadline


def test_an_agents_emotion_is_never_and_a_speaker_never_identified() -> None:
    for row in TABLE.rows.values():
        assert (row.emotion_agent, row.speaker_id) == ("never", "off")
        assert row.audio_retention_days == 0


def test_unknown_is_the_most_closed_row_of_all() -> None:
    unknown = TABLE.rows["unknown"]
    for purpose in (Purpose.EMOTION_VOICE, Purpose.OFFERS, Purpose.STORE_AUDIO):
        assert unknown.regime(purpose) is Regime.OFF
    assert unknown.transcript_retention_days == min(
        row.transcript_retention_days for row in TABLE.rows.values()
    )


# --- mistakes in the table ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [
        ("emotion_agent: never", "emotion_agent: opt_in", "emotion_agent: Input should be 'never'"),
        ('speaker_id: "off"', 'speaker_id: "on"', "speaker_id: Input should be 'off'"),
        ("emotion_voice: opt_in", "emotion_voice: opt-in", "emotion_voice: Input should be"),
        ("  unknown:\n    name", "  other:\n    name", "'unknown' is missing"),
        ("us_il: [US-IL]", "us_il: [US-IL, US-CA]", "US-CA is listed under us_ca too"),
        ("us_il: [US-IL]", "us_xx: [US-IL]", "codes.us_xx: there is no such row"),
        ("    rights_deadline_days: 30\n", "", "rights_deadline_days: Field required"),
        ("rows:", "rows: [", "cannot be read as YAML"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, find: str, put: str, says: str) -> None:
    shipped = (Path(regulation.__file__).parent / "regulations.yaml").read_text(encoding="utf-8")
    assert find in shipped
    path = tmp_path / "regulations.yaml"
    path.write_text(shipped.replace(find, put, 1), encoding="utf-8")
    with pytest.raises(AttuneError) as refusal:
        regulation.read(path)
    assert says in str(refusal.value) and str(path) in str(refusal.value)


# --- the opening ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["DE", "UK", "US-IL", "US-PA", "US-NY", "JP"])
def test_the_assistant_says_what_it_is(code: str) -> None:
    assert "Acme's automated assistant" in disclosure(code)


def test_california_asks_for_it_when_something_may_be_sold() -> None:
    assert "assistant" in disclosure("US-CA")
    assert "assistant" not in disclosure("US-CA", offers="denied")


@pytest.mark.parametrize("code", ["DE", "UK", "US-CA", "US-PA", "US-NY"])
def test_tone_is_mentioned_exactly_when_it_may_be_analysed(code: str) -> None:
    spoken = disclosure(code, emotion_voice="granted")
    assert "tone of voice" in spoken and "don't analyse my voice" in spoken
    assert "tone" not in disclosure(code, emotion_voice="denied")


def test_recording_is_mentioned_when_audio_is_kept_and_may_be() -> None:
    assert "recorded" in disclosure("US-NY", recorded=True)
    assert "recorded" not in disclosure("US-NY", recorded=False)
    assert "recorded" not in disclosure("DE", recorded=True)
    assert "recorded" in disclosure("DE", recorded=True, store_audio="granted")


def test_the_opening_is_short() -> None:
    everything = dict.fromkeys(Purpose, "granted")
    for code in ("DE", "US-NY", "US-CA"):
        for sentence in disclosure(code, recorded=True, **everything).split(". "):
            assert len(sentence.split()) <= 20
