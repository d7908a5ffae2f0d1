// Tasks that run by themselves.
const NEW_SCHEDULE = { task: "", kind: "cron", cron: "0 7 * * *", minutes: "60", model: "", profile: "" };

function rhythm(schedule) {
  if (schedule.schedule_type === "cron") return cronInWords(schedule.cron_expression);
  const minutes = schedule.interval_minutes;
  if (minutes % 1440 === 0) return minutes === 1440 ? "every day" : "every " + minutes / 1440 + " days";
  if (minutes % 60 === 0) return minutes === 60 ? "every hour" : "every " + minutes / 60 + " hours";
  return "every " + count(minutes, "minute");
}

function rhythmFields(form) {
  return form.kind === "cron" ? { schedule_type: "cron", cron_expression: form.cron.trim() } : { schedule_type: "interval", interval_minutes: Number(form.minutes) };
}

function ScheduleDialog({ schedule, close, refresh }) {
  const [form, setForm] = useState(schedule ? { ...NEW_SCHEDULE, task: schedule.task, kind: schedule.schedule_type, cron: schedule.cron_expression || NEW_SCHEDULE.cron, minutes: String(schedule.interval_minutes || 60), model: schedule.llm_model } : NEW_SCHEDULE);
  const set = (name) => (event) => setForm({ ...form, [name]: event.currentTarget.value });
  const save = async (event) => {
    event.preventDefault();
    const body = { task: form.task.trim(), ...rhythmFields(form), ...(form.model ? { llm_model: form.model } : {}) };
    const path = API + "/scheduled-task" + (schedule ? "/" + encodeURIComponent(schedule.id) : "");
    const done = await attempt(() => ask(path, { method: schedule ? "PUT" : "POST", body }), schedule ? "The schedule is changed" : "The schedule is added");
    if (!done) return;
    close();
    refresh();
  };
  return html`<${Dialog} title=${schedule ? "Edit schedule" : "New schedule"} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Task"><textarea rows="3" required value=${form.task} onInput=${set("task")}></textarea><//>
    <${Field} label="Runs"><select value=${form.kind} onChange=${set("kind")}><option value="cron">At fixed times (cron)</option><option value="interval">Every so many minutes</option></select><//>
    ${form.kind === "cron" ? html`<${Field} label="Cron expression" hint=${"In UTC: " + cronInWords(form.cron)}><input class="mono" required value=${form.cron} onInput=${set("cron")} /><//>` : html`<${Field} label="Minutes between runs" hint="The first run is at once, and is charged"><input type="number" min="1" required value=${form.minutes} onInput=${set("minutes")} /><//>`}
    <${Field} label="Model"><select value=${form.model} onChange=${set("model")}><option value="">Default model</option>${MODELS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select><//>
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">${schedule ? "Save" : "Add schedule"}</button></div></form><//>`;
}

// Without a run to come the API gives its end as `next_run_at`.
const hasEnded = (schedule) => schedule.is_active && !schedule.runs.length;

// The next one also as a span, which needs no clock beside it.
function NextRuns({ schedule }) {
  const [first, ...later] = schedule.runs;
  return html`<span>next run ${ago(first)}: ${RUN.format(new Date(first))}</span>${later.length > 0 && html`<span>then ${later.map((each) => RUN.format(new Date(each))).join("; ")}</span>`}`;
}

async function readSchedules(page) {
  const answer = await ask(API + "/scheduled-tasks?limit=20&page=" + page);
  const query = new URLSearchParams(answer.tasks.map((each) => ["id", each.id]));
  const { runs } = answer.tasks.length ? await ask("/admin/next-runs?" + query) : { runs: {} };
  return { ...answer, tasks: answer.tasks.map((each) => ({ ...each, runs: runs[each.id] || [] })) };
}

function ScheduleRow({ schedule, edit, refresh }) {
  const [asks, ask_] = useState(false);
  const path = API + "/scheduled-task/" + encodeURIComponent(schedule.id);
  const toggle = () => attempt(() => ask(path, { method: "PUT", body: { is_active: !schedule.is_active } }), schedule.is_active ? "Paused" : "It runs again").then(refresh);
  const remove = () => attempt(() => ask(path, { method: "DELETE" }), "The schedule is deleted").then(refresh);
  const name = schedule.task.slice(0, 60);
  const state = hasEnded(schedule) ? "ended" : schedule.is_active ? "active" : "paused";
  return html`<li class="item"><div class="item-main"><p class="row-title"><span class="pill" data-status=${{ ended: "stopped", active: "running", paused: "paused" }[state]}>${state}</span><span>${oneLine(schedule.task)}</span></p>
    <p class="facts"><span title=${schedule.cron_expression || ""}>${rhythm(schedule)}</span>${state === "active" && html`<${NextRuns} schedule=${schedule} />`}<span>${schedule.llm_model}</span></p></div>
    ${may("run") && html`<div class="actions"><button type="button" aria-label=${(schedule.is_active ? "Pause: " : "Resume: ") + name} onClick=${toggle}>${schedule.is_active ? "Pause" : "Resume"}</button>
    <button type="button" aria-label=${"Edit: " + name} onClick=${() => edit(schedule)}>Edit</button><button type="button" class="danger" aria-label=${"Delete: " + name} onClick=${() => ask_(true)}>Delete</button></div>`}
    ${asks && html`<${Confirm} title="Delete this schedule?" text="It runs no more. Tasks that it has started go on." word="Delete" close=${() => ask_(false)} work=${remove} />`}</li>`;
}

function SchedulesPage() {
  const [page, choose] = useState(1);
  const [edited, edit] = useState(null);
  const { value, problem, refresh } = useLive(() => readSchedules(page), 5000, [page]);
  const add = may("run") && html`<button type="button" class="strong" onClick=${() => edit("new")}><${Icon} name="plus" />New schedule</button>`;
  return html`<${Heading} actions=${add} note=${value ? count(value.total_count, "schedule") : " "}>Schedules<//>${alertOf(problem)}${loading(value, problem)}
    ${value && !value.tasks.length && html`<${Empty} title="Nothing runs by itself yet"><p>Add a schedule here, or from a shell:</p><pre>browser-use-async schedules create "Open https://example.com and tell me its title" --cron "0 7 * * *"</pre><//>`}
    <ul class="items">${(value ? value.tasks : []).map((each) => html`<${ScheduleRow} key=${each.id} schedule=${each} edit=${edit} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${value.total_pages} choose=${choose} />`}
    ${edited && html`<${ScheduleDialog} schedule=${edited === "new" ? null : edited} close=${() => edit(null)} refresh=${refresh} />`}`;
}
