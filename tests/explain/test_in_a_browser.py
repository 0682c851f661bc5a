"""The page as somebody sees it who opens it: at a desk and on a telephone, by day and by night."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import MISSING, Browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

FAULTS = """
window.faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("securitypolicyviolation", (event) => faults.push(`${event.violatedDirective}: ${event.sample}`));
"""
"""What collects the faults of a page, before it runs any script of its own."""

HOSTILE = "</script><script>window.hacked=1</script><img/src=x/onerror=window.hacked=1>"
SMALL = ["task.train_size=60", "task.val_size=20", "task.test_size=20", "trainer.batch_size=20", "trainer.max_epochs=3"]
RUNS = {
    "sentiment": ["model=attention_lstm", "task=sentiment", "model.num_layers=2", *SMALL],
    "translation": ["model=seq2seq_attention", "task=translation", *SMALL],
    "text": ["model=self_attention", "task=text", *SMALL],
}


class Page(Browser):
    """A browser that tells what goes wrong in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=FAULTS)

    def ask(self, command: str, **parameters: object) -> object:
        """A command of Chromium's own protocol."""
        return self._ask("POST", f"/session/{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, path: Path, width: int, *, night: bool = False) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        colours = {"name": "prefers-color-scheme", "value": "dark" if night else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[colours])
        self.open(path.as_uri())


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with Page() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A page of each run; that on sentiment is of texts that would be scripts."""
    home = tmp_path_factory.mktemp("pages")
    for name, words in RUNS.items():
        command = [sys.executable, "-m", "seqtrain"]
        options = ["model.hidden_size=16", "device=cpu", f"run_dir={home / name}"]
        subprocess.run([*command, *words, *options], check=True, capture_output=True, cwd=home)
        texts = ["--text", HOSTILE, "--text", "a film that is not bad"] if name == "sentiment" else []
        subprocess.run([*command, "explain", str(home / name), *texts], check=True, capture_output=True, cwd=home)
    return {name: home / name / "explain.html" for name in RUNS}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", RUNS)
def test_it_fits_and_has_no_faults(browser, pages, name, width):
    browser.look(pages[name], width)
    assert "Did it learn?" in browser.text()
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("return [faults, window.hacked ?? null]") == [[], None]
    outside = """
    return [...document.querySelectorAll("main *")].filter((each) => !each.closest(".scroll")
      && each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML.slice(0, 80));
    """
    assert browser.run(outside) == []
    assert (
        browser.run("return performance.getEntriesByType('resource').filter((e) => !e.name.startsWith('data:'))") == []
    )


def test_a_unit_is_picked_by_the_slider_and_by_a_click(browser, pages):
    browser.look(pages["sentiment"], 1280)
    shown = "const on = document.querySelector('.layer.on'); return [on.querySelector('.unit').textContent, "
    shown += "[...on.querySelectorAll('polyline')].map((l) => l.getAttribute('points')), "
    shown += "on.querySelector('[data-shades] span').style.background, document.querySelector('output').textContent]"
    first = browser.run(shown)
    pick = "const s = document.querySelector('.pick'); s.value = 3; s.dispatchEvent(new Event('input')); "
    second = browser.run(pick + shown)
    assert second[0] == second[3] != first[0]
    assert all(one != two for one, two in zip(first[1], second[1], strict=True))
    click = """
    const map = document.querySelector(".layer.on .unitmap"), box = map.getBoundingClientRect();
    const at = {clientX: box.left + 5, clientY: box.top + box.height * 0.999 - 1, bubbles: true};
    map.dispatchEvent(new MouseEvent("click", at));
    return [document.querySelector(".pick").value, document.querySelector(".layer.on .marker").style.top];
    """
    assert browser.run(click) == ["15", "93.75%"]


def test_the_first_unit_is_drawn_alike_with_and_without_the_script(browser, pages):
    browser.look(pages["sentiment"], 1280)
    points = "return [...document.querySelectorAll('.layer.on polyline')].map((l) => l.getAttribute('points'))"
    drawn = browser.run(points)
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.look(pages["sentiment"], 1280)
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    without = browser.run(points.replace(".on", ""))[: len(drawn)]
    for one, two in zip(drawn, without, strict=True):
        pairs = zip(one.replace(",", " ").split(), two.replace(",", " ").split(), strict=True)
        assert max(abs(float(a) - float(b)) for a, b in pairs) < 0.6  # of a hundred


def test_another_layer_is_chosen(browser, pages):
    browser.look(pages["sentiment"], 1280)
    choose = "const s = document.querySelector('.layers'); s.value = 1; s.dispatchEvent(new Event('change')); "
    seen = "return [...document.querySelectorAll('.layer')].map((each) => each.getBoundingClientRect().height > 0)"
    assert browser.run(seen) == [True, False]
    assert browser.run(choose + seen) == [False, True]


def test_a_weight_of_attention_is_told(browser, pages):
    browser.look(pages["translation"], 1280)
    point = """
    const image = document.querySelector("[data-map] img"), box = image.getBoundingClientRect();
    image.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + 2, clientY: box.top + 2, bubbles: true}));
    return [document.querySelector(".told").textContent, document.querySelector(".rows span").textContent];
    """
    told, row = browser.run(point)
    assert told.startswith(f"{row} → ")
    assert 0 <= float(told.rpartition(": ")[2]) <= 1


def test_night_has_colours_of_its_own(browser, pages):
    colour = "return getComputedStyle(document.body).backgroundColor"
    browser.look(pages["text"], 1280)
    day = browser.run(colour)
    browser.look(pages["text"], 1280, night=True)
    assert browser.run(colour) != day
