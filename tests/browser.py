"""A browser to look at pages with: Chromium without a window, told what to do by the protocol that drivers share.

(W3C WebDriver; a handful of its commands, each a request to chromedriver.)
"""

import base64
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PATIENCE_SECONDS = 60
"""How long a page may take to show what it should."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = None if CHROMIUM and DRIVER else "needs chromium and chromedriver: apt-get install chromium chromium-driver"

TEXT = """
const seen = [];
(function walk(node) {
  if (node.nodeType === Node.TEXT_NODE) seen.push(node.textContent);
  if (["STYLE", "SCRIPT", "TEMPLATE"].includes(node.nodeName)) return;
  if (node.shadowRoot) walk(node.shadowRoot);
  if (node.nodeName === "IFRAME" && node.contentDocument?.body) walk(node.contentDocument.body);
  node.childNodes.forEach(walk);
})(document.body);
return seen.join(" ");
"""
PICTURES = """
const seen = [];
(function walk(node) {
  if (node.nodeName === "IMG" && node.naturalWidth > 1) seen.push(node.src);
  if (node.nodeName === "AUDIO") seen.push(node.src || node.querySelector("source")?.src || "audio");
  if (node.shadowRoot) walk(node.shadowRoot);
  node.childNodes.forEach(walk);
})(document.body);
return seen;
"""


class Browser:
    """One window. To be closed, or used as a context."""

    def __init__(self, width: int = 1400, height: int = 1000) -> None:
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                self.base = f"http://127.0.0.1:{found[1]}"
                break
        flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader"]
        options = {"binary": CHROMIUM, "args": [*flags, f"--window-size={width},{height}"]}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        self.session = self._ask("POST", "/session", wanted)["sessionId"]

    def open(self, address: str) -> None:
        """Goes to a page, and waits until it has loaded."""
        self._ask("POST", f"/session/{self.session}/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns that is run in the page."""
        return self._ask("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": [*arguments]})

    def text(self) -> str:
        """All text of the page."""
        return self.run(TEXT)

    def find(self, *texts: str) -> str:
        """Waits until the page shows all of these texts; returns all that it shows."""
        return self._until(lambda: self.text(), lambda shown: all(each in shown for each in texts), texts)

    def find_media(self, source: str, begin: bytes = b"") -> list[str]:
        """Waits until the page shows images or players from addresses like that, whose content begins like that."""

        def found() -> list[str]:
            shown = [each for each in self.run(PICTURES) if source in each]
            return [each for each in shown if not begin or urlopen(each, timeout=60).read(len(begin)) == begin]

        return self._until(found, bool, (source, begin))

    def screenshot(self, path: Path) -> None:
        """Keeps what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"/session/{self.session}/screenshot")))

    def close(self) -> None:
        """Ends the browser and its driver."""
        try:
            self._ask("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.communicate()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _until(self, look: Any, enough: Any, wanted: object) -> Any:
        end = time.monotonic() + PATIENCE_SECONDS
        while not enough(shown := look()):
            assert time.monotonic() < end, f"{wanted} didn't appear; the page shows: {shown}"
            time.sleep(0.2)
        return shown

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = Request(self.base + path, body, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
