// The section of one of the two GStreamer elements: its switch, presets and properties.

import { command } from "./command.js";
import { changes, make } from "./dom.js";
import { held } from "./hands.js";
import { propertyRows } from "./knobs.js";
import { maskRow } from "./masks.js";

/** Makes a function that shows the element; properties that are not among the main ones go under "More". */
export function element(name, mainProperties) {
  const section = document.querySelector(`[data-element-section="${name}"]`);
  const box = section.querySelector(`[data-switch="${name}"] input`);
  const showPresets = presets(name, section.querySelector(".presets"));
  const showProperties = propertyRows(name, mainProperties, section);
  const showMask = maskRow(name, section);

  box.addEventListener("change", () => command("/api/switch", { element: name, on: box.checked }));
  section.querySelector(".reset-all").addEventListener("click", () => command("/api/reset", { element: name }));

  return ({ elements }) => {
    const state = elements.find((element) => element.name === name);
    section.hidden = !state;
    if (!state) return;
    if (!held(box)) box.checked = state.on;
    showPresets(state.presets);
    showProperties(state.knobs);
    showMask(state.mask);
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
