// All tasks: the composer, and the list as it changes.
import { html, useEffect, useRef, useState } from "htm/preact";
import {
  askedNumber, inAddress, inQuery, keepPlace, leaveOut, useTypedInto, WrongAddress, wrongIn,
} from "./address.js";
import { Composer } from "./composer.js";
import { API, ask, askedOwner, attempt, may, showToast, store, useLive } from "./core.js";
import { capitalized, count, NUMBERS } from "./format.js";
import { A, alertOf, Choices, Confirm, Empty, Heading, loading, OfOwner, Select } from "./parts.js";
import { MoreRows, Rows } from "./rows.js";

const PAGE = 50;
const MOST = 1000; // rows that are kept fresh; what is older is found by searching
const AT_WORK = ["created", "running", "paused"];
const ENDED = ["finished", "failed", "stopped"];
const FILTERS = { "": "All", active: "Active", finished: "Finished", failed: "Failed", stopped: "Stopped" };
const STATUSES = {
  "": [],
  active: AT_WORK,
  ...Object.fromEntries([...ENDED, ...AT_WORK].map((each) => [each, [each]])),
};
const SPANS = {
  "": ["Any time", 0],
  hour: ["Last hour", 3600],
  day: ["Last 24 hours", 86400],
  week: ["Last 7 days", 604800],
  between: ["Between…", -1],
};
const SORTS = {
  "": "Newest first",
  created: "Oldest first",
  "-took": "Longest first",
  took: "Shortest first",
  "-steps": "Most steps first",
  steps: "Fewest steps first",
  "-cost": "Dearest first",
  cost: "Cheapest first",
};
const NARROW = ["status", "created", "since", "until", "metadata", "text", "schedule", "batch", "sort", "before"];
const LONGEST = 1000; // characters of a search text

function overview({ status, limit, ...more }) {
  const query = new URLSearchParams({ limit });
  for (const each of STATUSES[status]) query.append("status", each);
  for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
  return ask("/admin/overview?" + query);
}

function momentOf(text) {
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

function quoted(text) {
  return "“" + text.slice(0, 60) + "”";
}

// The filters in the address. Invalid ones are left out and reported.
function filtersInAddress() {
  const query = inQuery();
  const get = (name) => (query.get(name) || "").trim();
  const words = (known) => Object.keys(known).filter(Boolean);
  const problems = [
    wrongIn("status", get("status"), words(STATUSES)),
    wrongIn("time", get("created"), words(SPANS)),
    wrongIn("order", get("sort"), words(SORTS)),
  ];
  for (const name of ["since", "until"]) {
    if (get(name) && !momentOf(get(name))) problems.push(quoted(get(name)) + " is no moment.");
  }
  for (const name of ["text", "metadata", "batch"]) {
    if (get(name).length > LONGEST) problems.push("The search text has more than 1,000 characters.");
  }
  const before = askedNumber("before", "");
  if (get("before") && !before) problems.push(quoted(get("before")) + " is no place in the list.");
  const one = (name, known) => (get(name) in known ? get(name) : "");
  const moment = (name) => (momentOf(get(name)) ? get(name) : "");
  const text = (name) => get(name).slice(0, LONGEST);
  return {
    status: one("status", STATUSES),
    created: get("since") || get("until") ? "between" : one("created", SPANS),
    since: moment("since"),
    until: moment("until"),
    sort: one("sort", SORTS),
    before,
    text: text("text"),
    schedule: text("schedule"),
    batch: get("batch") && (query.get("batch") || "").slice(0, LONGEST),
    metadata: text("metadata"),
    problems,
  };
}

// A span up to now begins at a whole minute, so that the list is not read anew at each moment.
function moments({ created, since, until }) {
  const seconds = SPANS[created][1];
  const minute = Math.floor(Date.now() / 60000) * 60000;
  if (seconds > 0) return { since: new Date(minute - seconds * 1000).toISOString() };
  if (!seconds) return {};
  return { since: since && momentOf(since).toISOString(), until: until && momentOf(until).toISOString() };
}

function isNarrow({ status, created, metadata, text, schedule, batch }) {
  return Boolean(status || created || metadata || text || schedule || batch);
}

// All tasks, or how many of them match; that is exact once the last one is read.
function counted(filters, { tasks, next, sorted, count: all }) {
  const words = count(all, "task");
  if (!isNarrow(filters)) return words;
  const isWhole = !filters.before && (sorted === null ? !next : sorted < MOST);
  return (isWhole ? "" : "at least ") + NUMBERS.format(sorted ?? tasks.length) + " of " + words;
}

function ListTools({ filters, active }) {
  const [metadata, typeMetadata] = useTypedInto("metadata", 150);
  const [isOpen, open] = useState(Boolean(filters.created || filters.metadata));
  const { status, created, since, until, sort } = filters;
  const put = (name) => (event) => inAddress({ [name]: event.currentTarget.value, before: "" });
  const chooseStatus = (value) => inAddress({ status: value, before: "" });
  const chooseSpan = (event) => inAddress({ created: event.currentTarget.value, since: "", until: "", before: "" });
  const clear = () => leaveOut(["created", "since", "until", "metadata", "before"]);
  const badge = (value) => (value === "active" && active ? html` <span class="badge">${active}</span>` : "");
  const owners = ["all", ...(store.me?.owners || [])].map((each) => [each, each === "all" ? "All owners" : each]);
  const known = status in FILTERS ? FILTERS : { ...FILTERS, [status]: capitalized(status) };
  const statuses = Object.entries(known).map(([value, name]) => [value, html`${name}${badge(value)}`]);
  const spans = Object.entries(SPANS).map(([value, [name]]) => [value, name]);
  return html`<div class="tools">
    <${Choices} label="Status" choices=${statuses} chosen=${status} choose=${chooseStatus} />
    ${owners.length > 2 && html`<${Select} aria-label="Owner" value=${askedOwner()} onChange=${put("owner")}
      choices=${[["", "My tasks"], ...owners]} />`}
    <button type="button" class="more-filters" aria-expanded=${String(isOpen)}
      onClick=${() => open(!isOpen)}>Sort, filter</button>
    <div class=${isOpen ? "narrow is-open" : "narrow"}>
    <${Select} aria-label="Created" value=${created} onChange=${chooseSpan} choices=${spans} />
    ${created === "between" && html`
      <input type="datetime-local" aria-label="Created from" value=${since} onInput=${put("since")} />
      <input type="datetime-local" aria-label="Created before" value=${until} onInput=${put("until")} />`}
    <input type="text" id="metadata" aria-label="Metadata, as name or name=value" placeholder="Metadata: name=value"
      autocomplete="off" spellcheck="false" value=${metadata}
      onInput=${(event) => typeMetadata(event.currentTarget.value)} />
    <${Select} class="sort" aria-label="Order" value=${sort} onChange=${put("sort")}
      choices=${Object.entries(SORTS)} />
    ${(created || filters.metadata) && html`<button type="button" class="quiet" onClick=${clear}>Clear</button>`}
    </div></div>`;
}

function NoTasks({ filters }) {
  if (!isNarrow(filters)) {
    return html`<${Empty} title="No task yet"><p>Describe one above, or start it from a shell:</p>
      <pre>browser-use-async run "Open https://example.com and tell me its title"</pre><//>`;
  }
  const parts = ["No task" + (filters.text ? " with “" + filters.text + "” in it" : "")];
  if (filters.status) parts.push("is " + filters.status);
  if (filters.schedule) parts.push("of this schedule");
  if (filters.batch) parts.push("of this batch");
  if (filters.created || filters.metadata) parts.push("within the time and metadata that are chosen");
  return html`<${Empty} title="Nothing matches"><p>${parts.join(" ")}.</p>
    <p><button type="button" onClick=${() => leaveOut(NARROW)}>Clear all filters</button></p><//>`;
}

async function stopAll(ids, refresh) {
  let stopped = 0;
  for (const id of ids) {
    const path = API + "/stop-task?task_id=" + encodeURIComponent(id);
    if (await attempt(() => ask(path, { method: "PUT" }).then(() => true))) stopped += 1;
  }
  showToast(count(stopped, "task") + " stopped");
  refresh();
}

function Selection({ chosen, all, pick, clear, stop }) {
  const [asks, ask_] = useState(false);
  if (!chosen.size) return null;
  const words = count(chosen.size, "task");
  return html`<div class="selection" role="region" aria-label="Selection"><span>${words} selected</span>
    ${chosen.size < all && html`<button type="button" onClick=${pick}>Select all ${all} shown</button>`}
    <button type="button" onClick=${clear}>Clear</button>
    <button type="button" class="danger" onClick=${() => ask_(true)}>Stop them</button>
    ${asks && html`<${Confirm} title=${"Stop " + words + "?"} word="Stop for good"
      text="A stopped task cannot go on. What it has cost so far is spent."
      close=${() => ask_(false)} work=${stop} />`}</div>`;
}

// How many rows are read: as many as were shown when the list was left, if Back leads to it.
function useLimit(inputs) {
  const [limit, setLimit] = useState(() => Math.min(MOST, history.state?.rows || PAGE));
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) setLimit(PAGE);
    isFirst.current = false;
  }, inputs);
  const more = () => setLimit(Math.min(MOST, limit + PAGE));
  useEffect(() => keepPlace({ rows: limit }), [limit]);
  return [limit, more];
}

// The tasks that a person has selected, of those that are at work.
function useSelection(open) {
  const [chosen, setChosen] = useState(new Set());
  const choose = (id) => setChosen((old) => {
    const changed = new Set(old);
    return changed.delete(id) ? changed : changed.add(id);
  });
  return {
    chosen: new Set(open.filter((task) => chosen.has(task.id)).map((task) => task.id)),
    choose,
    pick: () => setChosen(new Set(open.map((task) => task.id))),
    clear: () => setChosen(new Set()),
  };
}

function page(position) {
  inAddress({ before: position });
  window.scrollTo(0, 0);
}

export function TasksPage() {
  const filters = filtersInAddress();
  const { status, created, since, until, text, metadata, schedule, batch, sort, before, problems } = filters;
  const narrowed = [askedOwner(), status, created, since, until, text, metadata, schedule, batch, sort, before];
  const [limit, more] = useLimit(narrowed);
  const read = () =>
    overview({ status, text, metadata, schedule, batch, sort, before, limit, ...moments(filters) });
  const pause = (answer) => (Object.keys(answer.at_work).length ? 1500 : 4000);
  const { value, problem, refresh } = useLive(read, pause, [...narrowed, limit]);
  const top = useRef(history.state?.top || 0);
  useEffect(() => {
    if (value && top.current) window.scrollTo(0, top.current);
    if (value) top.current = 0;
  }, [!value]);
  const tasks = value ? value.tasks : [];
  const active = value ? Object.values(value.at_work).reduce((sum, each) => sum + each, 0) : 0;
  const open = tasks.filter((task) => !task.finished_at);
  const { chosen, choose, pick, clear } = useSelection(open);
  const stop = () => stopAll(chosen, refresh).then(clear);
  const rest = value && (value.next || tasks.length === limit);
  const list = () => (tasks.length
    ? html`<${Rows} tasks=${tasks} sort=${sort} chosen=${chosen} choose=${choose} />`
    : html`<${NoTasks} filters=${filters} />`);
  return html`
    <${Heading} note=${value ? counted(filters, value) + (active ? ", " + active + " at work" : "") : " "}>Tasks<//>
    ${may("run") && html`<${Composer} created=${refresh} />`}
    <${ListTools} filters=${filters} active=${active} />
    <${OfOwner} />
    <${WrongAddress} problems=${problems} names=${NARROW} />
    ${alertOf(problem)}
    ${schedule && html`<p class="older">Tasks of one <${A} href="/schedules">schedule<//>. <button type="button"
      class="quiet" onClick=${() => leaveOut(["schedule", "before"])}>Show all tasks</button></p>`}
    ${batch && html`<p class="older">Tasks of the batch
      ${" "}<${A} href=${"/batches?" + new URLSearchParams({ name: batch })}>${batch}<//>. <button type="button"
      class="quiet" onClick=${() => leaveOut(["batch", "before"])}>Show all tasks</button></p>`}
    ${before && html`<p class="older">
      <button type="button" onClick=${() => page("")}>Back to the newest</button></p>`}
    ${sort && value && value.sorted === MOST && html`<p class="note older">
      ${SORTS[sort]}, of the latest ${NUMBERS.format(MOST)} tasks that match.</p>`}
    <div id="tasks" aria-busy=${String(!value)}>${value ? list() : html`${loading(undefined, problem)}`}</div>
    ${rest && limit < MOST && html`<${MoreRows} next=${() => tasks.length >= limit && more()} />`}
    ${value && value.next && limit >= MOST && html`<p class="more">
      <button type="button" onClick=${() => page(value.next)}>Older tasks</button></p>`}
    <${Selection} chosen=${chosen} all=${open.length} pick=${pick} clear=${clear} stop=${stop} />`;
}
