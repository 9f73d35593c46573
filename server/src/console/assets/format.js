// Numbers as people read them, with their units.

const NONE = '–';
const THIN = '\u202f';

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

// Three digits, or as many as a whole number has.
function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 10) return String(Number(value.toFixed(size < 0.1 ? 3 : size < 1 ? 2 : 1)));
  return Math.round(value).toLocaleString('en');
}

export function count(value) {
  if (!isNumber(value)) return NONE;
  if (Math.abs(value) >= 1e7) return `${digits(value / 1e6)}${THIN}M`;
  if (Math.abs(value) >= 1e5) return `${digits(value / 1e3)}${THIN}k`;
  return digits(value);
}

export const exact = (value) => (isNumber(value) ? value.toLocaleString('en') : NONE);

export const rate = (value) => (isNumber(value) ? `${count(value)}/s` : NONE);

export function seconds(value) {
  if (!isNumber(value)) return NONE;
  if (value === 0) return `0${THIN}s`;
  if (value < 0.001) return `${digits(value * 1e6)}${THIN}µs`;
  if (value < 1) return `${digits(value * 1e3)}${THIN}ms`;
  return `${digits(value)}${THIN}s`;
}

export function bytes(value) {
  if (!isNumber(value)) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${digits(value)}${THIN}${units[unit]}`;
}

export const percent = (share) => (isNumber(share) ? `${digits(share * 100)}${THIN}%` : NONE);

export const cores = (value) => (isNumber(value) ? `${digits(value)} ${value === 1 ? 'core' : 'cores'}` : NONE);

// How long something lasted, in its two largest units.
export function duration(milliseconds) {
  const all = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes, rest] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60, all % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${rest} s`;
  return `${rest} s`;
}

export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString('en-GB');

// How things of the server are called on the page.
const NAMES = {
  evaluator_worker: 'evaluators at workers',
  evaluator_small: 'small evaluators',
  evaluator_large: 'large evaluators',
  http_worker: 'HTTP workers',
  full: 'mailbox full',
  wait: 'wait too long',
  share: 'share used up',
  standing: 'queue stands',
  gone: 'evaluator gone',
};

export const name = (key) => NAMES[key] ?? key.replaceAll('_', ' ');
