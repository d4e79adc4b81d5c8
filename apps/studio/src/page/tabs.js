// The tabs of a narrow screen, which shows one section at a time.

const tabs = [...document.querySelectorAll("#tabs button")];

for (const tab of tabs) tab.addEventListener("click", () => choose(tab.dataset.tab));
choose("style");

function choose(name) {
  for (const tab of tabs) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-pressed", chosen);
    document.getElementById(tab.dataset.tab).classList.toggle("chosen", chosen);
  }
  document.getElementById("panel").scrollTop = 0;
}

/** Marks the tabs whose element or output is on, and that of control if there are mappings. */
export function showTabs({ elements, control, output }) {
  const on = (name) => elements.some((element) => element.name === name && element.on);
  mark("style", on("styletransfer"));
  mark("filter", on("convfilter"));
  mark("control", control.mappings.length > 0);
  mark("output", output.file !== null || output.camera !== null);
}

function mark(name, lit) {
  document.querySelector(`#tabs [data-tab="${name}"]`).classList.toggle("lit", lit);
}
