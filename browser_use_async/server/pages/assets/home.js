"use strict";
const find = (id) => document.getElementById(id);
const API = document.body.dataset.api;
const KEPT = "browser-use-async key"; // in this tab only, and gone with it
const ROWS = 20;
const EVERY = 3000;

let key = "";
let timer = 0;
let settled = false; // whether the lists have been seen
let round = 0; // what an older round brings late is dropped

// --- asking --------------------------------------------------------------------------------

class Refused extends Error {}

function inWords(status, body) {
  if (status === 401 || status === 403) {
    if (body && body.detail && !/authenticat/i.test(body.detail) && body.detail !== "Invalid API key") return body.detail;
    return "The server does not know this key. The program that started it has the right one.";
  }
  const detail = body && typeof body.detail === "string" ? ": " + body.detail : "";
  return "The server answered " + status + detail;
}

async function ask(path) {
  // The key can be forgotten between two requests of one round; nothing is asked for without it.
  if (!key) throw Object.assign(new Refused("No key"), { wrongKey: true });
  const headers = { Authorization: "Bearer " + key };
  const answer = await fetch(path, { headers, cache: "no-store" });
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const error = new Refused(inWords(answer.status, body));
  error.wrongKey = answer.status === 401;
  throw error;
}

// --- writing -------------------------------------------------------------------------------

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function facts(...texts) {
  const line = element("p", "facts");
  for (const text of texts) if (text) line.append(text instanceof Node ? text : element("span", "", text));
  return line;
}

function statusOf(word) {
  const mark = element("span", "status", word);
  mark.dataset.status = word;
  return mark;
}

function cents(text) {
  const amount = Number(text);
  return Number.isFinite(amount) ? (amount / 100).toLocaleString([], { style: "currency", currency: "USD", maximumFractionDigits: 4 }) : "";
}

function moment(text, word = "") {
  const shown = new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const time = element("time", "", shown);
  time.dateTime = text;
  const line = element("span", "", word);
  line.append(time);
  return line;
}

function span(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  if (seconds < 60) return seconds + " s";
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? minutes + " min " + (seconds % 60) + " s" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

// --- the lists -----------------------------------------------------------------------------

function taskRow(task) {
  const row = element("li");
  row.append(statusOf(task.status), element("span", "what", task.task));
  if (task.live_url) {
    const link = element("a", "go", task.finished_at ? "Open" : "Watch");
    link.href = task.live_url;
    link.target = "_blank";
    link.rel = "noopener";
    link.setAttribute("aria-label", link.textContent + ": " + task.task.slice(0, 80));
    row.append(link);
  }
  if (task.output) row.append(element("p", "result", task.output));
  const took = task.finished_at ? "took " + span(task.created_at, task.finished_at) : "for " + span(task.created_at, Date.now());
  row.append(facts(moment(task.created_at), took, task.cost && "cost " + cents(task.cost)));
  return row;
}

function scheduleRow(schedule) {
  const row = element("li");
  const rhythm = schedule.cron_expression ? schedule.cron_expression + " (UTC)" : "every " + schedule.interval_minutes + " min";
  row.append(statusOf(schedule.is_active ? "active" : "paused"), element("span", "what", schedule.task));
  row.append(facts(rhythm, schedule.next_run_at && moment(schedule.next_run_at, "next ")));
  return row;
}

function profileRow(profile) {
  const row = element("li", "plain");
  row.append(element("span", "what", profile.profile_name));
  if (profile.description) row.append(element("p", "result", profile.description));
  row.append(facts(
    profile.persist ? "keeps cookies" : "keeps nothing",
    profile.ad_blocker && "blocks advertisements",
    profile.proxy ? "proxy: " + profile.proxy_country_code : "no proxy",
    profile.browser_viewport_width + " × " + profile.browser_viewport_height,
  ));
  return row;
}

function deliveryRow(delivery) {
  const row = element("li");
  const last = delivery.attempts[delivery.attempts.length - 1];
  const outcome = last && (last.problem || "answered " + last.status);
  row.append(statusOf(delivery.state), element("span", "what", delivery.status + ", of task " + delivery.task_id));
  row.append(facts(last && moment(last.at), delivery.attempts.length + (delivery.attempts.length === 1 ? " attempt" : " attempts"), outcome));
  return row;
}

async function readTasks(page) {
  const answer = await ask(API + "/tasks?page=" + page + "&limit=" + ROWS);
  const query = answer.tasks.map((task) => "task_id=" + encodeURIComponent(task.id)).join("&");
  const costs = query ? (await ask("/admin/costs?" + query)).costs : {};
  for (const task of answer.tasks) task.cost = costs[task.id];
  return { rows: answer.tasks, pages: answer.total_pages, count: answer.total_count };
}

async function readSchedules(page) {
  const answer = await ask(API + "/scheduled-tasks?page=" + page + "&limit=" + ROWS);
  return { rows: answer.tasks, pages: answer.total_pages, count: answer.total_count };
}

async function readProfiles(page) {
  const answer = await ask(API + "/browser-profiles?page=" + page + "&limit=" + ROWS);
  return { rows: answer.profiles, pages: answer.total_pages, count: answer.total_count };
}

async function readDeliveries(page) {
  const { deliveries, count } = await ask("/admin/deliveries?latest=" + page * ROWS);
  const rows = deliveries.reverse().slice((page - 1) * ROWS);
  return { rows, pages: Math.ceil(count / ROWS), count };
}

class List {
  constructor(id, read, row) {
    Object.assign(this, { read, row, page: 1, section: find(id), title: find(id + "-title") });
    this.shown = "";
    this.rows = this.section.querySelector(".rows");
    this.empty = this.section.querySelector(".empty");
    this.count = element("span", "count");
    this.title.append(" ", this.count);
    this.problem = element("p", "problem");
    this.problem.hidden = true;
    this.pager = element("nav", "pager");
    this.pager.setAttribute("aria-label", "Pages of " + this.title.textContent.trim().toLowerCase());
    this.newer = this.button("Newer", -1);
    this.older = this.button("Older", 1);
    this.place = element("span", "note");
    this.pager.append(this.newer, this.place, this.older);
    this.section.append(this.problem, this.pager);
  }

  button(text, direction) {
    const button = element("button", "", text);
    button.type = "button";
    button.addEventListener("click", () => {
      this.page += direction;
      refresh();
    });
    return button;
  }

  async refresh(current) {
    try {
      const page = this.page;
      const answer = await this.read(page);
      if (current === round) this.show(answer);
    } catch (error) {
      if (!(error instanceof Refused) || error.wrongKey) throw error;
      this.problem.textContent = error.message;
      this.problem.hidden = false;
    }
  }

  show({ rows, pages, count }) {
    this.problem.hidden = true;
    this.page = Math.max(1, Math.min(this.page, pages));
    this.count.textContent = count ? "(" + count + ")" : "";
    this.isEmpty = count === 0;
    this.empty.hidden = !this.isEmpty;
    this.pager.hidden = pages < 2;
    this.place.textContent = "Page " + this.page + " of " + pages;
    this.newer.disabled = this.page <= 1;
    this.older.disabled = this.page >= pages;
    const made = rows.map(this.row);
    const text = made.map((row) => row.innerText || row.textContent).join("\n");
    // Rows that say the same stay: whoever has tabbed to a link in one of them is still there.
    if (text === this.shown) return;
    const focused = [...this.rows.querySelectorAll("a")].findIndex((each) => each === document.activeElement);
    const address = focused < 0 ? "" : document.activeElement.href;
    this.rows.replaceChildren(...made);
    this.shown = text;
    if (address) [...this.rows.querySelectorAll("a")].find((each) => each.href === address)?.focus();
  }
}

const lists = [
  new List("tasks", readTasks, taskRow),
  new List("schedules", readSchedules, scheduleRow),
  new List("profiles", readProfiles, profileRow),
  new List("deliveries", readDeliveries, deliveryRow),
];

// --- the page ------------------------------------------------------------------------------

function tell(text) {
  find("problem").textContent = text;
  find("problem").hidden = !text;
}

function showKeyForm(asksForKey) {
  find("key-form").hidden = !asksForKey;
  find("account").hidden = find("lists").hidden = asksForKey;
}

async function refresh() {
  clearTimeout(timer);
  const current = ++round;
  try {
    const balance = await ask(API + "/balance");
    await Promise.all(lists.map((list) => list.refresh(current)));
    if (current !== round) return;
    find("balance").textContent = cents(balance.balance);
    find("refreshed").textContent = "as of " + new Date().toLocaleTimeString();
    // Whoever has tasks knows how to create them.
    if (!settled) find("client").open = lists[0].isEmpty;
    settled = true;
    showKeyForm(false);
    tell("");
    sessionStorage.setItem(KEPT, key);
  } catch (error) {
    if (current !== round) return;
    tell(error instanceof Refused ? error.message : "The server does not answer; trying again.");
    if (error.wrongKey) return askForKey();
  }
  timer = setTimeout(refresh, EVERY);
}

function askForKey() {
  clearTimeout(timer);
  round += 1;
  key = "";
  sessionStorage.removeItem(KEPT);
  showKeyForm(true);
  find("key").focus();
}

find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = find("key").value.trim();
  find("key").value = "";
  refresh();
});

find("forget").addEventListener("click", () => {
  tell("");
  askForKey();
});

document.addEventListener("visibilitychange", () => {
  if (!key) return;
  if (document.hidden) clearTimeout(timer);
  else refresh();
});

// What stands behind # was never sent to the server; here it leaves the address bar as well.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) history.replaceState(null, "", location.pathname + location.search);
key = given || sessionStorage.getItem(KEPT) || "";
if (key) {
  showKeyForm(false);
  refresh();
} else showKeyForm(true);
