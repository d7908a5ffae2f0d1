"use strict";
// Filtering and sorting of the rows that are in the page; without this they are all there, in their order.
const sheet = document.getElementById("items");
const body = sheet.tBodies[0];
const rows = [...body.rows];
const chosen = { state: "", text: "" };

function shown(row) {
  return (!chosen.state || row.dataset.state === chosen.state) && (!chosen.text || row.textContent.toLowerCase().includes(chosen.text));
}

function filter() {
  let count = 0;
  for (const row of rows) {
    row.hidden = !shown(row);
    count += !row.hidden;
  }
  counter.textContent = count === rows.length ? "" : count.toLocaleString("en-US") + " of " + rows.length.toLocaleString("en-US");
}

// The `data` element has the exact number; what is missing comes last in either order.
function valueOf(row, column) {
  const cell = row.cells[column];
  const data = cell.querySelector("data");
  if (data && cell.className === "number") return Number(data.value);
  return cell.textContent.trim().toLowerCase() || null;
}

function sort(column, heading) {
  const order = heading.ariaSort === "ascending" ? -1 : 1;
  for (const each of sheet.tHead.rows[0].cells) each.ariaSort = null;
  heading.ariaSort = order > 0 ? "ascending" : "descending";
  const keyed = rows.map((row) => ({ row, value: valueOf(row, column) }));
  keyed.sort((one, other) => {
    if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
    return order * (one.value < other.value ? -1 : one.value > other.value ? 1 : 0);
  });
  body.append(...keyed.map((each) => each.row));
}

function button(words, pressed, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
  made.addEventListener("click", () => work(made));
  return made;
}

function stateButtons() {
  const counts = new Map();
  for (const row of rows) counts.set(row.dataset.state, (counts.get(row.dataset.state) || 0) + 1);
  const choices = [["All", ""], ...[...counts].map(([state, count]) => [state + " " + count.toLocaleString("en-US"), state])];
  return choices.map(([words, state]) => button(words, !state, (pressed) => {
    chosen.state = state;
    for (const each of pressed.parentElement.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === pressed));
    filter();
  }));
}

const counter = document.createElement("span");
counter.setAttribute("role", "status");
if (rows.length > 1) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const group = document.createElement("div");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "State");
  group.append(...stateButtons());
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Search in the results";
  field.setAttribute("aria-label", "Search in the results");
  field.addEventListener("input", () => { chosen.text = field.value.trim().toLowerCase(); filter(); });
  tools.append(group, counter, field);
  sheet.parentElement.before(tools);
  [...sheet.tHead.rows[0].cells].forEach((heading, column) => {
    heading.replaceChildren(button(heading.textContent, null, () => sort(column, heading)));
  });
}
// A link to a row leads there, whatever is filtered.
addEventListener("hashchange", () => { const row = document.querySelector(":target"); if (row) row.hidden = false; });
