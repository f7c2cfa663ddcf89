"""The static copy in a browser, at the width of a phone and of a desk: nothing is fetched, nothing sticks out."""

from __future__ import annotations

import pytest

from tests.browser import jupyter
from tests.browser.test_stepper import browser  # noqa: F401 (a fixture)
from tests.test_house_site import site, tool  # noqa: F401 (fixtures)


@pytest.mark.parametrize("width", [375, 1280])
def test_pages_fit_and_ask_for_nothing(browser, site, width, note):  # noqa: F811
    with jupyter.browser_page(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.set_viewport_size({"width": width, "height": 900})
        for path in site:
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), path
            if path.name == "exercises.html":
                answer = page.locator("details", has_text="A right answer").first
                assert not answer.locator("pre").first.is_visible()
                answer.locator("summary").click()
                assert answer.locator("pre").first.is_visible()
            for formula in page.locator("math[display]").all():
                assert formula.bounding_box()["height"] > 12
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        note(f"browser: {len(site)} pages of the site at {width} pixels")
