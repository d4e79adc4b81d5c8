// The shares of the styles, if several are painted together.

import { latestOnly } from "./command.js";
import { changes, make } from "./dom.js";
import { held } from "./hands.js";

const LEAST = 0.01;

const box = document.getElementById("shares");
const namesChanged = changes();

let rows = [];

/** Makes a function that shows the shares of styles. `paint` gets the styles with new shares. */
export function sharesOf(paint) {
  const send = latestOnly(paint);
  return (styles) => {
    box.hidden = styles.length < 2;
    if (namesChanged(styles.map(({ name }) => name))) {
      rows = styles.map(({ name }) => rowOf(name, () => send(shares())));
      box.replaceChildren(...rows.map(({ row }) => row));
    }
    if (!held(...rows.map(({ slider }) => slider))) rows.forEach(({ slider }, at) => (slider.value = styles[at].share));
    showPercents();
  };
}

function shares() {
  showPercents();
  return rows.map(({ name, slider }) => ({ name, share: slider.valueAsNumber }));
}

function showPercents() {
  const sum = rows.reduce((sum, { slider }) => sum + slider.valueAsNumber, 0);
  for (const { slider, percent } of rows) {
    slider.style.setProperty("--fill", (slider.valueAsNumber - LEAST) / (1 - LEAST));
    percent.textContent = slider.ariaValueText = `${Math.round(100 * slider.valueAsNumber / sum)} %`;
  }
}

function rowOf(name, changed) {
  const slider = make("input", {
    type: "range", min: LEAST, max: 1, step: 0.01, "data-share": name, "aria-label": `Share of ${name}`, oninput: changed,
  });
  const percent = make("span");
  const picture = make("img", { src: `/styles/${encodeURIComponent(name)}`, alt: "" });
  return { name, slider, percent, row: make("div", { className: "share" }, picture, slider, percent) };
}
