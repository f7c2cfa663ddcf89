"""``explore``: one drawing function, a few sliders, a picture that follows them.

How it works
    ``draw(**values)`` is an ordinary function that returns a picture: SVG text
    (shown in a ``widgets.HTML``) or PNG bytes (shown in a ``widgets.Image``).
    Moving a slider calls it again and puts the new picture in the same place.
    Nothing else is drawn, cleared or printed, so the saved notebook stays small
    and a strict notebook test can compare it.

Without a kernel
    A widget is dead in a notebook that is not running. So the output also holds
    a *still*: the picture at the sliders' first values, made by the same
    function, folded away under the widget, and once more as the fallback that a
    viewer without widgets (a code host's page) shows in the widget's place.

What we leave out
    ``interact`` and Output widgets: they print into the notebook and make a
    strict comparison fail. Plots that take longer than a blink: measure first,
    draw from what was measured.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import ipywidgets as widgets
from IPython.display import display

from . import svg as _svg

Draw = Callable[..., "str | bytes"]
_WIDE = widgets.Layout(width="420px", max_width="100%")


def explore(draw: Draw, *, buttons: str | None = None, still: bool = True, **sliders: Any) -> None:
    """Show ``draw(**values)`` with one control per keyword argument; the picture follows the controls.

    ``draw`` returns SVG text or PNG bytes. A keyword is the name of one of its
    arguments, and its value says what control it gets:

    - ``(low, high)`` or ``(low, high, step)``: a slider (whole numbers if all are);
    - ``[a, b, c]``: a slider over these choices, in this order; a choice may be a
      pair ``("label", value)``;
    - ``True`` or ``False``: a tick box; a widget of ipywidgets: itself.

    ``buttons`` names the control that also gets Previous and Next buttons.
    ``still=False`` leaves the still picture out. Raises ValueError for a control
    it does not know and for a picture that is neither SVG text nor PNG bytes.
    """
    controls = {name: _control(name, wanted) for name, wanted in sliders.items()}
    first = draw(**_values(controls))
    picture = _picture(first)

    def redraw(_change: object = None) -> None:
        picture.value = shown(draw(**_values(controls)))

    for control in controls.values():
        control.observe(redraw, names="value")
    rows = [_with_buttons(c) if name == buttons else c for name, c in controls.items()]
    box = widgets.VBox([*rows, picture])
    bundle = dict(box._repr_mimebundle_()) | fallback(first)
    display(bundle, raw=True)
    if still:
        show_still(first, "The same picture as a still")


def show_still(picture: str | bytes, summary: str = "") -> None:
    """Show a picture (SVG text or PNG bytes) that needs no kernel; folded away if there is a ``summary``."""
    alt = describe(picture)
    if isinstance(picture, bytes):
        data = base64.b64encode(picture).decode()
        image = f'<img alt="{escape(alt, quote=True)}" style="max-width:100%" src="data:image/png;base64,{data}">'
    else:
        image = _svg.img(picture, alt)
    html = f"<details><summary>{escape(summary)}</summary>{image}</details>" if summary else image
    display({"text/html": html, "text/plain": alt}, raw=True)


def describe(picture: str | bytes) -> str:
    """The words that stand for a picture: the aria-label of an SVG."""
    if isinstance(picture, str) and (found := re.search(r'aria-label="([^"]*)"', picture)):
        return unescape(found.group(1))
    return "A picture"


def _control(name: str, wanted: Any) -> widgets.Widget:
    """The control for one argument of ``draw``."""
    common = {"description": name.replace("_", " "), "layout": _WIDE, "style": {"description_width": "initial"}}
    if isinstance(wanted, widgets.Widget):
        if wanted.layout.width is None:
            wanted.layout.width, wanted.layout.max_width = _WIDE.width, _WIDE.max_width  # its readout would be cut off
        return wanted
    if isinstance(wanted, bool):
        return widgets.Checkbox(value=wanted, indent=False, **common)
    if isinstance(wanted, list) and wanted:
        return widgets.SelectionSlider(options=wanted, **common)
    if isinstance(wanted, tuple) and len(wanted) in (2, 3) and all(isinstance(v, (int, float)) for v in wanted):
        low, high, *step = wanted
        if low >= high:
            raise ValueError(f"explore({name}=...): the first number must be below the second, got {wanted!r}")
        whole = all(isinstance(v, int) for v in wanted)
        kind = widgets.IntSlider if whole else widgets.FloatSlider
        by = step[0] if step else 1 if whole else (high - low) / 100
        return kind(min=low, max=high, step=by, value=low, **common)
    raise ValueError(f"explore({name}=...): give (low, high), (low, high, step), a list of choices, True/False or a "
                     f"widget, not {wanted!r}")


def _with_buttons(control: widgets.Widget) -> widgets.HBox:
    """A slider between a Previous and a Next button that stop at its ends."""
    trait = "index" if hasattr(control, "index") else "value"
    low, high, by = (0, len(control.options) - 1, 1) if trait == "index" else (control.min, control.max, control.step)
    back = widgets.Button(description="Previous", icon="arrow-left", layout=widgets.Layout(width="110px"))
    forward = widgets.Button(description="Next", icon="arrow-right", layout=widgets.Layout(width="110px"))

    def step(direction: int) -> None:
        setattr(control, trait, min(max(getattr(control, trait) + direction * by, low), high))

    def mark(_change: object = None) -> None:
        back.disabled, forward.disabled = getattr(control, trait) <= low, getattr(control, trait) >= high

    back.on_click(lambda _button: step(-1))
    forward.on_click(lambda _button: step(+1))
    control.observe(mark, names="value")
    mark()
    return widgets.HBox([back, forward, control], layout=widgets.Layout(flex_flow="row wrap"))


def _values(controls: dict[str, widgets.Widget]) -> dict[str, Any]:
    return {name: control.value for name, control in controls.items()}


def _picture(first: str | bytes) -> widgets.Widget:
    """The widget that holds the picture: HTML for SVG text, Image for PNG bytes."""
    value = shown(first)
    return widgets.HTML(value) if isinstance(value, str) else widgets.Image(value=value, format="png")


def shown(picture: Any) -> str | bytes:
    """A picture as a widget's value: SVG in the page's text colour, PNG bytes as they are; else ValueError."""
    if isinstance(picture, bytes) and picture.startswith(b"\x89PNG"):
        return picture
    if isinstance(picture, str) and picture.startswith("<svg"):
        return f'<div style="color:var(--jp-content-font-color1,inherit)">{picture}</div>'
    raise ValueError("a drawing function must return SVG text (str(Drawing)) or PNG bytes, "
                     f"not {type(picture).__name__} {str(picture)[:40]!r}")


def fallback(first: str | bytes) -> dict[str, str]:
    """What a viewer without widgets shows in the widget's place."""
    if isinstance(first, bytes):
        return {"image/png": base64.b64encode(first).decode(), "text/plain": describe(first)}
    return {"image/svg+xml": _svg.card(first), "text/plain": describe(first)}
