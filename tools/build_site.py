"""A static copy of all lessons and exercises, from their stored outputs:  make site  writes site/.

How it works
    Every notebook becomes one page that needs nothing else: pictures lie in it as data, the style sheet too, formulas
    are MathML (``mathml.py``), and there is no script. Lessons show what was stored when they last ran. Exercises show
    their text, and under each the right answers, folded away. Links between notebooks lead to their pages; a link to
    another file of the repository becomes plain words, because that file is not here.

What we leave out
    Widgets: their stored first picture is shown, and the page says that it is one.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from html import escape
from pathlib import Path

import mistune
from mathml import to_mathml
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from minquant.teaching.exercises.notebook import FILE, build_notebook
from minquant.teaching.exercises.source import exercise_set, numbers

ROOT = Path(__file__).resolve().parents[1]
MARKDOWN = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])
CODE = HtmlFormatter(nowrap=True, noclasses=True, style="friendly")
MATH = re.compile(r"(```.*?```|~~~.*?~~~|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\\w$])\$(?=\S)([^$\n]*?\S)\$(?!\w)", re.DOTALL)
PAGES = {"lesson.ipynb": "index.html", FILE: "exercises.html"}


def main(out: Path = ROOT / "site") -> list[Path]:
    """Write the site anew and return its pages."""
    shutil.rmtree(out, ignore_errors=True)
    written, entries = [], []
    for folder in sorted((ROOT / "lessons").glob("[0-9][0-9]_*")):
        lesson = json.loads((folder / "lesson.ipynb").read_text(encoding="utf-8"))
        title = _title(lesson)
        links = '<a href="../index.html">All lessons</a>'
        has_exercises = folder.name[:2] in numbers()
        more = ' · <a href="exercises.html">Exercises</a>' if has_exercises else ""
        written.append(_write(out / folder.name / "index.html", title, links + more, _cells(lesson["cells"])))
        if has_exercises:
            set_title = exercise_set(folder.name[:2]).title
            written.append(_write(out / folder.name / "exercises.html", set_title,
                                  f'{links} · <a href="index.html">Lesson</a>', _exercises(folder.name[:2])))
        entries.append(f'<li value="{int(folder.name[:2])}"><a href="{folder.name}/index.html">{escape(title)}</a>'
                       + (f' (<a href="{folder.name}/exercises.html">exercises</a>)' if has_exercises else "") + "</li>")
    body = ("<h1>minquant: LLM quantization, built from scratch and measured</h1><p>The lessons as they ran on the authors' "
            "machine. To run them on yours, get the repository and type <code>make lab</code>.</p>"
            f"<ol>{''.join(entries)}</ol>")
    return [_write(out / "index.html", "minquant", "", body), *written]


def _title(book: dict) -> str:
    text = "".join(next(c for c in book["cells"] if c["cell_type"] == "markdown")["source"])
    return re.sub(r"^#+ *", "", text.strip().splitlines()[0]).replace("`", "")


def _write(path: Path, title: str, links: str, body: str) -> Path:
    style = (ROOT / "tools" / "site.css").read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>\n{style}</style></head>\n"
        f"<body><header><nav>{links}</nav></header>\n<main>{body}</main>\n<footer>Text and figures: CC BY 4.0, code: "
        "Apache-2.0. Figures were measured on one machine; yours will differ.</footer></body></html>\n", encoding="utf-8")
    return path


def _cells(cells: list[dict]) -> str:
    return "\n".join(markdown("".join(c["source"])) if c["cell_type"] == "markdown" else
                     _code("".join(c["source"])) + "".join(map(_output, c["outputs"])) for c in cells)


def _exercises(number: str) -> str:
    """Text, data and starters; right answers and reasons folded away."""
    parts = []
    solved = {c["id"]: c for c in build_notebook(number, "solutions")["cells"]}
    for cell in build_notebook(number)["cells"]:
        text, role = "".join(cell["source"]), cell["metadata"].get("minquant", {}).get("role")
        if cell["cell_type"] == "markdown":
            parts.append(markdown(text))
        elif role not in ("show", "check"):
            parts.append(_code(text))
        if role == "answer":
            slug = cell["id"].removesuffix("-answer")
            why, first, second = ("".join(solved[f"{slug}-{part}"]["source"]) for part in ("why", "answer", "second"))
            reason = why.partition("**Another right answer**")[0]
            parts.append(f"<details><summary>A right answer, why, and another one</summary>{_code(first)}{markdown(reason)}"
                         f"<p><strong>Another right answer</strong></p>{_code(second)}</details>")
    return "\n".join(parts)


def _code(source: str) -> str:
    return f'<pre class="code"><code>{highlight(source.strip(), PythonLexer(), CODE).rstrip()}</code></pre>' if source.strip() else ""


def _output(output: dict) -> str:
    if output["output_type"] == "stream":
        return f'<pre class="out">{escape("".join(output["text"]))}</pre>'
    data = {kind: "".join(value) if isinstance(value, list) else value for kind, value in output.get("data", {}).items()}
    widget = "application/vnd.jupyter.widget-view+json" in data
    note = '<p class="note">A widget in the notebook; here is its first picture.</p>' if widget else ""
    if "text/html" in data:
        return f'<div class="wide">{data["text/html"]}</div>'
    if "image/svg+xml" in data:
        return f'<div class="wide">{data["image/svg+xml"]}</div>{note}'
    if "image/png" in data:
        return f'<div class="wide"><img alt="Figure made by the code above" src="data:image/png;base64,{data["image/png"].strip()}"></div>'
    if widget:
        return '<p class="note">Here the notebook has a widget or a quiz to answer.</p>'
    return f'<pre class="out">{escape(data.get("text/plain", ""))}</pre>'


def markdown(text: str) -> str:
    """Markdown as HTML: formulas drawn, tables in a box that scrolls, links led to pages of the site."""
    formulas: list[str] = []

    def keep(match: re.Match) -> str:
        if match[1]:
            return match[0]
        tex, display = match[2] or match[3], match[2] is not None
        try:
            formulas.append(to_mathml(tex, display))
        except ValueError as problem:
            print(f"a formula is shown as its source ({problem}): {tex.strip()}", file=sys.stderr)
            formulas.append(f"<code>{escape(tex.strip())}</code>")
        return f"\x02{len(formulas) - 1}\x03"

    page = MARKDOWN(MATH.sub(keep, text))
    page = re.sub(r"\x02(\d+)\x03", lambda m: formulas[int(m[1])], page)
    page = page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return re.sub(r'<a href="([^"]*)"([^>]*)>(.*?)</a>', _link, page, flags=re.DOTALL)


def _link(match: re.Match) -> str:
    target, more, words = match.groups()
    path = target.partition("#")[0]
    name = path.rpartition("/")[2]
    if re.match(r"[a-z]+:", target) or not path:
        return match[0]
    if name in PAGES and re.fullmatch(r"(\.\./)?([\w]+/)?[\w.]+", path):
        return f'<a href="{path.removesuffix(name)}{PAGES[name]}"{more}>{words}</a>'
    return words


if __name__ == "__main__":
    pages = main(*map(Path, sys.argv[1:2]))
    print(f"wrote {len(pages)} pages; open {pages[0]}")
