// The output page, which shows nothing but the picture: for a projector, or a browser source of OBS. A click or the key
// F fills the screen; the timeline's keys work here, too.

import { timelineKeys } from "./keys.js";
import { watchPictures } from "./pictures.js";
import { watchState } from "./state.js";

let playing = false;

watchPictures();
watchState(({ timeline }) => (playing = timeline.plays));
timelineKeys(() => playing);

addEventListener("click", toggleFullScreen);
addEventListener("keydown", ({ key }) => (key === "f" || key === "F") && toggleFullScreen());

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
}

// The screen must not go dark during a show. Browsers offer this on https and localhost only, and end it whenever the
// page is hidden.
document.addEventListener("visibilitychange", stayAwake);
stayAwake();

async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // The battery is low, or the user forbids it.
  }
}
