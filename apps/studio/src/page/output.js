// The outputs: a film, a virtual camera, and the equivalent command line.

import { command } from "./command.js";
import { selectOf, setText } from "./dom.js";
import { held } from "./hands.js";

const NO_CAMERA = { name: "", label: "None" };

const record = document.getElementById("record");
const camera = document.getElementById("camera");
const line = document.getElementById("line");
const copy = document.getElementById("copy");
const showCamera = selectOf(camera);

record.addEventListener("click", () => command("/api/output/file", { on: !isRecording() }));
camera.addEventListener("change", () => command("/api/output/camera", { name: camera.value || null }));
copy.addEventListener("click", async () => {
  const copied = await copyText(line.textContent);
  copy.textContent = copied ? "Copied" : "Not allowed";
  setTimeout(() => (copy.textContent = "Copy"), 2000);
});

export function showOutput({ output, line: text }) {
  record.setAttribute("aria-pressed", output.file !== null);
  setText(record, output.file === null ? "Record" : "Stop");
  setText(document.getElementById("film"), output.file ?? "");
  if (!held(camera)) showCamera([NO_CAMERA, ...output.cameras], output.camera ?? "");
  setText(line, text);
}

function isRecording() {
  return record.getAttribute("aria-pressed") === "true";
}

/** Copies a text; resolves to whether that succeeded. */
async function copyText(text) {
  // Browsers offer the clipboard on https and localhost only; a phone uses plain http.
  if (!navigator.clipboard) return copyBySelection(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function copyBySelection(text) {
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "unseen";
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  copy.focus();
  return copied;
}
