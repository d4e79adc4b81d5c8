// Changes the order of a list's rows by dragging, with mouse, pen or finger.

import { make } from "./dom.js";

/** Makes the handle of a row. `moved` gets the row's new place when it is let go. */
export function dragHandle(list, moved) {
  const handle = make("span", { className: "handle", "aria-hidden": "true", textContent: "⠿" });
  let start = null;

  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    start = placeOf(handle.parentElement);
    handle.parentElement.classList.add("dragged");
  });
  handle.addEventListener("pointermove", ({ clientY }) => {
    if (start === null) return;
    const row = handle.parentElement;
    const others = [...list.children].filter((other) => other !== row);
    const next = others.find((other) => clientY < middle(other)) ?? null;
    // The row must not move without need: moving it ends the capture of the pointer in some browsers.
    if (row.nextElementSibling !== next) moveBefore(row, next);
  });
  handle.addEventListener("pointerup", () => {
    const place = end();
    if (place !== null && place.to !== place.from) moved(place.to);
  });
  handle.addEventListener("pointercancel", end);
  return handle;

  /** Moves the other rows past the dragged one, which keeps its capture of the pointer. */
  function moveBefore(row, next) {
    while (row.nextElementSibling !== next) {
      const isBelow = next === null || row.compareDocumentPosition(next) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (isBelow) row.before(row.nextElementSibling);
      else row.after(row.previousElementSibling);
    }
  }

  function end() {
    if (start === null) return null;
    const row = handle.parentElement;
    row.classList.remove("dragged");
    const place = { from: start, to: placeOf(row) };
    start = null;
    return place;
  }

  function placeOf(row) {
    return [...list.children].indexOf(row);
  }
}

function middle(row) {
  const { top, height } = row.getBoundingClientRect();
  return top + height / 2;
}
