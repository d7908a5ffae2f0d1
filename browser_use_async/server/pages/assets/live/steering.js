// The buttons of the page of one task, and the mouse and keys of a person in control.
import { find, hearAlso, notify, page, picture, say, screen } from "./live.js";

const CLICK_REACH = 8; // CSS pixels that a finger may wander in a tap
const LEAVE_WITHIN = 600; // milliseconds between the two Escapes that give the keyboard back
const BUTTONS = ["left", "middle", "right"];

let status = find("status").textContent;
let ended = document.body.dataset.ended === "true";
let hasBrowser = false;
let steering = false;
let finger = null;
let lastEscape = -Infinity;
let waitingMove = null;
const heldKeys = new Map();

// --- the task ------------------------------------------------------------------------------

function showButtons() {
  const focused = document.activeElement && document.activeElement.id;
  if (ended) find("really-stop").hidden = true;
  const asks = !find("really-stop").hidden;
  find("pause").hidden = asks || status !== "running";
  find("resume").hidden = asks || status !== "paused";
  find("stop").hidden = asks || ended;
  find("control").hidden = asks || !hasBrowser;
  if (!hasBrowser && steering) steer(false);
  // The focus moves from a hidden button to the one in its place.
  const next = { pause: "resume", resume: "pause", "stop-yes": "stop" }[focused];
  if (next && find(focused).closest("[hidden]") && !find(next).hidden) find(next).focus();
}

function askWhetherToStop(asks) {
  find("really-stop").hidden = !asks;
  showButtons();
  find(asks ? "stop-yes" : "stop").focus();
}

hearAlso((message) => {
  if (message.type === "done") notify("");
  if (message.type !== "state") return;
  status = message.status;
  ended = message.ended;
  hasBrowser = message.has_browser;
  showButtons();
});

for (const name of ["pause", "resume"]) {
  find(name).addEventListener("click", () => say({ type: "order", name }));
}
find("stop").addEventListener("click", () => askWhetherToStop(true));
find("stop-no").addEventListener("click", () => askWhetherToStop(false));
find("stop-yes").addEventListener("click", () => {
  say({ type: "order", name: "stop" });
  askWhetherToStop(false);
});
find("really-stop").addEventListener("keydown", (event) => {
  if (event.key === "Escape") askWhetherToStop(false);
});
showButtons();

// --- taking control ------------------------------------------------------------------------

function steer(on) {
  steering = on;
  letKeysGo();
  find("control").setAttribute("aria-pressed", String(on));
  find("control").textContent = on ? "Give back (Esc twice)" : "Take control";
  find("typing").hidden = !on;
  screen.classList.toggle("steered", on);
  if (on) {
    screen.tabIndex = 0;
    screen.setAttribute("role", "application");
    screen.setAttribute("aria-label", "The task's page. Keys go to it; Escape twice gives them back.");
    screen.focus();
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) screen.removeAttribute(name);
  }
}

find("control").addEventListener("click", () => steer(!steering));

function modifiers(event) {
  return Number(event.altKey) + 2 * Number(event.ctrlKey) + 4 * Number(event.metaKey) + 8 * Number(event.shiftKey);
}

function point(kind, event, more) {
  const box = picture.getBoundingClientRect();
  say({
    type: "pointer",
    kind,
    x: Math.round(((event.clientX - box.left) / box.width) * page.width),
    y: Math.round(((event.clientY - box.top) / box.height) * page.height),
    modifiers: modifiers(event),
    ...more,
  });
}

// --- mouse ---------------------------------------------------------------------------------

function press(event) {
  if (!steering || event.button > 2) return;
  event.preventDefault();
  screen.focus({ preventScroll: true });
  const more = { button: BUTTONS[event.button], clicks: Math.min(event.detail || 1, 3) };
  flushMove();
  point("down", event, more);
  // The button may come up anywhere.
  window.addEventListener("mouseup", (up) => point("up", up, more), { once: true });
}

function flushMove() {
  if (waitingMove) point("move", waitingMove, { button: BUTTONS[Math.log2(waitingMove.buttons & 7)] || "none" });
  waitingMove = null;
}

function move(event) {
  if (!steering) return;
  // One for each picture; more would only delay the rest.
  if (!waitingMove) requestAnimationFrame(flushMove);
  waitingMove = event;
}

function wheel(event) {
  if (!steering) return;
  event.preventDefault();
  const unit = { 0: 1, 1: 16, 2: page.height }[event.deltaMode];
  point("wheel", event, { delta_x: event.deltaX * unit, delta_y: event.deltaY * unit });
}

picture.draggable = false;
picture.addEventListener("mousedown", press);
picture.addEventListener("mousemove", move);
picture.addEventListener("wheel", wheel, { passive: false });
picture.addEventListener("contextmenu", (event) => steering && event.preventDefault());

// --- touch: a tap clicks, a drag scrolls -----------------------------------------------------

picture.addEventListener("pointerdown", (event) => {
  if (!steering || event.pointerType === "mouse") return;
  event.preventDefault(); // the browser would send a mouse's events as well
  picture.setPointerCapture(event.pointerId);
  finger = { id: event.pointerId, x: event.clientX, y: event.clientY, drags: false };
});

picture.addEventListener("pointermove", (event) => {
  if (!finger || event.pointerId !== finger.id) return;
  const [across, down] = [finger.x - event.clientX, finger.y - event.clientY];
  finger.drags = finger.drags || Math.hypot(across, down) > CLICK_REACH;
  if (!finger.drags) return;
  const scale = page.width / picture.getBoundingClientRect().width;
  point("wheel", event, { delta_x: Math.round(across * scale), delta_y: Math.round(down * scale) });
  finger.x = event.clientX;
  finger.y = event.clientY;
});

picture.addEventListener("pointerup", (event) => {
  if (!finger || event.pointerId !== finger.id) return;
  if (!finger.drags) {
    const tap = { button: "left", clicks: 1 };
    point("move", event, {});
    point("down", event, tap);
    point("up", event, tap);
  }
  finger = null;
});

picture.addEventListener("pointercancel", () => { finger = null; });

// --- keyboard ------------------------------------------------------------------------------

function letKeysGo() {
  for (const [code, key] of heldKeys) say({ type: "key", kind: "up", key, code, modifiers: 0 });
  heldKeys.clear();
}

function leaves(event) {
  if (event.key !== "Escape" || event.repeat) return false;
  const twice = event.timeStamp - lastEscape < LEAVE_WITHIN;
  lastEscape = event.timeStamp;
  return twice;
}

screen.addEventListener("keydown", (event) => {
  const pastes = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v";
  // A composed character arrives as text, through the field below.
  if (!steering || pastes || event.isComposing || ["Dead", "Process", "Unidentified"].includes(event.key)) return;
  event.preventDefault();
  if (leaves(event)) {
    steer(false);
    find("control").focus();
    return;
  }
  heldKeys.set(event.code, event.key);
  say({ type: "key", kind: "down", key: event.key, code: event.code, modifiers: modifiers(event) });
});

screen.addEventListener("keyup", (event) => {
  if (!steering || !heldKeys.delete(event.code)) return;
  event.preventDefault();
  say({ type: "key", kind: "up", key: event.key, code: event.code, modifiers: modifiers(event) });
});

screen.addEventListener("blur", letKeysGo);

screen.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text/plain");
  if (!steering || !text) return;
  event.preventDefault();
  type(text);
});

function type(text) {
  if (text.length > 10000) notify("Only the first 10,000 characters were typed.");
  say({ type: "text", text: text.slice(0, 10000) });
}

find("typing-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = find("typing-text");
  if (field.value) type(field.value);
  field.value = "";
});

for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => {
    const key = button.dataset.key;
    for (const kind of ["down", "up"]) say({ type: "key", kind, key, code: key, modifiers: 0 });
  });
}
