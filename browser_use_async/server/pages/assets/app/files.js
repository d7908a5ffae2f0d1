// Files that tasks may read, and files that tasks have made.
import { html, useRef, useState } from "htm/preact";
import { uploadAll } from "./composer.js";
import { ask, attempt, here, may, useLive } from "./core.js";
import { count, NUMBERS, oneLine } from "./format.js";
import { A, alertOf, Confirm, Empty, Heading, Icon, loading, Moment } from "./parts.js";

function bytes(size) {
  if (size < 1000) return size + " bytes";
  const thousands = Math.min(3, Math.floor(Math.log10(size) / 3));
  return NUMBERS.format(Number((size / 1000 ** thousands).toPrecision(3))) + " " + ["", "kB", "MB", "GB"][thousands];
}

function UploadRow({ file, remove }) {
  return html`<li class="item"><div class="item-main"><p class="row-title"><span>${file.name}</span></p>
    <p class="facts"><span>${bytes(file.size)}</span>
      <span>uploaded <${Moment} at=${file.uploaded_at} /></span></p></div>
    ${may("run") && html`<div class="actions"><button type="button" class="danger" aria-label=${"Delete " + file.name}
      onClick=${() => remove(file)}>Delete</button></div>`}</li>`;
}

function AddFiles({ refresh }) {
  const field = useRef(null);
  const add = () => uploadAll(field.current, () => {}).then(refresh);
  return html`<input ref=${field} id="upload" type="file" multiple class="reader-only" tabindex="-1"
      aria-label="Files to upload" onChange=${add} />
    <button type="button" class="strong" onClick=${() => field.current.click()}>
      <${Icon} name="plus" />Upload files</button>`;
}

// The name of a recording is only the id of its task.
function nameOf(task, file) {
  return file.name.startsWith(task.id + "-recording.") ? "Recording" : file.name;
}

function MadeFiles({ task }) {
  const link = (file) => html`<li key=${file.name}>
    <a href=${here(file.url)} download=${file.name}>${nameOf(task, file)}</a>
    ${file.size !== null && html`<span class="note">${bytes(file.size)}</span>`}</li>`;
  return html`<li class="item"><div class="item-main">
    <p class="row-title"><${A} href=${"/tasks/" + task.id}>${oneLine(task.task)}<//></p>
    <p class="facts"><span>ended <${Moment} at=${task.finished_at} /></span></p>
    <ul class="chips">${task.files.map(link)}</ul></div></li>`;
}

export function FilesPage() {
  const [removed, remove] = useState(null);
  const { value, problem, refresh } = useLive(() => ask("/admin/files"), 8000, []);
  const { uploads, tasks } = value || { uploads: [], tasks: [] };
  const path = (name) => "/admin/files/" + encodeURIComponent(name);
  const take = (name) => attempt(() => ask(path(name), { method: "DELETE" }), "The file is deleted").then(refresh);
  const total = uploads.reduce((sum, each) => sum + each.size, 0);
  const note = value ? count(uploads.length, "upload") + (total ? ", " + bytes(total) : "") : " ";
  return html`<${Heading} actions=${may("run") && html`<${AddFiles} refresh=${refresh} />`} note=${note}>Files<//>
    ${alertOf(problem)}${loading(value, problem)}
    <h2 class="day">Uploads</h2>
    ${value && !uploads.length && html`<${Empty} title="Nothing is uploaded">
      <p>Tasks read the files that their request names.</p><//>`}
    <ul class="items" id="uploads">${uploads.map((each) =>
      html`<${UploadRow} key=${each.name} file=${each} remove=${remove} />`)}</ul>
    <h2 class="day">Made by tasks</h2>
    ${value && !tasks.length && html`<${Empty} title="No task has made a file">
      <p>Downloads, answers written to files, traces and recordings stand here.</p><//>`}
    <ul class="items" id="made">${tasks.map((each) => html`<${MadeFiles} key=${each.id} task=${each} />`)}</ul>
    ${removed && html`<${Confirm} title=${"Delete " + removed.name + "?"} word="Delete"
      text="Tasks that have not read it yet will fail."
      close=${() => remove(null)} work=${() => take(removed.name)} />`}`;
}
