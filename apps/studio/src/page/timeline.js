// The timeline: looks in an order, each with the seconds that it fades in and that it stays. The studio plays it.

import { command } from "./command.js";
import { changes, make, selectOf } from "./dom.js";
import { held } from "./hands.js";
import { timelineKeys } from "./keys.js";
import { dragHandle } from "./order.js";

const list = document.getElementById("timeline");
const look = document.getElementById("timeline-look");
const play = document.getElementById("timeline-play");
const repeat = document.getElementById("timeline-repeat");
const showLooks = selectOf(look);
const stepsChanged = changes();

let playing = false;
let rows = [];
// How often a row was dragged. The rows are then built again, also if the studio refused the new order.
let drags = 0;
// Where the focus goes after a step was moved: its new place, and the direction that it was moved in.
let focused = null;

const send = (change) => command("/api/timeline", change);

document.getElementById("timeline-form").addEventListener("submit", (event) => {
  event.preventDefault();
  send({ do: "add", look: look.value });
});
play.addEventListener("click", () => send({ do: playing ? "pause" : "play" }));
repeat.addEventListener("click", () => send({ do: "repeat", on: repeat.getAttribute("aria-pressed") !== "true" }));
for (const to of ["previous", "next"]) {
  document.getElementById(`timeline-${to}`).addEventListener("click", () => send({ do: to }));
}
timelineKeys(() => playing);

export function showTimeline({ looks, timeline: { steps, repeats, plays, current, elapsed } }) {
  playing = plays;
  showLooks(looks.map((name) => ({ name, label: name })), look.value || (looks[0] ?? ""));
  document.getElementById("timeline-part").hidden = looks.length === 0;
  document.getElementById("transport").hidden = steps.length === 0;
  play.setAttribute("aria-pressed", plays);
  play.setAttribute("aria-label", plays ? "Pause" : "Play");
  repeat.setAttribute("aria-pressed", repeats);

  if (stepsChanged([drags, steps.map((step) => step.look)])) build(steps);
  steps.forEach((step, index) => {
    const { row, fade, hold } = rows[index];
    if (!held(fade)) fade.value = step.fade;
    if (!held(hold)) hold.value = step.hold;
    const isCurrent = index === current;
    if (isCurrent) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
    const total = step.fade + step.hold;
    row.style.setProperty("--done", isCurrent && plays && total > 0 ? Math.min(elapsed / total, 1) : 0);
  });
}

function build(steps) {
  rows = steps.map((step, index) => rowOf(step.look, index, steps.length));
  list.replaceChildren(...rows.map(({ row }) => row));
  const row = list.children[focused?.index];
  (row?.querySelector(`.${focused.direction}:enabled`) ?? row?.querySelector(".show"))?.focus();
  focused = null;
}

function rowOf(name, index, count) {
  const times = () => send({ do: "time", index, fade: fade.valueAsNumber || 0, hold: hold.valueAsNumber || 0 });
  const fade = seconds(`Fade to ${name}, in seconds`, times);
  const hold = seconds(`Hold ${name}, in seconds`, times);
  const show = make("button", {
    type: "button", className: "show", textContent: name, title: `Fade to ${name}`,
    onclick: () => send({ do: "show", index }),
  });
  const row = make("li", { "data-step": name },
    dragHandle(list, async (to) => {
      await send({ do: "move", from: index, to });
      drags++;
    }),
    show,
    moveButton(name, "up", "↑", index, index - 1, count),
    moveButton(name, "down", "↓", index, index + 1, count),
    make("button", {
      type: "button", className: "quiet remove", "aria-label": `Remove ${name} from the timeline`,
      onclick: () => send({ do: "remove", index }),
    }, "×"),
    make("div", { className: "times" },
      make("label", {}, "Fade", fade, "s"), make("label", {}, "Hold", hold, "s")));
  return { row, fade, hold };
}

function seconds(label, changed) {
  return make("input", {
    type: "number", inputMode: "decimal", min: 0, step: "any", "aria-label": label, onchange: changed,
  });
}

function moveButton(name, direction, sign, from, to, count) {
  return make("button", {
    type: "button", className: `quiet ${direction}`, "aria-label": `Move ${name} ${direction}`,
    disabled: to < 0 || to >= count,
    onclick() {
      focused = { index: to, direction };
      send({ do: "move", from, to });
    },
  }, sign);
}
