// Commands to the studio, and the toast that says why one was refused.

const TOAST_TIME = 6000;
// At most 20 commands a second while a slider moves.
const LEAST_INTERVAL = 50;

/** Sends a command; resolves to its answer, or to null where it was refused (the toast says why). */
export async function command(path, values) {
  const body = JSON.stringify(values);
  return post(path, { body, headers: { "content-type": "application/json" }, signal: AbortSignal.timeout(10000) });
}

/** Sends a file's bytes; resolves as `command` does. */
export async function upload(path, file) {
  return post(path, { body: file });
}

async function post(path, options) {
  try {
    const answer = await fetch(path, { method: "POST", ...options });
    if (answer.ok) return answer;
    toast((await answer.text()).trim() || `The studio refused (${answer.status})`);
  } catch {
    toast("The studio is not answering");
  }
  return null;
}

/**
 * Makes a function that sends the last of the values it was called with: one at a time, as commands that overtake each
 * other would leave an older value standing.
 */
export function steadily(send) {
  let waiting = [];
  let sending = false;

  return async (value) => {
    waiting = [value];
    if (sending) return;
    sending = true;
    while (waiting.length > 0) {
      await Promise.all([send(waiting.pop()), pause(LEAST_INTERVAL)]);
    }
    sending = false;
  };
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

let toastTimer;

export function toast(text) {
  const node = document.getElementById("toast");
  node.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (node.textContent = ""), TOAST_TIME);
}
