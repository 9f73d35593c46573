// Asks a server for flags with the unmodified Node.js SDK and checks every answer.
//
// Usage: posthog_node.mjs URL. The flags it expects are those of tests/api/python_sdk.rs, with the secret key `phs_one`.

import { PostHog } from 'posthog-node';
import { Checks } from './checks.mjs';

const checks = new Checks();
const check = checks.check.bind(checks);

// Makes a client that keeps its events: where they would go is none of this program's business.
function client(host, token = 'phc_local_dev') {
  const events = [];
  const errors = [];
  const made = new PostHog(token, {
    host,
    featureFlagsRequestTimeoutMs: 20_000,
    before_send: (event) => {
      events.push(event);
      return null;
    },
  });
  made.on('error', (error) => errors.push(error));
  return { posthog: made, events, errors };
}

async function singleFlags({ posthog, events }) {
  check('simple', await posthog.getFeatureFlag('simple', 'maria'), true);
  check('off', await posthog.isFeatureEnabled('off', 'maria'), false);
  check('a dependent flag', await posthog.isFeatureEnabled('needs-simple', 'maria'), true);
  check('a client-side flag', await posthog.getFeatureFlag('in-browsers', 'maria'), undefined);
  check('an unknown flag', await posthog.getFeatureFlag('no-such-flag', 'maria'), undefined);
  // This SDK takes a failed flag as it is, and says so in its event.
  check('a flag that cannot be evaluated', await posthog.getFeatureFlag('lost', 'maria'), false);
  // The events tell what the SDK read of the flag's record.
  const told = (key) => events.find(({ properties }) => properties.$feature_flag === key)?.properties ?? {};
  const { $feature_flag_reason, $feature_flag_id, $feature_flag_version, $feature_flag_response } = told('simple');
  const read = [$feature_flag_reason, $feature_flag_id, $feature_flag_version, $feature_flag_response];
  check('reason, id and version', read, ['Matched condition set 1', 1, 1, true]);
  check('a failed flag, in its event', told('lost').$feature_flag_error, 'errors_while_computing_flags');
  check('an unknown flag, in its event', told('no-such-flag').$feature_flag_error, 'flag_missing');
}

async function numbersAndPayloads({ posthog }) {
  // 1042 is stored with plan = pro; the spec's own hashes give it the variant `low`.
  check('a stored person', await posthog.getFeatureFlag('price-test', '1042'), 'low');
  check('its payload', await posthog.getFeatureFlagPayload('price-test', '1042'), { eur: 9 });
  const { key, enabled, variant, payload } = await posthog.getFeatureFlagResult('price-test', '1042');
  check('the whole result', [key, enabled, variant, payload], ['price-test', true, 'low', { eur: 9 }]);
  const personProperties = { plan: 'pro' };
  check('person properties', await posthog.getFeatureFlag('price-test', 'maria', { personProperties }), 'high');
  check('without them', await posthog.getFeatureFlag('price-test', 'maria'), false);
}

async function groups({ posthog }) {
  const acme = { groups: { company: 'acme' } };
  check('a stored group', await posthog.isFeatureEnabled('big-company', 'maria', acme), true);
  const small = { ...acme, groupProperties: { company: { seats: 2 } } };
  check('group properties', await posthog.isFeatureEnabled('big-company', 'maria', small), false);
}

async function wholeSets({ posthog }) {
  const onServers = { 'big-company': false, lost: false, 'needs-simple': true, off: false, 'price-test': false, simple: true };
  check('all flags', await posthog.getAllFlags('maria'), onServers);
  const some = await posthog.getAllFlags('maria', { flagKeys: ['needs-simple'] });
  check('chosen flags bring what they need', some, { 'needs-simple': true, simple: true });
  const everything = await posthog.getAllFlagsAndPayloads('1042');
  check('all payloads', everything.featureFlagPayloads, { 'price-test': { eur: 9 } });
  const evaluated = await posthog.evaluateFlags('1042');
  check('a snapshot of flags', [evaluated.getFlag('price-test'), evaluated.isEnabled('off')], ['low', false]);
  check('its payload', evaluated.getFlagPayload('price-test'), { eur: 9 });
}

// With a key the SDK fetches the definitions and evaluates by itself what it can.
async function localEvaluation(host) {
  const statuses = [];
  const posthog = new PostHog('phc_local_dev', {
    host,
    personalApiKey: 'phs_one',
    featureFlagsPollingInterval: 100,
    before_send: () => null,
    fetch: async (url, options) => {
      const response = await fetch(url, options);
      if (String(url).includes('/flags/definitions')) statuses.push(response.status);
      else statuses.push(String(url));
      return response;
    },
  });
  check('definitions', await posthog.waitForLocalEvaluationReady(20_000), true);
  const here = { onlyEvaluateLocally: true };
  const pro = { ...here, personProperties: { plan: 'pro' } };
  check('a flag, here', await posthog.getFeatureFlag('simple', 'maria', here), true);
  check('a flag that is off, here', await posthog.getFeatureFlag('off', 'maria', here), false);
  check('a dependent flag, here', await posthog.getFeatureFlag('needs-simple', 'maria', here), true);
  check('a variant, here', await posthog.getFeatureFlag('price-test', '1042', pro), 'low');
  check('the same as there', await posthog.getFeatureFlag('price-test', 'maria', pro), 'high');
  check('its payload, here', await posthog.getFeatureFlagPayload('price-test', '1042', undefined, pro), { eur: 9 });
  const acme = { ...here, groups: { company: 'acme' }, groupProperties: { company: { seats: 40 } } };
  check('a group, here', await posthog.getFeatureFlag('big-company', 'maria', acme), true);
  check('a property that is not known, here', await posthog.getFeatureFlag('price-test', '1042', here), undefined);
  const fetched = statuses.length;
  check('nothing was asked of the server', statuses.slice(0, fetched).every(Number.isInteger), true);
  while (statuses.length < fetched + 2) await new Promise((resolve) => setTimeout(resolve, 20));
  check('polls', [statuses[0], ...statuses.slice(fetched, fetched + 2)], [200, 304, 304]);
  await posthog.shutdown();
  const stranger = new PostHog('phc_local_dev', { host, personalApiKey: 'phs_nobody', before_send: () => null });
  const errors = [];
  stranger.on('error', (error) => errors.push(String(error)));
  await stranger.reloadFeatureFlags();
  check('a wrong key', [stranger.isLocalEvaluationReady(), errors.length > 0], [false, true]);
  check('flags are asked of the server then', await stranger.getFeatureFlag('simple', 'maria'), true);
  await stranger.shutdown();
}

async function wrongToken(host) {
  const { posthog, events, errors } = client(host, 'phc_nobody');
  check('a wrong token', await posthog.getFeatureFlag('simple', 'maria'), undefined);
  check('no flags for it', await posthog.getAllFlags('maria'), {});
  check('a wrong token, in its event', events[0]?.properties.$feature_flag_error, 'unknown_error');
  check('a wrong token, to those who listen', errors.map(({ status }) => status), [401, 401]);
  await posthog.shutdown();
}

const [url] = process.argv.slice(2);
const sdk = client(url);
await singleFlags(sdk);
await numbersAndPayloads(sdk);
await groups(sdk);
await wholeSets(sdk);
check('no errors', sdk.errors.map(String), []);
await sdk.posthog.shutdown();
await localEvaluation(url);
await wrongToken(url);
checks.finish();
