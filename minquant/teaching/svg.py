"""A drawing as SVG text: rectangles, lines, polygons, words, and nothing else.

How it works
    A ``Drawing`` collects elements and turns into one ``<svg>`` string. Inside a
    notebook page the string is placed as it is, so ``currentColor`` is the colour
    of the surrounding text and one drawing suits a light and a dark theme.
    ``card()`` makes the same drawing stand alone: dark ink on a white card, for
    a still picture in an ``<img>``, where no theme can reach it.

Rules that keep drawings readable
    Every drawing carries ``role="img"`` and an ``aria-label``; words are real
    text, never outlines; no text below 11 px (``text`` refuses it); colours are
    those of Okabe and Ito (2008), which readers with a colour vision deficiency
    can tell apart; colour never carries a meaning that no word carries.

What we leave out
    Axes, curves and layout: matplotlib draws those (``teaching.figures``).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

# Okabe and Ito, "Color Universal Design", 2008. Black ink (INK) is readable on every one of them but BLUE.
ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#8a8a8a"  # for lines and faint marks: visible on white and on near-black
INK = "#16181d"
SMALLEST_TEXT = 11

_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif"
_MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def _number(value: float) -> str:
    """A coordinate with at most two decimals, so that equal pictures are equal strings."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _marked_up(words: str, bold: int) -> str:
    """Words as SVG text, the first ``bold`` characters in bold."""
    start, rest = escape(words[:bold], quote=False), escape(words[bold:], quote=False)
    return f'<tspan font-weight="600">{start}</tspan>{rest}' if bold else rest


class Drawing:
    """An SVG picture of ``width`` x ``height`` pixels that says in ``label`` what it shows.

    ``str(drawing)`` is the SVG text. The picture shrinks with a narrow page and
    never grows beyond its own width.
    """

    def __init__(self, width: float, height: float, label: str):
        self.width, self.height, self.label = width, height, label
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, *, fill: str = "none", stroke: str = "none",
             radius: float = 0, opacity: float = 1, dash: str = "") -> None:
        """A rectangle with its upper left corner at (x, y)."""
        self._add("rect", x=x, y=y, width=max(width, 0), height=height, fill=fill, stroke=stroke, rx=radius,
                  opacity=opacity, stroke_dasharray=dash)

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = GREY, width: float = 1,
             dash: str = "", arrow: bool = False) -> None:
        """A straight line; ``arrow`` puts a head at its second end."""
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_width=width, stroke_dasharray=dash)
        if arrow:
            self._head(x1, y1, x2, y2, stroke)

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: str = "none", stroke: str = "",
                width: float = 1, opacity: float = 1) -> None:
        """A closed shape through these points, (x, y) each."""
        self._add("polygon", points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points), fill=fill,
                  stroke=stroke, stroke_width=width if stroke else "", opacity=opacity)

    def text(self, x: float, y: float, words: str, *, size: float = 13, anchor: str = "start",
             fill: str = "currentColor", bold: bool | int = False, mono: bool = False, opacity: float = 1,
             length: float | str = "") -> None:
        """Words whose baseline starts (``anchor="middle"``, ``"end"``: is centred, ends) at (x, y).

        ``bold=True`` makes all of them bold, a number only so many characters. ``length`` spaces the letters so that
        the words are so many pixels long in whatever font the page has. Raises ValueError below 11 px.
        """
        if size < SMALLEST_TEXT:
            raise ValueError(f"text of {size} px is too small to read: use at least {SMALLEST_TEXT}")
        self._add("text", words, x=x, y=y, font_size=size, text_anchor=anchor, fill=fill, opacity=opacity,
                  bold=0 if bold is True else int(bold), font_weight="600" if bold is True else "",
                  font_family=_MONO if mono else "", textLength=length,
                  style="white-space:pre" if "  " in words or mono else "")

    def _head(self, x1: float, y1: float, x2: float, y2: float, fill: str) -> None:
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 or 1.0
        ux, uy = (x2 - x1) / length * 7, (y2 - y1) / length * 7
        points = [(x2 + ux / 2, y2 + uy / 2), (x2 - ux / 2 - uy / 2, y2 - uy / 2 + ux / 2),
                  (x2 - ux / 2 + uy / 2, y2 - uy / 2 - ux / 2)]
        self.polygon(points, fill=fill)

    def _add(self, tag: str, words: str | None = None, bold: int = 0, **attributes: object) -> None:
        """One element; attributes that are empty or at SVG's own default are left out."""
        defaults = {"rx": 0, "opacity": 1, "text_anchor": "start", "stroke": "none" if tag == "rect" else None}
        shown = []
        for name, value in attributes.items():
            if value == "" or (name in defaults and value == defaults[name]):
                continue
            written = _number(value) if isinstance(value, (int, float)) else escape(str(value), quote=True)
            shown.append(f'{name.replace("_", "-")}="{written}"')
        body = "/>" if words is None else f">{_marked_up(words, bold)}</{tag}>"
        self._parts.append(f"<{tag} {' '.join(shown)}{body}")

    def __str__(self) -> str:
        w, h = _number(self.width), _number(self.height)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
                f'aria-label="{escape(self.label, quote=True)}" font-family="{escape(_SANS, quote=True)}" '
                f'style="max-width:100%;height:auto;color:inherit">' + "".join(self._parts) + "</svg>")


def card(svg: str) -> str:
    """The same picture on a white card with dark ink: readable on any background.

    Raises ValueError for text that is not an SVG made by ``Drawing``.
    """
    head, sep, body = svg.partition(">")
    if not svg.startswith("<svg") or not sep:
        raise ValueError("card() needs the SVG text of a Drawing: pass str(drawing)")
    sheet = f'<rect width="100%" height="100%" rx="8" fill="#ffffff" stroke="{GREY}" stroke-opacity="0.35"/>'
    return head.replace("color:inherit", f"color:{INK}") + ">" + sheet + body


def img(svg: str, alt: str) -> str:
    """An HTML ``<img>`` that carries the picture, on its card, inside itself.

    A notebook that is not trusted yet loses inline SVG to the sanitizer but keeps
    images, so this is the form for still pictures.
    """
    data = base64.b64encode(card(svg).encode()).decode()
    return (f'<img alt="{escape(alt, quote=True)}" style="max-width:100%;height:auto" '
            f'src="data:image/svg+xml;base64,{data}">')
