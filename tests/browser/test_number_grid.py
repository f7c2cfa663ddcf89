"""Lesson 03 in a real browser: all cells run, and the grid follows its sliders and ticks."""

from __future__ import annotations

from tests.browser import jupyter
from tests.browser.test_stepper import browser, look, outputs_in_error  # noqa: F401 (browser is a fixture)

LESSON = "03_how_a_number_becomes_an_integer/lesson.ipynb"
RUN_SECONDS = 300  # 10 s on a quiet machine of two cores


def test_lesson_03_runs_and_its_grid_can_be_dragged(browser, tmp_path, note):  # noqa: F811
    from playwright.sync_api import expect

    with jupyter.course(tmp_path) as address, jupyter.browser_page(browser) as page:
        jupyter.open_notebook(page, address, LESSON)
        cells = jupyter.run_all(page, RUN_SECONDS)
        assert outputs_in_error(cells) == []

        (index,) = [n for n, cell in enumerate(cells) if cell["source"].startswith("explore_grid(")]
        jupyter.show_cell(page, index)
        cell = page.locator(".jp-CodeCell").filter(has=page.locator("input[type=checkbox]"))
        picture = cell.locator(".widget-html svg[role=img]").first
        picture.wait_for()
        picture.scroll_into_view_if_needed()
        bits, _, high, outlier = (cell.locator(".noUi-handle").nth(n) for n in range(4))
        cover, symmetric = (cell.locator("input[type=checkbox]").nth(n) for n in range(2))
        seen = [look(picture, tmp_path / "grid0.png")]
        for act in (lambda: bits.press("ArrowRight"), lambda: high.press("ArrowRight"),
                    lambda: outlier.press("ArrowRight"), cover.click, symmetric.click):
            act()
            expect(picture).not_to_have_attribute("aria-label", seen[-1][0])
            seen.append(look(picture, tmp_path / f"grid{len(seen)}.png"))
        labels = [label for label, _ in seen]
        assert [label.split(":")[0] for label in labels] == ["int4, symmetric", *["int5, symmetric"] * 4,
                                                             "int5, asymmetric"]
        assert [" 1 of 768 weights clipped" in label for label in labels] == [False] * 4 + [True] * 2
        assert len({shot for _, shot in seen}) == len(seen), "the words changed, the picture did not"
        note(f"browser: {len(cells)} cells of lesson 03 ran, the grid was moved {len(seen) - 1} times")
