// The overview: tasks, failures, cost and time by day, and why tasks failed.
const RANGES = ["7", "14", "30", "90"];
const DAY = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const [PLOT_WIDTH, PLOT_HEIGHT] = [600, 120];

const MEASURES = [
  { name: "Tasks", value: (day) => day.tasks, shown: (value) => NUMBERS.format(value), parts: [["finished", "good"], ["failed", "bad"], ["stopped", "faint"]] },
  { name: "Failures", value: (day) => day.statuses.failed || 0, shown: (value) => NUMBERS.format(value), parts: [["failed", "bad"]] },
  { name: "Cost", value: (day) => Number(day.cost_cents), shown: money },
  { name: "Time", value: (day) => day.seconds, shown: (value) => span(1000 * value) },
];

function sumOf(days, value) {
  return days.reduce((sum, day) => sum + value(day), 0);
}

// A bar for each day, by statuses one above the other. The table under the charts has the same numbers for screen readers.
function Bars({ days, measure }) {
  const { name, value, shown, parts } = measure;
  const most = Math.max(1e-9, ...days.map(value));
  const width = PLOT_WIDTH / days.length;
  const height = (amount) => (amount > 0 ? Math.max(2, (amount / most) * PLOT_HEIGHT) : 0);
  return html`<svg class="bars" viewBox=${"0 0 " + PLOT_WIDTH + " " + PLOT_HEIGHT} preserveAspectRatio="none" role="img" aria-label=${name + " by day, at most " + shown(Math.max(...days.map(value)))}>
    ${days.map((day, number) => {
      let top = PLOT_HEIGHT;
      const rest = parts ? ["rest", "accent", value(day) - parts.reduce((sum, [status]) => sum + (day.statuses[status] || 0), 0)] : ["all", "accent", value(day)];
      const pieces = [...(parts || []).map(([status, look]) => [status, look, day.statuses[status] || 0]), rest];
      return html`<g key=${day.day}><title>${DAY.format(new Date(day.day))}: ${shown(value(day))}</title><rect class="whole" x=${number * width} y="0" width=${width} height=${PLOT_HEIGHT} />
        ${pieces.filter((piece) => piece[2] > 0).map(([status, look, amount]) => {
          const size = height(amount);
          top -= size;
          return html`<rect key=${status} class=${look} x=${(number + 0.12) * width} y=${top} width=${0.76 * width} height=${size} />`;
        })}</g>`;
    })}</svg>`;
}

function Measure({ days, measure, note, href }) {
  const total = measure.shown(sumOf(days, measure.value));
  return html`<section class="card measure" aria-label=${measure.name}><h2>${measure.name}</h2><p class="total">${href ? html`<${A} href=${href}>${total}<//>` : total}${note && html` <span class="note">${note}</span>`}</p>
    <${Bars} days=${days} measure=${measure} />
    <p class="axis"><span>${DAY.format(new Date(days[0].day))}</span>${measure.parts && measure.parts.length > 1 && html`<span class="legend">${[...measure.parts, ["at work", "accent"]].map(([status, look]) => html`<span key=${status} class=${look}>${status}</span>`)}</span>`}<span>${DAY.format(new Date(days[days.length - 1].day))}</span></p></section>`;
}

function DayTable({ days }) {
  const cells = (day) => [day.tasks, day.statuses.finished || 0, day.statuses.failed || 0, day.statuses.stopped || 0].map((each) => NUMBERS.format(each)).concat(money(day.cost_cents), span(1000 * day.seconds));
  return html`<details class="card by-day"><summary>The same as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Tasks by day"><table><thead><tr>${["Day", "Tasks", "Finished", "Failed", "Stopped", "Cost", "Time"].map((name, number) => html`<th scope="col" key=${name} class=${number ? "number" : ""}>${name}</th>`)}</tr></thead>
    <tbody>${[...days].reverse().map((day) => html`<tr key=${day.day}><th scope="row">${DAY.format(new Date(day.day))}</th>${cells(day).map((cell, number) => html`<td key=${number} class="number">${cell}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

function Reasons({ reasons, others }) {
  const most = Math.max(1, ...reasons.map((each) => each.tasks));
  return html`<section class="card reasons"><h2>Why tasks failed</h2>${reasons.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Why tasks failed"><table><thead><tr>${["Reason", "Tasks", "Cost", "Time"].map((name, number) => html`<th scope="col" key=${name} class=${number ? "number" : ""}>${name}</th>`)}</tr></thead>
    <tbody>${reasons.map((each) => html`<tr key=${each.reason}><td><span class="share" style=${{ "--share": (100 * each.tasks) / most + "%" }} aria-hidden="true"></span>${each.reason} <${A} href=${"/tasks/" + each.task_id} aria-label=${"The latest task that failed so: " + each.reason}>latest<//></td><td class="number">${NUMBERS.format(each.tasks)}</td><td class="number">${money(each.cost_cents)}</td><td class="number">${span(1000 * each.seconds)}</td></tr>`)}</tbody></table></div>
    ${others > 0 && html`<p class="note">${count(others, "further task")} failed for other reasons.</p>`}` : html`<p class="note">No task failed in this time.</p>`}</section>`;
}

function OverviewPage() {
  const wanted = inQuery().get("days") || "";
  const chosen = RANGES.includes(wanted) ? wanted : "14";
  const { value, problem } = useLive(() => ask("/admin/summary?" + new URLSearchParams({ days: chosen, utc_offset: -new Date().getTimezoneOffset() })), 30000, [chosen]);
  const days = value && value.days.length === Number(chosen) ? value.days : null;
  const failed = days ? sumOf(days, (day) => day.statuses.failed || 0) : 0;
  const ended = days ? failed + sumOf(days, (day) => day.statuses.finished || 0) : 0;
  const since = days && "&created=between&since=" + days[0].day + "T00:00";
  const notes = { Failures: ended ? Math.round((100 * failed) / ended) + " % of those that were not stopped" : "", Cost: days && sumOf(days, (day) => day.tasks) ? money(sumOf(days, (day) => Number(day.cost_cents)) / sumOf(days, (day) => day.tasks)) + " a task" : "" };
  const links = days && { Tasks: "/?" + since.slice(1), Failures: "/?status=failed" + since };
  return html`<${Heading} note="By the day on which a task was created, in your time; its time goes from then to its end" actions=${html`<div class="filters" role="group" aria-label="Days">${RANGES.map((each) => html`<button type="button" key=${each} aria-pressed=${String(each === chosen)} onClick=${() => inAddress({ days: each === "14" ? "" : each })}>${each} days</button>`)}</div>`}>Overview<//>
    <${WrongAddress} problems=${[wrongIn("number of days", wanted, RANGES)]} names=${["days"]} />
    ${alertOf(problem)}${loading(days, problem)}
    ${value && value.latest_only && html`<p class="note older">Only the latest ${NUMBERS.format(value.latest_only)} tasks are summed up; earlier ones of these days are left out.</p>`}
    ${days && html`<div class="measures">${MEASURES.map((measure) => html`<${Measure} key=${measure.name} days=${days} measure=${measure} note=${notes[measure.name]} href=${links[measure.name]} />`)}</div>
      <${Reasons} reasons=${value.reasons} others=${value.other_reasons} /><${DayTable} days=${days} />`}`;
}
