// The marks of Markdown that answers use: headings, lists, code and emphasis. Everything else
// is shown unchanged, and no text becomes a tag or a link.
import { html, useMemo } from "htm/preact";

const MARKS = /^#{1,6} +\S|^ *[-*] +\S|^ *\d+\. +\S|^```|\*\*\S[^*]*\*\*/m;

// Longer answers are shown as plain text: each block is an element, and their number is limited.
const MOST_CHARACTERS = 100_000;

export function hasMarks(text) {
  return text.length <= MOST_CHARACTERS && MARKS.test(text);
}

function inline(text) {
  return text.split(/(\*\*[^*\n]+\*\*|`[^`\n]+`)/).map((part, number) => {
    if (number % 2 === 0) return part;
    return part[0] === "`" ? html`<code>${part.slice(1, -1)}</code>` : html`<b>${part.slice(2, -2)}</b>`;
  });
}

function kindOf(line) {
  if (/^#{1,6} +\S/.test(line)) return "heading";
  if (/^ *[-*] +\S/.test(line)) return "list";
  return /^ *\d+\. +\S/.test(line) ? "numbers" : line.trim() ? "text" : "";
}

// Lines of one kind belong together; a heading stands alone, and code goes to the mark that ends it.
function blocksOf(text) {
  const blocks = [];
  let open = null;
  for (const line of text.split(/\r?\n/)) {
    const isFence = line.startsWith("```");
    const kind = open?.kind === "code" || isFence ? "code" : kindOf(line);
    if (isFence && open?.kind === "code") open = null;
    else if (kind && kind !== "heading" && !isFence && open?.kind === kind) open.lines.push(line);
    else if (kind) blocks.push((open = { kind, lines: isFence ? [] : [line] }));
    else open = null;
  }
  return blocks;
}

function Block({ kind, lines }) {
  if (kind === "code") return html`<pre>${lines.join("\n")}</pre>`;
  if (kind === "heading") return html`<h3>${inline(lines[0].replace(/^#+ +/, ""))}</h3>`;
  if (kind === "text") return html`<p>${inline(lines.join("\n"))}</p>`;
  const texts = lines.map((line) => line.replace(/^ *([-*]|\d+\.) +/, ""));
  const items = texts.map((text, number) => html`<li key=${number}>${inline(text)}</li>`);
  return kind === "list" ? html`<ul>${items}</ul>` : html`<ol>${items}</ol>`;
}

export function Prose({ text }) {
  const blocks = useMemo(() => blocksOf(text), [text]);
  return html`<div class="prose">
    ${blocks.map((block, number) => html`<${Block} key=${number} ...${block} />`)}</div>`;
}
