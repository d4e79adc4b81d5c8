// The control of a property that is a number: a slider for the useful values and a box that accepts every value.

import { make } from "./dom.js";
import { hasAuto, offAuto, scaleOf } from "./scale.js";

export function numberControl(property, id, send) {
  const scale = scaleOf(property);
  const slider = make("input", {
    id, type: "range", min: scale.least, max: scale.most, step: scale.step, title: property.help,
  });
  const box = make("input", {
    type: "number", inputMode: "decimal",
    min: property.least, max: property.most, step: property.step ?? (property.whole ? 1 : "any"),
    placeholder: hasAuto(property) ? "auto" : "", "aria-label": `${property.label}, exactly`,
  });

  slider.addEventListener("input", () => {
    const value = scale.valueAt(slider.valueAsNumber);
    showInBox(value);
    showFill(value);
    send(value);
  });
  box.addEventListener("change", () => {
    const value = Number.isNaN(box.valueAsNumber) ? property.default : valid(box.valueAsNumber);
    show(value);
    send(value);
  });

  function valid(number) {
    const within = Math.min(Math.max(number, property.least), property.most);
    return property.whole ? Math.round(within) : within;
  }

  function show(value) {
    slider.value = scale.positionOf(isAuto(value) ? offAuto(property) : value);
    showInBox(value);
    showFill(value);
  }

  function showInBox(value) {
    // Six digits: numbers of 32 bits come as 0.30000001192092896.
    const text = isAuto(value) ? "" : String(Number(value.toPrecision(6)));
    if (box.value !== text) box.value = text;
  }

  function showFill(value) {
    const share = (slider.valueAsNumber - scale.least) / (scale.most - scale.least);
    slider.style.setProperty("--fill", share);
    slider.classList.toggle("auto", isAuto(value));
    slider.setAttribute("aria-valuetext", isAuto(value) ? "auto" : box.value);
  }

  function isAuto(value) {
    return hasAuto(property) && value === property.default;
  }

  return { nodes: [slider, box], inputs: [slider, box], show };
}
