"""Lesson 01 in a real browser: all cells run, and the format stepper steps by button and by arrow key."""

from __future__ import annotations

import os

import pytest

from tests.browser import jupyter

LESSON = "01_why_a_token_costs_the_model/lesson.ipynb"
RUN_SECONDS = 400  # 90 s on a quiet machine of two cores

# Words of the drawing that stick out of it, and pairs of words that lie over each other, in the drawing's own units.
BADLY_PLACED = """svg => {
    const {width, height} = svg.viewBox.baseVal;
    const boxes = Array.from(svg.querySelectorAll('text')).filter(t => t.textContent.trim())
        .map(t => ({words: t.textContent, box: t.getBBox()}));
    const out = boxes.filter(({box: b}) => b.x < 0 || b.y < 0 || b.x + b.width > width || b.y + b.height > height);
    const found = out.map(({words}) => `cut off: ${words}`);
    boxes.forEach(({words, box: a}, i) => boxes.slice(i + 1).forEach(({words: other, box: b}) => {
        const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
        const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
        if (across > 1 && down > 0.3 * Math.min(a.height, b.height)) found.push(`overlapping: ${words} / ${other}`);
    }));
    return found;
}"""


@pytest.fixture
def browser():
    found = jupyter.find_browser()
    if found is None and os.environ.get("CI"):
        pytest.fail("CI needs Chromium for this test, and there is none on PATH")
    if found is None:
        pytest.skip("no Chromium or Chrome on PATH")
    return found


def outputs_in_error(cells: list[dict]) -> list[str]:
    return [f"cell {number}: {output['ename']}: {output['evalue']}" for number, cell in enumerate(cells)
            for output in cell["outputs"] if output["output_type"] == "error"]


def test_lesson_01_runs_and_its_stepper_steps(browser, tmp_path, note):
    from playwright.sync_api import expect

    with jupyter.course(tmp_path) as address, jupyter.browser_page(browser) as page:
        jupyter.open_notebook(page, address, LESSON)
        cells = jupyter.run_all(page, RUN_SECONDS)
        assert outputs_in_error(cells) == []
        assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")

        (index,) = [n for n, cell in enumerate(cells) if cell["cell_type"] == "code" and "stepper(" in cell["source"]]
        jupyter.show_cell(page, index)
        cell = page.locator(".jp-CodeCell").filter(has=page.get_by_role("button", name="Next"))
        picture = cell.locator(".widget-html svg[role=img]").first
        picture.wait_for()
        picture.scroll_into_view_if_needed()
        seen = [look(picture, tmp_path / "step0.png")]
        for act in (cell.get_by_role("button", name="Next").click, lambda: cell.locator(".noUi-handle").press("ArrowRight"),
                    cell.get_by_role("button", name="Previous").click):
            act()
            expect(picture).not_to_have_attribute("aria-label", seen[-1][0])
            seen.append(look(picture, tmp_path / f"step{len(seen)}.png"))

        labels = [label for label, _ in seen]
        assert labels[3] == labels[1] and len(set(labels)) == 3, labels
        assert len({shot for _, shot in seen}) == 3, "the words changed, the picture did not"
        note(f"browser: {len(cells)} cells of lesson 01 ran, the stepper showed {labels[0].split(':')[0]} and two more")


def look(picture, path) -> tuple[str, bytes]:
    """(what a screen reader says, the picture's pixels); fails where words are cut off or lie over each other."""
    assert picture.evaluate(BADLY_PLACED) == []
    return picture.get_attribute("aria-label"), picture.screenshot(path=path)
