"""Lesson 05 in a real browser: all cells run, bytes can be clicked, and the header walker walks."""

from __future__ import annotations

from tests.browser import jupyter
from tests.browser.test_stepper import browser, look, outputs_in_error  # noqa: F401 (browser is a fixture)

LESSON = "05_where_the_bits_live/lesson.ipynb"
RUN_SECONDS = 300  # 15 s on a quiet machine of two cores


def cell_of(page, cells, source, widget):
    """The cell with this source, scrolled into view, found by a widget in it."""
    (index,) = [n for n, cell in enumerate(cells) if cell["cell_type"] == "code" and source in cell["source"]]
    jupyter.show_cell(page, index)
    cell = page.locator(".jp-CodeCell").filter(has=widget)
    cell.locator(".widget-html svg[role=img]").first.wait_for()
    return cell


def test_lesson_05_runs_and_its_bytes_can_be_clicked(browser, tmp_path, note):  # noqa: F811
    from playwright.sync_api import expect

    with jupyter.course(tmp_path) as address, jupyter.browser_page(browser) as page:
        jupyter.open_notebook(page, address, LESSON)
        cells = jupyter.run_all(page, RUN_SECONDS)
        assert outputs_in_error(cells) == []

        cell = cell_of(page, cells, "inspect_bytes(", page.locator("button[title='byte 143']"))
        picture = cell.locator(".widget-html svg[role=img]").first
        seen = [look(picture, tmp_path / "byte0.png")]
        assert seen[0][0].startswith("GGUF Q4_0, byte 79")
        for act in (cell.locator("button[title='byte 24']").click, cell.get_by_role("button", name="AWQ").click,
                    cell.locator("button[title='byte 133']").click,
                    lambda: cell.locator(".noUi-handle").last.press("ArrowLeft")):
            act()
            expect(picture).not_to_have_attribute("aria-label", seen[-1][0])
            seen.append(look(picture, tmp_path / f"byte{len(seen)}.png"))
        assert [label.split(",")[0] for label, _ in seen] == ["GGUF Q4_0"] * 2 + ["AWQ"] * 3
        assert len({shot for _, shot in seen}) == len(seen), "the words changed, the picture did not"

        cell = cell_of(page, cells, "walk_header(", page.get_by_role("button", name="Next"))
        picture = cell.locator(".widget-html svg[role=img]").first
        first, _ = look(picture, tmp_path / "field0.png")
        cell.get_by_role("button", name="Next").click()
        expect(picture).not_to_have_attribute("aria-label", first)
        look(picture, tmp_path / "field1.png")
        note(f"browser: {len(cells)} cells of lesson 05 ran, {len(seen)} bytes and 2 fields of a header were shown")
