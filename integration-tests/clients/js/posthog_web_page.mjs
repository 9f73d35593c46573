// In the page: PostHog's unmodified SDK for browsers, loaded from the server. The page loads itself again halfway. Everything that
// is seen is told to posthog_web.mjs, which checks it.

const query = new URLSearchParams(location.search);
const url = query.get('url');
const tell = (what, value) => fetch('/told', { method: 'POST', body: JSON.stringify({ what, value: value ?? null }) });

// Whoever runs the page gives up some time.
async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url + path;
    script.crossOrigin = 'anonymous';
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} was not loaded`));
    document.head.append(script);
  });
}

// Every answer to the SDK, by path and status.
const answers = [];
const { fetch: original } = window;
window.fetch = async (input, options) => {
  const response = await original(input, options);
  const asked = new URL(typeof input === 'string' ? input : (input.url ?? input), location.href);
  if (asked.origin === new URL(url).origin) answers.push([asked.pathname, response.status]);
  return response;
};

const options = {
  api_host: url,
  persistence: 'localStorage',
  capture_pageview: false,
  capture_pageleave: false,
  request_batching: false,
  // What is headless counts as a bot, whose events are dropped.
  opt_out_useragent_filter: true,
  disable_session_recording: true,
  feature_flag_request_timeout_ms: 20_000,
};

const read = (keys) => Object.fromEntries(keys.map((key) => [key, posthog.getFeatureFlag(key, { send_event: false }) ?? null]));

// What the server itself knows of somebody.
async function stored(person) {
  const body = JSON.stringify({ token: 'phc_local_dev', distinct_id: person, flag_keys: ['pro', 'staff'] });
  const answer = await (await original(`${url}/flags?v=2`, { method: 'POST', body })).json();
  return { pro: answer.flags.pro.enabled, staff: answer.flags.staff.enabled };
}

async function visit() {
  posthog.init('phc_local_dev', {
    ...options,
    bootstrap: {
      distinctID: 'visitor-3',
      featureFlags: { beta: 'early', lost: 'kept' },
      featureFlagPayloads: { beta: { from: 'page' } },
    },
  });
  await tell('bootstrap', { ...read(['beta', 'lost', 'outsiders']), payload: posthog.getFeatureFlagPayload('beta') });
  await until(() => window._POSTHOG_REMOTE_CONFIG?.phc_local_dev);
  // With flags from the page this SDK asks for none by itself.
  const loaded = new Promise((resolve) => posthog.onFeatureFlags((flags, variants, errors) => flags.includes('outsiders') && resolve(errors)));
  posthog.reloadFeatureFlags();
  const { errorsLoading } = (await loaded) ?? {};
  await tell('loaded', {
    ...read(['beta', 'pro', 'outsiders', 'big-company', 'sticky', 'lost']),
    errors: Boolean(errorsLoading),
    unknown: posthog.getFeatureFlag('no-such-flag') ?? null,
    config: window._POSTHOG_REMOTE_CONFIG?.phc_local_dev?.config.hasFeatureFlags,
  });
  posthog.setPersonPropertiesForFlags({ plan: 'pro' });
  await until(() => posthog.getFeatureFlag('pro') === true);
  await tell('properties', { ...read(['pro', 'needs-pro', 'price-test']), stored: await stored('visitor-3') });
  posthog.group('company', 'acme', { seats: 40 });
  await until(() => posthog.getFeatureFlag('big-company') === true);
  await tell('group', read(['big-company']));
  posthog.identify('1042', { email: 'm@example.com' });
  await until(() => posthog.getFeatureFlag('staff') === true);
  await tell('identify', {
    ...read(['staff', 'outsiders', 'price-test', 'sticky']),
    payload: posthog.getFeatureFlagPayload('price-test'),
    id: posthog.get_distinct_id(),
  });
  posthog.setPersonProperties({ plan: 'pro' });
  await until(async () => (await stored('1042')).pro);
  await tell('stored', [await stored('1042'), await stored('visitor-3')]);
  await tell('waiting for a change', posthog.getFeatureFlag('beta'));
  await until(async () => {
    const next = new Promise((resolve) => setTimeout(resolve, 200));
    posthog.reloadFeatureFlags();
    await next;
    return posthog.getFeatureFlag('beta') === true;
  });
  await tell('changed', { ...read(['beta', 'pro']), payload: posthog.getFeatureFlagPayload('beta') });
  await tell('answers', answers);
  query.set('again', 'yes');
  location.search = query;
}

async function again() {
  posthog.init('phc_local_dev', options);
  await tell('remembered', { ...read(['beta', 'pro', 'staff', 'sticky']), id: posthog.get_distinct_id() });
  await until(() => answers.some(([path]) => path === '/flags/'));
  await until(() => posthog.featureFlags.hasLoadedFlags);
  await tell('after all', read(['beta', 'pro', 'staff', 'big-company', 'sticky']));
  posthog.reset();
  posthog.reloadFeatureFlags();
  await until(() => posthog.getFeatureFlag('outsiders') === true && posthog.getFeatureFlag('pro') === false);
  await tell('reset', { ...read(['staff', 'pro']), same: posthog.get_distinct_id() === '1042' });
  const from = answers.length;
  const stranger = posthog.init('phc_nobody', options, 'stranger');
  const errors = await new Promise((resolve) => stranger.onFeatureFlags((flags, variants, told) => told?.errorsLoading && resolve([flags, told])));
  await tell('a wrong token', { errors, answers: answers.slice(from) });
}

try {
  await load('/static/array.js');
  if (query.has('again')) {
    await again();
    await tell('done');
  } else {
    await visit();
  }
} catch (error) {
  await tell('broken', String(error?.stack ?? error));
}
