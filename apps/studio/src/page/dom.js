// Small helpers that build parts of the page and update them.

/** Makes an element. Names with a dash, and `role`, become attributes, all others DOM properties. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** Sets a text only if it changes: this keeps the user's selection, and screen readers do not read it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a function that returns whether its argument differs from that of the previous call. */
export function changes() {
  let last;
  return (thing) => {
    const now = JSON.stringify(thing);
    const changed = now !== last;
    last = now;
    return changed;
  };
}

/** Makes a function that shows `{name, label}` choices in a select. The options are rebuilt only if they change. */
export function selectOf(select) {
  const changed = changes();
  return (choices, value) => {
    if (changed(choices)) {
      select.replaceChildren(...choices.map(({ name, label }) => make("option", { value: name, textContent: label })));
    }
    if (select.value !== value) select.value = value;
    select.title = select.selectedOptions[0]?.textContent ?? "";
  };
}

/** Makes a button toggle the delete buttons of a list. */
export function editToggle(button, list) {
  button.addEventListener("click", () => {
    const editing = list.classList.toggle("editing");
    button.setAttribute("aria-pressed", editing);
    button.textContent = editing ? "Done" : "Edit";
  });
}

export function deleteButton(name, remove) {
  return make("button", { type: "button", className: "delete", "aria-label": `Delete ${name}`, onclick: remove }, "×");
}
