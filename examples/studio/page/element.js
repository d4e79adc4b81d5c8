// The section of an element of the pipeline: its switch, presets and knobs.

import { command } from "./command.js";
import { changes, make } from "./dom.js";
import { held } from "./hands.js";
import { knobs } from "./knobs.js";

/** Makes a function that shows the element; knobs that are not among the main ones go under "More". */
export function element(name, mainKnobs) {
  const section = document.querySelector(`[data-element-section="${name}"]`);
  const box = section.querySelector(`[data-switch="${name}"] input`);
  const showPresets = presets(name, section.querySelector(".presets"));
  const showKnobs = knobs(name, mainKnobs, section);

  box.addEventListener("change", () => command("/api/switch", { element: name, on: box.checked }));
  section.querySelector(".reset-all").addEventListener("click", () => command("/api/reset", { element: name }));

  return ({ elements }) => {
    const state = elements.find((element) => element.name === name);
    section.hidden = !state;
    if (!state) return;
    if (!held(box)) box.checked = state.on;
    showPresets(state.presets);
    showKnobs(state.knobs);
  };
}

function presets(name, row) {
  const changed = changes();
  return (names) => {
    if (changed(names)) row.replaceChildren(...names.map((preset) => presetChip(name, preset)));
  };
}

function presetChip(name, preset) {
  const load = () => command("/api/preset", { element: name, name: preset });
  return make("button", { type: "button", className: "chip", textContent: preset, onclick: load });
}
