// Tasks that run by themselves.
import { html, useState } from "htm/preact";
import { usePage } from "./address.js";
import {
  DomainsField, lines, MODELS, ProfileField, ScriptFields, StepsField, withInputs, withScript,
} from "./composer.js";
import { API, ask, attempt, DATA, may, useLive } from "./core.js";
import { ago, count, cronInWords, oneLine, price } from "./format.js";
import {
  A, alertOf, Confirm, Dialog, Empty, Field, FormEnd, Heading, Icon, loading, Moment, Pager, Select, Status, Title,
  useForm,
} from "./parts.js";

const RUN = new Intl.DateTimeFormat([], {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "numeric",
  minute: "2-digit",
  timeZoneName: "short",
});
const NEW_SCHEDULE = {
  task: "",
  kind: "cron",
  cron: "0 7 * * *",
  minutes: "60",
  model: DATA.scheduleModel,
  profile: "",
  steps: "",
  domains: "",
  script: "",
  inputs: "",
  end: "",
};
const KINDS = [["cron", "At fixed times (cron)"], ["interval", "Every so many minutes"]];
const MODEL_CHOICES = MODELS.map(([each]) => [each, each + (each === DATA.scheduleModel ? " (default)" : "")]);
const EXAMPLE =
  'browser-use-async schedules create "Open https://example.com and tell me its title" --cron "0 7 * * *"';
const LOOKS = { ended: "stopped", active: "running", paused: "paused" };

function pathOf(id) {
  return API + "/scheduled-task/" + encodeURIComponent(id);
}

function rhythm(schedule) {
  if (schedule.schedule_type === "cron") return cronInWords(schedule.cron_expression);
  const minutes = schedule.interval_minutes;
  if (minutes % 1440 === 0) return minutes === 1440 ? "every day" : "every " + minutes / 1440 + " days";
  if (minutes % 60 === 0) return minutes === 60 ? "every hour" : "every " + minutes / 60 + " hours";
  return "every " + count(minutes, "minute");
}

function rhythmFields(form) {
  if (form.kind === "cron") return { schedule_type: "cron", cron_expression: form.cron.trim() };
  return { schedule_type: "interval", interval_minutes: Number(form.minutes) };
}

// A moment as the browser's field for it has it, in the time of the person.
function local(moment) {
  if (!moment) return "";
  const offset = new Date().getTimezoneOffset() * 60000;
  return new Date(new Date(moment) - offset).toISOString().slice(0, 16);
}

function formOfSchedule(schedule) {
  if (!schedule) return NEW_SCHEDULE;
  return {
    ...NEW_SCHEDULE,
    task: schedule.task,
    kind: schedule.schedule_type,
    cron: schedule.cron_expression || NEW_SCHEDULE.cron,
    minutes: String(schedule.interval_minutes || 60),
    model: schedule.llm_model,
    end: local(schedule.end_at),
  };
}

// The API cannot change the steps, domains and profile of a schedule.
function scheduleBody(form, isNew) {
  const body = { task: withInputs(form.task, form), ...rhythmFields(form), llm_model: form.model };
  if (form.end) body.end_at = new Date(form.end).toISOString();
  if (!isNew) return body;
  const domains = lines(form.domains);
  if (form.steps) body.max_agent_steps = Number(form.steps);
  if (domains.length) body.allowed_domains = domains;
  if (form.profile) body.browser_profile_id = form.profile;
  if (form.script.trim()) body.metadata = withScript(form, {});
  return body;
}

function RhythmField({ form, typed }) {
  if (form.kind === "cron") {
    return html`<${Field} label="Cron expression" hint=${"In UTC: " + cronInWords(form.cron)}>
      <input class="mono" required value=${form.cron} onInput=${typed("cron")} /><//>`;
  }
  return html`<${Field} label="Minutes between runs" hint="The first run is at once, and is charged">
    <input type="number" min="1" required value=${form.minutes} onInput=${typed("minutes")} /><//>`;
}

function FixedFields({ form, typed }) {
  return html`<div class="pair"><${StepsField} value=${form.steps} onInput=${typed("steps")} />
      <${ProfileField} value=${form.profile} onChange=${typed("profile")} /></div>
    <${ScriptFields} form=${form} typed=${typed} />
    <${DomainsField} rows="2" value=${form.domains} onInput=${typed("domains")} />`;
}

function ScheduleDialog({ schedule, close, refresh }) {
  const { form, typed } = useForm(() => formOfSchedule(schedule));
  const save = async (event) => {
    event.preventDefault();
    const path = schedule ? pathOf(schedule.id) : API + "/scheduled-task";
    const sent = { method: schedule ? "PUT" : "POST", body: scheduleBody(form, !schedule) };
    const done = await attempt(() => ask(path, sent), schedule ? "The schedule is changed" : "The schedule is added");
    if (!done) return;
    close();
    refresh();
  };
  const title = schedule ? "Edit schedule" : "New schedule";
  return html`<${Dialog} title=${title} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Task"><textarea rows="3" required value=${form.task} onInput=${typed("task")}></textarea><//>
    <${Field} label="Runs"><${Select} value=${form.kind} onChange=${typed("kind")} choices=${KINDS} /><//>
    <${RhythmField} form=${form} typed=${typed} />
    <${Field} label="Ends" hint="In your time; empty: after a year">
      <input type="datetime-local" value=${form.end} onInput=${typed("end")} /><//>
    <${Field} label="Model"><${Select} value=${form.model} onChange=${typed("model")} choices=${MODEL_CHOICES} /><//>
    ${schedule
      ? html`<p class="hint">Steps, domains, profile and script cannot be changed; add another one for that.</p>`
      : html`<${FixedFields} form=${form} typed=${typed} />`}
    <${FormEnd} close=${close} word=${schedule ? "Save" : "Add schedule"} /></form><//>`;
}

// Without a run to come the API gives its end as `next_run_at`.
function stateOf(schedule) {
  if (!schedule.is_active) return "paused";
  return schedule.runs.length ? "active" : "ended";
}

// The next one also as a span, which needs no clock beside it.
function NextRuns({ schedule }) {
  const [first, ...later] = schedule.runs.map((each) => RUN.format(new Date(each)));
  return html`<span>next run ${ago(schedule.runs[0])}: ${first}</span>
    ${later.length > 0 && html`<span>then ${later.join("; ")}</span>`}`;
}

// The result of the last run, and a link to all runs.
function LastRun({ schedule }) {
  const { last } = schedule;
  if (!last) return html`<p class="facts"><span>has not run yet</span></p>`;
  const all = "/?schedule=" + encodeURIComponent(schedule.id);
  return html`<p class="facts last-run">
    <span>last run <${A} href=${"/tasks/" + last.id}><${Moment} at=${last.created_at} /><//></span>
    <span><${Status} of=${last.status} /></span><span>${price(last.cost_cents)}</span>
    ${last.failure && html`<span class="bad">${oneLine(last.failure)}</span>`}
    <span><${A} href=${all} aria-label=${"All tasks of: " + schedule.task.slice(0, 60)}>all its tasks<//></span></p>`;
}

async function readSchedules(page) {
  const { tasks, ...answer } = await ask(API + "/scheduled-tasks?limit=20&page=" + page);
  const query = new URLSearchParams(tasks.map((each) => ["id", each.id]));
  const { runs, last } = tasks.length ? await ask("/admin/next-runs?" + query) : { runs: {}, last: {} };
  return { ...answer, tasks: tasks.map((each) => ({ ...each, runs: runs[each.id] || [], last: last[each.id] })) };
}

function ScheduleRow({ schedule, edit, refresh }) {
  const [asks, ask_] = useState(false);
  const { task, is_active } = schedule;
  const order = (sent, done) => attempt(() => ask(pathOf(schedule.id), sent), done).then(refresh);
  const toggle = () =>
    order({ method: "PUT", body: { is_active: !is_active } }, is_active ? "Paused" : "It runs again");
  const remove = () => order({ method: "DELETE" }, "The schedule is deleted");
  const name = ": " + task.slice(0, 60);
  const pause = is_active ? "Pause" : "Resume";
  const state = stateOf(schedule);
  return html`<li class="item"><div class="item-main">
    <p class="row-title"><${Status} of=${LOOKS[state]} words=${state} />
      <span><${Title} text=${oneLine(task)} /></span></p>
    <p class="facts"><span title=${schedule.cron_expression || ""}>${rhythm(schedule)}</span>
      ${state === "active" && html`<${NextRuns} schedule=${schedule} />`}<span>${schedule.llm_model}</span></p>
    <${LastRun} schedule=${schedule} /></div>
    ${may("run") && html`<div class="actions">
      <button type="button" aria-label=${pause + name} onClick=${toggle}>${pause}</button>
      <button type="button" aria-label=${"Edit" + name} onClick=${() => edit(schedule)}>Edit</button>
      <button type="button" class="danger" aria-label=${"Delete" + name} onClick=${() => ask_(true)}>Delete</button>
      </div>`}
    ${asks && html`<${Confirm} title="Delete this schedule?" word="Delete"
      text="It starts no more tasks. Tasks that it has started go on."
      close=${() => ask_(false)} work=${remove} />`}</li>`;
}

export function SchedulesPage() {
  const [page, choose] = usePage();
  const [edited, edit] = useState(null);
  const { value, problem, refresh } = useLive(() => readSchedules(page), 5000, [page]);
  const add = may("run") && html`<button type="button" class="strong" onClick=${() => edit("new")}>
    <${Icon} name="plus" />New schedule</button>`;
  return html`<${Heading} actions=${add} note=${value ? count(value.total_count, "schedule") : " "}>Schedules<//>
    ${alertOf(problem)}${loading(value, problem)}
    ${value && !value.tasks.length && html`<${Empty} title="Nothing runs by itself yet">
      <p>Add a schedule here, or from a shell:</p><pre>${EXAMPLE}</pre><//>`}
    <ul class="items">${(value ? value.tasks : []).map((each) =>
      html`<${ScheduleRow} key=${each.id} schedule=${each} edit=${edit} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${value.total_pages} choose=${choose} />`}
    ${edited && html`<${ScheduleDialog} schedule=${edited === "new" ? null : edited}
      close=${() => edit(null)} refresh=${refresh} />`}`;
}
