// Chromium's own protocol over a pipe: what a test does to a page, and everything that the page does meanwhile.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FLAGS, chromium } from './browser.mjs';

const PATIENCE = 60_000;

export const until = async (what, check, patience = PATIENCE) => {
  const end = Date.now() + patience;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

export class Browser {
  #process;
  #profile;
  #rest = '';
  #next = 1;
  #asked = new Map();
  #heard = [];

  static async start() {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), 'burgee-chromium-'));
    const flags = [...FLAGS, '--remote-debugging-pipe', '--hide-scrollbars', `--user-data-dir=${browser.#profile}`, 'about:blank'];
    browser.#process = spawn(chromium(), flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    browser.#process.stdio[4].setEncoding('utf8');
    browser.#process.stdio[4].on('data', (piece) => browser.#read(piece));
    browser.#process.on('exit', () => browser.#fail(new Error('Chromium has left')));
    return browser;
  }

  #read(piece) {
    const messages = (this.#rest + piece).split('\0');
    this.#rest = messages.pop();
    for (const text of messages) {
      const message = JSON.parse(text);
      const asked = this.#asked.get(message.id);
      if (!asked) {
        for (const hear of this.#heard) hear(message);
        continue;
      }
      this.#asked.delete(message.id);
      if (message.error) asked.reject(new Error(`${asked.method}: ${message.error.message}`));
      else asked.resolve(message.result);
    }
  }

  #fail(error) {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#asked.set(id, { method, resolve, reject }));
  }

  // Opens an empty page. `requests` and `complaints` grow with what it asks for and what it writes to its console.
  async page() {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId);
    this.#heard.push((message) => message.sessionId === sessionId && page.hear(message));
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
    return page;
  }

  async close() {
    const gone = new Promise((resolve) => (this.#process.exitCode === null ? this.#process.once('exit', resolve) : resolve()));
    this.#process.kill('SIGKILL');
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

class Page {
  #browser;
  #session;
  requests = [];
  complaints = [];

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  hear({ method, params }) {
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request);
    if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(params.type)) {
      this.complaints.push(params.args.map((argument) => argument.value ?? argument.description).join(' '));
    }
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
  }

  open(url) {
    return this.send('Page.navigate', { url });
  }

  // Evaluates an expression, which may be a promise, and gives back its value.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression.slice(0, 200)}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  until(what, expression, patience) {
    const holds = async () => {
      try {
        return await this.evaluate(expression);
      } catch (error) {
        // While a page gives way to another.
        if (/context/.test(error.message)) return false;
        throw error;
      }
    };
    return until(what, holds, patience);
  }

  size(width, height) {
    return this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 700 });
  }

  prefer(features) {
    const list = Object.entries(features).map(([name, value]) => ({ name, value }));
    return this.send('Emulation.setEmulatedMedia', { features: list });
  }

  async type(text) {
    await this.send('Input.insertText', { text });
  }

  async press(key) {
    const codes = { Enter: 13, Tab: 9, ArrowLeft: 37, ArrowRight: 39, Escape: 27 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key], text: key === 'Enter' ? '\r' : undefined };
    await this.send('Input.dispatchKeyEvent', { ...event, type: 'keyDown' });
    await this.send('Input.dispatchKeyEvent', { ...event, type: 'keyUp' });
  }

  // The whole page as a picture.
  async picture() {
    const { cssContentSize } = await this.send('Page.getLayoutMetrics');
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: cssContentSize.height, scale: 1 };
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
    return Buffer.from(data, 'base64');
  }
}
