// Servers, slots, queue and ages, as small charts; for whoever runs the servers.
const SAMPLES = 120; // one each two seconds; they outlive the page, but not the tab
const history_ = [];

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

function Line({ label, values }) {
  const most = Math.max(1, ...values);
  const points = values.map((value, number) => (number * 240 / (SAMPLES - 1)).toFixed(1) + "," + (46 - 44 * value / most).toFixed(1));
  const last = values[values.length - 1];
  return html`<figure class="chart"><figcaption><span>${label}</span><b>${NUMBERS.format(last)}</b></figcaption>
    <svg viewBox="0 0 240 48" role="img" aria-label=${label + ": " + last + " now, " + most + " at most in the last minutes"} preserveAspectRatio="none"><path class="base" d="M0 46.5h240" /><polyline points=${points.join(" ")} /></svg></figure>`;
}

function ageNames(ends) {
  const words = ends.map((each) => (each < 60 ? each + " s" : each < 3600 ? each / 60 + " min" : each / 3600 + " h"));
  return [...words.map((each) => "< " + each), "more"];
}

function Ages({ label, bars, ends }) {
  const most = Math.max(1, ...bars);
  const names = ageNames(ends);
  return html`<figure class="chart"><figcaption><span>${label}</span><b>${NUMBERS.format(sum(bars))}</b></figcaption>
    <ol class="bars">${bars.map((bar, number) => html`<li key=${number}><span class="bar-count">${bar || ""}</span><span class="bar" data-empty=${bar ? null : ""} style=${{ height: bar ? Math.max(4, 100 * bar / most) + "%" : "2px" }}></span><span class="bar-name">${names[number]}</span></li>`)}</ol></figure>`;
}

function NodeSlots({ node }) {
  if (node.slots === 0) return html`<span class="note">leaves tasks to the others</span>`;
  if (node.slots === null) return html`<span class="note">${node.tasks} in use</span>`;
  return html`<span class="budget"><progress max=${node.slots || 1} value=${node.tasks} aria-label=${"Slots of " + node.id.slice(0, 8) + " in use"}></progress>${node.tasks} of ${node.slots}</span>`;
}

function NodeRow({ node }) {
  const state = node.is_silent ? "silent" : node.tasks ? "at work" : "idle";
  return html`<tr><th scope="row"><code>${node.id.slice(0, 8)}</code>${node.is_this && html` <span class="note">this one</span>`}</th><td><span class="pill" data-status=${{ silent: "failed", "at work": "running", idle: "finished" }[state]}>${state}</span></td><td><${NodeSlots} node=${node} /></td><td class="number">${node.tasks ? duration(0, node.oldest * 1000) : "–"}</td></tr>`;
}

function sampled(answer) {
  history_.push({ queued: sum(answer.queued), begun: sum(answer.begun), pending: answer.deliveries.pending || 0 });
  if (history_.length > SAMPLES) history_.shift();
  return answer;
}

function Slots({ slots, free }) {
  if (slots === null) return html`<span>any number of tasks at once</span>`;
  return html`<span class="budget"><progress max=${slots || 1} value=${slots - free} aria-label="Slots of this server in use"></progress>${slots - free} of ${slots} slots of this server in use</span>`;
}

function FleetPage() {
  const { value, problem } = useLive(() => ask("/admin/fleet").then(sampled), 2000, []);
  if (!value) return html`<${Heading}>Fleet<//>${problem ? html`<${Empty} title="The fleet is not shown here"><p>${problem}</p><//>` : loading()}`;
  return html`<${Heading} note=${value.is_shared ? count(value.nodes.length, "server") + ", this one included" : "One server, which shares its database with no other"}>Fleet<//>${alertOf(problem)}
    <div class="charts"><${Line} label="Queued" values=${history_.map((each) => each.queued)} /><${Line} label="At work" values=${history_.map((each) => each.begun)} /><${Line} label="Events to deliver" values=${history_.map((each) => each.pending)} />
    </div><div class="charts"><${Ages} label="Age of queued tasks" bars=${value.queued} ends=${value.ends} /><${Ages} label="Age of tasks at work" bars=${value.begun} ends=${value.ends} /></div>
    <section class="card"><h2>Servers</h2><p class="facts"><${Slots} slots=${value.slots} free=${value.slots_free} /><span>${count(value.statuses.paused || 0, "paused task")}</span><span>${count(value.deliveries.failed || 0, "event")} given up</span></p>
    <div class="scroll" tabindex="0" role="region" aria-label="Servers"><table><thead><tr><th scope="col">Server</th><th scope="col">State</th><th scope="col">Slots in use</th><th scope="col" class="number">Oldest</th></tr></thead><tbody>${value.nodes.map((each) => html`<${NodeRow} key=${each.id} node=${each} />`)}</tbody></table></div></section>`;
}
