// What is shown, panel by panel: how a sample becomes lines and figures. Whoever adds a figure adds it here.

import { bytes, cores, count, name, percent, rate, seconds } from './format.js';

const TOKENS = ['blue', 'orange', 'teal', 'purple', 'red', 'olive', 'grey'];
const byIndex = (label, index) => ({ token: TOKENS[index % TOKENS.length], dash: index < TOKENS.length ? 'solid' : 'dashed' });
const byLabel = (looks) => (label, index) => looks[label] ?? byIndex(label, index);

const plus = (a, b) => (a ?? 0) + (b ?? 0);

// Steps of an axis of bytes.
const POWERS = Array.from({ length: 40 }, (_, power) => 2 ** power);

// Sums what `list` has by a name.
function sums(list, key, value, add = plus) {
  const all = new Map();
  for (const item of list) all.set(name(item[key]), add(all.get(name(item[key])), item[value]));
  return [...all];
}

const REASONS = ['full', 'wait', 'share', 'standing', 'gone', 'rate limit', 'events'];

// Each panel: an id, a title, what it means in one line, a unit, `lines(sample)` as [label, value], and `facts(sample)`, figures
// without a line. `least` is the smallest top of its axis, `look` how a line is drawn, `tick` the unit at the axis where it differs.
export const GROUPS = [
  {
    title: 'Traffic',
    panels: [
      {
        id: 'requests',
        title: 'Answers',
        note: 'Answers a second, by status',
        unit: rate,
        tick: count,
        lines: ({ answers }) => ['2xx', '3xx', '4xx', '429', '5xx'].map((status) => [status, answers[status] ?? 0]),
        look: byLabel({
          '2xx': { token: 'blue', fill: true },
          '3xx': { token: 'grey' },
          '4xx': { token: 'olive' },
          '429': { token: 'orange', dash: 'dashed' },
          '5xx': { token: 'red' },
        }),
        facts: ({ in_flight }) => [['in flight', count(in_flight)]],
      },
      {
        id: 'latency',
        title: 'Latency',
        note: 'From a request’s head to its answer, all routes',
        unit: seconds,
        least: 0.001,
        lines: ({ latency }) => [['p50', latency?.p50], ['p99', latency?.p99]],
        look: byLabel({ p50: { token: 'teal' }, p99: { token: 'blue', fill: true } }),
      },
      {
        id: 'refused',
        title: 'Refused',
        note: 'Requests a second that were refused, by reason',
        unit: rate,
        tick: count,
        lines: ({ refused }) => REASONS.map((reason) => [name(reason), refused[reason] ?? 0]),
        look: (label, index) => ({ token: ['red', 'orange', 'purple', 'olive', 'grey', 'blue', 'teal'][index], fill: index === 0 }),
      },
      { id: 'routes', title: 'Routes', note: 'The busiest first', table: 'routes', wide: true },
      {
        id: 'flags',
        title: 'Flags',
        note: 'Flags a second, and those not computed',
        unit: rate,
        tick: count,
        lines: ({ flags }) => [['answered', flags.evaluated], ['failed', flags.failed]],
        look: byLabel({ answered: { token: 'blue', fill: true }, failed: { token: 'red' } }),
      },
    ],
  },
  {
    title: 'Waiting',
    panels: [
      {
        id: 'mailboxes',
        title: 'Mailboxes',
        note: 'Messages that wait, by actor',
        unit: count,
        least: 4,
        lines: ({ mailboxes }) => sums(mailboxes, 'actor', 'depth'),
        look: byIndex,
      },
      { id: 'depths', title: 'Depth against capacity', note: 'Each mailbox now, and the most in the time shown', table: 'mailboxes', wide: true },
      {
        id: 'waits',
        title: 'Waits',
        note: 'Time that requests wait for their turn',
        unit: seconds,
        least: 0.001,
        lines: ({ waits }) => [
          ['HTTP worker p99', waits.http?.p99],
          ['evaluator p50', waits.evaluator?.p50],
          ['evaluator p99', waits.evaluator?.p99],
          ['database batch p99', waits.loader?.p99],
        ],
        look: byLabel({
          'HTTP worker p99': { token: 'orange' },
          'evaluator p50': { token: 'teal' },
          'evaluator p99': { token: 'blue', fill: true },
          'database batch p99': { token: 'purple', dash: 'dashed' },
        }),
        facts: ({ missed }) => Object.entries(missed).map(([stage, value]) => [`out of time: ${name(stage)}`, rate(value)]),
      },
      {
        id: 'evaluation',
        title: 'Evaluating',
        note: 'Time spent on a request’s flags, without waiting',
        unit: seconds,
        least: 0.0001,
        lines: ({ evaluation }) => [['p50', evaluation?.p50], ['p99', evaluation?.p99]],
        look: byLabel({ p50: { token: 'teal' }, p99: { token: 'blue', fill: true } }),
      },
      {
        id: 'lanes',
        title: 'Under way',
        note: 'Evaluations that run at this moment, by lane',
        unit: count,
        least: 4,
        lines: ({ lanes }) => [['small', lanes.small ?? 0], ['large', lanes.large ?? 0]],
        look: byLabel({ small: { token: 'blue', fill: true }, large: { token: 'orange' } }),
      },
    ],
  },
  {
    title: 'Database and caches',
    panels: [
      {
        id: 'pool',
        title: 'Connections',
        note: 'The pool of the database, and who waits for it',
        unit: count,
        least: 4,
        lines: ({ pool }) => [['in use', pool.in_use], ['open', pool.connections], ['waiting', pool.waiting]],
        look: byLabel({ 'in use': { token: 'blue', fill: true }, open: { token: 'grey', dash: 'dashed' }, waiting: { token: 'red' } }),
      },
      {
        id: 'loans',
        title: 'Acquire and hold',
        note: 'The wait for a connection, and the time it is on loan',
        unit: seconds,
        least: 0.001,
        lines: ({ pool }) => [['acquire p99', pool.acquire?.p99], ['hold p50', pool.hold?.p50], ['hold p99', pool.hold?.p99]],
        look: byLabel({ 'acquire p99': { token: 'red' }, 'hold p50': { token: 'teal' }, 'hold p99': { token: 'blue', fill: true } }),
      },
      {
        id: 'queries',
        title: 'Questions',
        note: 'Time the database took to answer',
        unit: seconds,
        least: 0.001,
        lines: ({ pool }) => [['p50', pool.query?.p50], ['p99', pool.query?.p99]],
        look: byLabel({ p50: { token: 'teal' }, p99: { token: 'blue', fill: true } }),
      },
      {
        id: 'cohorts',
        title: 'Cohort cache',
        note: 'Memory for the members of static cohorts',
        unit: bytes,
        steps: POWERS,
        least: 1 << 20,
        lines: ({ cohorts }) => [['held', cohorts.bytes]],
        look: byLabel({ held: { token: 'purple', fill: true } }),
        facts: ({ cohorts }) => [['limit', bytes(cohorts.limit)], ['cohorts', count(cohorts.entries)], ['hit ratio', percent(cohorts.hits)]],
      },
      {
        id: 'definitions',
        title: 'Age of the definitions',
        note: 'Since they were last known to be current',
        unit: seconds,
        least: 5,
        lines: ({ definitions }) => [['age', definitions.age]],
        look: byLabel({ age: { token: 'teal', fill: true } }),
        facts: ({ definitions }) => [['projects held', count(definitions.projects)], ['hit ratio', percent(definitions.hits)]],
      },
      {
        id: 'events',
        title: 'Events',
        note: 'Events a second that were taken, and what waits to be stored',
        unit: count,
        least: 1,
        lines: ({ events }) => [['accepted/s', events.accepted], ['dropped/s', events.dropped], ['pending', events.pending]],
        look: byLabel({ 'accepted/s': { token: 'blue', fill: true }, 'dropped/s': { token: 'grey' }, pending: { token: 'orange' } }),
      },
    ],
  },
  {
    title: 'This process',
    panels: [
      {
        id: 'loops',
        title: 'Event loops',
        note: 'Share of time that the busiest thread worked',
        unit: percent,
        least: 0.2,
        lines: ({ loops }) => sums(loops, 'runtime', 'busy', (a, b) => Math.max(a ?? 0, b)),
        look: byIndex,
        facts: ({ loops }) => [['latest timer p99', seconds(loops.reduce((late, loop) => Math.max(late, loop.late ?? 0), 0))]],
      },
      {
        id: 'cpu',
        title: 'CPU',
        note: 'Cores kept busy, and waits for the quota',
        unit: cores,
        tick: count,
        least: 0.2,
        lines: ({ cpu }) => [['used', cpu.used], ...(cpu.quota === null ? [] : [['quota', cpu.quota]]), ...(cpu.throttled === null ? [] : [['throttled', cpu.throttled]])],
        look: byLabel({ used: { token: 'blue', fill: true }, quota: { token: 'grey', dash: 'dashed' }, throttled: { token: 'red' } }),
        facts: ({ cpu }) => [...(cpu.quota === null ? [['quota', 'none']] : []), ['throttled periods', cpu.periods === null ? 'none' : percent(cpu.periods)]],
      },
      {
        id: 'memory',
        title: 'Memory',
        note: 'Resident memory of the process',
        unit: bytes,
        steps: POWERS,
        least: 16 << 20,
        lines: ({ memory }) => [['resident', memory.resident]],
        look: byLabel({ resident: { token: 'purple', fill: true } }),
        facts: ({ memory }) => [['threads', count(memory.threads)], ['open files', `${count(memory.files)} of ${count(memory.most_files)}`]],
      },
    ],
  },
];

const waiting = ({ mailboxes }) => mailboxes.reduce((sum, mailbox) => sum + mailbox.depth, 0);
const refused = (sample) => Object.values(sample.refused).reduce((sum, value) => sum + value, 0);
const answered = ({ answers }) => Object.values(answers).reduce((sum, value) => sum + value, 0);

// The figures that stand first: an id, a label, the text.
export const VITALS = [
  ['requests', 'answers', (sample) => rate(answered(sample))],
  ['latency', 'latency p99', ({ latency }) => seconds(latency?.p99)],
  ['refused', 'refused', (sample) => rate(refused(sample))],
  ['mailboxes', 'waiting', (sample) => count(waiting(sample))],
  ['waits', 'wait p99', ({ waits }) => seconds(waits.evaluator?.p99)],
  ['pool', 'connections', ({ pool }) => `${count(pool.in_use)} of ${count(pool.connections)}`],
  ['cpu', 'cores busy', ({ cpu }) => count(cpu.used)],
  ['memory', 'memory', ({ memory }) => bytes(memory.resident)],
];
