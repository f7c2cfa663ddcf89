"""A reader at JupyterLab, by program: start the course as `minquant lab` does, open a notebook, run it, look at it.

The server and the browser get a home of their own, so that nobody's settings, kernels or workspaces are read or
changed. `expose_app_in_browser` lets the page's script reach JupyterLab's own commands ("run all cells"), which is
steadier than clicking through its menus.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
START_SECONDS = 120
NOT_HANDED_ON = ("MPLBACKEND", "JUPYTER_TOKEN", "JUPYTER_CONFIG_PATH", "PYTEST_CURRENT_TEST")

# Resolves when the notebook in front is there, its kernel is connected and has said who it is.
READY = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = app.shell.currentWidget;
    if (!panel || !panel.sessionContext) return false;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    return true;
}"""
RUN_ALL = """() => {
    window.finished = null;
    window.jupyterapp.commands.execute('notebook:run-all-cells')
        .then(() => { window.finished = 'done'; }, problem => { window.finished = String(problem); });
}"""
CELLS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells).map(cell => {
    const {cell_type, source, execution_count, outputs} = cell.toJSON();
    return {cell_type, source: [].concat(source).join(''), execution_count, outputs: outputs || []};
})"""
SHOW_CELL = """async index => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = index;
    await notebook.scrollToItem(index, 'start');
}"""


def find_browser() -> str | None:
    """Path of a Chromium or Chrome of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def course(folder: Path) -> Iterator[str]:
    """Serve the lessons, copied to a folder under `folder`, as `minquant lab` does; yields the address with its token."""
    config = folder / "config"
    config.mkdir()
    (config / "jupyter_server_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    env = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    env |= {"HOME": str(folder), "JUPYTER_CONFIG_PATH": str(config), "MINQUANT_LEDGER": str(folder / "ledger.json"),
            "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter-data"), "JUPYTER_RUNTIME_DIR": str(folder / "jupyter-run"),
            "PYTHONUNBUFFERED": "1"}
    log = folder / "server.log"
    command = [sys.executable, "-m", "minquant", "lab", "--no-browser", "--dir", str(folder / "lessons"),
               "--port", str(_port())]
    with log.open("w") as sink:
        server = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _port() -> int:
    """A port that the system picks: other tests start servers at the same time, and all would look from 8888 on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _address(server: subprocess.Popen, log: Path) -> str:
    """The address that the server printed, once a connection to it is answered."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"http://\S+token=\w+", log.read_text()):
            try:
                urlopen(re.sub(r"/lab/tree/[^?]*", "/api/status", found.group()), timeout=5).close()
                return found.group()
            except OSError:
                pass
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@contextmanager
def browser_page(executable: str, theme: str = "light"):
    """A page of a fresh headless browser."""
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS + root)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme=theme)
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


def open_notebook(page, address: str, path: str) -> None:
    """Open one of the lessons and wait until its kernel answers."""
    page.goto(re.sub(r"/lab/tree/[^?]*", f"/lab/tree/{path}", address))
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=START_SECONDS * 1000)
    end = time.monotonic() + START_SECONDS
    while not page.evaluate(READY):
        if time.monotonic() > end:
            raise TimeoutError(f"{path} did not open")
        page.wait_for_timeout(250)


def run_all(page, seconds: float) -> list[dict]:
    """Run all cells; returns the notebook's cells with their outputs. Raises playwright's TimeoutError."""
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.finished !== null", timeout=seconds * 1000)
    if (ended := page.evaluate("window.finished")) != "done":
        raise RuntimeError(f"running all cells ended with: {ended}")
    return page.evaluate(CELLS)


def show_cell(page, index: int) -> None:
    """Scroll to a cell; JupyterLab draws only what is near the screen."""
    page.evaluate(SHOW_CELL, index)
