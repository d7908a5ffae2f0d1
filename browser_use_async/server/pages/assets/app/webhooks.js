// The receivers of webhooks, and the deliveries of events.
import { html, useEffect, useState } from "htm/preact";
import { inAddress, inQuery, leaveOut, usePage, WrongAddress, wrongIn } from "./address.js";
import { ask, attempt, may, problemOf, showToast, useLive } from "./core.js";
import { capitalized, count, exactly, NUMBERS, oneLine } from "./format.js";
import {
  A, alertOf, Check, Choices, Confirm, Dialog, Empty, Field, FormEnd, Heading, Icon, loading, Moment, Pager, Status,
  useForm, useSubmit,
} from "./parts.js";

const EVENTS = ["initializing", "started", "paused", "stopped", "finished", "failed"];
const DEFAULT_EVENTS = EVENTS.filter((each) => each !== "failed");
const DELIVERY_STATES = ["pending", "delivered", "failed"];
const LOOKS = { delivered: "finished", failed: "failed", pending: "running" };
const PAGE = 20;

// --- receivers -----------------------------------------------------------------------------

function pathOf({ id }) {
  return "/admin/webhooks/" + encodeURIComponent(id);
}

// A field that is unchanged is not sent: secrets are never shown, and a receiver is tested only for new values.
function webhookBody(form, of) {
  const body = { events: form.events };
  const url = form.url.trim();
  if (!of || url !== of.url) body.url = url;
  if (!of || form.secret) body.secret = form.secret;
  return body;
}

function WebhookDialog({ of, close, refresh }) {
  const first = { url: of ? of.url : "", secret: "", events: of ? of.events : DEFAULT_EVENTS };
  const { form, set, typed } = useForm(first);
  const toggle = (event) => set({ events: EVENTS.filter((each) => form.events.includes(each) !== (each === event)) });
  const [problem, save] = useSubmit(async () => {
    const body = webhookBody(form, of);
    await (of ? ask(pathOf(of), { method: "PATCH", body }) : ask("/admin/webhooks", { method: "POST", body }));
    showToast(of ? "The webhook is changed" : "The webhook is added");
    close();
    refresh();
  });
  const signing = of ? "Both sides sign with it. Empty: unchanged" : "Both sides sign with it";
  return html`<${Dialog} title=${of ? "Edit webhook" : "New webhook"} close=${close}>
    <form onSubmit=${save} class="form">
    <${Field} label="Address" hint="It is sent a test event first, and must answer it with 2xx">
      <input type="url" required placeholder="https://receiver.example/hook" value=${form.url}
        onInput=${typed("url")} /><//>
    <${Field} label="Secret" hint=${signing}>
      <input type="password" required=${!of} autocomplete="off" value=${form.secret} onInput=${typed("secret")} /><//>
    <fieldset><legend class="label">Gets an event when a task is</legend>${EVENTS.map((each) =>
      html`<${Check} key=${each} label=${each} checked=${form.events.includes(each)}
        onChange=${() => toggle(each)} />`)}</fieldset>
    ${alertOf(problem)}
    <${FormEnd} close=${close} word=${of ? "Save" : "Add webhook"} /></form><//>`;
}

function ReceiverRow({ webhook, edit, remove, refresh }) {
  const { url, events, is_active } = webhook;
  const change = () => ask(pathOf(webhook), { method: "PATCH", body: { is_active: !is_active } });
  const toggle = () => attempt(change, is_active ? "The webhook is paused" : "The webhook goes on").then(refresh);
  const names = EVENTS.filter((each) => events.includes(each)).join(", ");
  const pause = is_active ? "Pause" : "Resume";
  return html`<li><span class="receiver">
    <${Status} of=${is_active ? "finished" : "paused"} words=${is_active ? "active" : "paused"} /><code>${url}</code>
    <span class="note">${events.length === EVENTS.length ? "all events" : names}</span></span>
    <span class="actions"><button type="button" aria-label=${pause + " " + url} onClick=${toggle}>${pause}</button>
    <button type="button" aria-label=${"Edit " + url} onClick=${() => edit(webhook)}>Edit</button>
    <button type="button" class="danger" aria-label=${"Remove " + url} onClick=${() => remove(webhook)}>Remove</button>
    </span></li>`;
}

// Only the operator of the server sees where events go.
function Receivers() {
  const [adds, add] = useState(false);
  const [edited, edit] = useState(null);
  const [removed, remove] = useState(null);
  const { value, problem, refresh } = useLive(() => ask("/admin/webhooks"), 10000, []);
  const webhooks = value ? value.webhooks : [];
  const take = (webhook) =>
    attempt(() => ask(pathOf(webhook), { method: "DELETE" }), "The webhook is removed").then(refresh);
  return html`<section class="card"><div class="card-head"><h2>Receivers</h2>
    ${value && html`<button type="button" onClick=${() => add(true)}><${Icon} name="plus" />New webhook</button>`}</div>
    ${problem && html`<p class="note">${problem}</p>`}
    ${value && !webhooks.length && html`<p class="note">None. No events are sent.</p>`}
    ${webhooks.length > 0 && html`<ul class="files receivers">${webhooks.map((each) =>
      html`<${ReceiverRow} key=${each.id} webhook=${each} edit=${edit} remove=${remove} refresh=${refresh} />`)}</ul>`}
    ${adds && html`<${WebhookDialog} close=${() => add(false)} refresh=${refresh} />`}
    ${edited && html`<${WebhookDialog} of=${edited} close=${() => edit(null)} refresh=${refresh} />`}
    ${removed && html`<${Confirm} title="Remove this webhook?" word="Remove"
      text="Events that are still to be sent to it are discarded."
      close=${() => remove(null)} work=${() => take(removed)} />`}</section>`;
}

// --- deliveries ----------------------------------------------------------------------------

function attemptInWords({ problem, status }) {
  return problem || "answered " + status;
}

function headerLines(headers) {
  return headers.map((each) => each.join(": ")).join("\n");
}

function Answer({ exchange, status }) {
  if (!exchange) {
    return html`<p class="note">Requests and answers are kept for the latest deliveries only.</p>`;
  }
  const sent = headerLines(Object.entries(exchange.sent));
  const answer = status + "\n" + headerLines(exchange.headers) + "\n\n" + (exchange.body || "(no body)");
  return html`<p class="facts"><span>after ${NUMBERS.format(exchange.milliseconds)} ms</span></p>
    <details><summary>Headers sent</summary><pre tabindex="0" aria-label="Headers sent">${sent}</pre></details>
    ${status !== null && html`<pre tabindex="0" aria-label="Answer">${answer}</pre>
    ${exchange.is_cut && html`<p class="note">Only the beginning is kept.</p>`}`}`;
}

function Attempts({ attempts }) {
  return html`<ol class="attempts">${attempts.map((each, number) => html`<li key=${number}>${attemptInWords(each)} <span
    class="note">${exactly(each.at)}</span>${"exchange" in each && html`<${Answer} ...${each} />`}</li>`)}</ol>`;
}

// Read when it is opened, and once more for each further attempt. Only the operator sees whole answers.
function DeliveryContent({ delivery, isOpen, refresh }) {
  const path = "/admin/deliveries/" + encodeURIComponent(delivery.id);
  const [whole, setWhole] = useState({});
  const asks = isOpen && may("admin");
  useEffect(() => {
    let isShown = true;
    const show = (fields) => isShown && setWhole(fields);
    if (asks) ask(path).then((value) => show({ value }), (error) => show({ problem: problemOf(error) }));
    return () => { isShown = false; };
  }, [asks, delivery.attempts.length]);
  const send = () => attempt(() => ask(path + "/again", { method: "POST" }), "It is being sent again").then(refresh);
  const maySend = delivery.state !== "pending" && may("run");
  const isWhole = whole.value && whole.value.attempts.length >= delivery.attempts.length;
  const { attempts } = isWhole ? whole.value : delivery;
  return html`<div class="delivery"><div><h3>Request</h3>
      <pre tabindex="0" aria-label="Event">${JSON.stringify(delivery.event, null, 2)}</pre></div>
    <div><p class="actions"><${A} href=${"/tasks/" + delivery.task_id} class="button">The task<//>
      ${maySend && html`<button type="button" onClick=${send}>Send again</button>`}</p>
    <h3>Answers</h3><${Attempts} attempts=${attempts} />
    ${whole.problem && html`<p class="note">${whole.problem}</p>`}</div></div>`;
}

function DeliveryRow({ delivery, refresh }) {
  const [isOpen, open] = useState(false);
  const { state, status, task, attempts } = delivery;
  const last = attempts[attempts.length - 1];
  const toggled = (event) => event.target === event.currentTarget && open(event.currentTarget.open);
  return html`<li class="item"><details onToggle=${toggled}><summary><${Status} of=${LOOKS[state]} words=${state} />
    <span class="delivery-title"><span>${status}</span>
      ${task && html`<span class="delivery-task">${oneLine(task)}</span>`}</span>
    <span class="facts">${last && html`<span><${Moment} at=${last.at} /></span>`}
      ${attempts.length > 1 && html`<span>${count(attempts.length, "attempt")}</span>`}
      ${last && html`<span>${attemptInWords(last)}</span>`}</span></summary>
    <${DeliveryContent} delivery=${delivery} isOpen=${isOpen} refresh=${refresh} /></details></li>`;
}

function NoDeliveries({ state }) {
  if (state) {
    return html`<${Empty} title="Nothing matches"><p>No delivery is ${state}.</p>
      <p><button type="button" onClick=${() => leaveOut(["state", "page"])}>Show all</button></p><//>`;
  }
  const how = may("admin")
    ? "Add one with “New webhook”; it works at once, without a restart."
    : "The operator of this server adds webhooks.";
  return html`<${Empty} title="Nothing was sent">
    <p>A webhook is sent an event when a task starts, pauses or ends. ${how}</p><//>`;
}

export function WebhooksPage() {
  const [page, choose] = usePage();
  const wanted = inQuery().get("state") || "";
  const state = DELIVERY_STATES.includes(wanted) ? wanted : "";
  const read = () => ask("/admin/deliveries?" + new URLSearchParams({ latest: page * PAGE, state }));
  const { value, problem, refresh } = useLive(read, 3000, [page, state]);
  const rows = value ? [...value.deliveries].reverse().slice((page - 1) * PAGE) : [];
  const total = value && count(value.total_count, "delivery", "deliveries");
  const note = value ? (state ? NUMBERS.format(value.count) + " of " : "") + total : " ";
  const states = [["", "All"], ...DELIVERY_STATES.map((each) => [each, capitalized(each)])];
  return html`<${Heading} note=${note}>Webhooks<//>${alertOf(problem)}${loading(value, problem)}
    ${may("admin") && html`<${Receivers} />`}
    <div class="tools"><h2 class="day">Deliveries</h2><${Choices} label="State" choices=${states} chosen=${state}
      choose=${(each) => inAddress({ state: each, page: "" })} /></div>
    <${WrongAddress} problems=${[wrongIn("state", wanted, DELIVERY_STATES)]} names=${["state"]} />
    ${value && !rows.length && html`<${NoDeliveries} state=${state} />`}
    <ul class="items" id="deliveries">${rows.map((each) =>
      html`<${DeliveryRow} key=${each.id} delivery=${each} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${Math.ceil(value.count / PAGE)} choose=${choose} />`}`;
}
