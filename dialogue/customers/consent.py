"""Who may have what done: the only place that issues a `Grant`.

Every gate of the code base asks for a `Grant`; without one there is no voice estimate, no offer,
nothing stored. Closed by default: what is not known to be allowed is not allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dialogue.regulation import ALLOWED_UNTIL_DENIED, Regime, Regulation
from dialogue.types import ConsentState, CustomerContext, Purpose
from nlu.errors import AttuneError
from nlu.types import Grant

_NOTHING: Mapping[Purpose, ConsentState] = MappingProxyType({})

_WITHDRAWN_BY_SIGNAL: Mapping[str, frozenset[Purpose]] = MappingProxyType(
    {
        "withdraw_voice": frozenset({Purpose.EMOTION_VOICE}),
        "forget_call": frozenset({Purpose.EMOTION_VOICE, Purpose.STORE_TEXT, Purpose.STORE_AUDIO}),
    }
)


def operator_grants(purposes: Iterable[str]) -> Mapping[str, Grant]:
    """Grants for material that the operator of the command line may analyse.

    Only for `attune understand`, `say` and `train`: there is no caller whose consent is asked.
    Raises `AttuneError` for a purpose that does not exist.
    """
    return MappingProxyType(
        {
            purpose.value: Grant(purpose.value, "operator", "unknown", "the operator's material")
            for purpose in map(_purpose, purposes)
        }
    )


def grants_for(
    context: CustomerContext,
    regulation: Regulation,
    overrides: Mapping[Purpose, ConsentState] = _NOTHING,
    withdrawn: frozenset[Purpose] = frozenset(),
) -> Mapping[str, Grant]:
    """The grants of a caller for the turn at hand, keyed by purpose.

    `overrides` are explicit statements for this call (`--consent PURPOSE=STATE`, a manifest's
    column); `withdrawn` is what the caller has taken back during it. A no anywhere (ledger,
    override, withdrawal) beats every yes. What is left follows the jurisdiction's regime.
    """
    grants: dict[str, Grant] = {}
    for purpose in Purpose:
        basis = _basis(purpose, context, regulation, overrides, withdrawn)
        if basis is not None:
            grants[purpose.value] = Grant(
                purpose.value, context.id or "stranger", regulation.code, basis
            )
    return MappingProxyType(grants)


def withdrawals(signals: Iterable[str]) -> frozenset[Purpose]:
    """What the signals of a turn ("don't analyse my voice", "forget this call") take back."""
    return frozenset(
        purpose for signal in signals for purpose in _WITHDRAWN_BY_SIGNAL.get(signal, ())
    )


def parse_consents(items: Iterable[str]) -> Mapping[Purpose, ConsentState]:
    """`["emotion_voice=granted", ...]` as overrides.

    Raises `AttuneError` naming the item that is malformed or contradicts an earlier one.
    """
    consents: dict[Purpose, ConsentState] = {}
    for item in items:
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise AttuneError(
                f"--consent '{item}': no '='; write PURPOSE=STATE, as in emotion_voice=granted."
            )
        purpose = _purpose(name)
        if value not in set(ConsentState):
            raise AttuneError(
                f"--consent '{item}': '{value}' is no state; write granted, denied or unknown."
            )
        state = ConsentState(value)
        if consents.setdefault(purpose, state) != state:
            raise AttuneError(
                f"--consent '{item}': {purpose} was given as {consents[purpose]} too; keep one."
            )
    return MappingProxyType(consents)


def _basis(
    purpose: Purpose,
    context: CustomerContext,
    regulation: Regulation,
    overrides: Mapping[Purpose, ConsentState],
    withdrawn: frozenset[Purpose],
) -> str | None:
    """Why `purpose` is allowed, or None when it is not."""
    regime = regulation.regime(purpose)
    recorded = context.consents.get(purpose, ConsentState.UNKNOWN)
    stated = overrides.get(purpose, ConsentState.UNKNOWN)
    if purpose in withdrawn or ConsentState.DENIED in (recorded, stated):
        return None
    if regime is Regime.NEVER:
        return None
    if regime is Regime.WRITTEN_RELEASE:
        return "written release on record" if purpose in context.written_releases else None
    if stated is ConsentState.GRANTED:
        return "explicit consent for this call"
    if regime is Regime.OFF:
        return None
    if recorded is ConsentState.GRANTED:
        return "consent on record"
    if regime in ALLOWED_UNTIL_DENIED:
        return f"{regime} in {regulation.name}: not denied"
    return None


def _purpose(name: str) -> Purpose:
    try:
        return Purpose(name)
    except ValueError:
        known = ", ".join(Purpose)
        raise AttuneError(
            f"Consent purpose '{name}': does not exist; use one of {known}."
        ) from None
