// The measurements of the pictures that the page draws: how many, and how old they are.

const FPS_WINDOW = 2000;

let drawnAt = [];
let delay = null;

setInterval(showFigures, 500);

/** Counts a picture of this age. */
export function count(milliseconds) {
  drawnAt.push(performance.now());
  delay = delay === null ? milliseconds : delay + 0.1 * (milliseconds - delay);
}

function showFigures() {
  const since = performance.now() - FPS_WINDOW;
  drawnAt = drawnAt.filter((time) => time > since);
  const fps = drawnAt.length / (FPS_WINDOW / 1000);
  document.getElementById("fps").textContent = `${fps.toFixed(1)} fps`;
  document.getElementById("delay").textContent = delay === null ? "" : `${Math.round(delay)} ms`;
}
