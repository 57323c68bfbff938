"""The pages in a real browser: what people do there, that axe finds nothing wrong, and what it looks like."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from reconciler.service.workspace import Workspace
from reconciler.store import conversions, receipts
from reconciler.store.conversions import ConversionStatus
from reconciler.store.receipts import Receipt
from reconciler.store.tokens import Role
from tests.acceptance.web.seeding import ORDERS, RULE, seed
from tests.conftest import require_program

AXE = Path(__file__).parent / "assets" / "axe.min.js"
SAMPLES = Path(__file__).parents[3] / "examples" / "quickstart" / "samples"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""A folder to write screenshots of every page to; docs/screenshots was made so."""

PATIENCE = 60_000
"""Milliseconds; a browser is slow on a machine with much else to do."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = require_program("chromium", package="chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def envelopes(workspace: Workspace) -> list[UUID]:
    return seed(workspace)


@pytest.fixture
def page(browser: Browser, site: str, envelopes: list[UUID]) -> Iterator[Page]:
    context = browser.new_context(
        base_url=site, permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert [fault for fault in faults if "the server responded with a status of 4" not in fault] == []


@pytest.fixture
def signed_in(page: Page, make_token: Callable[..., str]) -> Callable[..., Page]:
    def sign_in(role: Role = Role.OPERATOR, account: str | None = None) -> Page:
        page.goto("/")
        page.get_by_label("Token").fill(make_token(role, account))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Integrations")
        return page

    return sign_in


SignIn = Callable[..., Page]


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page as it is now."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url} {violation['id']}: {node['html'][:150]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def test_signing_in_takes_a_token(page: Page, make_token: Callable[..., str]) -> None:
    page.goto("/log?status=FAILED")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert violations(page) == []
    page.get_by_label("Token").fill("rcl_guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Token").fill(make_token(Role.VIEWER))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversion log")
    expect(page.get_by_label("Status")).to_have_value("FAILED")  # where the visitor wanted to go
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/log")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_values_are_copied_and_a_password_is_hidden_until_shown(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    page.get_by_role("link", name="Acme orders", exact=True).click()
    expect(page.get_by_label("Configured in git")).to_contain_text("accounts/acme.yaml:")
    password = str(workspace.credentials(str(ORDERS)).values["password"].reveal())  # type: ignore[union-attr]
    assert password not in page.content()
    page.get_by_role("button", name="Copy password").click()
    expect(page.locator("#told")).to_have_text("Copied password")
    assert page.evaluate("navigator.clipboard.readText()") == password
    page.get_by_role("button", name="Copy login").click()
    expect(page.locator("#told")).to_have_text("Copied login")
    assert page.evaluate("navigator.clipboard.readText()") == str(workspace.credentials(str(ORDERS)).values["login"])
    page.get_by_role("link", name="Show password").click()
    expect(page.locator("#value-password")).to_have_text(password)


def test_a_viewer_is_shown_no_password_and_no_buttons(signed_in: SignIn) -> None:
    page = signed_in(Role.VIEWER)
    page.goto(f"/integrations/{ORDERS}?reveal=password")
    expect(page.locator("#value-password")).to_have_text("••••••••••••")
    assert page.get_by_text("Reset …").count() == 0
    assert page.get_by_text("Pause at once").count() == 0


def test_reset_makes_a_new_password(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    before = str(workspace.credentials(str(ORDERS)).values["password"].reveal())  # type: ignore[union-attr]
    page.goto(f"/integrations/{ORDERS}")
    page.get_by_text("Reset …").click()
    page.get_by_role("button", name="Reset credentials").click()
    expect(page.get_by_role("status").first).to_contain_text("New credentials are valid now")
    assert str(workspace.credentials(str(ORDERS)).values["password"].reveal()) != before  # type: ignore[union-attr]


def test_searching_for_a_mailbox_while_typing(signed_in: SignIn) -> None:
    page = signed_in()
    rows = page.locator("#live tbody tr")
    everything = rows.count()
    page.get_by_label("Search").press_sequentially("gln:48299")
    expect(rows).to_have_count(1)
    page.get_by_label("Search").fill("")
    expect(rows).to_have_count(everything)


def test_the_log_is_filtered_and_failures_run_again(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    page.get_by_role("link", name="Conversion log").click()
    page.get_by_label("Status").select_option("FAILED")
    expect(page.locator("#live tbody tr")).to_have_count(10)
    page.get_by_label("Search").fill("orders 4792")
    expect(page.locator("#live tbody tr")).to_have_count(1)
    page.get_by_role("link", name="ORDERS_4792.edi").click()
    expect(page.get_by_label("input", exact=True)).to_contain_text("UNH+1+ORDERS")
    (record,) = workspace.log(keyword="4792")
    assert record.status == ConversionStatus.FAILED
    assert page.get_by_role("button", name="Reprocess").is_enabled()


def test_all_that_the_filters_show_run_again_and_the_page_says_how_far_that_is(
    signed_in: SignIn, workspace: Workspace
) -> None:
    receipts_of_failures(workspace)
    page = signed_in()
    page.goto("/log?status=FAILED&keyword=orders")
    page.get_by_role("button", name="Reprocess every failed one of these").click()
    told = page.get_by_role("status").first
    expect(told).to_contain_text("0 of 10 were run again")
    with workspace.store.write() as tx:
        tx.exec_driver_sql("UPDATE job SET state = 'done' WHERE number IN (SELECT number FROM job LIMIT 7)")
    expect(told).to_contain_text("7 of 10 were run again")  # by itself
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "7")
    assert "keyword=orders" in page.url


def receipts_of_failures(workspace: Workspace) -> None:
    """Give every failed record the receipt that it stems from, as a gateway's worker does."""
    with workspace.store.write() as tx:
        for record in workspace.log(status="FAILED", limit=100):
            stored = conversions.get(tx, record.uuid)
            receipt = Receipt(
                mailbox=stored.mailbox, channel="sftp", native=False, name=stored.file_name, sha256=stored.input, size=1
            )
            receipts.add(tx, receipt)
            receipts.end(tx, receipt.uuid, "failed")
            conversions.put(tx, replace(stored, receipt=receipt.uuid))


def test_pausing_past_the_configuration_is_drift_with_its_patch(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    page.goto(f"/rules/{RULE}")
    page.get_by_text("Deactivate at once …").click()
    page.get_by_label("Why?").fill("partner sends duplicates")
    page.get_by_role("button", name="Deactivate this rule").click()
    card = page.get_by_label("Changed past the configuration")
    expect(card).to_contain_text("partner sends duplicates")
    expect(page.get_by_label("YAML to commit")).to_contain_text("active: false")
    page.get_by_role("button", name="Copy YAML").click()
    expect(page.locator("#told")).to_have_text("Copied YAML")
    assert page.evaluate("navigator.clipboard.readText()").splitlines()[-2:] == [
        "          orders-from-edifact:",
        "            active: false",
    ]
    (drift,) = workspace.drift()
    assert (str(drift.key), drift.reason) == (str(RULE), "partner sends duplicates")


def test_a_rule_is_tried_out_and_nothing_is_created(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    before = len(workspace.log(limit=1000)), len(workspace.envelopes(limit=1000))
    page.goto(f"/rules/{RULE}")
    expect(page.locator("#what + dl")).to_contain_text("order 8cb0f552-54ab-4b26-b0d6-a4b09bc68c18/66a2b510")
    page.get_by_label("A file of the partner").set_input_files(SAMPLES / "ORDERS_4711.edi")
    page.get_by_role("button", name="Try it", exact=True).click()
    expect(page.get_by_text("It converts; all validation passed.")).to_be_visible()
    expect(page.get_by_label("Source XML")).to_contain_text("UNB")
    assert (len(workspace.log(limit=1000)), len(workspace.envelopes(limit=1000))) == before


def test_a_rules_samples_are_seen_tried_and_tested(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in(Role.VIEWER)
    before = len(workspace.log(limit=1000)), len(workspace.envelopes(limit=1000))
    page.goto(f"/rules/{RULE}")
    page.get_by_role("button", name="Run tests").click()
    expect(page.locator("#tests").get_by_role("status")).to_have_text("All 2 tests passed.")
    page.get_by_role("button", name="Try it with the sample of no delivery date").click()
    expect(page.get_by_role("alert")).to_have_text(
        "d1/delivery date: the field is required and not filled (field_missing)"
    )
    page.get_by_role("link", name="ORDERS_4711.edi", exact=True).click()
    expect(page.get_by_label("ORDERS_4711.edi", exact=True)).to_contain_text("UNH+1+ORDERS")
    expect(page.get_by_label("order-4711.xml", exact=True)).to_contain_text("245.75")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download order-4711.xml").click()
    assert downloading.value.path().read_bytes() == (SAMPLES.parent / "tests" / "order-4711.xml").read_bytes()
    assert (len(workspace.log(limit=1000)), len(workspace.envelopes(limit=1000))) == before


def test_a_test_that_fails_shows_what_came_out_otherwise(signed_in: SignIn, workspace: Workspace) -> None:
    expected = workspace.project.root / "tests" / "order-4711.xml"
    expected.write_text(expected.read_text().replace(">245.75<", ">245.70<"))
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="ada")
    page = signed_in()
    page.goto(f"/rules/{RULE}")
    page.get_by_role("button", name="Run tests").click()
    expect(page.locator("#tests").get_by_role("alert")).to_have_text("1 of 2 failed.")
    diff = page.get_by_label("What came out otherwise in ORDERS_4711.edi")
    expect(diff).to_contain_text('-        <field name="total">245.70</field>')
    expect(diff).to_contain_text('+        <field name="total">245.75</field>')
    assert violations(page) == []


def test_an_envelope_is_rejected_for_a_reason(signed_in: SignIn, envelopes: list[UUID]) -> None:
    page = signed_in()
    page.goto(f"/envelopes/{envelopes[0]}")
    expect(page.get_by_text("Sparkling water")).to_be_visible()
    page.get_by_text("Reject …").click()
    page.get_by_label("Reason, which the sender sees").fill("We deliver on Fridays only")
    page.get_by_role("button", name="Reject envelope").click()
    expect(page.get_by_text("CANCELLED").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("We deliver on Fridays only")


def test_an_open_page_follows_what_happens(signed_in: SignIn, workspace: Workspace) -> None:
    page = signed_in()
    page.goto("/reconcile")
    expect(page.get_by_text("None: nobody changed anything")).to_be_visible()
    workspace.switch(str(RULE), on=False, actor="ada", reason="an emergency")
    expect(page.get_by_text("an emergency").first).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_what_takes_long_comes_after_the_page(
    browser: Browser,
    site: str,
    workspace: Workspace,
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    javascript: bool,
) -> None:
    workspace.switch(str(RULE), on=False, actor="ada", reason="an emergency")
    monkeypatch.setattr(workspace, "drift_soon", lambda: None)  # as with ten thousand mailboxes
    context = browser.new_context(base_url=site, java_script_enabled=javascript)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Token").fill(make_token(Role.VIEWER))
    page.get_by_role("button", name="Sign in").click()
    page.goto("/reconcile")
    if not javascript:
        page.get_by_role("link", name="Wait for the drift").click()
    expect(page.get_by_label("Changed past the configuration")).to_contain_text("an emergency")
    assert page.get_by_role("heading", name="Drift now").count() == 1
    context.close()


def test_a_token_for_one_account_sees_no_other(signed_in: SignIn) -> None:
    page = signed_in(Role.VIEWER, "globex")
    assert "acme" not in page.locator("#live").inner_text().lower()
    page.goto(f"/integrations/{ORDERS}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")


def paths(envelopes: list[UUID], failed: UUID) -> dict[str, str]:
    """Return every page by its name."""
    return {
        "integrations": "/integrations",
        "integration": f"/integrations/{ORDERS}",
        "rule": f"/rules/{RULE}",
        "sample": f"/rules/{RULE}/tests?name=ORDERS_4711.edi",
        "log": "/log",
        "record": f"/log/{failed}",
        "envelopes": "/envelopes",
        "envelope": f"/envelopes/{envelopes[0]}",
        "reconcile": "/reconcile",
        "revision": "/reconcile/1",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_wrong(
    signed_in: SignIn, workspace: Workspace, envelopes: list[UUID], scheme: str, width: int
) -> None:
    workspace.switch(str(RULE), on=False, actor="ada", reason="the partner sends every order twice")
    (failed, *_) = workspace.log(status="FAILED")
    page = signed_in()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    found = []
    for name, path in paths(envelopes, failed.uuid).items():
        page.goto(path)
        found += violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if SCREENSHOTS and (width == 1280 or name in {"integrations", "log"}):
            size = "" if width == 1280 else "-narrow"
            whole = width == 1280 and name not in {"log", "envelopes"}
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{scheme}{size}.png", full_page=whole)
    assert found == []


def test_everything_can_be_read_without_javascript(
    browser: Browser, site: str, make_token: Callable[..., str], envelopes: list[UUID]
) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Token").fill(make_token(Role.OPERATOR))
    page.get_by_role("button", name="Sign in").click()
    page.goto("/log?keyword=4792")
    assert page.locator("#live tbody tr").count() == 1
    page.goto(f"/envelopes/{envelopes[0]}")
    assert page.get_by_text("Sparkling water").count() == 1
    page.goto(f"/integrations/{ORDERS}?reveal=password")
    shown: Locator = page.locator("#value-password")
    assert "•" not in shown.inner_text()
    assert page.get_by_role("button", name="Copy login").count() == 0
    context.close()
