"""The docs site: what the code writes of it, and that it builds without the network."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from browser import MISSING, Browser
from docs_options import options_of
from docs_pages import LISTS, PAGED, pages

from seqtrain.cli import main
from seqtrain.words import GROUPS, built_in

REPOSITORY = Path(__file__).parents[1]
WIDE = """
return [...document.querySelectorAll("body *")].filter((each) =>
  each.getBoundingClientRect().right > window.innerWidth + 1 && getComputedStyle(each).position !== "fixed"
  && !each.closest(".md-typeset__scrollwrap, pre, .md-tabs, .md-header, .md-sidebar, [data-md-component=search]"))
  .map((each) => each.outerHTML.slice(0, 80));
"""
"""What of a page sticks out to the right."""


@pytest.fixture(scope="session")
def written() -> dict[str, str]:
    return pages()


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site as it is built with every warning an error, where the network can't be reached."""
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("needs the extra docs: pip install 'seqtrain[docs]'")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_group_of_words_has_its_pages():
    assert {*PAGED, *LISTS, "experiment"} == set(GROUPS)


def test_every_option_of_every_word_is_told(written):
    for group in (*PAGED, *LISTS):
        for word, file in built_in(group).items():
            page = written[f"{group}s/{word}.md" if group in PAGED else f"options/{group}.md"]
            text = page if group in PAGED or len(built_in(group)) == 1 else page.split(f"## {word}\n")[1]
            for option in options_of(file):
                row = re.search(rf"^\| `{option.key}` \| `(.*?)` \| (.*) \|$", text, flags=re.M)
                assert row, f"{group}={word}: {option.key} is missing"
                assert row[1] == option.default
                assert len(row[2]) > 3, f"{group}={word}: nobody says what {option.key} is"


def test_a_page_tells_what_a_model_refuses_and_was_recorded_with(written):
    page = written["models/bilstm.md"]
    assert re.search(r"- \[`copy_memory`\].*\[`text`\].*: it reads later steps", page)
    assert "experiments.md#sst2_bilstm" in page
    assert "| core | LSTM 128 -> 256, 1 layer, both directions" in page
    assert "Zhou" not in page
    assert "experiments.md" not in written["models/birnn.md"]
    assert "seqtrain data fetch sst2\n" in written["tasks/sst2.md"]


@pytest.mark.slow
def test_every_command_of_the_pages_that_are_written_is_understood(written, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = [block for page in written.values() for block in re.findall(r"```sh\n(.*?)```", page, flags=re.S)]
    commands = {line for block in blocks for line in block.splitlines()}
    assert len(commands) > 60
    for command in sorted(commands):
        name, *arguments = shlex.split(command)
        assert name == "seqtrain"
        if arguments[0] != "data" and "-m" not in arguments:  # sweeps are tried in test_docs and tests/sweeps
            assert main(["--cfg", "job", *arguments]) in (0, None), command
            capsys.readouterr()


@pytest.mark.slow
def test_the_site_is_built_and_loads_nothing_from_elsewhere(site, written):
    read = {page: page.read_text("utf-8") for page in site.rglob("*.html")}
    assert {(site / page).with_suffix(".html") for page in written} < set(read)
    for page, text in read.items():
        loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link\b[^>]*\brel="(?:stylesheet|preload|preconnect)"[^>]*\bhref="(https?:[^"]*)"', text)
        assert not loaded, f"{page}: {loaded}"
    assert "usage: seqtrain predict" in read[site / "command-line.html"]
    assert "class MinimalGatedUnitSpec" in re.sub("<.*?>", "", read[site / "extending.html"])
    assert 'id="seqtrain.runs.trained.load"' in read[site / "python.html"]


@pytest.fixture(scope="module", params=[1280, 390])
def browser(request) -> Iterator[Browser]:
    if MISSING:
        pytest.skip(MISSING)
    with Browser(request.param, 900) as opened:
        size = {"width": request.param, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}  # a window can't be that narrow
        opened._ask("POST", f"/session/{opened.session}/goog/cdp/execute", command)
        assert opened.run("return window.innerWidth") == request.param
        yield opened


@pytest.mark.slow
def test_no_page_is_wider_than_its_window(site, browser):
    for page in sorted(site.rglob("*.html")):
        browser.open(page.as_uri())
        assert browser.run(WIDE) == [], page
