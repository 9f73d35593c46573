// Watches a server in Chromium as an operator does, with load on it, and checks what the page shows and does.
//
// Usage: console.mjs FILE FOLDER KEY. FILE holds the server's address, read at each connection; pictures go to FOLDER. When it prints
// "stop", whoever runs it stops the server, and when it prints "start", starts another and writes its address.

import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Checks } from './checks.mjs';
import { Browser, until } from './devtools.mjs';

const [, , addressFile, pictures, key] = process.argv;
const checks = new Checks();
const check = checks.check.bind(checks);
const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

const address = () => readFileSync(addressFile, 'utf8');

// A place that stays the same while servers come and go, as a balancer does.
function relay() {
  const server = createServer((client) => {
    const [host, port] = address().split(':');
    const upstream = connect(Number(port), host);
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// Asks for flags, again and again, until it is told to stop; gives back how often.
function load(flows = 4) {
  let goesOn = true;
  let answered = 0;
  const flow = async (number) => {
    for (let turn = 0; goesOn; turn += 1) {
      const body = JSON.stringify({ token: 'phc_local_dev', distinct_id: `user-${number}-${turn % 1_000}` });
      const answer = await fetch(`http://${address()}/flags?v=2`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      await answer.arrayBuffer();
      answered += 1;
    }
  };
  const flowing = Promise.all(Array.from({ length: flows }, (_, number) => flow(number)));
  return async () => {
    goesOn = false;
    await flowing;
    return answered;
  };
}

async function counted(route) {
  const text = await (await fetch(`http://${address()}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('burgee_http_requests_total{') && line.includes(`route="${route}"`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const text = (selector) => `(document.querySelector(${JSON.stringify(selector)})?.textContent ?? '')`;
const isConnected = (state) => `document.body?.dataset.connection === '${state}'`;
const vital = (name) => text(`[data-vital=${name}] dd`);

// The figures are there, and all charts have their lines.
async function settled(page) {
  await page.until('the page to be live', isConnected('live'));
  await page.until('figures', `${vital('requests')}.includes('/s') && document.querySelectorAll('canvas').length >= 15`);
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
}

async function signIn(page, key) {
  await page.until('the form', `!(document.getElementById('sign-in')?.hidden ?? true)`);
  await page.evaluate(`document.getElementById('key').focus()`);
  await page.type(key);
  await page.press('Enter');
}

async function refusals(browser, origin) {
  const page = await browser.page();
  await page.open(`${origin}/console/`);
  await signIn(page, 'phx_wrong');
  const fault = text('#sign-in-fault');
  await page.until('a word on the wrong key', `${fault} !== ''`);
  check('a wrong key', await page.evaluate(fault), 'This key is not known here. It has to be a personal key, which begins with phx_.');
  check('is forgotten', await page.evaluate('sessionStorage.length'), 0);
  check('and asked for again', await page.evaluate('document.activeElement.id'), 'key');
  await signIn(page, 'phx_narrow');
  await page.until('a word on the scope', `${fault}.includes('scope')`);
  check('a narrow key', await page.evaluate(fault), 'This key lacks the scope console:read.');
}

// How many points of each canvas are drawn: none may be blank.
const DRAWN = `[...document.querySelectorAll('canvas')].map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let drawn = 0;
  for (let at = 3; at < data.length; at += 4) drawn += data[at] > 0 ? 1 : 0;
  return [canvas.closest('article').id, drawn];
})`;

// Of the charts that always have something to show, how much is drawn in the colour of a line.
const LINES = `['requests', 'latency', 'flags', 'evaluation', 'loops', 'cpu', 'memory', 'definitions'].map((id) => {
  const canvas = document.querySelector('#' + id + ' canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [low, high] = [Math.min(data[at], data[at + 1], data[at + 2]), Math.max(data[at], data[at + 1], data[at + 2])];
    coloured += data[at + 3] > 200 && high - low > 60 ? 1 : 0;
  }
  return [id, coloured];
})`;

async function looks(page, width, scheme) {
  const what = `${width} ${scheme}`;
  await page.size(width, width < 700 ? 844 : 900);
  await page.prefer({ 'prefers-color-scheme': scheme, 'prefers-reduced-motion': 'reduce' });
  await page.send('Page.reload');
  await page.until('a new page', `performance.timeOrigin > ${Date.now() - 30_000} && document.readyState === 'complete'`);
  await settled(page);
  const empty = (await page.evaluate(DRAWN)).filter(([, drawn]) => drawn < 100);
  check(`${what}: no chart is blank`, empty, []);
  // The first seconds of a line are short.
  await page.until('lines in charts', `(${LINES}).every(([, coloured]) => coloured >= 20)`);
  check(`${what}: no scrolling sideways`, await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
  check(`${what}: nothing moves`, await page.evaluate(`getComputedStyle(document.querySelector('.dot')).animationName`), 'none');
  const background = await page.evaluate(`getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every((part) => part < 60)`);
  check(`${what}: the colours`, background, scheme === 'dark');
  await page.evaluate(axe);
  const { violations } = await page.evaluate('axe.run()');
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  check(`${what}: for everybody`, serious.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]), []);
  const picture = await page.picture();
  check(`${what}: a picture`, picture.length > 20_000, true);
  writeFileSync(join(pictures, `${width}-${scheme}.png`), picture);
}

async function figures(page) {
  const before = await page.evaluate(`document.getElementById('figures').innerText`);
  await page.until('figures to change', `document.getElementById('figures').innerText !== ${JSON.stringify(before)}`);
  await page.until('answers', `parseFloat(${vital('requests')}.replaceAll(',', '')) > 0`);
  await page.until('a latency', `/\\d.(µs|ms|s)$/.test(${vital('latency')})`);
  check('units', await page.evaluate(`['refused', 'memory'].map((id) => document.querySelector('[data-vital=' + id + '] dd').textContent.replace(/[\\d.,]+/, 'N'))`), ['N/s', 'N\u202fMiB']);
  const facts = await page.evaluate(text('#facts'));
  check('who it is', /^Version \d+\.\d+\.\d+ · up .+ · threads: \d+ HTTP, /.test(facts), true);
  check('its name', (await page.evaluate(text('#instance'))).length > 0, true);
}

async function keys(page) {
  const when = text('.when');
  await page.until('some history', `document.querySelectorAll('canvas').length > 0`);
  await page.evaluate(`document.querySelector('#requests .plot').focus()`);
  await page.press('ArrowLeft');
  await page.press('ArrowLeft');
  await page.until('an earlier moment', `${when}.includes('before the newest')`);
  await page.press('Escape');
  await page.until('the newest moment', `!${when}.includes('before the newest')`);
  await page.evaluate(`document.getElementById('pause').click()`);
  await page.until('a pause', `${when}.includes('paused')`);
  check('a pressed button', await page.evaluate(`document.getElementById('pause').getAttribute('aria-pressed')`), 'true');
  await page.evaluate(`document.getElementById('pause').click()`);
  await page.until('no pause', `!${when}.includes('paused')`);
  const order = [];
  await page.evaluate(`document.getElementById('window').focus()`);
  for (let turn = 0; turn < 4; turn += 1) {
    order.push(await page.evaluate('document.activeElement.id || document.activeElement.className || document.activeElement.tagName'));
    await page.press('Tab');
  }
  check('the way of the keyboard', order.slice(0, 3), ['window', 'pause', 'leave']);
}

// What the first line says, and where it points, for seconds that are made up.
const CASES = [
  ['a quiet second', {}, 'ok', []],
  ['refusals', { refused: { full: 3, wait: 1 } }, 'act', ['refused']],
  ['errors', { answers: { '5xx': 2 } }, 'act', ['requests']],
  ['errors that are refusals', { answers: { '5xx': 2 }, refused: { full: 2 } }, 'act', ['refused']],
  ['lateness', { missed: { look_up: 1 } }, 'act', ['waits']],
  ['a full mailbox', { mailboxes: [{ actor: 'person_loader', instance: '0', depth: 300, capacity: 1000 }] }, 'look', ['mailboxes']],
  ['a mailbox with room', { mailboxes: [{ actor: 'person_loader', instance: '0', depth: 200, capacity: 1000 }] }, 'ok', []],
  ['a wait', { waits: { evaluator: { p50: 0, p99: 0.05 } } }, 'look', ['waits']],
  ['a pool', { pool: { waiting: 3, acquire: { p99: 0.001 } } }, 'look', ['pool']],
  ['a quota', { cpu: { throttled: 0.1 } }, 'look', ['cpu']],
  ['a busy thread', { loops: [{ runtime: 'http_worker', instance: '0', busy: 0.97 }] }, 'look', ['loops']],
  ['unreadable definitions', { definitions: { loads_failed: 1 } }, 'look', ['definitions']],
  ['stale definitions', { state: { is: 'stale', why: null } }, 'look', ['definitions']],
  ['a server that drains', { state: { is: 'not_ready', why: 'stopping' } }, 'act', ['definitions']],
  ['many files', { memory: { files: 900, most_files: 1000 } }, 'look', ['memory']],
];

const QUIET = {
  at: 1_000_000, span: 1, state: { is: 'ready', why: null }, answers: {}, refused: {}, missed: {}, mailboxes: [], waits: {},
  pool: { waiting: 0, acquire: null }, cpu: { throttled: null }, loops: [], definitions: { age: 1, loads_failed: 0 }, memory: { files: 1, most_files: 1000 },
};

async function sentences(page) {
  const folder = await page.evaluate(`document.querySelector('script[type=module]').src.replace('console.js', '')`);
  for (const [what, second, level, panels] of CASES) {
    const samples = JSON.stringify([{ ...QUIET, ...second }]);
    const said = await page.evaluate(`import('${folder}summary.js').then(({ summary }) => summary(${samples}))`);
    check(`${what}: how it looks`, said.level, level);
    check(`${what}: where to look`, said.findings.map(({ panel }) => panel), panels);
  }
}

async function outage(page, origin) {
  await page.prefer({ 'prefers-color-scheme': 'dark', 'prefers-reduced-motion': 'reduce' });
  console.log('stop');
  await page.until('the end of the stream', isConnected('broken'));
  const said = await page.evaluate(text('#connection'));
  check('why', /^(This server is stopping|The connection is lost), the figures are of \d\d:\d\d:\d\d\. Trying again$/.test(said), true);
  check('when next', /^in \d+ s$/.test(await page.evaluate(text('#countdown'))), true);
  writeFileSync(join(pictures, 'broken.png'), await page.picture());
  await until('the server to be gone', () => fetch(`${origin}/_liveness`).then(() => false, () => true));
  await page.until('a lost connection', `${text('#connection')}.startsWith('The connection is lost')`);
  const quiet = page.complaints.length;
  console.log('start');
  await page.until('the page to be live again', isConnected('live'));
  await page.until('a new uptime', `/· up \\d+ s ·|· up 0 min/.test(${text('#facts')})`);
  check('what it says', await page.evaluate(text('#connection')), 'Live');
  return quiet;
}

const server = await relay();
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await Browser.start();
try {
  await refusals(browser, origin);
  const page = await browser.page();
  await page.size(1280, 900);
  await page.open(`${origin}/console`);
  await signIn(page, key);
  await settled(page);
  const stop = load();
  await figures(page);
  await keys(page);
  for (const width of [1280, 390]) {
    for (const scheme of ['light', 'dark']) await looks(page, width, scheme);
  }
  const answered = await stop();
  check('there was load', answered > 100, true);
  check('all of it was counted', await counted('/flags'), answered);
  const total = `[...document.querySelectorAll('.routes tbody tr')].find((row) => row.cells[0].textContent === '/flags')?.cells[5].textContent`;
  await page.until('the same figure as in /metrics', `${total} === ${JSON.stringify(answered.toLocaleString('en'))}`);
  await sentences(page);
  check('no complaint', page.complaints, []);
  await outage(page, origin);
  const elsewhere = page.requests.map(({ url }) => url).filter((url) => !url.startsWith(`${origin}/console`));
  check('nobody else is asked', elsewhere, []);
  check('something is', page.requests.length > 40, true);
  const secrets = page.requests.filter(({ url }) => url.includes('phx_'));
  check('no key is in an address', secrets, []);
  check('nor kept for longer than the tab', await page.evaluate('[localStorage.length, document.cookie, sessionStorage.length]'), [0, '', 1]);
  await page.evaluate(`document.getElementById('leave').click()`);
  check('signed out', await page.evaluate(`[sessionStorage.length, document.getElementById('figures').hidden]`), [0, true]);
} catch (error) {
  check('the page came to its end', error.stack, 'done');
} finally {
  await browser.close();
  server.close();
}
checks.finish();
