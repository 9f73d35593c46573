// Signing in, and keeping the page in step with its stream.

import { clock, duration } from './format.js';
import { Page } from './page.js';
import { Feed } from './stream.js';

const KEY = 'burgee-console-key';
const STREAM = new URL('../../stream', import.meta.url);

const $ = (id) => document.getElementById(id);
const setText = (id, text) => {
  if ($(id).textContent !== text) $(id).textContent = text;
};
const page = new Page($('figures'));
let feed = null;
let hello = null;
let state = { is: 'idle' };

const WHY = {
  stopping: 'This server is stopping',
  full: 'The server has no place for another page now',
  busy: 'Too many requests from this address',
  error: 'The server cannot check the key now',
  lost: 'The connection is lost',
};

function connection() {
  switch (state.is) {
    case 'idle':
      return 'Not connected';
    case 'opening':
      return 'Connecting';
    case 'live':
      if (page.last?.state.is === 'not_ready') return `Not ready: ${page.last.state.why}`;
      return page.last?.state.is === 'stale' ? 'Live, definitions stale' : 'Live';
    default: {
      const since = page.last ? `, the figures are of ${clock(page.last.at)}` : '';
      return `${WHY[state.why]}${since}. Trying again`;
    }
  }
}

function tell() {
  setText('connection', connection());
  // Apart from what is read out loud, which must not change each second.
  const wait = Math.max(1, Math.ceil((state.next - Date.now()) / 1000));
  setText('countdown', state.is === 'broken' ? `in ${wait} s` : '');
  const isDraining = state.is === 'live' && page.last?.state.is === 'not_ready';
  document.body.dataset.connection = isDraining ? 'draining' : state.is;
  if (!hello) return;
  const { version, started, plan } = hello;
  const threads = plan
    ? `${plan.http_workers} HTTP, ${plan.small_evaluators} small and ${plan.large_evaluators} large evaluators, ${plan.cpu_threads} CPU, ${plan.database_threads} database`
    : 'not planned';
  setText('facts', `Version ${version} · up ${duration((page.last?.at ?? started) - started)} · threads: ${threads}`);
}

function enter(next) {
  state = next;
  tell();
}

const told = {
  opening: () => enter({ is: 'opening' }),
  event(name, data) {
    if (name === 'hello') {
      const isSame = hello?.instance === data.hello.instance;
      hello = data.hello;
      page.title = `Burgee ${hello.instance}`;
      $('instance').textContent = hello.instance;
      page.begin(data.history, isSame);
    } else if (name === 'tick') {
      page.add(data);
    }
    enter({ is: 'live' });
  },
  refused(status, detail) {
    sessionStorage.removeItem(KEY);
    const faults = {
      401: 'This key is not known here. It has to be a personal key, which begins with phx_.',
      403: 'This key lacks the scope console:read.',
      404: 'This instance has no console: it was started with --console off.',
    };
    signOut(faults[status] ?? detail);
  },
  broken: (why, pause) => enter({ is: 'broken', why, next: Date.now() + pause }),
};

function watch(key) {
  feed?.close();
  $('sign-in').hidden = true;
  $('figures').hidden = false;
  $('controls').hidden = false;
  feed = new Feed(STREAM, key, told);
  feed.open();
}

function signOut(fault = '') {
  feed?.close();
  feed = null;
  hello = null;
  page.forget();
  $('instance').textContent = '';
  $('facts').textContent = '';
  $('figures').hidden = true;
  $('controls').hidden = true;
  $('sign-in').hidden = false;
  $('sign-in-fault').textContent = fault;
  enter({ is: 'idle' });
  $('key').focus();
}

$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const key = $('key').value.trim();
  $('key').value = '';
  $('sign-in-fault').textContent = '';
  sessionStorage.setItem(KEY, key);
  watch(key);
});

$('leave').addEventListener('click', () => {
  sessionStorage.removeItem(KEY);
  signOut();
});

$('pause').addEventListener('click', ({ currentTarget }) => {
  const isPaused = currentTarget.getAttribute('aria-pressed') !== 'true';
  currentTarget.setAttribute('aria-pressed', String(isPaused));
  page.pause(isPaused);
});

$('window').addEventListener('change', ({ currentTarget }) => page.show(Number(currentTarget.value) * 1000));

// Who comes back to the page, or to the network, does not wait.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state.is === 'broken') feed?.now();
});
addEventListener('online', () => feed?.now());
setInterval(tell, 1_000);

const known = sessionStorage.getItem(KEY);
if (known) watch(known);
else signOut();
