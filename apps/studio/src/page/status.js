// The status: the measurements below the picture, the progress note in its corner and the banner for errors.

import { setText } from "./dom.js";

export function showStatus({ status }) {
  const { running, problem, size, fps, viewers, filter, style } = status;
  show("problem", problem ?? "");
  show("busy", style?.busy ?? (running ? "" : "Stopped"));
  show("made", [size?.join(" × "), fps != null && `${fps.toFixed(1)} fps`]);
  show("viewers", String(viewers));
  show("filter-status", filter ? [filter.on, milliseconds(filter.ms)] : "");
  show("style-status", style ? styleFigures(style) : "");
}

function styleFigures({ network, device, painted, steps, ms }) {
  const work = steps != null && `${steps} ${steps === 1 ? "step" : "steps"} at ${painted.join(" × ")}`;
  return [network, device, work, milliseconds(ms)];
}

function milliseconds(time) {
  return time != null && `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
}

/** Shows a text, or the known ones of several texts, separated by commas. */
function show(id, text) {
  setText(document.getElementById(id), typeof text === "string" ? text : text.filter(Boolean).join(", "));
}
