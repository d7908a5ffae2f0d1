// The page of one task, as it changes.
import { watchCut, wholeWords } from "../app/cut.js";
import { duration, exactly, price } from "../app/format.js";

export const find = (id) => document.getElementById(id);
export const screen = find("screen");
export const picture = find("picture");
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;

let socket = null;
let pause = FIRST_PAUSE;
let heading = null; // of the frame whose picture comes next
let shownAddress = "";
// The size of the task's page in CSS pixels; the property would be the size on the screen.
export const page = {
  width: Number(picture.getAttribute("width")),
  height: Number(picture.getAttribute("height")),
};
let heard = () => {};

// Where there are buttons, they take each message as well.
export function hearAlso(listener) {
  heard = listener;
}

export function say(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function showText(id, text) {
  find(id).textContent = text || "";
  find(id + "-section").hidden = !text;
}

export function notify(text) {
  find("notice").textContent = text;
  find("notice").hidden = !text;
}

// How long a step took, and what it cost, if known.
function sayFacts(line) {
  const { from, to, cents } = line.dataset;
  const cost = cents && cents !== "None" ? " · " + price(cents) : "";
  line.textContent = duration(from, to) + cost;
}

function stepItem(step, begun) {
  const item = document.createElement("li");
  for (const [name, text] of [["goal", step.next_goal], ["url", step.url]]) addLine(item, name, text);
  const facts = document.createElement("p");
  facts.className = "facts";
  Object.assign(facts.dataset, { from: begun, to: step.taken_at, cents: step.cost_cents || "" });
  sayFacts(facts);
  item.append(facts);
  return item;
}

function addLine(item, name, text) {
  if (!text) return;
  const line = document.createElement("p");
  line.className = name;
  line.textContent = text;
  item.append(line);
}

function addSteps(added) {
  const steps = find("steps");
  const panel = steps.closest(".report");
  const atEnd = panel.scrollHeight - panel.scrollTop - panel.clientHeight < 40;
  for (const step of added) {
    if (step.step <= steps.children.length) continue;
    // A step contains the result of the one before it.
    const before = steps.lastElementChild;
    if (before) addLine(before, "evaluation", step.evaluation_previous_goal);
    if (before) before.append(before.querySelector(".facts"));
    const begun = before ? before.querySelector(".facts").dataset.to : document.body.dataset.created;
    steps.append(stepItem(step, begun));
  }
  if (added.length && atEnd) panel.scrollTop = panel.scrollHeight;
  document.body.dataset.steps = String(steps.children.length);
  find("no-steps").hidden = steps.children.length > 0;
}

function describe(status, doing, waitsFor) {
  const count = find("steps").children.length;
  const newest = find("steps").lastElementChild;
  const goal = newest && newest.querySelector(".goal");
  if (waitsFor) find("now").textContent = "Waits for " + waitsFor + ".";
  else if (doing && status === "running") find("now").textContent = "Now: " + doing;
  else find("now").textContent = goal ? "Step " + count + ": " + goal.textContent : "";
  picture.alt = count ? "The page at step " + count : "The page";
  document.title = status + ": browser task";
}

function update(state) {
  const status = find("status");
  if (status.textContent !== state.status) status.textContent = state.status;
  status.dataset.status = state.status;
  find("elsewhere").textContent = state.elsewhere || "";
  find("elsewhere").hidden = !state.elsewhere;
  showText("failure", state.failure);
  showText("output", state.output);
  addSteps(state.steps);
  describe(state.status, state.doing, state.waits_for);
  document.body.dataset.ended = String(state.ended);
}

// The server sends the next frame only after this; a hidden page is not seen.
function tellDrawn() {
  if (!document.hidden) return say({ type: "drawn" });
  document.addEventListener("visibilitychange", tellDrawn, { once: true });
}

function draw(frame, content) {
  const address = URL.createObjectURL(new Blob([content], { type: frame.media_type }));
  picture.onload = picture.onerror = () => {
    if (shownAddress) URL.revokeObjectURL(shownAddress);
    shownAddress = address;
    tellDrawn();
  };
  picture.src = address;
  picture.width = page.width = frame.width;
  picture.height = page.height = frame.height;
  screen.style.setProperty("--ratio", String(frame.width / frame.height));
  picture.hidden = false;
  find("no-picture").hidden = true;
}

function hear(message) {
  if (message.type === "state" && message.is_moved) return location.reload(); // it leads there
  if (message.type === "state") update(message);
  else if (message.type === "frame") heading = message;
  else if (message.type === "refused") notify(message.detail);
  heard(message);
}

function connect() {
  const address = new URL(location.pathname.replace(/\/+$/, "") + "/socket", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    pause = FIRST_PAUSE;
    find("connection").hidden = true;
  };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") hear(JSON.parse(event.data));
    else if (heading) draw(heading, event.data);
  };
  socket.onclose = (event) => {
    if (event.code === 1008) return location.reload(); // taken back: the page says so
    if (document.body.dataset.ended === "true") return;
    find("connection").hidden = false;
    // At a random moment: all pages lost the server at the same time.
    setTimeout(connect, pause * (0.75 + Math.random() / 2));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  };
}

// A long task is cut, so that the browser is in view; a button shows it whole while that is so.
function offerWhole() {
  const title = find("task");
  const button = document.createElement("button");
  Object.assign(button, { type: "button", id: "whole-text" });
  const show = (isOpen) => {
    title.classList.toggle("is-open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    button.textContent = wholeWords(isOpen);
  };
  button.onclick = () => show(!title.classList.contains("is-open"));
  show(false);
  watchCut(title, (isCut) => {
    if (!isCut && !title.classList.contains("is-open")) button.remove();
    else if (!button.isConnected) find("status").after(button);
  });
}

offerWhole();
document.querySelectorAll("#steps .facts").forEach(sayFacts);
for (const time of document.querySelectorAll("time")) {
  time.textContent = exactly(time.dateTime);
}
document.body.classList.toggle("bare", location.hash === "#browser");
screen.style.setProperty("--ratio", String(page.width / page.height));
addSteps([]);
// The reason for a wait is part of the page from the beginning.
if (find("status").textContent !== "created") describe(find("status").textContent);
if (document.body.dataset.ended !== "true") connect();
