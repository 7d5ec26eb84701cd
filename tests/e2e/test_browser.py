"""The dashboards in a real browser: what a person does, and what they see change."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.e2e.conftest import RunningHub, SandboxPhone, eventually, sign_in

pytestmark = pytest.mark.browser

KWAME, ZAWADI, LINDIWE = "+233244000003", "+254711000002", "+27821000004"


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        await launched.close()


class Complaints:
    """What a page complained about: console errors, uncaught exceptions, CSP violations."""

    def __init__(self, page: Page, *, forgiving: str = "") -> None:
        self.found: list[str] = []
        self._forgiving = forgiving
        page.on("console", lambda line: self._note(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))

    def _note(self, text: str) -> None:
        if not self._forgiving or not re.search(self._forgiving, text):
            self.found.append(text)


async def _enter(page: Page, hub: RunningHub, phone: SandboxPhone) -> None:
    """Signs in through the page with the code that came by SMS."""
    seen = {item["id"] for item in await phone.inbox()}
    await page.goto(hub.url)
    await page.get_by_test_id("phone").fill(phone.number)
    await page.get_by_test_id("send-code").click()

    async def code() -> str | None:
        fresh = [item["text"] for item in await phone.inbox() if item["id"] not in seen]
        found = [match.group() for text in fresh if (match := re.search(r"\b\d{6}\b", text))]
        return found[-1] if found else None

    await page.get_by_test_id("code").fill(await eventually(code))
    await page.get_by_test_id("sign-in").click()
    await expect(page.get_by_test_id("connection")).to_have_attribute(
        "data-state", "connected", timeout=15_000
    )


async def _balance(page: Page) -> int:
    """The balance as shown, in minor units."""
    return int(await page.get_by_test_id("balance-KES").get_attribute("data-minor") or "0")


async def test_an_investor_tops_up_invests_and_talks(
    hub: RunningHub, browser: Browser, phone: Callable[[str], SandboxPhone]
) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    # The killed web process and the lost socket are the browser's own words, not the page's.
    complaints = Complaints(page, forgiving="ERR_CONNECTION|WebSocket|Failed to load resource: net")
    await _enter(page, hub, phone(KWAME))
    start = await _balance(page)

    # A top-up: the gateway's page opens beside the dashboard, and the balance changes live.
    await page.get_by_test_id("top-up-amount").fill("2,500")
    async with page.context.expect_page() as opening:
        await page.get_by_test_id("top-up").click()
    checkout = await opening.value
    await checkout.locator("#pay").click(timeout=15_000)
    await expect(page.get_by_test_id("balance-KES")).to_have_attribute(
        "data-minor", str(start + 250_000), timeout=15_000
    )
    await checkout.close()

    # An investment: the money leaves the wallet, the offer's bar moves, the feed tells.
    offer = page.locator("[data-testid^=offer-]", has_text="second oven")
    await offer.get_by_test_id("invest-amount").fill("2000")
    await offer.get_by_test_id("invest").click()
    await expect(page.get_by_test_id("balance-KES")).to_have_attribute(
        "data-minor", str(start + 50_000), timeout=15_000
    )
    feed = page.get_by_test_id("feed")
    await expect(feed.get_by_test_id("feed-item").first).to_contain_text("2,000", timeout=15_000)

    # A conversation: the owner answers by SMS, and the answer appears without a reload.
    await offer.get_by_text("Write to").click()
    await page.get_by_test_id("message-text").fill("How many loaves a morning?")
    await page.get_by_test_id("send-message").click()
    owner = phone(ZAWADI)
    question = await owner.await_sms("How many loaves", seconds=30)
    await owner.text(question["peer"], "Four hundred, and the schools want more")
    await expect(page.get_by_test_id("message").filter(has_text="Four hundred")).to_be_visible(
        timeout=20_000
    )

    # The web process dies: the page says so, comes back by itself, and has lost nothing.
    marker = await page.evaluate("() => (window.stillTheSamePage = Math.random())")
    hub.kill("web")
    connection = page.get_by_test_id("connection")
    await expect(connection).not_to_have_attribute("data-state", "connected", timeout=10_000)
    await expect(connection).to_have_attribute("data-state", "connected", timeout=45_000)
    assert await page.evaluate("() => window.stillTheSamePage") == marker
    await owner.text(question["peer"], "Fifty more since today")
    await expect(page.get_by_test_id("message").filter(has_text="Fifty more")).to_be_visible(
        timeout=20_000
    )
    assert await _balance(page) == start + 50_000
    assert complaints.found == []


async def test_an_owner_sees_an_investment_within_a_second_of_it(
    hub: RunningHub, browser: Browser, phone: Callable[[str], SandboxPhone]
) -> None:
    owner = await browser.new_page(viewport={"width": 390, "height": 844})
    complaints = Complaints(owner)
    await _enter(owner, hub, phone(ZAWADI))
    kwame = await sign_in(hub, phone(KWAME))
    offerings = (await kwame.get("/v1/offerings"))["items"]
    oven = next(item for item in offerings if "second oven" in item["title"])
    made = await kwame.post(
        "/v1/investments",
        {"offering_id": oven["id"], "amount": {"amount": 123_400, "currency": "KES"}},
        "browser-owner",
    )
    assert made.status_code == 201, made.text
    await expect(owner.get_by_text("1,234").first).to_be_attached(timeout=1_500)
    assert complaints.found == []


async def test_the_web_phone_dials(
    hub: RunningHub, browser: Browser, phone: Callable[[str], SandboxPhone]
) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    complaints = Complaints(page)
    await page.goto(f"{hub.url}/#/phone")
    await page.get_by_test_id("phone-number").select_option(ZAWADI)
    screen = page.get_by_test_id("phone-screen")
    for keys, expected in (("*384*7#", "PIN"), ("1470", "1"), ("1", "KES")):
        await page.get_by_test_id("phone-input").fill(keys)
        await page.get_by_test_id("phone-dial").click()
        await expect(screen).to_contain_text(expected, timeout=10_000)
    assert complaints.found == []


async def test_operations_sees_the_system(
    hub: RunningHub, browser: Browser, phone: Callable[[str], SandboxPhone]
) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    complaints = Complaints(page)
    await _enter(page, hub, phone(LINDIWE))
    operations = page.get_by_test_id("operations")
    await expect(operations).to_contain_text(re.compile(r"investment\.made|identity\.signed_in"))
    assert complaints.found == []


async def test_the_api_reference_opens(hub: RunningHub, browser: Browser) -> None:
    page = await browser.new_page()
    complaints = Complaints(page)
    await page.goto(f"{hub.url}/docs")
    await expect(page.get_by_text("Bvester Hub").first).to_be_visible(timeout=20_000)
    await expect(page.get_by_text("/v1/investments").first).to_be_attached(timeout=20_000)
    await asyncio.sleep(0.5)
    assert complaints.found == []
