// Looks: all settings, saved under a name.

import { command } from "./command.js";
import { changes, deleteButton, editToggle, make } from "./dom.js";

const chips = document.getElementById("look-chips");
const name = document.getElementById("look-name");
const changed = changes();

editToggle(document.getElementById("looks-edit"), chips);

document.getElementById("look-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await command("/api/looks/save", { name: name.value.trim() })) name.value = "";
});

export function showLooks({ looks }) {
  if (changed(looks)) chips.replaceChildren(...looks.map(chipOf));
}

function chipOf(look) {
  const load = make("button", {
    type: "button", className: "chip", "data-look": look, textContent: look,
    onclick: () => command("/api/looks/load", { name: look }),
  });
  return make("span", {}, load, deleteButton(look, () => command("/api/looks/delete", { name: look })));
}
