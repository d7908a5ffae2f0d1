// Amounts, times and durations for people.
// Made once: a formatter takes longer to make than a row takes to draw.
function dollars(digits) {
  return new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: digits });
}

const DOLLARS = dollars(2);
const EXACT_DOLLARS = dollars(4);
export const NUMBERS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const EXACT = new Intl.DateTimeFormat([], {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

export function money(cents) {
  const amount = Number(cents);
  if (!Number.isFinite(amount)) return "";
  return DOLLARS.format(amount / 100);
}

// Below a dollar with fractions of a cent, if there are any: a step may cost $0.025.
export function price(cents) {
  const amount = Number(cents);
  if (!Number.isFinite(amount)) return "";
  return amount < 100 ? EXACT_DOLLARS.format(amount / 100) : money(cents);
}

export function duration(from, to) {
  return span(Math.max(0, new Date(to) - new Date(from)));
}

export function span(milliseconds) {
  if (milliseconds < 10000) return (milliseconds / 1000).toFixed(1) + " s";
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return seconds + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes + " min " + (seconds % 60) + " s";
  return Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

// How long a task has been at work; the time of its pauses is shown separately.
export function timesOf(task, now) {
  const paused = 1000 * (task.paused_seconds || 0);
  const whole = Math.max(0, new Date(task.finished_at || now) - new Date(task.created_at));
  return { active: span(Math.max(0, whole - paused)), paused: paused ? span(paused) : "" };
}

export function ago(moment) {
  const seconds = Math.round((Date.now() - new Date(moment)) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return seconds >= 0 ? "just now" : "in " + size + " s";
  if (size < 3600) return AGO.format(-Math.round(seconds / 60), "minute");
  if (size < 86400) return AGO.format(-Math.round(seconds / 3600), "hour");
  return AGO.format(-Math.round(seconds / 86400), "day");
}

export function exactly(moment) {
  return EXACT.format(new Date(moment));
}

export function count(number, one, many = one + "s") {
  return NUMBERS.format(number) + " " + (number === 1 ? one : many);
}

export function capitalized(word) {
  return word[0].toUpperCase() + word.slice(1);
}

// In one line of a list the marks of Markdown are removed and its words stay.
export function oneLine(text) {
  return text
    .replace(/^[ \t]*#{1,6}\s+/gm, "")
    .replace(/(^|[^\w`*])[*_`]{1,3}(\S[^*_`\n]*)[*_`]{1,3}(?!\w)/g, "$1$2")
    .replace(/\s+/g, " ")
    .trim();
}

// A text at each scheme and host of an address that has a path, too: what is odd is one, and is left out where
// rows are narrow, as it is the same in most of them.
export function splitAtHosts(text) {
  return text.split(/(https?:\/\/[^\s/?#]+)(?=[/?#][^\s/?#])/);
}

// JSON in one line of a list, without most of its marks; it may be cut.
export function briefly(text) {
  if (!/^\s*[[{]/.test(text)) return oneLine(text);
  return oneLine(text).replace(/\},\s*\{/g, " · ").replace(/[[\]{}"]/g, "").trim();
}

// Five fields of cron in words, where they are one of the usual ones.
export function cronInWords(text) {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) return text;
  const [minute, hour, day, month, weekday] = fields;
  const isAny = (...parts) => parts.every((each) => each === "*");
  const every = /^\*\/(\d+)$/.exec(minute);
  if (every && isAny(hour, day, month, weekday)) return "every " + every[1] + " minutes";
  if (!/^\d+$/.test(minute)) return text;
  if (isAny(hour, day, month, weekday)) return "every hour at " + minute.padStart(2, "0") + " past";
  if (!/^\d+$/.test(hour) || month !== "*") return text;
  const at = "at " + hour.padStart(2, "0") + ":" + minute.padStart(2, "0") + " UTC";
  if (isAny(day, weekday)) return "every day " + at;
  if (day === "*" && weekday === "1-5") return "on weekdays " + at;
  if (day === "*" && /^[0-7]$/.test(weekday)) return "every " + WEEKDAYS[weekday] + " " + at;
  if (weekday === "*" && /^\d+$/.test(day)) return "on day " + day + " of each month " + at;
  return text;
}
