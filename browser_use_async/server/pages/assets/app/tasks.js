// All tasks: the composer, and the list as it changes.
const PAGE = 50;
const MOST = 1000; // rows that are kept fresh; what is older is found by searching
const FILTERS = { All: [], Active: ["created", "running", "paused"], Finished: ["finished"], Failed: ["failed"], Stopped: ["stopped"] };

function overview({ filter, limit, ...more }) {
  const query = new URLSearchParams({ limit });
  for (const status of FILTERS[filter]) query.append("status", status);
  for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
  return ask("/admin/overview?" + query);
}

function rowFacts(task, now) {
  const facts = [html`<${Moment} at=${task.created_at} />`];
  facts.push((task.finished_at ? "took " : "for ") + duration(task.created_at, task.finished_at || now));
  facts.push(count(task.steps, "step"), price(task.cost_cents), task.llm_model);
  return facts.map((each, number) => html`<span key=${number}>${each}</span>`);
}

function rowNews(task) {
  if (task.failure) return html`<p class="news bad">${oneLine(task.failure)}</p>`;
  if (task.output) return html`<p class="news">${briefly(task.output)}</p>`;
  const now = task.doing || task.goal;
  if (now && !task.finished_at) return html`<p class="news now">${oneLine(now)}</p>`;
  return null;
}

// Rows that are seen, or about to be.
const rowsBySight = new Map();
const sight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) rowsBySight.get(target)?.near(isIntersecting);
}, { rootMargin: "600px" });

// Rows out of sight are drawn a few at a time, when the browser has nothing else to do: who listens to the
// page or searches in it finds them a moment old, and a thousand of them stay smooth.
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

// A row that says the same is not drawn again.
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
    return html`<li class="row" data-status=${task.status}>
      <div class="thumb">${picture ? html`<${Picture} src=${picture} without=${html`<span>No picture</span>`} alt="Last step" loading="lazy" decoding="async" />` : html`<span aria-hidden="true"></span>`}</div>
      <div class="row-main"><p class="row-title"><${Status} of=${task.status} /><a href=${"/tasks/" + task.id} onClick=${follow}>${oneLine(task.task)}</a></p>
      ${rowNews(task)}<p class="facts">${rowFacts(task, now)}</p></div>
      ${active && html`<label class="pick"><input type="checkbox" checked=${chosen} onChange=${() => choose(task.id)} /><span class="reader-only">Select: ${task.task.slice(0, 60)}</span></label>`}
    </li>`;
  }
}

function rowText({ task, now, chosen }) {
  const { screenshot_url, ...shown } = task;
  return JSON.stringify(shown) + chosen + ago(task.created_at) + (task.finished_at ? "" : duration(task.created_at, now)) + (screenshot_url ? pictureAt(screenshot_url) : "");
}

function Rows({ tasks, chosen, choose }) {
  const now = Date.now();
  const groups = [];
  for (const task of tasks) {
    const day = dayOf(task.created_at);
    if (!groups.length || groups[groups.length - 1].day !== day) groups.push({ day, tasks: [] });
    groups[groups.length - 1].tasks.push(task);
  }
  return groups.map(({ day, tasks: some }) => html`<section key=${day} aria-label=${day}><h2 class="day">${day}</h2><ol class="rows">
    ${some.map((task) => html`<${TaskRow} key=${task.id} task=${task} now=${now} chosen=${chosen.has(task.id)} choose=${choose} />`)}</ol></section>`);
}

function useTyped(text, pause) {
  const [settled, settle] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => settle(text), pause);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

// More rows are asked for before the end of the list is seen.
function MoreRows({ next }) {
  const button = useRef(null);
  useEffect(() => {
    const watch = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && next(), { rootMargin: "600px" });
    watch.observe(button.current);
    return () => watch.disconnect();
  });
  return html`<p class="more"><button type="button" ref=${button} onClick=${next}>Show more</button></p>`;
}

async function stopAll(ids, refresh) {
  let stopped = 0;
  for (const id of ids) {
    const answer = await attempt(() => ask(API + "/stop-task?task_id=" + encodeURIComponent(id), { method: "PUT" }).then(() => true));
    if (answer) stopped += 1;
  }
  tell(count(stopped, "task") + " stopped");
  refresh();
}

const SPANS = { "Any time": 0, "Last hour": 3600, "Last 24 hours": 86400, "Last 7 days": 604800, "Between…": -1 };
const NO_FILTERS = { status: "All", span: "Any time", since: "", until: "", metadata: "" };

// Of a span up to now the beginning moves; by whole minutes, so that the list stays the same.
function moments({ span, since, until }) {
  const seconds = SPANS[span];
  if (seconds > 0) return { since: new Date(Math.floor(Date.now() / 60000) * 60000 - seconds * 1000).toISOString() };
  if (!seconds) return {};
  return { since: since && new Date(since).toISOString(), until: until && new Date(until).toISOString() };
}

function ListTools({ filters, set, active }) {
  const typed = (name) => (event) => set({ [name]: event.currentTarget.value });
  const isFiltered = filters.span !== "Any time" || filters.metadata;
  return html`<div class="tools"><div class="filters" role="group" aria-label="Status">
    ${Object.keys(FILTERS).map((name) => html`<button type="button" key=${name} aria-pressed=${String(name === filters.status)} onClick=${() => set({ status: name })}>${name}${name === "Active" && active ? html` <span class="badge">${active}</span>` : ""}</button>`)}</div>
    <div class="narrow"><select aria-label="Created" value=${filters.span} onChange=${typed("span")}>${Object.keys(SPANS).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
    ${filters.span === "Between…" && html`<input type="datetime-local" aria-label="Created from" value=${filters.since} onInput=${typed("since")} /><input type="datetime-local" aria-label="Created before" value=${filters.until} onInput=${typed("until")} />`}
    <input type="text" id="metadata" aria-label="Metadata, as name or name=value" placeholder="Metadata: name=value" autocomplete="off" spellcheck="false" value=${filters.metadata} onInput=${typed("metadata")} />
    ${isFiltered && html`<button type="button" class="quiet" onClick=${() => set({ ...NO_FILTERS, status: filters.status })}>Clear</button>`}</div></div>`;
}

function NoTasks({ filters, text }) {
  const isNarrow = filters.span !== "Any time" || filters.metadata;
  if (text || filters.status !== "All" || isNarrow) return html`<${Empty} title="Nothing matches"><p>No task ${text ? html`with “${text}” in it` : ""} ${filters.status === "All" ? "" : "is " + filters.status.toLowerCase()}${isNarrow ? " within the time and metadata chosen above" : ""}.</p><//>`;
  return html`<${Empty} title="No task yet"><p>Describe one above, or start it from a shell:</p>
    <pre>browser-use-async run "Open https://example.com and tell me its title"</pre><//>`;
}

function Selection({ chosen, all, pick, clear, stop }) {
  const [asks, ask_] = useState(false);
  if (!chosen.size) return null;
  return html`<div class="selection" role="region" aria-label="Selection"><span>${count(chosen.size, "task")} selected</span>
    ${chosen.size < all && html`<button type="button" onClick=${pick}>Select all ${all} shown</button>`}
    <button type="button" onClick=${clear}>Clear</button><button type="button" class="danger" onClick=${() => ask_(true)}>Stop them</button>
    ${asks && html`<${Confirm} title=${"Stop " + count(chosen.size, "task") + "?"} text="A stopped task cannot go on. What it has cost so far is spent." word="Stop for good" close=${() => ask_(false)} work=${stop} />`}</div>`;
}

function TasksPage() {
  const [filters, setFilters] = useState(NO_FILTERS);
  const [limit, setLimit] = useState(PAGE);
  const [before, setBefore] = useState(null);
  const [chosen, setChosen] = useState(new Set());
  const text = useTyped(store.sought.trim(), 150);
  const metadata = useTyped(filters.metadata.trim(), 150);
  const set = (fields) => { setFilters({ ...filters, ...fields }); setLimit(PAGE); setBefore(null); };
  const read = () => overview({ filter: filters.status, text, metadata, before, limit, ...moments(filters) });
  const inputs = [filters.status, filters.span, filters.since, filters.until, text, metadata, before, limit];
  const { value, problem, refresh } = useLive(read, (answer) => (Object.keys(answer.at_work).length ? 1500 : 4000), inputs);
  const choose = (id) => setChosen((old) => {
    const chosen = new Set(old);
    return chosen.delete(id) ? chosen : chosen.add(id);
  });
  const page = (position) => { setBefore(position); setLimit(PAGE); window.scrollTo(0, 0); };
  const tasks = value ? value.tasks : [];
  const active = value ? Object.values(value.at_work).reduce((sum, each) => sum + each, 0) : 0;
  const open = tasks.filter((task) => !task.finished_at);
  const still = new Set(open.filter((task) => chosen.has(task.id)).map((task) => task.id));
  const pick = () => setChosen(new Set(open.map((task) => task.id)));
  return html`<${Heading} note=${value ? count(value.count, "task") + (active ? ", " + active + " at work" : "") : " "}>Tasks<//>
    ${may("run") && html`<${Composer} created=${refresh} />`}
    <${ListTools} filters=${filters} set=${set} active=${active} />
    ${alertOf(problem)}
    ${before !== null && html`<p class="older"><button type="button" onClick=${() => page(null)}>Back to the newest</button></p>`}
    <div id="tasks" aria-busy=${String(!value)}>${value ? tasks.length ? html`<${Rows} tasks=${tasks} chosen=${still} choose=${choose} />` : html`<${NoTasks} filters=${filters} text=${text} />` : html`${loading(undefined, problem)}`}</div>
    ${value && value.next && limit < MOST && html`<${MoreRows} next=${() => tasks.length >= limit && setLimit(Math.min(MOST, limit + PAGE))} />`}
    ${value && value.next && limit >= MOST && html`<p class="more"><button type="button" onClick=${() => page(value.next)}>Older tasks</button></p>`}
    <${Selection} chosen=${still} all=${open.length} pick=${pick} clear=${() => setChosen(new Set())} stop=${() => stopAll(still, refresh).then(() => setChosen(new Set()))} />`;
}
