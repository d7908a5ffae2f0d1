// Batches: the tasks that `run_many` or `bua batch` has started together, and how they went.
import { html } from "htm/preact";
import { inQuery } from "./address.js";
import { ask, useLive } from "./core.js";
import { ago, count, money, NUMBERS, price, span } from "./format.js";
import { Reasons } from "./overview.js";
import { A, alertOf, Crumbs, Empty, Heading, loading, Moment, Status } from "./parts.js";

const EXAMPLE = 'browser-use-async batch rows.csv --template "Open {url} and tell me its title" --ledger run.db';
const SUMMED = "Of the latest 20,000 tasks. Rows that have not been sent yet stand in the ledger: ";

// Without a prefix of its own a batch is named by the id of its ledger; the mark at the end says nothing.
function titleOf(name) {
  return name.replace(/\/$/, "") || name || "(no name)";
}

function tasksOf(name, fields = {}) {
  return "/?" + new URLSearchParams({ batch: name, ...fields });
}

function withStatus(batch, status) {
  return batch.statuses[status] || 0;
}

function stateOf(batch) {
  if (batch.at_work) return html`<${Status} of="running" words=${"at work: " + NUMBERS.format(batch.at_work)} />`;
  const failed = withStatus(batch, "failed");
  return html`<${Status} of=${failed ? "failed" : "finished"}
    words=${failed ? NUMBERS.format(failed) + " failed" : "all done"} />`;
}

function BatchRow({ batch }) {
  const { name, tasks, cost_cents, begun_at } = batch;
  const ends = ["finished", "failed", "stopped"].filter((each) => withStatus(batch, each));
  return html`<li class="item"><div class="item-main">
    <p class="row-title">${stateOf(batch)}
      <${A} href=${"/batches?" + new URLSearchParams({ name })}>${titleOf(name)}<//></p>
    <p class="facts"><span>${count(tasks, "task")}</span>
      ${ends.map((each) => html`<span key=${each}>${NUMBERS.format(withStatus(batch, each))} ${each}</span>`)}
      <span>${price(cost_cents)}</span><span>begun <${Moment} at=${begun_at} /></span></p></div></li>`;
}

function Batches() {
  const { value, problem } = useLive(() => ask("/admin/batches"), 8000, []);
  return html`<${Heading} note=${value ? count(value.batches.length, "batch", "batches") : " "}>Batches<//>
    ${alertOf(problem)}${loading(value, problem)}
    ${value && !value.batches.length && html`<${Empty} title="No batch yet">
      <p>One task for each row of a table, with a budget, and without paying a row twice:</p>
      <pre>${EXAMPLE}</pre><//>`}
    <ul class="items">${(value ? value.batches : []).map((each) =>
      html`<${BatchRow} key=${each.name} batch=${each} />`)}</ul>`;
}

function paceOf({ per_minute }) {
  if (per_minute === null) return "not known before a task has ended";
  const isSlow = per_minute < 1;
  return NUMBERS.format(Number((isSlow ? 60 * per_minute : per_minute).toPrecision(2))) +
    (isSlow ? " ends an hour" : " ends a minute");
}

function restOf({ rest, at_work }) {
  if (!at_work) return "no task is at work";
  if (!rest) return "not known before a task has ended";
  return "about " + span(1000 * rest.seconds) + " and " + money(rest.cost_cents) + " for the " +
    count(at_work, "task") + " at work";
}

function factsOf(batch) {
  const { name, tasks, cost_cents, begun_at, ended_at, at_work } = batch;
  const linked = (status) => html`<${A} href=${tasksOf(name, { status })}>
    ${NUMBERS.format(status === "active" ? at_work : withStatus(batch, status))}<//>`;
  return {
    Tasks: html`<${A} href=${tasksOf(name)}>${count(tasks, "task")}<//>`,
    Done: linked("finished"),
    Failed: linked("failed"),
    ...(withStatus(batch, "stopped") ? { Stopped: linked("stopped") } : {}),
    ...(at_work ? { "At work": linked("active") } : {}),
    Cost: price(cost_cents) + ", " + price(cost_cents / tasks) + " a task",
    Pace: paceOf(batch),
    Rest: restOf(batch),
    Begun: html`<${Moment} at=${begun_at} exact=${true} />`,
    ...(ended_at && !at_work ? { "Last end": html`<${Moment} at=${ended_at} exact=${true} />` } : {}),
    Name: html`<code>${name}</code>`,
  };
}

function Ends({ batch }) {
  const { tasks } = batch;
  const part = (status, look) => html`<span class=${look}
    style=${{ flexGrow: withStatus(batch, status) }}></span>`;
  const words = NUMBERS.format(tasks - batch.at_work) + " of " + count(tasks, "task") + " have ended";
  return html`<div class="ends" role="img" aria-label=${words}>
    ${part("finished", "good")}${part("failed", "bad")}${part("stopped", "faint")}
    <span class="rest" style=${{ flexGrow: batch.at_work }}></span></div>`;
}

function Batch({ name }) {
  const path = "/admin/batch?" + new URLSearchParams({ name });
  const pause = (batch) => (batch.at_work ? 2000 : 10000);
  const { value, problem } = useLive(() => ask(path), pause, [name]);
  const batch = value && value.name === name ? value : null;
  const crumbs = html`<${Crumbs} href="/batches">Batches<//>`;
  if (!batch || !batch.tasks) {
    return html`${crumbs}<${Heading}>${batch || problem ? "There is no such batch" : "Batch"}<//>
      ${batch || problem
        ? html`<${Empty} title=${problem || "Among the latest 20,000 tasks there is none of this batch."}>
            <p>It may belong to another key, or its tasks were deleted because of their age.</p><//>`
        : loading()}`;
  }
  const note = html`${stateOf(batch)} begun ${ago(batch.begun_at)}`;
  return html`${crumbs}<${Heading} note=${note}
      actions=${html`<${A} class="button" href=${tasksOf(name)}>Its tasks<//>`}>${titleOf(name)}<//>
    <section class="card"><${Ends} batch=${batch} />
      <dl class="facts-list">${Object.entries(factsOf(batch)).map(([word, each]) => html`<div key=${word}>
        <dt>${word}</dt><dd>${each}</dd></div>`)}</dl>
      <p class="note batch-note">${SUMMED}<code>bua batch status LEDGER</code></p></section>
    <${Reasons} reasons=${batch.reasons} others=${batch.other_reasons} none="No task of it has failed." />`;
}

export function BatchesPage() {
  const name = inQuery().get("name");
  return name === null ? html`<${Batches} />` : html`<${Batch} key=${name} name=${name.slice(0, 1000)} />`;
}
