// The service as this page asks it: requests as values, their answers, their curl lines.

// Relative to the page, so that it also works below a prefix of some proxy.
const ROOT = new URL(".", document.baseURI);

/** What the service (with its status), or the network, says against a request, in words for
 * people. */
export class Refusal extends Error {
  constructor(message, status = undefined) {
    super(message);
    this.status = status;
  }
}

/** A request: GET without a body, POST of JSON with one. */
export function request(model, verb, query = {}, body = undefined) {
  return { path: `models/${encodeURI(model.id)}/${verb}`, query, body };
}

function address({ path, query }) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) url.searchParams.append(name, one);
  }
  return url;
}

async function ask(asked) {
  const post = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked.body),
  };
  let answer;
  try {
    answer = await fetch(address(asked), asked.body ? post : {});
  } catch {
    throw new Refusal("The service does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const { title = `Status ${answer.status}`, detail = "the service gave no reason" } = problem;
  throw new Refusal(`${title}: ${detail}`, answer.status);
}

/** The answer as JSON. */
export async function json(asked) {
  return (await ask(asked)).json();
}

/** What an answer says of itself under a name. */
export async function header(asked, name) {
  return (await ask(asked)).headers.get(name);
}

/** The same question, whose answer is drawn as `look` says. */
export const drawn = (asked, look) => ({ ...asked, query: { ...asked.query, ...look } });

/** The pictures of an answer, each the base64 of a PNG. */
export async function pictures(asked) {
  return (await json(drawn(asked, { format: "json" }))).images;
}

/** The answer as a file of a format. */
export async function file(asked, format) {
  return (await ask(drawn(asked, { format }))).blob();
}

export async function models() {
  return json({ path: "models", query: {} });
}

/** A body in a shell: what the line before it writes. */
export const PIPED = "@-";

/** The line that asks the same in a shell; `output` is the file it writes, "-" to write on. */
export function curl(asked, output) {
  const url = quoted(address(asked).href);
  if (!asked.body) return `curl -o ${output} ${url}`;
  const body = asked.body === PIPED ? PIPED : quoted(JSON.stringify(asked.body));
  return `curl -o ${output} -H 'Content-Type: application/json' -d ${body} ${url}`;
}

// An address can come from anyone, and its lines are pasted into shells.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** `run`, one call at a time: of the calls made meanwhile only the last one is run. */
export function latest(run) {
  let running = false;
  let waiting = null;
  return async (...call) => {
    waiting = call;
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await run(...next);
      }
    } finally {
      running = false;
    }
  };
}

/** The same, and `tell` is given what went wrong, in words, or "" when nothing did. */
export function attempt(tell, run) {
  return latest(async (...call) => {
    try {
      await run(...call);
      tell("");
    } catch (error) {
      tell(error instanceof Refusal ? error.message : `The page failed: ${error.message}`);
      if (!(error instanceof Refusal)) console.error(error);
    }
  });
}
