// Beside the browser and the steps of a task: its files, its facts, and the trace of a step.
import { html, useEffect, useState } from "htm/preact";
import { API, ask, attempt, here, problemOf } from "./core.js";
import { count, price, span, timesOf } from "./format.js";
import { A, Copy, Moment, Scroll } from "./parts.js";

export function FileLinks({ task }) {
  const names = task.output_files || [];
  const given = task.user_uploaded_files || [];
  if (!names.length && !given.length && !task.recordings.length) return null;
  const path = API + "/task/" + encodeURIComponent(task.id) + "/output-file/";
  const open = (name) => attempt(async () => {
    const answer = await ask(path + encodeURIComponent(name));
    const link = document.createElement("a");
    link.href = here(answer.download_url);
    link.download = name;
    link.click();
  });
  return html`<section class="card"><h2>Files</h2><ul class="files">
    ${names.map((name) => html`<li key=${name}><span>${name}
      ${name === "trace.zip" && html` <span class="note">for Playwright's trace viewer</span>`}</span>
      <button type="button" onClick=${() => open(name)} aria-label=${"Download " + name}>Download</button></li>`)}
    ${task.recordings.map((link) => html`<li key=${link}><span>Recording</span>
      <a class="button" href=${here(link)} download>Download</a></li>`)}
    ${given.map((name) => html`<li key=${"given " + name}><span>${name}</span>
      <span class="note">given to the task</span></li>`)}</ul></section>`;
}

// The script that the task names, and how many of its steps were played without a model.
function scriptOf(task) {
  const name = (task.metadata || {})["bu_async.script"];
  if (!name) return {};
  const steps = task.steps.filter((each) => each.next_goal.startsWith("Script: ")).length;
  const words = steps ? ", played " + count(steps, "step") : ", recorded or done anew";
  return { Script: html`<${A} href=${"/scripts/" + encodeURIComponent(name)}>${name}<//>${words}` };
}

// The batch that has started the task.
function batchOf(task) {
  const name = (task.metadata || {})["bu_async.batch"];
  return name ? { Batch: html`<${A} href=${"/batches?" + new URLSearchParams({ name })}>${name}<//>` } : {};
}

export function Facts({ task }) {
  const pairs = Object.entries(task.metadata || {}).filter(([name]) => !name.startsWith("bu_async."));
  const times = timesOf(task, Date.now());
  const domains = task.request.allowed_domains || [];
  const facts = {
    Created: html`<${Moment} at=${task.created_at} exact=${true} />`,
    [task.finished_at ? "Took" : "Running for"]: times.active,
    ...(times.paused ? { [task.status === "paused" ? "Paused for" : "Was paused"]: times.paused } : {}),
    Cost: price(task.cost_cents),
    Steps: task.steps.length + " of at most " + task.max_agent_steps,
    Model: task.llm_model,
    ...(domains.length ? { Domains: domains.join(", ") } : {}),
    ...scriptOf(task),
    ...batchOf(task),
    ...(pairs.length ? { Metadata: pairs.map((each) => each.join("=")).join(", ") } : {}),
    Id: html`<code>${task.id}</code> <${Copy} text=${task.id} label="Copy the id" />`,
  };
  return html`<dl class="facts-list card">${Object.entries(facts).map(([name, value]) => html`<div key=${name}>
    <dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function Requests({ failed }) {
  return html`<${Scroll} label="Failed requests"><table>
    <thead><tr><th scope="col">Request</th><th scope="col">What became of it</th></tr></thead>
    <tbody>${failed.map((each, number) => html`<tr key=${number}>
      <td><code>${each.method} ${each.url}</code></td><td>${each.problem}</td></tr>`)}</tbody></table><//>`;
}

function Trace({ trace }) {
  const { seconds, addresses, console: errors, failed, requests, slowest, slowest_seconds, omitted } = trace;
  const facts = [span(1000 * seconds) + " in the browser", count(requests, "request")];
  if (slowest) facts.push("slowest " + span(1000 * slowest_seconds));
  const address = (each, number) => html`<li key=${number}><code>${each}</code></li>`;
  return html`<p class="facts">${facts.map((fact) => html`<span key=${fact}>${fact}</span>`)}</p>
    ${slowest && slowest_seconds >= 1 && html`<p class="note">Slowest: <code>${slowest}</code></p>`}
    ${addresses.length > 0 && html`<h3>Opened</h3><ul class="opened">${addresses.map(address)}</ul>`}
    ${errors.length > 0 && html`<h3>Console errors</h3>
      <pre tabindex="0" aria-label="Console errors">${errors.join("\n")}</pre>`}
    ${failed.length > 0 && html`<h3>Failed requests</h3><${Requests} failed=${failed} />`}
    ${omitted > 0 && html`<p class="note">${count(omitted, "further one")} not kept.</p>`}
    ${!errors.length && !failed.length && html`<p class="note">
      No errors in the console, and no request failed.</p>`}`;
}

// Read when a step is opened: the traces of all steps would be large.
export function Behind({ task, step }) {
  const [read, setRead] = useState({});
  const known = task.steps_more[step];
  const isKnown = known && known.problems !== null;
  const path = "/admin/overview/" + encodeURIComponent(task.id) + "/steps/" + (step + 1);
  useEffect(() => {
    let isShown = true;
    const show = (fields) => isShown && setRead({ path, ...fields });
    if (isKnown) ask(path).then(({ trace }) => show({ trace }), (error) => show({ problem: problemOf(error) }));
    return () => { isShown = false; };
  }, [path, isKnown]);
  if (step < 0) return null;
  const { trace, problem } = read.path === path ? read : {};
  return html`<section class="card behind" aria-label=${"Behind step " + (step + 1)}><h2>Behind step ${step + 1}</h2>
    ${!isKnown && html`<p class="note">
      There is no trace of this step: only the browser of this server records one.</p>`}
    ${isKnown && !trace && html`<p class="note">${problem || "Reading…"}</p>`}
    ${isKnown && trace && html`<${Trace} trace=${trace} />`}</section>`;
}
