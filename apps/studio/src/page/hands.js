// Tracks the controls that the user is changing: a state from the studio must not overwrite them.

// After its last input, a control is left alone for this time, in milliseconds.
const HOLD_TIME = 1000;

const pressed = new Map(); // pressed controls by pointer: several fingers may move several sliders
const lastInput = new WeakMap();
const unsent = new WeakSet(); // boxes with text that was typed but not confirmed yet

addEventListener("pointerdown", (event) => pressed.set(event.pointerId, event.target), true);
addEventListener("pointerup", release, true);
addEventListener("pointercancel", release, true);
addEventListener("input", ({ target }) => {
  lastInput.set(target, performance.now());
  if (target.matches("[type=text], [type=number]")) unsent.add(target);
}, true);
addEventListener("change", ({ target }) => {
  lastInput.set(target, performance.now());
  unsent.delete(target);
}, true);
addEventListener("focusout", ({ target }) => unsent.delete(target), true);

function release(event) {
  const control = pressed.get(event.pointerId);
  if (control?.matches("input")) lastInput.set(control, performance.now());
  pressed.delete(event.pointerId);
}

export function held(...controls) {
  const pressedNow = [...pressed.values()];
  return controls.some((control) =>
    pressedNow.includes(control) ||
    unsent.has(control) ||
    performance.now() - (lastInput.get(control) ?? -Infinity) < HOLD_TIME);
}
