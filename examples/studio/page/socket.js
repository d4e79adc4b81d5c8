// A WebSocket that is opened again whenever it breaks; the page says so meanwhile.

const LEAST_PAUSE = 500;
const MOST_PAUSE = 5000;
// The state comes once a second: a silence this long means that the studio or the network is gone, even where the
// browser has not noticed (as on a phone that left the wireless network).
const MOST_SILENCE = 6000;

const broken = new Set();

export function keepOpen(path, { opened = () => {}, receive }) {
  let pause = LEAST_PAUSE;

  function open() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    socket.binaryType = "arraybuffer";
    const silence = setInterval(() => performance.now() - lastHeard > MOST_SILENCE && fail(), 1000);

    socket.onopen = () => {
      heard();
      pause = LEAST_PAUSE;
      mark(path, false);
      opened(socket);
    };
    socket.onmessage = ({ data }) => {
      heard();
      receive(data, socket);
    };
    socket.onclose = fail;

    function fail() {
      clearInterval(silence);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      mark(path, true);
      setTimeout(open, pause);
      pause = Math.min(2 * pause, MOST_PAUSE);
    }
  }

  heard();
  open();
}

let lastHeard;

function heard() {
  lastHeard = performance.now();
}

function mark(path, isBroken) {
  if (isBroken) broken.add(path);
  else broken.delete(path);
  document.body.classList.toggle("lost", broken.size > 0);
  document.getElementById("lost").textContent = broken.size > 0 ? "The studio is not answering; trying again" : "";
}
