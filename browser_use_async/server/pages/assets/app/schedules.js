// Tasks that run by themselves.
const NEW_SCHEDULE = { task: "", kind: "cron", cron: "0 7 * * *", minutes: "60", model: DATA.scheduleModel, profile: "", steps: "", domains: "", end: "" };

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

const local = (moment) => (moment ? new Date(new Date(moment) - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "");

function formOfSchedule(schedule) {
  if (!schedule) return NEW_SCHEDULE;
  return { ...NEW_SCHEDULE, task: schedule.task, kind: schedule.schedule_type, cron: schedule.cron_expression || NEW_SCHEDULE.cron, minutes: String(schedule.interval_minutes || 60), model: schedule.llm_model, end: local(schedule.end_at) };
}

// The API cannot change the steps, domains and profile of a schedule.
function scheduleBody(form, isNew) {
  const domains = lines(form.domains);
  return {
    task: form.task.trim(), ...rhythmFields(form), llm_model: form.model, ...(form.end ? { end_at: new Date(form.end).toISOString() } : {}),
    ...(isNew && form.steps ? { max_agent_steps: Number(form.steps) } : {}), ...(isNew && domains.length ? { allowed_domains: domains } : {}), ...(isNew && form.profile ? { browser_profile_id: form.profile } : {}),
  };
}

function ScheduleDialog({ schedule, close, refresh }) {
  const [form, setForm] = useState(() => formOfSchedule(schedule));
  const [profiles, setProfiles] = useState([]);
  useEffect(() => { if (!schedule) attempt(() => ask(API + "/browser-profiles?limit=100")).then((answer) => answer && setProfiles(answer.profiles)); }, []);
  const set = (name) => (event) => setForm({ ...form, [name]: event.currentTarget.value });
  const save = async (event) => {
    event.preventDefault();
    const path = API + "/scheduled-task" + (schedule ? "/" + encodeURIComponent(schedule.id) : "");
    const done = await attempt(() => ask(path, { method: schedule ? "PUT" : "POST", body: scheduleBody(form, !schedule) }), schedule ? "The schedule is changed" : "The schedule is added");
    if (!done) return;
    close();
    refresh();
  };
  return html`<${Dialog} title=${schedule ? "Edit schedule" : "New schedule"} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Task"><textarea rows="3" required value=${form.task} onInput=${set("task")}></textarea><//>
    <${Field} label="Runs"><select value=${form.kind} onChange=${set("kind")}><option value="cron">At fixed times (cron)</option><option value="interval">Every so many minutes</option></select><//>
    ${form.kind === "cron" ? html`<${Field} label="Cron expression" hint=${"In UTC: " + cronInWords(form.cron)}><input class="mono" required value=${form.cron} onInput=${set("cron")} /><//>` : html`<${Field} label="Minutes between runs" hint="The first run is at once, and is charged"><input type="number" min="1" required value=${form.minutes} onInput=${set("minutes")} /><//>`}
    <${Field} label="Ends" hint="In your time; empty: after a year"><input type="datetime-local" value=${form.end} onInput=${set("end")} /><//>
    <${Field} label="Model"><select value=${form.model} onChange=${set("model")}>${MODELS.map((each) => html`<option key=${each} value=${each}>${each}${each === DATA.scheduleModel ? " (default)" : ""}</option>`)}</select><//>
    ${schedule ? html`<p class="hint">Steps, domains and profile cannot be changed: for others, add another schedule.</p>` : html`<div class="pair"><${Field} label="Most steps" hint="1 to 200; 75 unless said"><input type="number" min="1" max="200" value=${form.steps} onInput=${set("steps")} /><//>
      <${Field} label="Browser profile"><select value=${form.profile} onChange=${set("profile")}><option value="">Default</option>${profiles.map((each) => html`<option key=${each.profile_id} value=${each.profile_id}>${each.profile_name}</option>`)}</select><//></div>
      <${Field} label="Allowed domains" hint="One a line; *.example.com for subdomains"><textarea rows="2" spellcheck="false" value=${form.domains} onInput=${set("domains")}></textarea><//>`}
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">${schedule ? "Save" : "Add schedule"}</button></div></form><//>`;
}

// Without a run to come the API gives its end as `next_run_at`.
const hasEnded = (schedule) => schedule.is_active && !schedule.runs.length;

// The next one also as a span, which needs no clock beside it.
function NextRuns({ schedule }) {
  const [first, ...later] = schedule.runs;
  return html`<span>next run ${ago(first)}: ${RUN.format(new Date(first))}</span>${later.length > 0 && html`<span>then ${later.map((each) => RUN.format(new Date(each))).join("; ")}</span>`}`;
}

// The result of the last run, and a link to all runs.
function LastRun({ schedule }) {
  const { last } = schedule;
  if (!last) return html`<p class="facts"><span>has not run yet</span></p>`;
  return html`<p class="facts last-run"><span>last run <${A} href=${"/tasks/" + last.id}><${Moment} at=${last.created_at} /><//></span><span><${Status} of=${last.status} /></span><span>${price(last.cost_cents)}</span>${last.failure && html`<span class="bad">${oneLine(last.failure)}</span>`}<span><${A} href=${"/?schedule=" + encodeURIComponent(schedule.id)} aria-label=${"All tasks of: " + schedule.task.slice(0, 60)}>all its tasks<//></span></p>`;
}

async function readSchedules(page) {
  const answer = await ask(API + "/scheduled-tasks?limit=20&page=" + page);
  const query = new URLSearchParams(answer.tasks.map((each) => ["id", each.id]));
  const { runs, last } = answer.tasks.length ? await ask("/admin/next-runs?" + query) : { runs: {}, last: {} };
  return { ...answer, tasks: answer.tasks.map((each) => ({ ...each, runs: runs[each.id] || [], last: last[each.id] })) };
}

function ScheduleRow({ schedule, edit, refresh }) {
  const [asks, ask_] = useState(false);
  const path = API + "/scheduled-task/" + encodeURIComponent(schedule.id);
  const toggle = () => attempt(() => ask(path, { method: "PUT", body: { is_active: !schedule.is_active } }), schedule.is_active ? "Paused" : "It runs again").then(refresh);
  const remove = () => attempt(() => ask(path, { method: "DELETE" }), "The schedule is deleted").then(refresh);
  const name = schedule.task.slice(0, 60);
  const state = hasEnded(schedule) ? "ended" : schedule.is_active ? "active" : "paused";
  return html`<li class="item"><div class="item-main"><p class="row-title"><span class="pill" data-status=${{ ended: "stopped", active: "running", paused: "paused" }[state]}>${state}</span><span>${oneLine(schedule.task)}</span></p>
    <p class="facts"><span title=${schedule.cron_expression || ""}>${rhythm(schedule)}</span>${state === "active" && html`<${NextRuns} schedule=${schedule} />`}<span>${schedule.llm_model}</span></p><${LastRun} schedule=${schedule} /></div>
    ${may("run") && html`<div class="actions"><button type="button" aria-label=${(schedule.is_active ? "Pause: " : "Resume: ") + name} onClick=${toggle}>${schedule.is_active ? "Pause" : "Resume"}</button>
    <button type="button" aria-label=${"Edit: " + name} onClick=${() => edit(schedule)}>Edit</button><button type="button" class="danger" aria-label=${"Delete: " + name} onClick=${() => ask_(true)}>Delete</button></div>`}
    ${asks && html`<${Confirm} title="Delete this schedule?" text="It starts no more tasks. Tasks that it has started go on." word="Delete" close=${() => ask_(false)} work=${remove} />`}</li>`;
}

function SchedulesPage() {
  const [page, choose] = usePage();
  const [edited, edit] = useState(null);
  const { value, problem, refresh } = useLive(() => readSchedules(page), 5000, [page]);
  const add = may("run") && html`<button type="button" class="strong" onClick=${() => edit("new")}><${Icon} name="plus" />New schedule</button>`;
  return html`<${Heading} actions=${add} note=${value ? count(value.total_count, "schedule") : " "}>Schedules<//>${alertOf(problem)}${loading(value, problem)}
    ${value && !value.tasks.length && html`<${Empty} title="Nothing runs by itself yet"><p>Add a schedule here, or from a shell:</p><pre>browser-use-async schedules create "Open https://example.com and tell me its title" --cron "0 7 * * *"</pre><//>`}
    <ul class="items">${(value ? value.tasks : []).map((each) => html`<${ScheduleRow} key=${each.id} schedule=${each} edit=${edit} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${value.total_pages} choose=${choose} />`}
    ${edited && html`<${ScheduleDialog} schedule=${edited === "new" ? null : edited} close=${() => edit(null)} refresh=${refresh} />`}`;
}
