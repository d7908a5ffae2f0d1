// All tasks: the composer, and the list as it changes.
const PAGE = 50;
const MOST = 1000; // rows that are kept fresh; what is older is found by searching
const FILTERS = { All: [], Active: ["created", "running", "paused"], Finished: ["finished"], Failed: ["failed"], Stopped: ["stopped"] };

function overview({ filter, text, before, limit }) {
  const query = new URLSearchParams({ limit });
  for (const status of FILTERS[filter]) query.append("status", status);
  if (text) query.set("text", text);
  if (before) query.set("before", before);
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
  if (task.output) return html`<p class="news">${oneLine(task.output)}</p>`;
  if (task.goal && !task.finished_at) return html`<p class="news now">${oneLine(task.goal)}</p>`;
  return null;
}

// A row that says the same is not drawn again: a thousand of them stay smooth.
class TaskRow extends Component {
  shouldComponentUpdate(next) {
    return next.text !== this.props.text || next.chosen !== this.props.chosen;
  }

  render({ task, now, chosen, choose }) {
    const active = !task.finished_at && may("steer");
    const picture = task.screenshot_url && pictureAt(task.screenshot_url);
    return html`<li class="row" data-status=${task.status}>
      <div class="thumb">${picture ? html`<img src=${picture} alt="Last step" loading="lazy" decoding="async" />` : html`<span aria-hidden="true"></span>`}</div>
      <div class="row-main"><p class="row-title"><${Status} of=${task.status} /><a href=${"/tasks/" + task.id} onClick=${follow}>${oneLine(task.task)}</a></p>
      ${rowNews(task)}<p class="facts">${rowFacts(task, now)}</p></div>
      ${active && html`<label class="pick"><input type="checkbox" checked=${chosen} onChange=${() => choose(task.id)} /><span class="reader-only">Select: ${task.task.slice(0, 60)}</span></label>`}
    </li>`;
  }
}

function rowText(task, now) {
  const { screenshot_url, ...shown } = task;
  return JSON.stringify(shown) + ago(task.created_at) + (task.finished_at ? "" : duration(task.created_at, now)) + (screenshot_url ? pictureAt(screenshot_url) : "");
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
    ${some.map((task) => html`<${TaskRow} key=${task.id} task=${task} text=${rowText(task, now)} now=${now} chosen=${chosen.has(task.id)} choose=${choose} />`)}</ol></section>`);
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

function ListTools({ filter, setFilter, text, setText, active }) {
  const field = useRef(null);
  useEffect(() => {
    const press = (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
      event.preventDefault();
      field.current.focus();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return html`<div class="tools"><div class="filters" role="group" aria-label="Status">
    ${Object.keys(FILTERS).map((name) => html`<button type="button" key=${name} aria-pressed=${String(name === filter)} onClick=${() => setFilter(name)}>${name}${name === "Active" && active ? html` <span class="badge">${active}</span>` : ""}</button>`)}</div>
    <div class="search"><${Icon} name="search" /><input ref=${field} type="search" aria-label="Search tasks" aria-keyshortcuts="/" placeholder="Search tasks" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /><kbd aria-hidden="true">/</kbd></div></div>`;
}

function NoTasks({ filter, text }) {
  if (text || filter !== "All") return html`<${Empty} title="Nothing matches"><p>No task ${text ? html`with “${text}” in it` : ""} ${filter === "All" ? "" : "is " + filter.toLowerCase()}.</p><//>`;
  return html`<${Empty} title="No task yet"><p>Describe one above, or start it from a shell:</p>
    <pre>browser-use-async run "Open https://example.com and tell me its title"</pre><//>`;
}

function Selection({ chosen, clear, stop }) {
  const [asks, ask_] = useState(false);
  if (!chosen.size) return null;
  return html`<div class="selection" role="region" aria-label="Selection"><span>${count(chosen.size, "task")} selected</span>
    <button type="button" onClick=${clear}>Clear</button><button type="button" class="danger" onClick=${() => ask_(true)}>Stop them</button>
    ${asks && html`<${Confirm} title=${"Stop " + count(chosen.size, "task") + "?"} text="A stopped task cannot go on. What it has cost so far is spent." word="Stop for good" close=${() => ask_(false)} work=${stop} />`}</div>`;
}

function TasksPage() {
  const [filter, setFilter] = useState("All");
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [chosen, setChosen] = useState(new Set());
  const sought = useTyped(text.trim(), 150);
  const read = () => overview({ filter, text: sought, limit });
  const { value, problem, refresh } = useLive(read, (answer) => (Object.keys(answer.at_work).length ? 1500 : 4000), [filter, sought, limit]);
  const choose = (id) => setChosen((old) => {
    const chosen = new Set(old);
    return chosen.delete(id) ? chosen : chosen.add(id);
  });
  const tasks = value ? value.tasks : [];
  const active = value ? Object.values(value.at_work).reduce((sum, each) => sum + each, 0) : 0;
  const still = new Set(tasks.filter((task) => !task.finished_at && chosen.has(task.id)).map((task) => task.id));
  return html`<${Heading} note=${value ? count(value.count, "task") + (active ? ", " + active + " at work" : "") : " "}>Tasks<//>
    ${may("run") && html`<${Composer} created=${refresh} />`}
    <${ListTools} filter=${filter} setFilter=${(name) => { setFilter(name); setLimit(PAGE); }} text=${text} setText=${setText} active=${active} />
    <${Problem} text=${problem} />
    <div id="tasks" aria-busy=${String(!value)}>${value ? tasks.length ? html`<${Rows} tasks=${tasks} chosen=${still} choose=${choose} />` : html`<${NoTasks} filter=${filter} text=${sought} />` : !problem && html`<div class="waiting" aria-label="Loading"></div>`}</div>
    ${value && value.next && limit < MOST && html`<${MoreRows} next=${() => tasks.length >= limit && setLimit(Math.min(MOST, limit + PAGE))} />`}
    ${value && value.next && limit >= MOST && html`<p class="note">The newest ${count(MOST, "task")} are shown; search for older ones.</p>`}
    <${Selection} chosen=${still} clear=${() => setChosen(new Set())} stop=${() => stopAll(still, refresh).then(() => setChosen(new Set()))} />`;
}
