"""explore: controls from values, a picture that follows them, a fallback and a still for viewers without a kernel."""

import io

import ipywidgets
import pytest

from minquant.teaching import svg, widgets


@pytest.fixture
def shown(monkeypatch):
    """Everything displayed, as MIME bundles, and the widgets behind them."""
    bundles = []
    monkeypatch.setattr(widgets, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.fixture
def boxes(monkeypatch):
    made = []
    real = ipywidgets.VBox
    monkeypatch.setattr(widgets.widgets, "VBox", lambda children: made.append(real(children)) or made[-1])
    return made


def draw(level: int = 0) -> str:
    d = svg.Drawing(50, 20, f"level {level}")
    d.text(0, 15, str(level))
    return str(d)


def test_the_picture_follows_the_slider(shown, boxes):
    widgets.explore(draw, level=(0, 3))
    slider, picture = boxes[0].children
    assert isinstance(slider, ipywidgets.IntSlider) and "level 0" in picture.value
    slider.value = 2
    assert "level 2" in picture.value


def test_buttons_step_and_stop_at_the_ends(shown, boxes):
    widgets.explore(draw, buttons="level", level=[("first", 10), ("second", 20), ("third", 30)])
    row, picture = boxes[0].children
    back, forward, slider = row.children
    assert back.disabled and not forward.disabled
    forward.click()
    assert slider.value == 20 and "level 20" in picture.value and not back.disabled
    forward.click()
    forward.click()
    assert slider.value == 30 and forward.disabled
    back.click()
    assert "level 20" in picture.value


def test_buttons_also_step_a_plain_slider(shown, boxes):
    widgets.explore(draw, buttons="level", level=(0, 4, 2))
    back, forward, slider = boxes[0].children[0].children
    forward.click()
    assert slider.value == 2
    slider.value = 4
    assert forward.disabled and not back.disabled


def test_a_viewer_without_widgets_gets_the_first_picture(shown, boxes):
    widgets.explore(draw, level=(0, 3))
    live, still = shown
    assert "application/vnd.jupyter.widget-view+json" in live
    assert live["image/svg+xml"] == svg.card(draw(0)) and live["text/plain"] == "level 0"
    assert still["text/html"].startswith("<details>") and svg.img(draw(0), "level 0") in still["text/html"]


def test_png_pictures_go_into_an_image(shown, boxes):
    from matplotlib.figure import Figure

    def plot(size: int = 1) -> bytes:
        out = io.BytesIO()
        Figure(figsize=(size, 1), dpi=10).savefig(out, format="png")
        return out.getvalue()

    widgets.explore(plot, size=(1, 3))
    slider, picture = boxes[0].children
    first = picture.value
    slider.value = 3
    assert isinstance(picture, ipywidgets.Image) and picture.value != first
    assert "image/png" in shown[0] and "data:image/png;base64," in shown[1]["text/html"]


def test_controls_are_made_from_values():
    assert isinstance(widgets._control("x", (0.0, 1.0)), ipywidgets.FloatSlider)
    assert isinstance(widgets._control("x", True), ipywidgets.Checkbox)
    assert isinstance(widgets._control("x", ["a", "b"]), ipywidgets.SelectionSlider)
    own = ipywidgets.IntText()
    assert widgets._control("x", own) is own


@pytest.mark.parametrize("wanted", [(3, 1), (1,), [], "bf16", None])
def test_a_control_it_cannot_make_is_named(wanted):
    with pytest.raises(ValueError, match=r"explore\(speed="):
        widgets._control("speed", wanted)


@pytest.mark.parametrize("picture", [None, "plain text", b"GIF89a"])
def test_what_is_not_a_picture_is_refused(picture, shown):
    with pytest.raises(ValueError, match="SVG text"):
        widgets.explore(lambda level: picture, level=(0, 1))


def test_names_of_the_teaching_package_are_what_they_say():
    """A name handed out by the package is never the module that happens to bear it."""
    import types

    import minquant.teaching as teaching
    for name, module in teaching._NAMES.items():
        assert callable(getattr(teaching, name)) and name != module, name
    assert all(isinstance(getattr(teaching, name), types.ModuleType) for name in teaching._MODULES)
