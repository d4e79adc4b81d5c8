// The mask of an element: where it has an effect. It is drawn, chosen with a file dialog, or dropped on its row.

import { drawMask } from "./brush.js";
import { upload } from "./command.js";
import { make } from "./dom.js";

/** Adds the row of an element's mask below its main properties; returns a function that shows the mask's name. */
export function maskRow(element, section) {
  const image = make("img", { alt: "", hidden: true });
  const draw = make("button", { type: "button", className: "draw", textContent: "Draw" });
  const input = make("input", { type: "file", className: "unseen", accept: "image/*", "aria-label": "Choose a mask" });
  const choose = make("label", { className: "button" }, input, "Choose");
  const remove = make("button", { type: "button", className: "quiet remove", textContent: "Remove", hidden: true });
  const row = make("div", { className: "mask", role: "group", "aria-label": "Mask" },
    make("span", { textContent: "Mask" }), image, draw, choose, remove);
  section.querySelector(".knobs").after(row);

  const send = (file) => upload(`/api/mask?element=${element}`, file);
  draw.addEventListener("click", () => drawMask(image.hidden ? null : image, send));
  input.addEventListener("change", async () => {
    await send(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  remove.addEventListener("click", () => send(""));
  row.addEventListener("drop", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation(); // elsewhere, dropped pictures become styles
    document.body.classList.remove("dropping");
    send(event.dataTransfer.files[0]);
  });

  return (name) => {
    image.hidden = remove.hidden = name === null;
    const source = `/masks/${encodeURIComponent(name)}`;
    if (name !== null && image.getAttribute("src") !== source) image.src = source;
  };
}
