"""The report of `attune evaluate` in a browser."""

import shutil
from pathlib import Path

import pytest

from voice.evaluation.analysis import Call
from voice.evaluation.call_json import pieces, summarise
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Job
from voice.evaluation.metrics import Metrics
from voice.evaluation.report import write_report
from voice.evaluation.sound import write_sound

sync_api = pytest.importorskip("playwright.sync_api", reason="the extra dev has Playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
COUNT = 60


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, samples_dir: Path) -> Path:
    """Sixty calls without turns; the first has sound."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.prepare()
    metrics, names = Metrics(), []
    for number in range(COUNT):
        job = Job(samples_dir / "wants_human.flac", f"call {number:02}".replace(" ", "_"))
        call = Call(job, 9_000, 1, "UNKNOWN", {}, "none", ())
        summary = summarise(call)
        if number == 0:
            write_sound(folder.sound(job.name), job.path, ())
            summary["sound"] = {"file": f"audio/{job.name}.mp3"}
        folder.keep(job.name, "-", pieces(call, summary), summary)
        metrics.add(summary)
        names.append(job.name)
    return write_report(folder, names, metrics.result([], 0), [])


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_list_is_searched_and_a_call_is_opened_and_played(report: Path) -> None:
    requests: list[str] = []
    errors: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(report.as_uri())
        assert page.locator("#calls tbody tr:visible").count() < COUNT
        page.click("#more")
        assert page.locator("#calls tbody tr:visible").count() == COUNT
        page.fill("input[type=search]", "call_4")
        assert page.locator("#calls tbody tr:visible").count() == 10
        page.fill("input[type=search]", "call_00")
        page.click("text=call_00")
        page.wait_for_function("document.querySelector('#call audio')?.duration > 8")
        assert page.inner_text("#call h1").endswith("call_00")
        page.click("#call .top a")
        assert page.is_visible("#calls") and not page.is_visible("#call")
        browser.close()

    assert errors == []
    assert [url for url in requests if not url.startswith((report.as_uri(), "data:"))] == []
