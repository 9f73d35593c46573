// Runs OpenFeature's unmodified OFREP provider for the web in Chromium and checks everything that it sees.
//
// Usage: ofrep_web.mjs URL. The flags it expects are those of tests/api/ofrep_clients.rs. When it prints "change", whoever runs it
// switches the flag `beta` on or off.

import { open } from './browser.mjs';
import { Checks } from './checks.mjs';

const checks = new Checks();
const check = checks.check.bind(checks);
const answered = (value, variant, reason) => [value, variant, reason, null, null];

const handlers = {
  values(seen) {
    check('plain', seen.plain, answered(true, 'true', 'STATIC'));
    check('off', seen.off, answered(false, 'false', 'SPLIT'));
    check('inactive', seen.inactive, answered(false, 'false', 'DISABLED'));
    check('staff', seen.staff, answered(true, 'true', 'TARGETING_MATCH'));
    const metadata = { flagId: 4, version: 1, posthogReason: 'condition_match', conditionIndex: 0, payload: '{"desk": 3}' };
    check('its metadata', seen.metadata, metadata);
    check('a stored group', seen.company, answered(true, 'true', 'TARGETING_MATCH'));
    check('a stored person', seen.price, answered('low', 'low', 'SPLIT'));
    check('an object', seen.layout, { columns: [1, 2.5], title: 'Hi' });
    check('an unknown flag', seen.unknown.slice(0, 4), [true, null, 'ERROR', 'FLAG_NOT_FOUND']);
    check('a flag that fails', seen.lost.slice(0, 4), [true, null, 'ERROR', 'GENERAL']);
  },
  stranger(seen) {
    check('a stranger', seen.staff, answered(false, 'false', 'UNKNOWN'));
    // No value: what the code says counts, and that is no error.
    check('no variant', seen.price, answered('mine', 'false', 'UNKNOWN'));
    check('no group', seen.company, answered(false, 'false', 'UNKNOWN'));
  },
  'waiting for an event'(beta) {
    check('before the event', beta, false);
    console.log('change');
  },
  'after an event'(seen) {
    check('after the event', seen, { beta: true, isNamed: true, statuses: [200] });
  },
  'polls without a change'(statuses) {
    check('polls', statuses, [304, 304, 304]);
  },
  'waiting for a poll'(beta) {
    check('before the poll', beta, true);
    console.log('change');
  },
  'after a poll'(beta) {
    check('after the poll', beta, false);
  },
  errors(seen) {
    // This provider keeps the server's words to itself.
    const refused = ['GeneralError: Failed OFREP bulk evaluation request, status: 400', 'ERROR'];
    check('nobody', seen.nobody, refused);
    check('bad groups', seen.groups, refused);
    check('a wrong token', seen.token, ['ProviderFatalError: Initialization failed', 'FATAL']);
  },
  broken(stack) {
    check('the page', stack, 'unbroken');
    return true;
  },
  done() {
    return true;
  },
};

await open('ofrep_web.html', { url: process.argv[2] }, ({ what, value }) => handlers[what](value) === true);
checks.finish();
