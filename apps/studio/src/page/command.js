// Commands to the studio, and the toast that says why one was refused.

const TOAST_TIME = 6000;
// At most 20 commands per second while a slider moves.
const MIN_INTERVAL = 50;

/** Sends a command; resolves to the answer, or to null if the command was refused (the toast says why). */
export async function command(path, values) {
  const body = JSON.stringify(values);
  return post(path, { body, headers: { "content-type": "application/json" }, signal: AbortSignal.timeout(10000) });
}

/** Uploads a file; resolves as `command` does. */
export async function upload(path, file) {
  return post(path, { body: file });
}

async function post(path, options) {
  try {
    const answer = await fetch(path, { method: "POST", ...options });
    if (answer.ok) return answer;
    toast((await answer.text()).trim() || `The studio refused the command (HTTP ${answer.status})`);
  } catch {
    toast("The studio does not respond");
  }
  return null;
}

/**
 * Wraps `send` so that only the latest value is sent, and one command at a time: if commands overtook each other, an
 * older value would win.
 */
export function latestOnly(send) {
  let waiting = [];
  let sending = false;

  return async (value) => {
    waiting = [value];
    if (sending) return;
    sending = true;
    while (waiting.length > 0) {
      await Promise.all([send(waiting.pop()), pause(MIN_INTERVAL)]);
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
