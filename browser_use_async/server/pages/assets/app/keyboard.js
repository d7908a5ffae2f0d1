// Keys that lead through every page, and the list of them.
import { html, useState } from "htm/preact";
import { go } from "./address.js";
import { change, may, store } from "./core.js";
import { Check, Dialog } from "./parts.js";

const KEYS = [
  ["/", "Search tasks"],
  ["n", "Describe a new task"],
  ["j", "Next row, or next step"],
  ["k", "Row or step before"],
  ["Enter", "Open the marked row"],
  ["?", "Show these keys"],
  ["Esc", "Close a dialog"],
  ["Ctrl Enter", "Run the task that is described"],
];
const NO_KEYS = "browser-use-async without keys"; // in this tab only, like the API key
const STOPS = [
  "#tasks .row-title a",
  ".timeline button.step",
  ".items .row-title a",
  ".items > li > details > summary",
].join(", ");

// From row to row; a row that is out of sight comes into view.
function moveBy(by) {
  const stops = [...document.querySelectorAll(STOPS)];
  const at = stops.indexOf(document.activeElement);
  const first = by > 0 ? 0 : stops.length - 1;
  const next = stops[at < 0 ? first : Math.min(Math.max(at + by, 0), stops.length - 1)];
  if (!next) return;
  next.focus({ preventScroll: true, focusVisible: true });
  next.scrollIntoView({ block: "nearest" });
  if (next.matches(".timeline button")) next.click();
}

function describeTask() {
  if (!may("run")) return;
  if (location.pathname !== "/") go("/");
  requestAnimationFrame(() => document.getElementById("new-task")?.focus());
}

const ACTIONS = {
  "/": () => document.getElementById("search")?.focus(),
  n: describeTask,
  j: () => moveBy(1),
  k: () => moveBy(-1),
  "?": () => change({ showsKeys: true }),
};

function areKeysOff() {
  return sessionStorage.getItem(NO_KEYS) !== null;
}

document.addEventListener("keydown", (event) => {
  const action = Object.hasOwn(ACTIONS, event.key) && ACTIONS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey || !store.key) return;
  if (event.target.closest("input, textarea, select, dialog, [contenteditable]") || areKeysOff()) return;
  event.preventDefault();
  action();
});

// Single-letter keys disturb speech input, so they can be turned off.
export function KeysDialog() {
  const [isOff, turnOff] = useState(areKeysOff);
  const turn = (on) => {
    if (on) sessionStorage.removeItem(NO_KEYS);
    else sessionStorage.setItem(NO_KEYS, "1");
    turnOff(!on);
  };
  const cap = (key) => html`<kbd key=${key}>${key}</kbd>`;
  return html`<${Dialog} title="Keyboard shortcuts" close=${() => change({ showsKeys: false })}>
    <dl class="keys">${KEYS.map(([keys, words]) => html`<div key=${keys}>
      <dt>${keys.split(" ").map(cap)}</dt><dd>${words}</dd></div>`)}</dl>
    <${Check} label="Single-key shortcuts are on in this tab" checked=${!isOff} onChange=${turn} /><//>`;
}
