// The gallery of style pictures and of models. One is chosen, or several together. Pictures can be deleted, and added
// with a file dialog or by dropping them on the page.

import { command, toast, upload } from "./command.js";
import { changes, deleteButton, editToggle, make } from "./dom.js";
import { sharesOf } from "./shares.js";

const MAX_BYTES = 30e6;

const gallery = document.getElementById("gallery");
const addTile = gallery.querySelector(".add");
const input = document.getElementById("add-style");
const changed = changes();

const combine = document.getElementById("combine");
const showShares = sharesOf((styles) => paint({ ...chosen, styles }));

let chosen = { styles: [], model: null };

editToggle(document.getElementById("styles-edit"), gallery);
combine.addEventListener("click", () => combine.setAttribute("aria-pressed", !isCombining()));

function isCombining() {
  return combine.getAttribute("aria-pressed") === "true";
}

function paint(choice) {
  // Opening a style or a model takes time; what is added meanwhile is added to this choice.
  chosen = choice;
  return command("/api/paint", choice);
}

/** Paints in a style alone; if several are combined, adds it, or removes it. */
function chooseStyle(name) {
  if (!isCombining()) return paint({ styles: [{ name, share: 1 }], model: null });
  const others = chosen.styles.filter((style) => style.name !== name);
  const isNew = others.length === chosen.styles.length;
  return paint({ ...chosen, styles: isNew ? [...others, { name, share: 1 }] : others });
}

function chooseModel(name) {
  if (!isCombining()) return paint({ styles: [], model: name });
  return paint({ ...chosen, model: name === chosen.model ? null : name });
}

export function showStyles({ styles, style, models, model }) {
  chosen = { styles: style, model };
  showShares(style);
  if (changed([styles, models])) gallery.replaceChildren(...styles.map(tileOf), addTile, ...models.map(modelTileOf));
  for (const button of gallery.querySelectorAll("button:not(.delete)")) {
    const { style: ofStyle, model: ofModel } = button.dataset;
    button.setAttribute("aria-pressed", ofStyle ? style.some(({ name }) => name === ofStyle) : ofModel === model);
  }
}

function modelTileOf({ name, shipped }) {
  const caption = make("span", { className: "caption", textContent: name });
  const picture = shipped ? [make("img", { src: `/${name}.jpg`, alt: "", loading: "lazy" })] : [];
  const choose = make("button", {
    type: "button", "data-model": name, title: `${name}, a model: fast, and made for one style`,
    onclick: () => chooseModel(name),
  }, ...picture, caption);
  return make("div", { className: "tile" }, choose);
}

function tileOf({ name, size }) {
  const picture = make("img", { src: `/styles/${encodeURIComponent(name)}`, alt: name, loading: "lazy" });
  const choose = make("button", {
    type: "button", "data-style": name, title: `${name}, ${size.join(" × ")}`,
    onclick: () => chooseStyle(name),
  }, picture);
  return make("div", { className: "tile" }, choose, deleteButton(name, () => command("/api/styles/delete", { name })));
}

input.addEventListener("change", async () => {
  await add([...input.files]);
  input.value = ""; // so that the same file can be chosen again
});

async function add(files) {
  addTile.classList.add("working");
  let last = null;
  for (const file of files) last = (await store(file)) ?? last;
  addTile.classList.remove("working");
  if (last !== null) chooseStyle(last);
}

/** Uploads a picture; resolves to its name in the gallery, or to null if it was refused. */
async function store(file) {
  if (file.size > MAX_BYTES) {
    toast(`${file.name} is too large: the maximum is 30 MB`);
    return null;
  }
  const answer = await upload(`/api/styles?name=${encodeURIComponent(file.name)}`, file);
  return answer && (await answer.json()).name;
}

addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  // Null if the drag leaves the window; otherwise it only moved to another part of the page.
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  add([...event.dataTransfer.files]);
});
