// What a page can do besides being read: copy values, follow changes, carry the form's secret in htmx's requests.
"use strict";

const told = document.getElementById("told");

function tell(text) {
  told.textContent = text;
  setTimeout(() => { if (told.textContent === text) told.textContent = ""; }, 2500);
}

async function valueOf(button) {
  if (button.dataset.copy) return document.querySelector(selector(button.dataset.copy)).textContent;
  const form = new URLSearchParams({ name: button.dataset.copyValue, csrf: document.body.dataset.csrf });
  const answer = await fetch(button.dataset.from, { method: "POST", body: form });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.text();
}

// Identifiers hold addresses, in which dots stand.
function selector(id) { return `#${CSS.escape(id.slice(1))}`; }

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-value]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(await valueOf(button));
    tell(button.textContent.replace("Copy", "Copied"));
  } catch (error) {
    tell(`Not copied: ${error.message}`);
  }
});

// Buttons that need this file are hidden without it.
function uncover() {
  for (const button of document.querySelectorAll("[data-copy], [data-copy-value]")) button.hidden = false;
}
uncover();
document.addEventListener("htmx:afterSettle", uncover);

document.addEventListener("htmx:configRequest", (event) => {
  if (document.body.dataset.csrf) event.detail.headers["X-CSRF-Token"] = document.body.dataset.csrf;
});

if (document.querySelector("[data-live]")) {
  const changes = new EventSource("/events");
  let waiting = false;
  changes.addEventListener("changed", () => {
    const live = document.getElementById("live");
    if (waiting || !live || live.contains(document.activeElement) || live.querySelector("details[open]")) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      htmx.ajax("GET", location.pathname + location.search, { target: "#live", select: "#live", swap: "outerHTML" });
    }, 300);
  });
  addEventListener("pagehide", () => changes.close());
}
