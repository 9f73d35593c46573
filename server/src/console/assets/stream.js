// Server-sent events over fetch, because EventSource cannot send a header: the key is never in an address.

const PATIENCE = 10_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

// Why there is no stream.
class Refused extends Error {
  constructor(response, detail) {
    super(detail);
    this.status = response.status;
    this.isFull = response.headers.has('Retry-After');
  }
}

// Splits bytes into events; gives back what is not yet whole.
export function events(text, told) {
  let end;
  while ((end = text.indexOf('\n\n')) >= 0) {
    const lines = text.slice(0, end).split('\n');
    text = text.slice(end + 2);
    const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = field('data');
    if (data !== undefined) told(field('event') ?? 'message', JSON.parse(data));
  }
  return text;
}

async function detail(response) {
  try {
    return (await response.json()).detail ?? '';
  } catch {
    return '';
  }
}

// Keeps a stream open with a key until it is closed. It tells:
//   opening()                  a connection is being made
//   event(name, data)          something was sent
//   refused(status, detail)    the key is not good, or there is no page: nothing more will come
//   broken(why, milliseconds)  the stream ended, and is tried again after so long
export class Feed {
  #address;
  #key;
  #told;
  #attempts = 0;
  #abort = null;
  #timer = null;
  #closed = false;

  constructor(address, key, told) {
    this.#address = address;
    this.#key = key;
    this.#told = told;
  }

  async open() {
    clearTimeout(this.#timer);
    this.#told.opening();
    let why;
    try {
      why = await this.#read();
    } catch (error) {
      if (error instanceof Refused) {
        if ([401, 403, 404].includes(error.status)) {
          if (!this.#closed) this.#told.refused(error.status, error.message);
          return;
        }
        why = error.status === 429 ? 'busy' : error.isFull ? 'full' : 'error';
      } else {
        why = 'lost';
      }
    }
    if (this.#closed) return;
    if (why === 'key') {
      this.#told.refused(401, 'This key is no longer good.');
      return;
    }
    // Spread, so that many pages do not come back together.
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#attempts) * (0.75 + Math.random() / 2);
    this.#attempts += 1;
    this.#told.broken(why, pause);
    this.#timer = setTimeout(() => this.open(), pause);
  }

  // Does not wait for the next attempt.
  now() {
    this.#attempts = 0;
    if (this.#timer !== null) this.open();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  // Reads until the end, and says why it came.
  async #read() {
    this.#timer = null;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => this.#abort.abort(), PATIENCE);
    };
    alive();
    try {
      const headers = { Authorization: `Bearer ${this.#key}`, Accept: 'text/event-stream' };
      const options = { headers, signal, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' };
      const response = await fetch(this.#address, options);
      if (!response.ok) throw new Refused(response, await detail(response));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let [rest, why] = ['', 'lost'];
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return why;
        alive();
        rest = events(rest + value, (name, data) => {
          this.#attempts = 0;
          if (name === 'end') why = data;
          else this.#told.event(name, data);
        });
      }
    } finally {
      clearTimeout(watchdog);
    }
  }
}
