// The choice of the source.

import { command } from "./command.js";
import { selectOf } from "./dom.js";
import { held } from "./hands.js";

const select = document.getElementById("source");
const show = selectOf(select);

select.addEventListener("change", () => command("/api/source", { name: select.value }));

export function showSource({ sources, source }) {
  if (!held(select)) show(sources, source);
}
