// The knobs of an element: a row each, with a name, a control of the knob's kind and a button back to the default.

import { choiceControl, switchControl, textControl } from "./controls.js";
import { command, steadily } from "./command.js";
import { changes, make } from "./dom.js";
import { held } from "./hands.js";
import { numberControl } from "./number.js";
import { hasAuto, OFF_AUTO } from "./scale.js";

const CONTROLS = { number: numberControl, choice: choiceControl, switch: switchControl, text: textControl };

/** Makes a function that shows an element's knobs, with controls that are built once per list of their names. */
export function knobs(element, mainKnobs, section) {
  const [main, more] = section.querySelectorAll(".knobs");
  const changed = changes();
  const rows = new Map();

  return (list) => {
    if (changed(list.map((knob) => knob.name))) build(list);
    const filter = list.find((knob) => knob.name === "filter")?.value;
    for (const knob of list) {
      const { row, show } = rows.get(knob.name);
      row.hidden = Boolean(knob.for) && !knob.for.includes(filter);
      show(knob);
    }
  };

  function build(list) {
    rows.clear();
    for (const knob of list) rows.set(knob.name, knobRow(element, knob));
    const rowsOf = (some) => some.map((knob) => rows.get(knob.name).row);
    main.replaceChildren(...rowsOf(list.filter(isMain).sort((a, b) => place(a) - place(b))));
    more.replaceChildren(...rowsOf(list.filter((knob) => !isMain(knob))));
    more.parentElement.hidden = more.children.length === 0;
  }

  // Knobs that only some filters use are what the chosen filter needs: they are not hidden away.
  function isMain(knob) {
    return mainKnobs.includes(knob.name) || Boolean(knob.for);
  }

  function place(knob) {
    return mainKnobs.includes(knob.name) ? mainKnobs.indexOf(knob.name) : mainKnobs.length;
  }
}

function knobRow(element, knob) {
  const id = `${element}-${knob.name}`;
  const send = steadily((value) => command("/api/knob", { element, name: knob.name, value }));
  const back = hasAuto(knob) ? autoButton(knob, set) : resetButton(knob, set);
  const control = CONTROLS[knob.kind](knob, id, (value) => {
    back.show(value);
    send(value);
  });

  const label = make("label", { htmlFor: id, title: knob.help, textContent: knob.label });
  const row = make("div", {
    className: "knob", "data-element": element, "data-knob": knob.name, "data-kind": knob.kind,
  }, make("div", { className: "name" }, label, back.button), ...control.nodes);
  row.addEventListener("dblclick", ({ target }) => {
    if (target === label || target.type === "range") set(knob.default);
  });

  // Shown at once, as the state does not overwrite a control that was just moved.
  function set(value) {
    show(value);
    send(value);
  }

  function show(value) {
    control.show(value);
    back.show(value);
  }

  return {
    row,
    show({ value }) {
      if (!held(...control.inputs)) show(value);
    },
  };
}

function resetButton(knob, set) {
  const button = make("button", { type: "button", className: "quiet", "aria-label": `Reset ${knob.label}` }, "Reset");
  button.addEventListener("click", () => set(knob.default));
  return { button, show: (value) => button.classList.toggle("needless", value === knob.default) };
}

function autoButton(knob, set) {
  const button = make("button", { type: "button", className: "quiet", "aria-label": `${knob.label}: auto` }, "Auto");
  const isOn = () => button.getAttribute("aria-pressed") === "true";
  button.addEventListener("click", () => set(isOn() ? OFF_AUTO : knob.default));
  return { button, show: (value) => button.setAttribute("aria-pressed", value === knob.default) };
}
