// The timeline's keys, which also presenters' remote controls send.

import { command } from "./command.js";

const KEYS = { ArrowRight: "next", PageDown: "next", ArrowLeft: "previous", PageUp: "previous" };

/** Listens to the keys. `isPlaying` says whether the timeline plays. */
export function timelineKeys(isPlaying) {
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || target.closest("input, select, textarea")) return;
    const change = key === " " && !target.closest("button, a, summary") ? (isPlaying() ? "pause" : "play") : KEYS[key];
    if (!change) return;
    event.preventDefault();
    command("/api/timeline", { do: change });
  });
}
