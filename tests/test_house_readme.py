"""README and its neighbours keep their word: links lead somewhere, commands exist, the table of lessons is true."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("lessons/*.md"), *ROOT.glob("data/*.md")])
by_name = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])


def anchors(text: str) -> set[str]:
    """The anchors that a code host gives the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-")
            for h in re.findall(r"^#+ +(.+)$", text, re.MULTILINE)}


def dead_links(page: Path) -> list[str]:
    """Links of a page that lead nowhere in the repository; addresses on the web are not asked for."""
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
        target, _, anchor = "".join(link).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (page.parent / target) if target else page
        if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
            dead.append("".join(link))
    return dead


def commands(page: Path) -> list[str]:
    """Command lines of a page: lines of shell blocks, and code spans that begin with make or minquant."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines += re.findall(r"`((?:make|minquant|python -m minquant|python tools/)\s?[^`\n]*)`", prose)
    return [line.split("  #")[0].split(" # ")[0].strip() for line in lines if line.strip()]


@cache
def help_text(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "minquant", *words, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"minquant {' '.join(words)} --help: {done.stdout}{done.stderr}"
    return done.stdout


def fault(command: str) -> str | None:
    """What is wrong with a command line, or None."""
    words = shlex.split(command)
    if words[0] == "make":
        goals = [w for w in words[1:] if "=" not in w]
        missing = [g for g in goals if not re.search(rf"^{re.escape(g)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)]
        return f"no such goal in the Makefile: {missing}" if missing else None
    if words[:3] == ["python", "-m", "minquant"]:
        words = words[2:]
    if words[0] in ("python", "bash"):
        return None if words[1].startswith("-") or (ROOT / words[1]).exists() else f"no such file: {words[1]}"
    if words[0] != "minquant" or len(words) == 1 or words[1].startswith("-"):
        return None
    verb = words[1:3] if words[1] == "exercises" and len(words) > 2 and not words[2].startswith("-") else words[1:2]
    if not re.search(rf"^ +{words[1]}\b", help_text(), re.MULTILINE):
        return f"no such verb: {words[1]}"
    shown = help_text(*verb)
    flags = [word.split("=")[0] for word in words if word.startswith("--")]
    unknown = [flag for flag in flags if not re.search(rf"{re.escape(flag)}\b", shown)]
    return f"{' '.join(verb)} knows no {unknown}" if unknown else None


@by_name
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


@by_name
def test_commands_exist(page):
    assert {command: said for command in commands(page) if (said := fault(command))} == {}


@pytest.mark.parametrize("planted", ["make lunch", "minquant lader", "minquant ladder --quik", "python tools/gone.py"])
def test_a_wrong_command_would_be_seen(planted):
    assert fault(planted)


def test_a_dead_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](gone.md) [c](#gone) [d](https://example.org/x)\n```sh\nmake test\n```\n")
    assert dead_links(page) == ["gone.md", "#gone"]
    assert commands(page) == ["make test"]


def test_readme_lists_every_lesson_once_and_links_those_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:\[(\d\d)\]\(lessons/([^/]+)/lesson\.ipynb\)|(\d\d)) \|", text, re.MULTILINE)
    assert [linked or planned for linked, _, planned in rows] == [f"{n:02d}" for n in range(15)]
    there = {path.parent.name for path in ROOT.glob("lessons/*/lesson.ipynb")}
    assert {slug for _, slug, _ in rows if slug} == there


def test_readme_shows_the_two_commands_and_a_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\nmake lab" in text and "\nmake test" in text and re.search(r"^!\[.+\]\(.+\)", text, re.MULTILINE)


def refresher():
    spec = importlib.util.spec_from_file_location("refresh_readme", ROOT / "tools" / "refresh_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_ladder_replaces_the_old_one_and_nothing_else():
    tool, text = refresher(), (ROOT / "README.md").read_text(encoding="utf-8")
    once = tool.refreshed(text, "| a | b |\n", "minquant ladder")
    assert once.split(tool.BEGIN)[0] == text.split(tool.BEGIN)[0] and once.split(tool.END)[1] == text.split(tool.END)[1]
    assert "| a | b |" in once
    assert tool.refreshed(once, "| c |", "minquant ladder") == tool.refreshed(text, "| c |", "minquant ladder")
    with pytest.raises(ValueError, match="once and in this order"):
        tool.refreshed(text.replace(tool.END, ""), "| a |", "minquant ladder")


def test_the_ladder_in_readme_was_measured():
    tool, text = refresher(), (ROOT / "README.md").read_text(encoding="utf-8")
    ladder = text.split(tool.BEGIN)[1].split(tool.END)[0]
    assert ladder.strip().startswith("```sh\nminquant ladder"), "run: python tools/refresh_readme.py"
    assert "| bf16" in ladder and "int4" in ladder and "GB/s" in ladder
