// Runs PostHog's unmodified SDK for browsers in Chromium and checks everything that it sees.
//
// Usage: posthog_web.mjs URL. The flags it expects are those of tests/api/posthog_clients.rs; the server has the SDK's files. When it
// prints "change", whoever runs it switches the flag `beta` on.

import { open } from './browser.mjs';
import { Checks } from './checks.mjs';

const checks = new Checks();
const check = checks.check.bind(checks);
const seen = new Set();

const handlers = {
  bootstrap(told) {
    check('bootstrap', told, { beta: 'early', lost: 'kept', outsiders: null, payload: { from: 'page' } });
  },
  loaded({ errors, unknown, config, ...flags }) {
    // A flag that fails keeps what was known of it.
    check('the first flags', flags, { beta: false, pro: false, outsiders: true, 'big-company': false, sticky: false, lost: 'kept' });
    check('flags that fail are no failure to load', errors, false);
    check('an unknown flag', unknown, null);
    check('the remote config', config, true);
  },
  properties({ stored, ...flags }) {
    check('properties for flags', [flags.pro, flags['needs-pro'], typeof flags['price-test']], [true, true, 'string']);
    check('are not stored', stored, { pro: false, staff: false });
  },
  group(flags) {
    check('a group', flags, { 'big-company': true });
  },
  identify({ payload, id, ...flags }) {
    // The spec's own hashes give 1042 the variant `low`. `sticky` is on for 1042, yet off for the visitor that this was.
    check('after a login', flags, { staff: true, outsiders: false, 'price-test': 'low', sticky: false });
    check('a payload', payload, { eur: 9 });
    check('who it is', id, '1042');
  },
  stored([known, visitor]) {
    check('stored', known, { pro: true, staff: true });
    check('one person', visitor, known);
  },
  'waiting for a change'(beta) {
    check('before the change', beta, false);
    console.log('change');
  },
  changed(told) {
    check('after the change', told, { beta: true, pro: true, payload: 'new' });
  },
  answers(answers) {
    const failed = answers.filter(([, status]) => status !== 200);
    check('all is answered', failed, []);
    const paths = [...new Set(answers.map(([path]) => path))].sort();
    check('by these', paths.filter((path) => !['/flags/', '/e/', '/i/v0/e/'].includes(path)), []);
    check('flags and events', [paths.includes('/flags/'), paths.includes('/i/v0/e/')], [true, true]);
  },
  remembered({ id, ...flags }) {
    check('flags are remembered', flags, { beta: true, pro: true, staff: true, sticky: false });
    check('the person, too', id, '1042');
  },
  'after all'(flags) {
    check('after loading again', flags, { beta: true, pro: true, staff: true, 'big-company': true, sticky: false });
  },
  reset({ same, ...flags }) {
    check('after a logout', flags, { staff: false, pro: false });
    check('somebody else', same, false);
  },
  'a wrong token'({ errors, answers }) {
    check('a wrong token', errors, [[], { errorsLoading: true }]);
    const flags = answers.filter(([path]) => path === '/flags/').map(([, status]) => status);
    check('is refused', [...new Set(flags)], [401]);
  },
  broken(stack) {
    check('the page', stack, 'unbroken');
    return true;
  },
  done() {
    check('nothing is left out', seen.size, Object.keys(handlers).length - 1);
    return true;
  },
};

try {
  await open('posthog_web.html', { url: process.argv[2] }, ({ what, value }) => {
    seen.add(what);
    return handlers[what](value) === true;
  });
} catch (error) {
  check('the page came to its end', `${error.message}; it told ${[...seen].join(', ')}`, 'done');
}
checks.finish();
