// Asks a server for flags with OpenFeature's unmodified OFREP provider for Node.js and checks every answer.
//
// Usage: ofrep_server.mjs URL LIMITED_URL. The flags it expects are those of tests/api/ofrep_clients.rs; the second server lets
// one request a second through.

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { Checks } from './checks.mjs';

const checks = new Checks();
const check = checks.check.bind(checks);

const MARIA = {
  targetingKey: '1042',
  email: 'maria@example.com',
  groups: { company: 'acme' },
  group_properties: { company: { region: 'eu' } },
};

async function client(baseUrl, domain, headers) {
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl, headers }));
  return OpenFeature.getClient(domain);
}

const bearer = (key) => ({ Authorization: `Bearer ${key}` });
const told = ({ value, variant, reason }) => [value, variant, reason];
const failed = ({ value, reason, errorCode, errorMessage }) => [value, reason, errorCode, errorMessage];

async function values(flags) {
  check('plain', told(await flags.getBooleanDetails('plain', false, MARIA)), [true, 'true', 'STATIC']);
  check('off', told(await flags.getBooleanDetails('off', true, MARIA)), [false, 'false', 'SPLIT']);
  check('inactive', told(await flags.getBooleanDetails('inactive', true, MARIA)), [false, 'false', 'DISABLED']);
  const staff = await flags.getBooleanDetails('staff', false, MARIA);
  check('staff', told(staff), [true, 'true', 'TARGETING_MATCH']);
  const metadata = { flagId: 4, version: 1, posthogReason: 'condition_match', conditionIndex: 0, payload: '{"desk": 3}' };
  check('its metadata', staff.flagMetadata, metadata);
  check('a stored group', told(await flags.getBooleanDetails('company', false, MARIA)), [true, 'true', 'TARGETING_MATCH']);
  check("a group's property", told(await flags.getBooleanDetails('european', false, MARIA)), [true, 'true', 'TARGETING_MATCH']);
  check('a stored person', told(await flags.getStringDetails('price-test', '', MARIA)), ['low', 'low', 'SPLIT']);
  const stranger = { targetingKey: 'stranger' };
  check('a stranger', told(await flags.getBooleanDetails('staff', true, stranger)), [false, 'false', 'UNKNOWN']);
  // No value: this provider calls that an error, and what the code says counts.
  const unmatched = await flags.getStringDetails('price-test', 'mine', stranger);
  check('no variant', [unmatched.value, unmatched.reason, unmatched.errorCode], ['mine', 'ERROR', 'GENERAL']);
}

async function remoteConfiguration(flags) {
  check('an object', await flags.getObjectValue('layout', {}, MARIA), { columns: [1, 2.5], title: 'Hi' });
  check('a text', await flags.getStringValue('title', '', MARIA), 'Hi');
  check('an integer', await flags.getNumberValue('limit', 0, MARIA), 7);
  check('a fraction', await flags.getNumberValue('ratio', 0, MARIA), 2.5);
}

async function errors(flags, url) {
  const ask = async (key, fallback, context) => failed(await flags.getBooleanDetails(key, fallback, context));
  check('an unknown flag', await ask('no-such-flag', true, MARIA), [true, 'ERROR', 'FLAG_NOT_FOUND', 'there is no such flag']);
  const missing = 'context.targetingKey is required: a text or a number';
  check('nobody', await ask('plain', false, { email: 'x' }), [false, 'ERROR', 'TARGETING_KEY_MISSING', missing]);
  const unusable = 'context.groups cannot be used';
  check('bad groups', await ask('plain', false, { targetingKey: 'u', groups: 'acme' }), [false, 'ERROR', 'INVALID_CONTEXT', unusable]);
  check('a flag that fails', await ask('lost', true, MARIA), [true, 'ERROR', 'GENERAL', 'Cohort dependency not found']);
  check('another type', (await ask('price-test', true, MARIA)).slice(0, 3), [true, 'ERROR', 'TYPE_MISMATCH']);
  for (const key of ['phc_nobody', 'phs_nobody', 'phx_narrow']) {
    const stranger = await client(url, key, bearer(key));
    const [value, reason, code] = failed(await stranger.getBooleanDetails('plain', false, MARIA));
    check(key, [value, reason, code], [false, 'ERROR', 'GENERAL']);
  }
}

async function keys(url) {
  for (const key of ['phs_one', 'phx_reader']) {
    const flags = await client(url, key, bearer(key));
    check(key, await flags.getBooleanValue('plain', false, MARIA), true);
  }
  const flags = await client(url, 'header', { 'X-API-Key': 'phc_local_dev' });
  check('a token in the other header', await flags.getBooleanValue('plain', false, MARIA), true);
}

async function tooOften(url) {
  const flags = await client(url, 'limited', bearer('phc_local_dev'));
  const messages = [];
  for (let asked = 0; asked < 50; asked += 1) {
    const { errorMessage } = await flags.getBooleanDetails('plain', false, MARIA);
    if (errorMessage) messages.push(errorMessage);
  }
  check('a limit', messages[0]?.startsWith('rate limit exceeded, try again after '), true);
  check('a pause', messages.some((message) => message.includes('paused due to TooManyRequests')), true);
}

const [url, limitedUrl] = process.argv.slice(2);
const flags = await client(url, 'flags', bearer('phc_local_dev'));
await values(flags);
await remoteConfiguration(flags);
await errors(flags, url);
await keys(url);
await tooOften(limitedUrl);
checks.finish();
