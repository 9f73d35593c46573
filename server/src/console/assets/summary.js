// Says first what an operator has to know: is something refused, is something waiting? Pure: samples in, sentences out.

import { name, percent, rate, seconds } from './format.js';

// What of the last seconds counts.
const WINDOW = 10_000;
const SLOW_WAIT = 0.02;

const total = (record) => Object.values(record).reduce((sum, value) => sum + value, 0);

const listed = (record) =>
  Object.entries(record)
    .sort(([, a], [, b]) => b - a)
    .map(([key, value]) => `${name(key)} ${rate(value)}`)
    .join(', ');

// The mean over time of what is a record of rates.
function mean(samples, read) {
  const sums = {};
  const span = samples.reduce((sum, sample) => sum + sample.span, 0) || 1;
  for (const sample of samples) {
    for (const [key, value] of Object.entries(read(sample))) {
      sums[key] = (sums[key] ?? 0) + (value * sample.span) / span;
    }
  }
  return sums;
}

const most = (samples, read) => samples.reduce((max, sample) => Math.max(max, read(sample) ?? 0), 0);

export function recent(samples) {
  const last = samples.at(-1);
  return last ? samples.filter((sample) => sample.at > last.at - WINDOW) : [];
}

// Each rule looks at the last seconds, and says something or nothing.
const RULES = [
  function serves(samples, last) {
    if (last.state.is === 'not_ready') return ['act', `Not ready: ${last.state.why ?? 'no reason is known'}`, 'definitions'];
    if (last.state.is === 'stale') return ['look', `Definitions may be out of date: last known to be current ${seconds(last.definitions.age)} ago`, 'definitions'];
  },
  function refuses(samples) {
    const refused = mean(samples, (sample) => sample.refused);
    if (total(refused) > 0) return ['act', `${rate(total(refused))} refused: ${listed(refused)}`, 'refused'];
  },
  function fails(samples) {
    const answers = mean(samples, (sample) => sample.answers);
    const refused = total(mean(samples, (sample) => sample.refused));
    if ((answers['5xx'] ?? 0) > refused) return ['act', `${rate(answers['5xx'])} answered with an error of the server (5xx)`, 'requests'];
  },
  function misses(samples) {
    const missed = mean(samples, (sample) => sample.missed);
    if (total(missed) > 0) return ['act', `${rate(total(missed))} ran out of time: ${listed(missed)}`, 'waits'];
  },
  function fills(samples) {
    const fullest = samples
      .flatMap((sample) => sample.mailboxes)
      .filter((mailbox) => mailbox.capacity > 0)
      .sort((a, b) => b.depth / b.capacity - a.depth / a.capacity)[0];
    if (fullest && fullest.depth / fullest.capacity >= 0.25) {
      return ['look', `The mailbox ${name(fullest.actor)} ${fullest.instance} was ${percent(fullest.depth / fullest.capacity)} full`, 'mailboxes'];
    }
  },
  function waits(samples) {
    const places = { http: 'an HTTP worker', evaluator: 'an evaluator', loader: 'the database batch' };
    const [place, wait] = Object.keys(places)
      .map((key) => [key, most(samples, (sample) => sample.waits[key]?.p99)])
      .sort(([, a], [, b]) => b - a)[0];
    if (wait > SLOW_WAIT) return ['look', `Requests wait up to ${seconds(wait)} for ${places[place]} (p99)`, 'waits'];
  },
  function pool(samples) {
    const acquire = most(samples, (sample) => sample.pool.acquire?.p99);
    const waiting = samples.filter((sample) => sample.pool.waiting > 0);
    if (acquire > SLOW_WAIT || waiting.length * 2 > samples.length) {
      const callers = most(samples, (sample) => sample.pool.waiting);
      return ['look', `Up to ${callers} wait for a database connection, ${seconds(acquire)} at p99`, 'pool'];
    }
  },
  function throttles(samples) {
    const lost = mean(samples, (sample) => ({ lost: sample.cpu.throttled ?? 0 })).lost ?? 0;
    if (lost > 0) return ['look', `The container waits for its CPU quota, ${seconds(lost)} a second`, 'cpu'];
  },
  function busy(samples) {
    const means = mean(samples, (sample) => Object.fromEntries(sample.loops.map((loop) => [`${name(loop.runtime)} ${loop.instance}`, loop.busy])));
    const [who, ratio] = Object.entries(means).sort(([, a], [, b]) => b - a)[0] ?? ['', 0];
    if (ratio > 0.9) return ['look', `The event loop ${who} is ${percent(ratio)} busy`, 'loops'];
  },
  function loads(samples) {
    if (most(samples, (sample) => sample.definitions.loads_failed) > 0) return ['look', 'Definitions of a project cannot be read: see the log', 'definitions'];
  },
  function files(samples, last) {
    const { files, most_files: limit } = last.memory;
    if (limit > 0 && files / limit > 0.8) return ['look', `${percent(files / limit)} of the file descriptors are open`, 'memory'];
  },
];

// Returns the verdict and what it is made of: [level, sentence, panel] each; the levels are act, look and ok.
export function summary(samples) {
  const last = samples.at(-1);
  if (!last) return { level: 'none', verdict: 'Waiting for the first figures', findings: [] };
  const window = recent(samples);
  const findings = RULES.map((rule) => rule(window, last))
    .filter(Boolean)
    .map(([level, text, panel]) => ({ level, text, panel }));
  const level = ['act', 'look'].find((level) => findings.some((finding) => finding.level === level)) ?? 'ok';
  const isRefusing = findings.some((finding) => finding.panel === 'refused');
  const verdicts = {
    ok: 'Nothing waits long, nothing is refused',
    look: 'Nothing is refused, but something waits or runs short',
    act: isRefusing ? 'Requests are being refused' : 'Something is wrong',
  };
  return { level, verdict: verdicts[level], findings };
}
