// The control of a knob that is a number: a slider over the useful values and a box that takes all.

import { make } from "./dom.js";
import { hasAuto, OFF_AUTO, scaleOf } from "./scale.js";

export function numberControl(knob, id, send) {
  const scale = scaleOf(knob);
  const slider = make("input", {
    id, type: "range", min: scale.least, max: scale.most, step: scale.step, title: knob.help,
  });
  const box = make("input", {
    type: "number", inputMode: "decimal", min: knob.least, max: knob.most, step: knob.step ?? (knob.whole ? 1 : "any"),
    placeholder: hasAuto(knob) ? "auto" : "", "aria-label": `${knob.label}, exactly`,
  });

  slider.addEventListener("input", () => {
    const value = scale.valueAt(slider.valueAsNumber);
    showInBox(value);
    showFill(value);
    send(value);
  });
  box.addEventListener("change", () => {
    const value = Number.isNaN(box.valueAsNumber) ? knob.default : taken(box.valueAsNumber);
    show(value);
    send(value);
  });

  function taken(number) {
    const within = Math.min(Math.max(number, knob.least), knob.most);
    return knob.whole ? Math.round(within) : within;
  }

  function show(value) {
    slider.value = scale.positionOf(isAuto(value) ? OFF_AUTO : value);
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
    return hasAuto(knob) && value === knob.default;
  }

  return { nodes: [slider, box], inputs: [slider, box], show };
}
