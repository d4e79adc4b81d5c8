// The editor of a shader: its WGSL with line numbers, and the studio's message at the line with the fault.

import { make, setText } from "./dom.js";

// A change is sent after this pause in typing, in milliseconds. While it does not compile, the last filter stays.
const PAUSE = 500;

const EXAMPLE = `// The brightness of a component at a pixel, from 0 to 1.
fn shade(component: u32, x: i32, y: i32) -> f32 {
    return 1.0 - sample(component, x, y);
}
`;

// The studio's message has the line, the column, and what is wrong there.
const FAULT = /shader:(\d+):(\d+): ([^]*?), in the line: /;

let showFault = () => {};

export function editorControl(property, id, send) {
  const numbers = make("pre", { className: "numbers", "aria-hidden": "true" });
  const text = make("textarea", {
    id, spellcheck: false, autocomplete: "off", autocapitalize: "off", wrap: "off", rows: 12,
    "aria-describedby": `${id}-fault`,
  });
  const fault = make("p", { id: `${id}-fault`, className: "fault", role: "status" });
  const file = make("input", { type: "file", className: "unseen", accept: ".wgsl,text/plain", "aria-label": "Open WGSL" });
  const example = make("button", { type: "button", textContent: "Example", onclick: () => set(EXAMPLE) });
  const bar = make("div", { className: "editor-bar" }, make("label", { className: "button" }, file, "Open"), example);
  const box = make("div", { className: "editor" }, numbers, text);
  let timer = null;

  text.addEventListener("input", () => {
    showLines();
    clearTimeout(timer);
    timer = setTimeout(sendNow, PAUSE);
  });
  text.addEventListener("change", () => timer !== null && sendNow());
  text.addEventListener("scroll", () => (numbers.scrollTop = text.scrollTop));
  file.addEventListener("change", async () => {
    set(await file.files[0].text());
    file.value = ""; // so that the same file can be opened again
  });
  showFault = (problem) => {
    const [, line, column, message] = FAULT.exec(problem) ?? [];
    box.classList.toggle("faulty", line !== undefined);
    text.setAttribute("aria-invalid", line !== undefined);
    if (line !== undefined) box.style.setProperty("--fault", line - 1);
    setText(fault, line === undefined ? "" : `Line ${line}, column ${column}: ${message}`);
  };
  showLines();

  return {
    nodes: [box, fault, bar],
    inputs: [text],
    show(value) {
      // What is typed may be newer than the studio's text, and setting it would move the cursor.
      if (text.value === value || document.activeElement === text || timer !== null) return;
      text.value = value;
      showLines();
    },
  };

  function set(value) {
    text.value = value;
    showLines();
    sendNow();
  }

  function sendNow() {
    clearTimeout(timer);
    timer = null;
    send(text.value);
  }

  function showLines() {
    const count = text.value.split("\n").length;
    setText(numbers, Array.from({ length: count }, (_, line) => line + 1).join("\n"));
    example.hidden = text.value.trim() !== "";
  }
}

/** Shows where the shader has a fault. */
export function showEditor({ status }) {
  showFault(status.problem ?? "");
}
