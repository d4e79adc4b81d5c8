// The live picture: requests a frame, draws it and requests the next, so that a slow browser gets fewer frames, but
// never old ones.

import { keepOpen } from "./socket.js";

const HEADER_BYTES = 8;

const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");

let noteAge;

/** Draws the pictures. `drawn` gets the age of each, in milliseconds, when it is drawn. */
export function watchPictures(drawn = () => {}) {
  noteAge = drawn;
  keepOpen("/pictures", { opened: requestNext, receive: drawAndRequestNext });
}

function requestNext(socket) {
  if (socket.readyState === WebSocket.OPEN) socket.send("next");
}

async function drawAndRequestNext(message, socket) {
  const arrived = performance.now();
  const header = new DataView(message, 0, HEADER_BYTES);
  try {
    await draw(new Blob([new Uint8Array(message, HEADER_BYTES)], { type: "image/jpeg" }));
    canvas.dataset.frame = header.getUint32(0, true);
    noteAge(header.getUint32(4, true) / 1000 + performance.now() - arrived);
  } finally {
    // A frame that cannot be decoded must not stop the stream.
    requestNext(socket);
  }
}

async function draw(jpeg) {
  const bitmap = await createImageBitmap(jpeg);
  // Setting the size clears the canvas, so it is set only if it changes.
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
}
