"""Measure the ladder on this machine and put it into README.md, table and picture.

    python tools/refresh_readme.py [--shape 0.6b] [other flags of `minquant ladder`]

Runs ``minquant ladder`` once. Its table goes between the two marks in README.md, under the command that made it; its
picture goes to lessons/ladder.svg. Nothing is changed where the measurement fails.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "lessons" / "ladder.svg"
BEGIN, END = "<!-- ladder: begin (tools/refresh_readme.py writes this part) -->", "<!-- ladder: end -->"


def refreshed(readme: str, table: str, command: str) -> str:
    """The README with a new table between the marks. Raises ValueError unless each mark stands in it once, in order."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"README.md must hold, once and in this order:\n{BEGIN}\n{END}")
    head, tail = readme.split(BEGIN)[0], readme.split(END)[1]
    return f"{head}{BEGIN}\n```sh\n{command}\n```\n\n{table.strip()}\n{END}{tail}"


def main(flags: list[str]) -> None:
    """Measure, then write both files."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / PICTURE.name
        command = [sys.executable, "-m", "minquant", "ladder", "--markdown", "--picture", str(picture), *flags]
        table = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        text = refreshed(README.read_text(encoding="utf-8"), table, shlex.join(["minquant", "ladder", *flags]))
        svg = "\n".join(line.rstrip() for line in picture.read_text(encoding="utf-8").splitlines()) + "\n"
    PICTURE.write_text(svg, encoding="utf-8")
    README.write_text(text, encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)} and the ladder in {README.name} are new")


if __name__ == "__main__":
    main(sys.argv[1:])
