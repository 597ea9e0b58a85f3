"""What `attune serve` says of settings that will not do, before the first call comes."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import websockets
from pydantic import SecretStr

from nlu.errors import AttuneError
from tests.voice.server.conftest import running
from voice.engines import Engines
from voice.server.serving import Listening, Serving
from voice.server.switchboard import Switchboard
from voice.server.twilio import TwilioAccount
from voice.settings import load, misspelled


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LOG_LEVEL", "banana", "no level of a log"),
        ("KIOSK_ORIGINS", "https://shop.example.com", r'write a list as \["first", "second"\]'),
        ("KIOSK_ORIGINS", '["shop.example.com"]', "write it as https://voice.example.com"),
        ("PUBLIC_URL", "kiosk.example.com", "write it as https://voice.example.com"),
        ("PUBLIC_URL", "https://", "not an address"),
        ("OTEL_ENDPOINT", "localhost:4318", "not an address"),
        ("MOST_CALLS", "many", "valid integer"),
    ],
)
def test_a_setting_that_will_not_do_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"ATTUNE_{name}", value)
    with pytest.raises(AttuneError, match=told) as refused:
        load()
    assert f"ATTUNE_{name}" in str(refused.value)


def test_a_misspelled_variable_is_named_with_what_is_probably_meant() -> None:
    names = ["ATTUNE_JURISDICTON", "attune_pack", "ATTUNE_DATA", "ATTUNE_XQZ", "PATH"]
    assert misspelled(names) == {"ATTUNE_JURISDICTON": "ATTUNE_JURISDICTION", "ATTUNE_XQZ": None}


def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_URL", "TWILIO_AUTH_TOKEN", "MOST_CALLS"):
        monkeypatch.setenv(f"ATTUNE_{name}", "")
    settings = load()
    assert (settings.public_url, settings.most_calls) == (None, 8)
    empty = settings.model_copy(update={"twilio_auth_token": SecretStr("")})
    # What anybody can sign with is no secret.
    assert TwilioAccount.from_settings(settings) is TwilioAccount.from_settings(empty) is None


def test_folders_that_cannot_be_written_to_are_named(engines: Engines, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(AttuneError, match="setting 'data_dir'"):
        engines.settings.model_copy(update={"data_dir": file}).make_data_dir()
    settings = engines.settings.model_copy(update={"turns_dir": file / "turns"})
    with pytest.raises(AttuneError, match="setting 'turns_dir'"):
        Switchboard(replace(engines, settings=settings))


async def test_an_address_that_is_not_this_machines_is_named(engines: Engines) -> None:
    serving = Serving(Switchboard(engines), Listening(host="192.0.2.1", port=0))
    with pytest.raises(AttuneError, match=r"--host 192\.0\.2\.1: no address of this machine"):
        await serving.run()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["-keyout", key, "-out", certificate, "-subj", "/CN=here"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *made],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_what_is_no_certificate_with_its_key_is_named(
    engines: Engines, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = pair
    locked, other, junk = tmp_path / "locked.pem", tmp_path / "other.pem", tmp_path / "junk.pem"
    junk.write_text("no certificate\n")
    subprocess.run(["openssl", "genrsa", "-out", other, "2048"], check=True, capture_output=True)
    with_password = ["openssl", "rsa", "-aes256", "-passout", "pass:word", "-in", key]
    subprocess.run([*with_password, "-out", locked], check=True, capture_output=True)
    for wrong in ((junk, key), (certificate, other), (certificate, locked), (certificate, junk)):
        with pytest.raises(AttuneError, match="not a certificate and its key in PEM"):
            Serving(Switchboard(engines), Listening(certificate=wrong[0], key=wrong[1]))


async def test_with_a_certificate_pages_and_sockets_come_over_tls(
    engines: Engines, pair: tuple[Path, Path]
) -> None:
    certificate, key = pair
    listening = Listening(port=0, audiosocket_port=0, certificate=certificate, key=key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with running(engines, listening) as served:
        place = f"127.0.0.1:{served.web_port}"
        async with httpx.AsyncClient(base_url=f"https://{place}", verify=trusting) as web:
            assert (await web.get("/kiosk")).status_code == 200
            token = (await web.post("/kiosk/token", json={})).json()["token"]
        address = f"wss://{place}/kiosk/socket?token={token}"
        async with websockets.connect(address, ssl=trusting, proxy=None) as socket:
            assert "session.created" in str(await socket.recv())
