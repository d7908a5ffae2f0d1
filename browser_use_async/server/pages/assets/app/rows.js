// The rows of the list of tasks: a table, of which only changed and visible rows are drawn again.
import { Component, html, useEffect, useRef } from "htm/preact";
import { follow, inAddress } from "./address.js";
import { may, ofOwner, pictureAt } from "./core.js";
import { ago, briefly, oneLine, price, timesOf } from "./format.js";
import { Moment, Picture, Status, Title } from "./parts.js";

const COLUMNS = { created: "Created", took: "Time", steps: "Steps", cost: "Cost" };

function rowNews(task) {
  if (task.failure) return html`<span class="news bad">${oneLine(task.failure)}</span>`;
  if (task.output) return html`<span class="news">${briefly(task.output)}</span>`;
  const now = task.doing || task.goal;
  if (now && !task.finished_at) return html`<span class="news now">${oneLine(now)}</span>`;
  return null;
}

// Rows in view, or about to be.
const rowsBySight = new Map();
const sight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) rowsBySight.get(target)?.near(isIntersecting);
}, { rootMargin: "600px" });

// Rows out of sight are drawn a few at a time, when the browser has nothing else to do: screen readers and the
// browser's own search find them a moment old, and a thousand of them stay smooth.
const AT_ONCE = 20;
const behind = new Set();
const whenIdle = window.requestIdleCallback || ((work) => setTimeout(work, 50));
let isCatchingUp = false;

function drawLater(row) {
  behind.add(row);
  if (!isCatchingUp) whenIdle(catchUp, { timeout: 1000 });
  isCatchingUp = true;
}

function catchUp() {
  for (const row of [...behind].slice(0, AT_ONCE)) {
    behind.delete(row);
    row.refresh();
  }
  isCatchingUp = behind.size > 0;
  if (isCatchingUp) whenIdle(catchUp, { timeout: 1000 });
}

// A row with the same content is not drawn again.
class TaskRow extends Component {
  isNear = true;

  componentDidMount() {
    this.element = this.base;
    rowsBySight.set(this.element, this);
    sight.observe(this.element);
  }

  componentWillUnmount() {
    sight.unobserve(this.element);
    rowsBySight.delete(this.element);
    behind.delete(this);
  }

  near(isNear) {
    this.isNear = isNear;
    if (isNear) this.refresh();
  }

  refresh() {
    if (rowText(this.props) !== this.drawn) this.forceUpdate();
  }

  shouldComponentUpdate(next) {
    if (this.isNear) return rowText(next) !== this.drawn;
    drawLater(this);
    return false;
  }

  render({ task, now, chosen, choose }) {
    this.drawn = rowText({ task, now, chosen });
    const active = !task.finished_at && may("run");
    const picture = task.screenshot_url && pictureAt(task.screenshot_url);
    const without = html`<span>No picture</span>`;
    const times = timesOf(task, now);
    return html`<tr class="row" role="row" data-status=${task.status}>
      <td role="cell" class="thumb">${picture
        ? html`<${Picture} src=${picture} without=${without} alt="Last step" loading="lazy" decoding="async" />`
        : html`<span aria-hidden="true"></span>`}</td>
      <td role="cell" class="row-status"><${Status} of=${task.status} /></td>
      <td role="cell" class="row-main"><span class="row-title">
        <a href=${"/tasks/" + task.id + ofOwner(task.owner)} onClick=${follow}>
        <${Title} text=${oneLine(task.task)} /></a></span>
        ${task.owner && html`<span class="news">of ${task.owner}</span>`}${rowNews(task)}</td>
      <td role="cell" class="row-created"><${Moment} at=${task.created_at} /></td>
      <td role="cell" class="number">${times.active}
        ${times.paused && html`<span class="paused">paused ${times.paused}</span>`}</td>
      <td role="cell" class="number" data-unit=${task.steps === 1 ? " step" : " steps"}>${task.steps}</td>
      <td role="cell" class="number">${price(task.cost_cents)}</td>
      <td role="cell" class="row-model">${task.llm_model}</td>
      <td role="cell" class="row-pick">${active && html`<label class="pick">
        <input type="checkbox" checked=${chosen} onChange=${() => choose(task.id)} />
        <span class="reader-only">Select: ${task.task.slice(0, 60)}</span></label>`}</td>
    </tr>`;
  }
}

function rowText({ task, now, chosen }) {
  const { screenshot_url, ...shown } = task;
  const active = task.finished_at ? "" : timesOf(task, now).active;
  const picture = screenshot_url ? pictureAt(screenshot_url) : "";
  return JSON.stringify(shown) + chosen + ago(task.created_at) + active + picture;
}

// The first press puts the largest first; without a choice the newest task is first.
function SortHeader({ name, sort }) {
  const isFalling = sort === "-" + name || (!sort && name === "created");
  const direction = sort === name ? "ascending" : isFalling ? "descending" : "none";
  const next = direction === "descending" ? name : name === "created" ? "" : "-" + name;
  const arrow = { ascending: "↑", descending: "↓", none: "" }[direction];
  return html`<th role="columnheader" scope="col" aria-sort=${direction} class=${name === "created" ? "" : "number"}>
    <button type="button" class="quiet" onClick=${() => inAddress({ sort: next, before: "" })}>${COLUMNS[name]}
    <span class="arrow" aria-hidden="true">${arrow}</span></button></th>`;
}

// With roles: as a CSS grid it would be no table for screen readers.
export function Rows({ tasks, sort, chosen, choose }) {
  const now = Date.now();
  const head = (words) => html`<th role="columnheader" scope="col">${words}</th>`;
  const unseen = (words) => head(html`<span class="reader-only">${words}</span>`);
  return html`<table class="rows" role="table" aria-label="Tasks"><thead role="rowgroup"><tr role="row" class="head">
    ${unseen("Picture")}${head("Status")}${head("Task")}
    ${Object.keys(COLUMNS).map((name) => html`<${SortHeader} key=${name} name=${name} sort=${sort} />`)}
    ${head("Model")}${unseen("Select")}</tr></thead>
    <tbody role="rowgroup">${tasks.map((task) => html`<${TaskRow} key=${task.id} task=${task} now=${now}
      chosen=${chosen.has(task.id)} choose=${choose} />`)}</tbody></table>`;
}

// More rows are read before the end of the list is visible.
export function MoreRows({ next }) {
  const button = useRef(null);
  useEffect(() => {
    const look = (seen) => seen.some((each) => each.isIntersecting) && next();
    const watch = new IntersectionObserver(look, { rootMargin: "600px" });
    watch.observe(button.current);
    return () => watch.disconnect();
  });
  return html`<p class="more"><button type="button" ref=${button} onClick=${next}>Show more</button></p>`;
}
