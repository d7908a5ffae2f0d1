// The receivers of webhooks, and the deliveries of events.
const EVENTS = ["initializing", "started", "paused", "stopped", "finished", "failed"];
const DEFAULT_EVENTS = EVENTS.filter((each) => each !== "failed");

// A field that is unchanged is not sent: secrets are never shown, and a receiver is tested only for new values.
function webhookBody(form, of) {
  const body = { events: form.events };
  const url = form.url.trim();
  if (!of || url !== of.url) body.url = url;
  if (!of || form.secret) body.secret = form.secret;
  return body;
}

function WebhookDialog({ of, close, refresh }) {
  const [form, setForm] = useState({ url: of ? of.url : "", secret: "", events: of ? of.events : DEFAULT_EVENTS });
  const [problem, setProblem] = useState("");
  const toggle = (event) => setForm({ ...form, events: EVENTS.filter((each) => form.events.includes(each) !== (each === event)) });
  const save = async (event) => {
    event.preventDefault();
    setProblem("");
    const path = "/admin/webhooks" + (of ? "/" + encodeURIComponent(of.id) : "");
    try {
      await ask(path, { method: of ? "PATCH" : "POST", body: webhookBody(form, of) });
    } catch (error) {
      return setProblem(problemOf(error));
    }
    showToast(of ? "The webhook is changed" : "The webhook is added");
    close();
    refresh();
  };
  return html`<${Dialog} title=${of ? "Edit webhook" : "New webhook"} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Address" hint="It is sent a test event first, and must answer it with 2xx"><input type="url" required placeholder="https://receiver.example/hook" value=${form.url} onInput=${(event) => setForm({ ...form, url: event.currentTarget.value })} /><//>
    <${Field} label="Secret" hint=${of ? "Both sides sign with it. Empty: unchanged" : "Both sides sign with it"}><input type="password" required=${!of} autocomplete="off" value=${form.secret} onInput=${(event) => setForm({ ...form, secret: event.currentTarget.value })} /><//>
    <fieldset><legend class="label">Gets an event when a task is</legend>${EVENTS.map((each) => html`<${Check} key=${each} label=${each} checked=${form.events.includes(each)} onChange=${() => toggle(each)} />`)}</fieldset>
    ${alertOf(problem)}
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">${of ? "Save" : "Add webhook"}</button></div></form><//>`;
}

function ReceiverRow({ webhook, edit, remove, refresh }) {
  const { id, url, events, is_active } = webhook;
  const pause = () => attempt(() => ask("/admin/webhooks/" + encodeURIComponent(id), { method: "PATCH", body: { is_active: !is_active } }), is_active ? "The webhook is paused" : "The webhook goes on").then(refresh);
  return html`<li><span class="receiver"><span class="pill" data-status=${is_active ? "finished" : "paused"}>${is_active ? "active" : "paused"}</span><code>${url}</code>
    <span class="note">${events.length === EVENTS.length ? "all events" : EVENTS.filter((each) => events.includes(each)).join(", ")}</span></span>
    <span class="actions"><button type="button" aria-label=${(is_active ? "Pause " : "Resume ") + url} onClick=${pause}>${is_active ? "Pause" : "Resume"}</button>
    <button type="button" aria-label=${"Edit " + url} onClick=${() => edit(webhook)}>Edit</button>
    <button type="button" class="danger" aria-label=${"Remove " + url} onClick=${() => remove(webhook)}>Remove</button></span></li>`;
}

// Only the operator of the server sees where events go.
function Receivers() {
  const [adds, add] = useState(false);
  const [edited, edit] = useState(null);
  const [removed, remove] = useState(null);
  const { value, problem, refresh } = useLive(() => ask("/admin/webhooks"), 10000, []);
  const take = (id) => attempt(() => ask("/admin/webhooks/" + encodeURIComponent(id), { method: "DELETE" }), "The webhook is removed").then(refresh);
  return html`<section class="card"><div class="card-head"><h2>Receivers</h2>${value && html`<button type="button" onClick=${() => add(true)}><${Icon} name="plus" />New webhook</button>`}</div>
    ${problem && html`<p class="note">${problem}</p>`}
    ${value && !value.webhooks.length && html`<p class="note">None. No events are sent.</p>`}
    ${value && value.webhooks.length > 0 && html`<ul class="files receivers">${value.webhooks.map((each) => html`<${ReceiverRow} key=${each.id} webhook=${each} edit=${edit} remove=${remove} refresh=${refresh} />`)}</ul>`}
    ${adds && html`<${WebhookDialog} close=${() => add(false)} refresh=${refresh} />`}
    ${edited && html`<${WebhookDialog} of=${edited} close=${() => edit(null)} refresh=${refresh} />`}
    ${removed && html`<${Confirm} title="Remove this webhook?" text="Events that are still to be sent to it are discarded." word="Remove" close=${() => remove(null)} work=${() => take(removed.id)} />`}</section>`;
}

function attemptInWords(attempt_) {
  return attempt_.problem || "answered " + attempt_.status;
}

function headerLines(headers) {
  return headers.map((each) => each.join(": ")).join("\n");
}

function Answer({ attempt: each }) {
  const { exchange, status } = each;
  if (!exchange) return html`<p class="note">Requests and answers are kept for the latest deliveries only.</p>`;
  return html`<p class="facts"><span>after ${NUMBERS.format(exchange.milliseconds)} ms</span></p>
    <details><summary>Headers sent</summary><pre tabindex="0" aria-label="Headers sent">${headerLines(Object.entries(exchange.sent))}</pre></details>
    ${status !== null && html`<pre tabindex="0" aria-label="Answer">${status + "\n" + headerLines(exchange.headers) + "\n\n" + (exchange.body || "(no body)")}</pre>
    ${exchange.is_cut && html`<p class="note">Only the beginning is kept.</p>`}`}`;
}

// Read when it is opened, and once more for each further attempt. Only the operator sees whole answers.
function DeliveryContent({ delivery, isOpen, refresh }) {
  const path = "/admin/deliveries/" + encodeURIComponent(delivery.id);
  const [whole, setWhole] = useState({});
  const asks = isOpen && may("admin");
  useEffect(() => {
    let isShown = true;
    if (asks) ask(path).then((value) => isShown && setWhole({ value }), (error) => isShown && setWhole({ problem: problemOf(error) }));
    return () => { isShown = false; };
  }, [asks, delivery.attempts.length]);
  const again = () => attempt(() => ask(path + "/again", { method: "POST" }), "It is being sent again").then(refresh);
  const attempts = whole.value && whole.value.attempts.length >= delivery.attempts.length ? whole.value.attempts : delivery.attempts;
  return html`<div class="delivery"><div><h3>Request</h3><pre tabindex="0" aria-label="Event">${JSON.stringify(delivery.event, null, 2)}</pre></div>
    <div><p class="actions"><${A} href=${"/tasks/" + delivery.task_id} class="button">The task<//>${delivery.state !== "pending" && may("run") && html`<button type="button" onClick=${again}>Send again</button>`}</p>
    <h3>Answers</h3><ol class="attempts">${attempts.map((each, number) => html`<li key=${number}>${attemptInWords(each)} <span class="note">${exactly(each.at)}</span>${"exchange" in each && html`<${Answer} attempt=${each} />`}</li>`)}</ol>
    ${whole.problem && html`<p class="note">${whole.problem}</p>`}</div></div>`;
}

function DeliveryRow({ delivery, refresh }) {
  const [isOpen, open] = useState(false);
  const last = delivery.attempts[delivery.attempts.length - 1];
  const state = { delivered: "finished", failed: "failed", pending: "running" }[delivery.state];
  return html`<li class="item"><details onToggle=${(event) => event.target === event.currentTarget && open(event.currentTarget.open)}><summary><span class="pill" data-status=${state}>${delivery.state}</span><span class="delivery-title"><span>${delivery.status}</span>${delivery.task && html`<span class="delivery-task">${oneLine(delivery.task)}</span>`}</span>
    <span class="facts">${last && html`<span><${Moment} at=${last.at} /></span>`}${delivery.attempts.length > 1 && html`<span>${count(delivery.attempts.length, "attempt")}</span>`}${last && html`<span>${attemptInWords(last)}</span>`}</span></summary>
    <${DeliveryContent} delivery=${delivery} isOpen=${isOpen} refresh=${refresh} /></details></li>`;
}

const DELIVERY_STATES = ["pending", "delivered", "failed"];

function NoDeliveries({ state }) {
  if (state) return html`<${Empty} title="Nothing matches"><p>No delivery is ${state}.</p><p><button type="button" onClick=${() => inAddress({ state: "", page: "" })}>Show all</button></p><//>`;
  return html`<${Empty} title="Nothing was sent"><p>A webhook is sent an event when a task starts, pauses or ends. ${may("admin") ? "Add one with “New webhook”; it works at once, without a restart." : "The operator of this server adds webhooks."}</p><//>`;
}

function WebhooksPage() {
  const [page, choose] = usePage();
  const wanted = inQuery().get("state") || "";
  const state = DELIVERY_STATES.includes(wanted) ? wanted : "";
  const { value, problem, refresh } = useLive(() => ask("/admin/deliveries?" + new URLSearchParams({ latest: page * 20, state })), 3000, [page, state]);
  const rows = value ? [...value.deliveries].reverse().slice((page - 1) * 20) : [];
  return html`<${Heading} note=${value ? (state ? NUMBERS.format(value.count) + " of " : "") + count(value.total_count, "delivery", "deliveries") : " "}>Webhooks<//>${alertOf(problem)}${loading(value, problem)}
    ${may("admin") && html`<${Receivers} />`}
    <div class="tools"><h2 class="day">Deliveries</h2><div class="filters" role="group" aria-label="State">${["", ...DELIVERY_STATES].map((each) => html`<button type="button" key=${each} aria-pressed=${String(each === state)} onClick=${() => inAddress({ state: each, page: "" })}>${each ? each[0].toUpperCase() + each.slice(1) : "All"}</button>`)}</div></div>
    <${WrongAddress} problems=${[wrongIn("state", wanted, DELIVERY_STATES)]} names=${["state"]} />
    ${value && !rows.length && html`<${NoDeliveries} state=${state} />`}
    <ul class="items" id="deliveries">${rows.map((each) => html`<${DeliveryRow} key=${each.id} delivery=${each} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${Math.ceil(value.count / 20)} choose=${choose} />`}`;
}
