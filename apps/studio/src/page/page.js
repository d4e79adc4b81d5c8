// Connects the parts of the page: each is a function that shows its part of the state.

import { showControl } from "./control.js";
import { showEditor } from "./editor.js";
import { element } from "./element.js";
import { count } from "./figures.js";
import { showLooks } from "./looks.js";
import { showOutput } from "./output.js";
import { watchPictures } from "./pictures.js";
import { showSource } from "./source.js";
import { watchState } from "./state.js";
import { showStatus } from "./status.js";
import { showStyles } from "./styles.js";
import { showTabs } from "./tabs.js";
import { showTimeline } from "./timeline.js";

const parts = [
  showSource,
  showStyles,
  element("styletransfer", [
    "strength", "original-colors", "iterations", "content-weight", "style-scale", "size", "mask-from", "mask-invert",
  ]),
  element("convfilter", ["filter", "mix", "radius", "size", "percent"]),
  showEditor,
  showLooks,
  showControl,
  showTimeline,
  showOutput,
  showStatus,
  showTabs,
];

watchState((state) => parts.forEach((show) => show(state)));
watchPictures(count);
