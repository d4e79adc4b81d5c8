// A WebSocket that reconnects whenever it breaks; until then the page shows a message.

const MIN_PAUSE = 500;
const MAX_PAUSE = 5000;
// The state comes once a second. After a silence this long the studio or the network is gone, even if the browser has
// not noticed (for example on a phone that left the wireless network).
const MAX_SILENCE = 6000;

const broken = new Set();

export function keepOpen(path, { opened = () => {}, receive }) {
  let pause = MIN_PAUSE;

  function open() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    socket.binaryType = "arraybuffer";
    const silence = setInterval(() => performance.now() - lastReceived > MAX_SILENCE && fail(), 1000);

    socket.onopen = () => {
      noteReceived();
      pause = MIN_PAUSE;
      mark(path, false);
      opened(socket);
    };
    socket.onmessage = ({ data }) => {
      noteReceived();
      receive(data, socket);
    };
    socket.onclose = fail;

    function fail() {
      clearInterval(silence);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      mark(path, true);
      setTimeout(open, pause);
      pause = Math.min(2 * pause, MAX_PAUSE);
    }
  }

  noteReceived();
  open();
}

let lastReceived;

function noteReceived() {
  lastReceived = performance.now();
}

function mark(path, isBroken) {
  if (isBroken) broken.add(path);
  else broken.delete(path);
  document.body.classList.toggle("lost", broken.size > 0);
  const note = document.getElementById("lost");
  // The output page shows no texts.
  if (note) note.textContent = broken.size > 0 ? "No connection to the studio; reconnecting" : "";
}
