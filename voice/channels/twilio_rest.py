"""What is asked of Twilio over REST: a running call goes on with other instructions."""

from __future__ import annotations

import asyncio
import re
from xml.sax.saxutils import escape

import httpx

from nlu.errors import AttuneError
from voice.channels.wire import TransferError

TRIES = 2
TIMEOUT_S = 4.0
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class TwilioCalls:
    """Updates calls of one account.

    Raises `AttuneError` for a number that is not in the international form.
    """

    def __init__(self, account: str, token: str, base_url: str, agent_number: str) -> None:
        if not _NUMBER.fullmatch(agent_number):
            raise AttuneError(
                "Setting 'handoff_number': not a telephone number in the international form; "
                "write it as +15551234567."
            )
        self._account = account
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._agent_number = agent_number

    async def put_through(self, call: str) -> None:
        """The caller is connected to the agents' number. Raises `TransferError`."""
        if not re.fullmatch(r"[A-Za-z0-9]{1,64}", call):
            raise TransferError("the call id is not one of Twilio's")
        url = f"{self._base_url}/2010-04-01/Accounts/{self._account}/Calls/{call}.json"
        twiml = f"<Response><Dial>{escape(self._agent_number)}</Dial></Response>"
        problem = ""
        async with httpx.AsyncClient(
            auth=(self._account, self._token), timeout=TIMEOUT_S
        ) as client:
            for attempt in range(TRIES):
                try:
                    answer = await client.post(url, data={"Twiml": twiml})
                except httpx.HTTPError as error:
                    problem = type(error).__name__
                else:
                    if answer.is_success:
                        return
                    problem = f"status {answer.status_code}"
                    if answer.is_client_error:
                        break
                if attempt + 1 < TRIES:
                    await asyncio.sleep(0.3)
        raise TransferError(f"Twilio did not take the update ({problem})")
