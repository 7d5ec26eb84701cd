"""The dashboard where WebSockets do not get through: it is live all the same."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.e2e.conftest import RunningHub, SandboxPhone, eventually
from tests.e2e.test_browser import LINDIWE, _enter

pytestmark = pytest.mark.browser

# A network that lets no handshake through, and in the second case no stream of a fetch either
NO_WEBSOCKETS = """
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(url, protocols) { super(url.replace("/connection", "/nowhere"), protocols); }
  };
"""
NO_STREAMS = """
  const real = window.fetch;
  window.fetch = (url, more) =>
    String(url).includes("/http_stream") ? Promise.reject(new TypeError("no")) : real(url, more);
"""


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.mark.parametrize(
    ("network", "transport"),
    [(NO_WEBSOCKETS, "http_stream"), (NO_WEBSOCKETS + NO_STREAMS, "sse")],
)
async def test_the_dashboard_is_live_without_a_websocket(
    hub: RunningHub,
    browser: Browser,
    phone: Callable[[str], SandboxPhone],
    network: str,
    transport: str,
) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    answered: list[tuple[str, int]] = []
    page.on("response", lambda answer: answered.append((answer.url, answer.status)))
    await page.add_init_script(network)
    await _enter(page, hub, phone(LINDIWE))  # waits until the connection is live
    await expect(page.get_by_test_id("operations")).to_be_visible()
    assert any(f"/connection/{transport}" in url and code == 200 for url, code in answered)

    async def subscribed() -> set[int]:
        """The answers to what the page sent beside its stream: here, its subscription."""
        return {code for url, code in answered if url.endswith("/emulation")}

    assert await eventually(subscribed) == {204}
