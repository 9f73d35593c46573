// Runs a page of this folder in headless Chromium, with the packages it imports, and gives back what it posts.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

// In a closed network Chromium must not look for anything by itself.
export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

export function chromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
  const folders = (process.env.PATH ?? '').split(':').concat('/usr/bin', '/usr/lib/chromium');
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync);
  if (!found) throw new Error(`Chromium is missing: ./integration-tests/run installs it (looked for ${names.join(', ')})`);
  return found;
}

// Serves this folder; what the page posts to /told goes to `told`.
function serve(told) {
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = '';
      for await (const piece of request) body += piece;
      response.end();
      told(JSON.parse(body));
      return;
    }
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://page').pathname));
    try {
      const content = await readFile(join(HERE, path));
      response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// Opens a page with a query, hands each thing it tells to `told`, and waits until that returns true.
export async function open(page, query, told, patience = 60_000) {
  let finish;
  const finished = new Promise((resolve, reject) => (finish = { resolve, reject }));
  const server = await serve((message) => {
    if (told(message)) finish.resolve();
  });
  const profile = await mkdtemp(join(tmpdir(), 'burgee-chromium-'));
  const address = `http://127.0.0.1:${server.address().port}/${page}?${new URLSearchParams(query)}`;
  let log = '';
  const browser = spawn(chromium(), [...FLAGS, `--user-data-dir=${profile}`, address], { stdio: ['ignore', 'ignore', 'pipe'] });
  browser.stderr.on('data', (piece) => (log = (log + piece).slice(-20_000)));
  browser.on('error', finish.reject);
  browser.on('exit', (code) => finish.reject(new Error(`Chromium left with ${code}`)));
  const timer = setTimeout(() => finish.reject(new Error(`the page was not done after ${patience} ms`)), patience);
  try {
    await finished;
  } catch (error) {
    console.log(log);
    throw error;
  } finally {
    clearTimeout(timer);
    const gone = new Promise((resolve) => (browser.exitCode === null ? browser.once('exit', resolve) : resolve()));
    browser.kill('SIGKILL');
    await gone;
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
