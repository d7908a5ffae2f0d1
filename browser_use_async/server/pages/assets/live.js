"use strict";
const find = (id) => document.getElementById(id);
const stateAddress = location.pathname.replace(/\/+$/, "") + "/state";

function show(id, text) {
  find(id).textContent = text || "";
  find(id + "-section").hidden = !text;
}

function stepItem(step) {
  const item = document.createElement("li");
  const parts = [
    ["goal", step.next_goal],
    ["evaluation", step.evaluation_previous_goal],
    ["url", step.url],
  ];
  for (const [name, text] of parts) {
    if (!text) continue;
    const line = document.createElement("p");
    line.className = name;
    line.textContent = text;
    item.append(line);
  }
  return item;
}

function update(state) {
  document.title = state.status + ": browser task";
  if (find("status").textContent !== state.status) find("status").textContent = state.status;
  show("failure", state.failure);
  show("output", state.output);
  const steps = find("steps");
  for (const step of state.steps.slice(steps.children.length)) steps.append(stepItem(step));
  const count = String(state.steps.length);
  // A link is signed anew each time, so it only replaces the picture when there is a new one.
  if (state.screenshot && document.body.dataset.steps !== count) {
    find("screenshot").src = state.screenshot;
    find("screenshot").alt = "The page at step " + count;
    find("screenshot-section").hidden = false;
  }
  document.body.dataset.steps = count;
  document.body.dataset.ended = String(state.ended);
}

async function poll() {
  try {
    const answer = await fetch(stateAddress, { cache: "no-store" });
    if (!answer.ok) throw new Error("status " + answer.status);
    update(await answer.json());
    find("connection").hidden = true;
  } catch (error) {
    find("connection").hidden = false;
  }
  if (document.body.dataset.ended !== "true") setTimeout(poll, 1000);
}

if (document.body.dataset.ended !== "true") setTimeout(poll, 1000);
