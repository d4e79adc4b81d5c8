// The socket that receives the whole state of the studio, upon every change and once a second.

import { keepOpen } from "./socket.js";

export function watchState(show) {
  keepOpen("/state", { receive: (text) => show(JSON.parse(text)) });
}
