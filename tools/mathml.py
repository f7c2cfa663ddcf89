"""TeX formulas of the lessons as MathML, which browsers draw without any script.

How it works
    A formula is cut into tokens; a group, a command with its arguments or a single sign is an atom; ``^`` and ``_``
    attach to the atom before them. Only what the lessons use is known. Anything else raises ValueError, and the site
    shows the formula as its source.

Source
    MathML Core (W3C); names of signs as in The TeXbook, appendix F.
"""

from __future__ import annotations

import re
from html import escape

SIGNS = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "lambda": "λ", "mu": "μ", "pi": "π",
         "sigma": "σ", "theta": "θ", "Delta": "Δ", "infty": "∞", "ell": "ℓ", "dots": "…", "ldots": "…", "cdots": "⋯"}
OPERATORS = {"cdot": "·", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "approx": "≈", "sim": "∼",
             "pm": "±", "to": "→", "rightarrow": "→", "in": "∈", "mid": "|", "|": "‖", "{": "{", "}": "}", "odot": "⊙",
             "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "propto": "∝", "top": "⊤", "div": "÷", "equiv": "≡",
             "langle": "⟨", "rangle": "⟩", "partial": "∂", "nabla": "∇", "prime": "′", "%": "%", "#": "#", "&": "&"}
LARGE = {"sum": "∑", "int": "∫", "prod": "∏"}
NAMES = ("log", "exp", "max", "min", "arg", "argmin", "argmax", "sin", "cos", "tanh", "softmax")
SPACES = {",": "0.17em", ":": "0.22em", ";": "0.28em", " ": "0.3em", "!": "0", "quad": "1em", "qquad": "2em"}
WORDS = ("text", "mathrm", "operatorname", "textrm", "mathbf")
SIZES = ("big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "left", "right", "displaystyle")
LINE, END = r"\\", r"\end"
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:[.,][0-9]+)*|\s+|.", re.DOTALL)


def to_mathml(tex: str, display: bool = False) -> str:
    """The <math> element of a formula (without its dollars). Raises ValueError for what is not known here."""
    reader = _Reader([t for t in TOKEN.findall(tex) if not t.isspace()], TOKEN.findall(tex))
    body = reader.row(None)
    kind = ' display="block"' if display else ""
    return f'<math{kind} aria-label="{escape(tex.strip())}"><mrow>{body}</mrow></math>'


class _Reader:
    """One formula, token after token; ``kept`` has the blanks too, which count inside \\text."""

    def __init__(self, tokens: list[str], kept: list[str]):
        self.tokens, self.kept, self.place, self.kept_place = tokens, kept, 0, 0

    def _next(self) -> str:
        if self.place >= len(self.tokens):
            raise ValueError("the formula ends where something should follow")
        token = self.tokens[self.place]
        self.place += 1
        while self.kept[self.kept_place].isspace():
            self.kept_place += 1
        self.kept_place += 1
        return token

    def _peek(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def row(self, end: str | None) -> str:
        """Atoms with their scripts up to ``end``, which is taken."""
        parts = self._atoms_until((end,))
        if end is not None:
            self._next()
        return parts

    def _atoms_until(self, ends: tuple[str | None, ...]) -> str:
        parts = []
        while (token := self._peek()) not in ends:
            if token is None:
                raise ValueError(f"a {ends[-1]} is missing")
            parts.append(self._scripted(self.atom()))
        return "".join(parts)

    def _scripted(self, base: str) -> str:
        below = above = None
        while self._peek() in ("_", "^"):
            if self._next() == "_":
                below = self.argument()
            else:
                above = self.argument()
        limits = base.startswith(("<mo>∑", "<munder"))
        under, over, both = ("munder", "mover", "munderover") if limits else ("msub", "msup", "msubsup")
        if below is not None and above is not None:
            return f"<{both}>{base}{below}{above}</{both}>"
        if below is not None:
            return f"<{under}>{base}{below}</{under}>"
        return f"<{over}>{base}{above}</{over}>" if above is not None else base

    def argument(self) -> str:
        """One atom, always one element."""
        return f"<mrow>{self.atom()}</mrow>"

    def atom(self) -> str:
        """A group, a command with its arguments, a number, a letter or a sign."""
        token = self._next()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token.startswith("\\"):
            return self._command(token[1:])
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token in "}^_&$#~":
            raise ValueError(f"{token!r} was not expected")
        if token in "()[]|":
            return f'<mo stretchy="false">{token}</mo>'
        return f"<mo>{escape({'-': '−', '*': '∗', chr(39): '′'}.get(token, token))}</mo>"

    def _command(self, name: str) -> str:
        if name == "frac":
            return f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.argument()}</msqrt>"
        if name == "underbrace":
            return f"<munder>{self.argument()}<mo>⏟</mo></munder>"
        if name == "begin":
            return self._matrix()
        if name in ("hat", "tilde", "bar"):
            return f"<mover>{self.argument()}<mo>{ {'hat': '^', 'tilde': '~', 'bar': '¯'}[name] }</mo></mover>"
        if name in WORDS:
            return f"<mtext>{escape(self._words())}</mtext>"
        if name in SIZES:
            return ""
        if name in SPACES:
            return f'<mspace width="{SPACES[name]}"></mspace>'
        if name in NAMES:
            return f'<mo lspace="0" rspace="0.17em">{name}</mo>'
        for table, tag in ((SIGNS, "mi"), (OPERATORS, "mo"), (LARGE, "mo")):
            if name in table:
                return f"<{tag}>{escape(table[name])}</{tag}>"
        raise ValueError(f"\\{name} is not known here")

    def _matrix(self) -> str:
        """What follows \\begin, to its \\end: rows of a matrix in round brackets."""
        rows, cells = [], []
        if self._words() != "pmatrix":
            raise ValueError("of all environments only pmatrix is known here")
        while True:
            cells.append(f"<mtd>{self._atoms_until(('&', LINE, END))}</mtd>")
            token = self._next()
            if token != "&":
                rows.append(f"<mtr>{''.join(cells)}</mtr>")
                cells = []
            if token == END:
                self._words()
                return f"<mrow><mo>(</mo><mtable>{''.join(rows)}</mtable><mo>)</mo></mrow>"

    def _words(self) -> str:
        """What stands in the braces after \\text, blanks kept."""
        if self._next() != "{":
            raise ValueError("\\text needs braces")
        start = self.kept_place
        while self._next() != "}":
            pass
        return "".join(self.kept[start:self.kept_place - 1])
