// The brush, which draws a mask over the live picture.

const COLOR = [90, 216, 180];
// The part of the brush's radius that is solid; the rest fades out.
const SOLID = 0.5;
// The distance between two stamps of a stroke, in brush sizes.
const SPACING = 0.1;

const picture = document.getElementById("picture");
const canvas = document.getElementById("mask");
const context = canvas.getContext("2d", { willReadFrequently: true });
const bar = document.getElementById("brush");
const erase = document.getElementById("brush-erase");
const size = document.getElementById("brush-size");

let save;
let last = null;

/** Opens the brush, on a blank mask or on an image of one. `saveMask` gets the result: white where the brush was. */
export function drawMask(mask, saveMask) {
  save = saveMask;
  canvas.width = picture.width;
  canvas.height = picture.height;
  context.globalCompositeOperation = "source-over";
  if (mask !== null) showMask(mask);
  setErasing(false);
  canvas.hidden = bar.hidden = false;
}

function close() {
  canvas.hidden = bar.hidden = true;
  last = null;
}

/** Shows a mask's white parts in color. */
function showMask(mask) {
  context.drawImage(mask, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    data[at + 3] = data[at];
    data.set(COLOR, at);
  }
  context.putImageData(pixels, 0, 0);
}

/** The drawing as a mask: a PNG file, white on black. */
function drawn() {
  const mask = document.createElement("canvas");
  mask.width = canvas.width;
  mask.height = canvas.height;
  const target = mask.getContext("2d");
  const fill = (operation, color) => {
    target.globalCompositeOperation = operation;
    target.fillStyle = color;
    target.fillRect(0, 0, mask.width, mask.height);
  };
  target.drawImage(canvas, 0, 0);
  fill("source-in", "#fff");
  fill("destination-over", "#000");
  return new Promise((done) => mask.toBlob(done, "image/png"));
}

function setErasing(on) {
  erase.setAttribute("aria-pressed", on);
}

erase.addEventListener("click", () => setErasing(erase.getAttribute("aria-pressed") !== "true"));
size.addEventListener("input", showSize);
showSize();
document.getElementById("brush-clear").addEventListener("click", () => {
  context.clearRect(0, 0, canvas.width, canvas.height);
});
document.getElementById("brush-cancel").addEventListener("click", close);
document.getElementById("brush-done").addEventListener("click", async () => {
  if (await save(await drawn())) close();
});
addEventListener("keydown", ({ key }) => key === "Escape" && close());

function showSize() {
  size.style.setProperty("--fill", (size.value - size.min) / (size.max - size.min));
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  last = position(event);
  stamp(last);
});
canvas.addEventListener("pointermove", (event) => {
  if (!event.isPrimary || last === null) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) lineTo(position(part));
});
for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => (last = null));

/** Where the pointer is in the picture, which is centered in the canvas' box. */
function position({ clientX, clientY }) {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  return [
    (clientX - box.left - box.width / 2) / scale + canvas.width / 2,
    (clientY - box.top - box.height / 2) / scale + canvas.height / 2,
  ];
}

function brushSize() {
  return size.value * canvas.width;
}

function lineTo(end) {
  const [dx, dy] = [end[0] - last[0], end[1] - last[1]];
  const steps = Math.ceil(Math.hypot(dx, dy) / (SPACING * brushSize()));
  for (let step = 1; step <= steps; step++) stamp([last[0] + dx * step / steps, last[1] + dy * step / steps]);
  last = end;
}

function stamp([x, y]) {
  const radius = brushSize() / 2;
  const shade = context.createRadialGradient(x, y, SOLID * radius, x, y, radius);
  shade.addColorStop(0, `rgba(${COLOR}, 1)`);
  shade.addColorStop(1, `rgba(${COLOR}, 0)`);
  context.globalCompositeOperation = erase.getAttribute("aria-pressed") === "true" ? "destination-out" : "source-over";
  context.fillStyle = shade;
  context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}
