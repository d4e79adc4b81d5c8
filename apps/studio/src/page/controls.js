// The controls of properties that are choices, switches and texts. `send` is called with each value that the user sets.

import { make, selectOf, setText } from "./dom.js";

// A select cuts off longer labels, so they are repeated below it.
const LONG_LABEL = 36;

export function choiceControl(property, id, send) {
  const select = make("select", { id });
  const whole = make("p", { className: "hint" });
  const showChoice = selectOf(select);
  const showWhole = () => {
    const label = select.selectedOptions[0]?.textContent ?? "";
    setText(whole, label.length > LONG_LABEL ? label : "");
  };
  select.addEventListener("change", () => {
    showWhole();
    send(select.value);
  });
  return {
    nodes: [select, whole],
    inputs: [select],
    show(value) {
      showChoice(property.choices, value);
      showWhole();
    },
  };
}

export function switchControl(property, id, send) {
  const box = make("input", { id, type: "checkbox", className: "switch", role: "switch" });
  box.addEventListener("change", () => send(box.checked));
  return { nodes: [box], inputs: [box], show: (value) => (box.checked = value) };
}

export function textControl(property, id, send) {
  const box = make("input", { id, type: "text", spellcheck: false, autocomplete: "off", autocapitalize: "off" });
  box.addEventListener("change", () => send(box.value));
  return {
    nodes: [box],
    inputs: [box],
    show(value) {
      // Setting the same text again would move the cursor.
      if (box.value !== value) box.value = value;
    },
  };
}
