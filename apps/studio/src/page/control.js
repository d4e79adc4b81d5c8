// Control from outside: which OSC address, MIDI control or measure of the audio moves which property, and how.

import { command } from "./command.js";
import { changes, make, selectOf, setText } from "./dom.js";
import { held } from "./hands.js";
import { rangeOf } from "./scale.js";

const CURVES = [
  { name: "linear", label: "Linear" },
  { name: "exponential", label: "Exponential" },
  { name: "logarithmic", label: "Logarithmic" },
];
// The audio moves always, so its measures are chosen instead of learnt.
const MEASURES = [{ name: "level", label: "Level" }, { name: "beat", label: "Beat" }];

const list = document.getElementById("mappings");
const changed = changes();
// What marks a property's row, and what shows a property's mapping, by element and property.
const marks = new Map();
let rows = new Map();
let mappings = [];

/** Makes the part of a property's row that maps the property: a button, and what it opens. */
export function learnPart(element, property) {
  const name = { element, property: property.name };
  const start = { ...name, ...rangeOf(property) };
  const button = make("button", { type: "button", className: "learn" });
  const waiting = make("div", { className: "waiting", hidden: true, role: "status" },
    make("span", { textContent: "Move a control" }),
    ...MEASURES.map((measure) => make("button", {
      type: "button", className: "chip", "data-measure": measure.name, textContent: measure.label,
      onclick: () => set({ ...(current(name) ? name : start), input: null, source: measure.name }),
    })),
    make("button", { type: "button", className: "quiet", textContent: "Cancel", onclick: stop }));
  button.addEventListener("click", () => waiting.hidden ? learn(start) : stop());

  marks.set(keyOf(name), ({ learning }) => {
    const mapping = current(name);
    const isLearning = learning !== null && keyOf(learning) === keyOf(name);
    const label = `${property.label}: ${mapping ? `controlled by ${sourceName(mapping.source)}` : "control from outside"}`;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", Boolean(mapping));
    button.classList.toggle("listening", isLearning);
    waiting.hidden = !isLearning;
  });
  return { button, waiting };
}

export function showControl({ control, elements }) {
  mappings = control.mappings;
  setText(document.getElementById("osc"), control.osc);
  setText(document.getElementById("midi"), control.midi);
  setText(document.getElementById("audio"), control.audio);
  setText(document.getElementById("tempo"), control.tempo ? `${Math.round(control.tempo)} per minute` : "none");
  setText(document.getElementById("control-problem"), control.problem ?? "");
  for (const mark of marks.values()) mark(control);
  const found = mappings.flatMap((mapping) => {
    const element = elements.find(({ name }) => name === mapping.element);
    const property = element?.knobs.find(({ name }) => name === mapping.property);
    return property ? [{ mapping, element, property }] : [];
  });
  if (changed(mappings.map(keyOf))) {
    rows = new Map(found.map(({ mapping, element, property }) =>
      [keyOf(mapping), rows.get(keyOf(mapping)) ?? mappingRow(element, property)]));
    list.replaceChildren(...[...rows.values()].map(({ row }) => row));
  }
  for (const { mapping } of found) rows.get(keyOf(mapping)).show(mapping, control);
}

/** A property's mapping: its name and control, and the settings under them. */
function mappingRow(element, property) {
  const name = { element: element.name, property: property.name };
  const id = `mapping-${name.element}-${name.property}`;
  const source = make("span", { className: "source-name" });
  const change = (values) => set({ ...name, ...values });
  const input = ends("Control", change, "input");
  const range = ends("Property", change, "range", property.kind === "number" ? property : null);
  range.node.hidden = property.kind !== "number";
  const curve = make("select", { id: `${id}-curve` });
  const showCurve = selectOf(curve);
  curve.addEventListener("change", () => change({ curve: curve.value }));
  const smoothing = make("input", { id: `${id}-smoothing`, type: "number", min: 0, max: 60000, step: 1 });
  smoothing.addEventListener("change", () => change({ smoothing: Math.max(0, Math.round(smoothing.valueAsNumber || 0)) }));
  const quantize = make("input", { id: `${id}-quantize`, type: "checkbox", className: "switch", role: "switch" });
  quantize.addEventListener("change", () => change({ quantize: quantize.checked }));

  const relearn = make("button", { type: "button" });
  relearn.addEventListener("click", () =>
    relearn.textContent === "Cancel" ? stop() : learn({ ...name, ...rangeOf(property) }));
  const field = (text, control) =>
    make("div", { className: "field" }, make("label", { htmlFor: control.id, textContent: text }), control);
  const row = make("details", { className: "mapping", "data-mapping": keyOf(name) },
    make("summary", {}, make("span", { textContent: `${element.label}: ${property.label}` }), source),
    input.node, range.node,
    field("Curve", curve), field("Smoothing, ms", smoothing), field("On the beat", quantize),
    make("div", { className: "field" },
      relearn,
      make("button", {
        type: "button", className: "remove", textContent: "Delete",
        onclick: () => command("/api/control/delete", name),
      })));

  return {
    row,
    show(mapping, { learning }) {
      const isLearning = learning !== null && keyOf(learning) === keyOf(name);
      setText(source, isLearning ? "Move a control" : sourceName(mapping.source));
      setText(relearn, isLearning ? "Cancel" : "Learn again");
      input.show(mapping.input);
      range.show(mapping.range);
      if (!held(curve)) showCurve(CURVES, mapping.curve);
      if (!held(smoothing)) showNumber(smoothing, mapping.smoothing);
      if (!held(quantize)) quantize.checked = mapping.quantize;
    },
  };
}

/** Two boxes for the ends of a range, which `change` receives under `name`. */
function ends(text, change, name, property = null) {
  const boxes = ["from", "to"].map((end) => make("input", {
    type: "number", step: "any", "aria-label": `${text} ${end}`, "data-end": `${name}-${end}`,
    min: property?.least ?? "", max: property?.most ?? "",
  }));
  let shown = [];
  boxes.forEach((box, index) => box.addEventListener("change", () => {
    if (Number.isNaN(box.valueAsNumber)) return showNumber(box, shown[index]);
    shown = shown.with(index, box.valueAsNumber);
    change({ [name]: shown });
  }));
  const node = make("div", { className: "field" }, make("span", { textContent: text }), boxes[0], "to", boxes[1]);
  return {
    node,
    show(values) {
      if (held(...boxes)) return;
      shown = values;
      boxes.forEach((box, index) => showNumber(box, values[index]));
    },
  };
}

function showNumber(box, number) {
  const text = String(Number(number.toPrecision(6)));
  if (box.value !== text) box.value = text;
}

function sourceName(source) {
  if (source.osc) return source.osc;
  if (source.midi) return `MIDI ${source.midi.channel}/${source.midi.control}`;
  return MEASURES.find(({ name }) => name === source).label;
}

function learn(start) {
  return command("/api/control/learn", start);
}

function stop() {
  return command("/api/control/stop", {});
}

function set(mapping) {
  return command("/api/control/set", mapping);
}

function current(name) {
  return mappings.find((mapping) => keyOf(mapping) === keyOf(name));
}

function keyOf({ element, property }) {
  return `${element}/${property}`;
}
