// The overview: tasks, failures, cost and time by day, and why tasks failed.
import { html } from "htm/preact";
import { inAddress, inQuery, WrongAddress, wrongIn } from "./address.js";
import { ask, useLive } from "./core.js";
import { count, money, NUMBERS, span } from "./format.js";
import { A, alertOf, Choices, Heading, loading, Scroll } from "./parts.js";

const RANGES = ["7", "14", "30", "90"];
const USUAL_RANGE = "14";
const NOTE = "By creation day (your time zone). Time = creation to end";
const DAY = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const [PLOT_WIDTH, PLOT_HEIGHT] = [600, 120];

const ENDS = { finished: "good", failed: "bad", stopped: "faint" };
const number = (value) => NUMBERS.format(value);
const time = (seconds) => span(1000 * seconds);
const withStatus = (day, status) => day.statuses[status] || 0;

const MEASURES = [
  { name: "Tasks", value: (day) => day.tasks, shown: number, parts: Object.entries(ENDS) },
  { name: "Failures", value: (day) => withStatus(day, "failed"), shown: number, parts: [["failed", ENDS.failed]] },
  { name: "Cost", value: (day) => Number(day.cost_cents), shown: money, parts: [] },
  { name: "Time", value: (day) => day.seconds, shown: time, parts: [] },
];

function sumOf(days, value) {
  return days.reduce((sum, day) => sum + value(day), 0);
}

function dayOf(day) {
  return DAY.format(new Date(day.day));
}

// The parts of a day's bar, from below, with the look and the amount of each; the last one is the rest.
function piecesOf(day, { value, parts }) {
  const pieces = parts.map(([status, look]) => [status, look, withStatus(day, status)]);
  const rest = value(day) - pieces.reduce((sum, [, , amount]) => sum + amount, 0);
  return [...pieces, ["rest", "accent", rest]].filter(([, , amount]) => amount > 0);
}

// A bar for each day, by statuses one above the other. The table under the charts has the same numbers for
// screen readers.
function Bars({ days, measure }) {
  const { name, value, shown } = measure;
  const greatest = Math.max(...days.map(value));
  const most = Math.max(1e-9, greatest);
  const width = PLOT_WIDTH / days.length;
  const height = (amount) => Math.max(2, (amount / most) * PLOT_HEIGHT);
  const bar = (day, place) => {
    let top = PLOT_HEIGHT;
    const piece = ([status, look, amount]) => {
      const size = height(amount);
      top -= size;
      return html`<rect key=${status} class=${look} x=${(place + 0.12) * width} y=${top}
        width=${0.76 * width} height=${size} />`;
    };
    return html`<g key=${day.day}><title>${dayOf(day)}: ${shown(value(day))}</title>
      <rect class="whole" x=${place * width} y="0" width=${width} height=${PLOT_HEIGHT} />
      ${piecesOf(day, measure).map(piece)}</g>`;
  };
  return html`<svg class="bars" viewBox=${"0 0 " + PLOT_WIDTH + " " + PLOT_HEIGHT} preserveAspectRatio="none"
    role="img" aria-label=${name + " by day, at most " + shown(greatest)}>${days.map(bar)}</svg>`;
}

function Legend({ parts }) {
  return html`<span class="legend">${[...parts, ["at work", "accent"]].map(([status, look]) =>
    html`<span key=${status} class=${look}>${status}</span>`)}</span>`;
}

function Measure({ days, measure, note, href }) {
  const { name, value, shown, parts } = measure;
  const total = shown(sumOf(days, value));
  return html`<section class="card measure" aria-label=${name}><h2>${name}</h2>
    <p class="total">${href ? html`<${A} href=${href}>${total}<//>` : total}
      ${note && html` <span class="note">${note}</span>`}</p>
    <${Bars} days=${days} measure=${measure} />
    <p class="axis"><span>${dayOf(days[0])}</span>${parts.length > 1 && html`<${Legend} parts=${parts} />`}
      <span>${dayOf(days[days.length - 1])}</span></p></section>`;
}

function Head({ names }) {
  return html`<thead><tr>${names.map((name, place) =>
    html`<th scope="col" key=${name} class=${place ? "number" : ""}>${name}</th>`)}</tr></thead>`;
}

function Numbers({ values }) {
  return values.map((value, place) => html`<td key=${place} class="number">${value}</td>`);
}

function DayTable({ days }) {
  const cells = (day) => [
    ...[day.tasks, ...Object.keys(ENDS).map((status) => withStatus(day, status))].map(number),
    money(day.cost_cents),
    time(day.seconds),
  ];
  return html`<details class="card by-day"><summary>The same as a table</summary>
    <${Scroll} label="Tasks by day"><table>
      <${Head} names=${["Day", "Tasks", "Finished", "Failed", "Stopped", "Cost", "Time"]} />
      <tbody>${[...days].reverse().map((day) => html`<tr key=${day.day}><th scope="row">${dayOf(day)}</th>
        <${Numbers} values=${cells(day)} /></tr>`)}</tbody></table><//></details>`;
}

function Reason({ reason, most }) {
  const { tasks, cost_cents, seconds, task_id, alike } = reason;
  const others = alike > 0 && html` <span class="note">and ${number(alike)} like it</span>`;
  return html`<tr><td>${reason.reason}${others} <${A} href=${"/tasks/" + task_id}
      aria-label=${"The latest task that failed so: " + reason.reason}>latest<//>
      <span class="share" style=${{ "--share": (100 * tasks) / most + "%" }} aria-hidden="true"></span></td>
    <${Numbers} values=${[number(tasks), money(cost_cents), time(seconds)]} /></tr>`;
}

export function Reasons({ reasons, others, none = "No task failed in this time." }) {
  const most = Math.max(1, ...reasons.map((each) => each.tasks));
  const rows = reasons.map((each) => html`<${Reason} key=${each.reason} reason=${each} most=${most} />`);
  return html`<section class="card reasons"><h2>Why tasks failed</h2>${rows.length
    ? html`<${Scroll} label="Why tasks failed"><table><${Head} names=${["Reason", "Tasks", "Cost", "Time"]} />
        <tbody>${rows}</tbody></table><//>
      ${others > 0 && html`<p class="note">${count(others, "further task")} failed for other reasons.</p>`}`
    : html`<p class="note">${none}</p>`}</section>`;
}

// What stands beside the sums.
function notesOf(days) {
  const failed = sumOf(days, (day) => withStatus(day, "failed"));
  const ended = failed + sumOf(days, (day) => withStatus(day, "finished"));
  const tasks = sumOf(days, (day) => day.tasks);
  const cost = sumOf(days, (day) => Number(day.cost_cents));
  return {
    Failures: ended ? Math.round((100 * failed) / ended) + " % of those that were not stopped" : "",
    Cost: tasks ? money(cost / tasks) + " a task" : "",
  };
}

function Measures({ days }) {
  const notes = notesOf(days);
  const since = "created=between&since=" + days[0].day + "T00:00";
  const links = { Tasks: "/?" + since, Failures: "/?status=failed&" + since };
  return html`<div class="measures">${MEASURES.map((measure) => html`<${Measure} key=${measure.name} days=${days}
    measure=${measure} note=${notes[measure.name]} href=${links[measure.name]} />`)}</div>`;
}

function leftOut(most) {
  return "Only the latest " + number(most) + " tasks are summed up; earlier ones of these days are left out.";
}

export function OverviewPage() {
  const wanted = inQuery().get("days") || "";
  const chosen = RANGES.includes(wanted) ? wanted : USUAL_RANGE;
  const read = () => {
    const query = new URLSearchParams({ days: chosen, utc_offset: -new Date().getTimezoneOffset() });
    return ask("/admin/summary?" + query);
  };
  const { value, problem } = useLive(read, 30000, [chosen]);
  const days = value && value.days.length === Number(chosen) ? value.days : null;
  const choose = (each) => inAddress({ days: each === USUAL_RANGE ? "" : each });
  const ranges = RANGES.map((each) => [each, each + " days"]);
  return html`<${Heading} note=${NOTE}
      actions=${html`<${Choices} label="Days" choices=${ranges} chosen=${chosen} choose=${choose} />`}>Overview<//>
    <${WrongAddress} problems=${[wrongIn("number of days", wanted, RANGES)]} names=${["days"]} />
    ${alertOf(problem)}${loading(days, problem)}
    ${value && value.latest_only && html`<p class="note older">${leftOut(value.latest_only)}</p>`}
    ${days && html`<${Measures} days=${days} />
      <${Reasons} reasons=${value.reasons} others=${value.other_reasons} /><${DayTable} days=${days} />`}`;
}
