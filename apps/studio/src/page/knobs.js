// The properties of an element: each has a row with its name, a control and a button that resets it. The studio's JSON
// calls properties knobs.

import { choiceControl, switchControl, textControl } from "./controls.js";
import { command, latestOnly } from "./command.js";
import { learnPart } from "./control.js";
import { changes, make } from "./dom.js";
import { editorControl } from "./editor.js";
import { held } from "./hands.js";
import { numberControl } from "./number.js";
import { hasAuto, offAuto } from "./scale.js";

const CONTROLS = { number: numberControl, choice: choiceControl, switch: switchControl, text: textControl };

/** Makes a function that shows an element's properties. The rows are rebuilt only if the list of names changes. */
export function propertyRows(element, mainProperties, section) {
  const [main, more] = section.querySelectorAll(".knobs");
  const changed = changes();
  const rows = new Map();

  return (list) => {
    if (changed(list.map((property) => property.name))) build(list);
    const filter = list.find((property) => property.name === "filter")?.value;
    for (const property of list) {
      const { row, show } = rows.get(property.name);
      row.hidden = Boolean(property.for) && !property.for.includes(filter);
      show(property);
    }
  };

  function build(list) {
    rows.clear();
    for (const property of list) rows.set(property.name, propertyRow(element, property));
    const rowsOf = (some) => some.map((property) => rows.get(property.name).row);
    main.replaceChildren(...rowsOf(list.filter(isMain).sort((a, b) => place(a) - place(b))));
    more.replaceChildren(...rowsOf(list.filter((property) => !isMain(property))));
    more.parentElement.hidden = more.children.length === 0;
  }

  // Properties that only some filters use are main properties of those filters: users must not search for them.
  function isMain(property) {
    return mainProperties.includes(property.name) || Boolean(property.for);
  }

  function place(property) {
    return mainProperties.includes(property.name) ? mainProperties.indexOf(property.name) : mainProperties.length;
  }
}

function propertyRow(element, property) {
  const id = `${element}-${property.name}`;
  const send = latestOnly((value) => command("/api/knob", { element, name: property.name, value }));
  const reset = hasAuto(property) ? autoButton(property, set) : resetButton(property, set);
  const makeControl = property.name === "shader" ? editorControl : CONTROLS[property.kind];
  const control = makeControl(property, id, (value) => {
    reset.show(value);
    send(value);
  });

  const label = make("label", { htmlFor: id, title: property.help, textContent: property.label });
  const [ask, help] = helpOf(property, id);
  // A control from outside sends numbers, no texts.
  const learn = property.kind === "text" ? null : learnPart(element, property);
  const row = make("div", {
    className: "knob", "data-element": element, "data-knob": property.name, "data-kind": property.kind,
  }, make("div", { className: "name" }, label, ask, ...(learn ? [learn.button] : []), reset.button),
    ...control.nodes, help, ...(learn ? [learn.waiting] : []));
  row.addEventListener("dblclick", ({ target }) => {
    if (target === label || target.type === "range") set(property.default);
  });

  // Shows the value itself: for a while, the studio's state does not overwrite a control that was just moved.
  function set(value) {
    show(value);
    send(value);
  }

  function show(value) {
    control.show(value);
    reset.show(value);
  }

  return {
    row,
    show({ value }) {
      if (!held(...control.inputs)) show(value);
    },
  };
}

/** The button that shows a property's help, and the help. */
function helpOf(property, id) {
  const help = make("p", { id: `${id}-help`, className: "hint help", hidden: true, textContent: property.help });
  const ask = make("button", {
    type: "button", className: "quiet ask", "aria-label": `Help for ${property.label}`, "aria-expanded": false,
    "aria-controls": help.id,
    onclick() {
      help.hidden = !help.hidden;
      ask.setAttribute("aria-expanded", !help.hidden);
    },
  });
  return [ask, help];
}

function resetButton(property, set) {
  const label = `Reset ${property.label}`;
  const button = make("button", { type: "button", className: "quiet", "aria-label": label }, "Reset");
  button.addEventListener("click", () => set(property.default));
  return { button, show: (value) => button.classList.toggle("needless", value === property.default) };
}

function autoButton(property, set) {
  const label = `${property.label}: auto`;
  const button = make("button", { type: "button", className: "quiet", "aria-label": label }, "Auto");
  const isOn = () => button.getAttribute("aria-pressed") === "true";
  button.addEventListener("click", () => set(isOn() ? offAuto(property) : property.default));
  return { button, show: (value) => button.setAttribute("aria-pressed", value === property.default) };
}
