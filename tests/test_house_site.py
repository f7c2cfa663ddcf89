"""The static copy of the course: whole, for reading without a kernel and without a network."""

from __future__ import annotations

import importlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from minquant.teaching.exercises import source

ROOT = Path(__file__).resolve().parents[1]
LOADS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "image": "href", "use": "href"}


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        yield importlib.import_module("build_site")
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def site(tool, tmp_path_factory):
    return tool.main(tmp_path_factory.mktemp("site") / "pages")


class Seen(HTMLParser):
    """Links, what a page loads, and which elements are open where."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.tags, self.folded, self._deep = [], [], [], "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self._deep += tag == "details"
        if tag == "a":
            self.links.append(found.get("href", ""))
        if tag in LOADS and not (found.get(LOADS[tag]) or "data:").startswith(("data:", "#")):
            self.loads.append(found[LOADS[tag]])

    def handle_endtag(self, tag):
        self._deep -= tag == "details"

    def handle_data(self, data):
        self.folded += data if self._deep else ""


def test_every_lesson_and_every_set_has_a_page(site):
    (index,) = [p for p in site if p.parent.name == "pages"]
    linked = set(Seen(index.read_text(encoding="utf-8")).links)
    lessons = {p.parent.name for p in ROOT.glob("lessons/*/lesson.ipynb")}
    sets = {source.exercise_set(n).folder for n in source.numbers()} & lessons
    assert linked == {f"{name}/index.html" for name in lessons} | {f"{name}/exercises.html" for name in sets}


def test_pages_load_nothing_run_nothing_and_their_links_lead_somewhere(site):
    for page in site:
        text = page.read_text(encoding="utf-8")
        seen = Seen(text)
        assert seen.loads == [] and "script" not in seen.tags and "@import" not in text and "url(" not in text, page
        inside = [link.partition("#")[0] for link in seen.links if not re.match(r"[a-z]+:", link)]
        assert [link for link in inside if link and not (page.parent / unquote(link)).is_file()] == [], page
        assert not re.search(r"(^|[^\w.:/])/(root|home|tmp)/", text) and "\x02" not in text


def test_outputs_are_there(site):
    text = next(p for p in site if p.parent.name.startswith("01_") and p.name == "index.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in text and "<svg" in text and '<pre class="out">' in text and "<table" in text
    assert "here is its first picture" in text and "<math" in text


def test_answers_are_there_and_folded_away(site):
    for number in source.numbers():
        exercises = source.exercise_set(number)
        page = next(p for p in site if p.parent.name == exercises.folder and p.name == "exercises.html")
        text = page.read_text(encoding="utf-8")
        assert text.count("A right answer, why, and another one") == len(exercises.exercises)
        folded, plain = Seen(text).folded, re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
        for e in exercises.exercises:
            last = e.code(e.reference).splitlines()[-1].strip()
            assert last in folded and f"{e.id} {e.title}" in re.sub(r"&#?\w+;", "'", plain).replace("&quot;", '"')
            words = re.sub(r"<[^>]+>", "", plain)
            assert e.kind == "diagnose" or len(last) < 12 or last not in words


@pytest.mark.parametrize("tex, found", [
    (r"\frac{1}{2^m}", "<mfrac><mrow><mrow><mn>1</mn></mrow></mrow><mrow><mrow><msup><mn>2</mn>"),
    (r"\text{tokens per second}", "<mtext>tokens per second</mtext>"), (r"a_i^2", "<msubsup><mi>a</mi>"),
    (r"\sum_{i} x_i", "<munder><mo>∑</mo>"), (r"a < b - c", "<mo>&lt;</mo><mi>b</mi><mo>−</mo>"), (r"\log_{10} x", '<msub><mo lspace="0" rspace="0.17em">log</mo>'), (r"\|x\|", "<mo>‖</mo>"),
    (r"\sqrt 3", "<msqrt><mrow><mn>3</mn></mrow></msqrt>"), (r"\big[e\big]", '<mo stretchy="false">[</mo><mi>e</mi><mo stretchy="false">]</mo>'),
    (r"\begin{pmatrix} 1 & a_i \\ 0 & -1 \end{pmatrix} x", "<mtr><mtd><mn>0</mn></mtd><mtd><mo>−</mo><mn>1</mn></mtd></mtr>"),
    (r"\underbrace{x}_{\text{in the loop}}", "<mtext>in the loop</mtext>"), (r"a\,\text{x y}^2", "<msup><mtext>x y</mtext>")])
def test_formulas_become_mathml(tool, tex, found):
    made = importlib.import_module("mathml").to_mathml(tex)
    assert found in made and made.count("<mrow>") == made.count("</mrow>")


@pytest.mark.parametrize("tex", [r"\frac{1}", r"{x", r"x}", r"\unknown", r"x^", r"\text x", "a & b",
                                 r"\begin{cases} a \end{cases}", r"\begin{pmatrix} a & b"])
def test_what_is_no_formula_of_ours_is_refused(tool, tex):
    with pytest.raises(ValueError):
        importlib.import_module("mathml").to_mathml(tex)


def test_dollars_in_code_are_no_formulas_and_odd_formulas_are_shown_as_written(tool, capsys):
    made = tool.markdown("`$HOME` and $x$ and \n\n```sh\necho $A $B\n```\n\n$\\nope{1}$ costs $5 or $6")
    assert "<code>$HOME</code>" in made and "echo $A $B" in made and made.count("<math") == 1
    assert "<code>\\nope{1}</code>" in made and "shown as its source" in capsys.readouterr().err
    assert "costs $5 or $6" in made


def test_every_formula_of_the_lessons_is_drawn(tool, capsys):
    for path in sorted((ROOT / "lessons").glob("*/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                tool.markdown("".join(cell["source"]))
    assert capsys.readouterr().err == ""


def test_links_lead_to_pages_or_become_words(tool):
    made = tool.markdown("[a](../02_x/lesson.ipynb) [b](exercises.ipynb#c) [d](../../minquant/x.py) [e](https://example.org) [f](#g)")
    assert re.findall(r'href="([^"]*)"', made) == ["../02_x/index.html", "exercises.html", "https://example.org", "#g"]
    assert " d " in made
