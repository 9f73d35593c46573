// In the page: OpenFeature's unmodified OFREP provider for the web, first with a stream of events, then polling. Everything
// that is seen is told to ofrep_web.mjs, which checks it.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

const url = new URLSearchParams(location.search).get('url');
const tell = (what, value) => fetch('/told', { method: 'POST', body: JSON.stringify({ what, value }) });

// Every answer to the provider, by its status.
const statuses = [];
async function counted(input, options) {
  const response = await fetch(input, options);
  statuses.push(response.status);
  return response;
}

function provider(options, key = 'phc_local_dev') {
  return new OFREPWebProvider({
    baseUrl: url,
    headers: [['Authorization', `Bearer ${key}`]],
    fetchImplementation: counted,
    cacheMode: 'disabled',
    ...options,
  });
}

const details = ({ value, variant, reason, errorCode, errorMessage }) =>
  JSON.parse(JSON.stringify([value, variant ?? null, reason, errorCode ?? null, errorMessage ?? null]));

function everything(flags) {
  return {
    plain: details(flags.getBooleanDetails('plain', false)),
    off: details(flags.getBooleanDetails('off', true)),
    inactive: details(flags.getBooleanDetails('inactive', true)),
    staff: details(flags.getBooleanDetails('staff', false)),
    metadata: flags.getBooleanDetails('staff', false).flagMetadata,
    company: details(flags.getBooleanDetails('company', false)),
    price: details(flags.getStringDetails('price-test', 'mine')),
    layout: flags.getObjectValue('layout', {}),
    unknown: details(flags.getBooleanDetails('no-such-flag', true)),
    lost: details(flags.getBooleanDetails('lost', true)),
  };
}

function next(flags, event) {
  return new Promise((resolve) => {
    const handler = (told) => {
      flags.removeHandler(event, handler);
      resolve(told);
    };
    flags.addHandler(event, handler);
  });
}

async function stream() {
  const maria = { targetingKey: '1042', email: 'maria@example.com', groups: { company: 'acme' } };
  await OpenFeature.setContext('stream', maria);
  await OpenFeature.setProviderAndWait('stream', provider({}));
  const flags = OpenFeature.getClient('stream');
  await tell('values', everything(flags));
  await OpenFeature.setContext('stream', { targetingKey: 'stranger' });
  await tell('stranger', everything(flags));
  const changed = next(flags, ProviderEvents.ConfigurationChanged);
  const asked = statuses.length;
  // Whoever reads this changes `beta`.
  await tell('waiting for an event', flags.getBooleanValue('beta', false));
  const { flagsChanged } = await changed;
  await tell('after an event', {
    beta: flags.getBooleanValue('beta', false),
    isNamed: flagsChanged.includes('beta'),
    statuses: statuses.slice(asked),
  });
  await OpenFeature.clearProviders();
}

async function poll() {
  await OpenFeature.setContext('poll', { targetingKey: 'u' });
  await OpenFeature.setProviderAndWait('poll', provider({ changeDetection: 'polling', pollInterval: 50 }));
  const flags = OpenFeature.getClient('poll');
  const from = statuses.length;
  while (statuses.length < from + 3) await new Promise((resolve) => setTimeout(resolve, 10));
  await tell('polls without a change', statuses.slice(from, from + 3));
  const changed = next(flags, ProviderEvents.ConfigurationChanged);
  await tell('waiting for a poll', flags.getBooleanValue('beta', false));
  await changed;
  await tell('after a poll', flags.getBooleanValue('beta', false));
  await OpenFeature.clearProviders();
}

async function errors() {
  const outcome = async (domain, context, key) => {
    await OpenFeature.setContext(domain, context);
    const failed = OpenFeature.setProviderAndWait(domain, provider({}, key));
    const error = await failed.then(() => 'ready', (error) => `${error.name}: ${error.message}`);
    return [error, OpenFeature.getClient(domain).providerStatus];
  };
  await tell('errors', {
    nobody: await outcome('nobody', {}),
    groups: await outcome('groups', { targetingKey: 'u', groups: 'acme' }),
    token: await outcome('token', { targetingKey: 'u' }, 'phc_nobody'),
  });
}

try {
  await stream();
  await poll();
  await errors();
  await tell('done', null);
} catch (error) {
  await tell('broken', String(error?.stack ?? error));
}
