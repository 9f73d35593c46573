// The figures: what is kept of the samples, and the elements that show them.

import { Chart, forgetColors } from './chart.js';
import { clock, duration } from './format.js';
import { GROUPS, VITALS } from './panels.js';
import { summary } from './summary.js';
import { Table } from './tables.js';

const OLDEST = 15 * 60_000;
// A pause this long is a hole in the lines.
const HOLE = 12_000;
// The shortest time that is shown.
const LEAST = 30_000;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

export class Page {
  #samples = [];
  #shown = 300_000;
  #paused = null;
  #cursor = null;
  #due = false;
  #drawers = [];
  #verdict;
  #findings;
  #when;
  #level = '';
  title = 'Burgee';

  constructor(place) {
    this.#verdict = element('p', { class: 'verdict', role: 'status' });
    this.#findings = element('ul', { class: 'findings' });
    this.#when = element('p', { class: 'when' });
    this.#section = element('section', { class: 'summary', 'aria-label': 'Summary' }, this.#verdict, this.#findings, this.#vitals(), this.#when);
    place.append(this.#section, ...GROUPS.map((group) => this.#group(group)));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      forgetColors();
      for (const drawer of this.#drawers) drawer.restyle?.();
    });
    document.addEventListener('visibilitychange', () => this.#soon());
  }

  #section;

  // Takes the history that a stream begins with. What is known from before stays, if it is of the same instance.
  begin(history, isSame) {
    const first = history[0]?.at ?? Infinity;
    const kept = isSame ? this.#samples.filter((sample) => !sample.gap && sample.at < first) : [];
    this.#samples = [];
    for (const sample of [...kept, ...history]) this.#push(sample);
    this.#soon();
  }

  add(sample) {
    this.#push(sample);
    this.#soon();
  }

  forget() {
    this.#samples = [];
    this.#paused = null;
  }

  show(milliseconds) {
    this.#shown = milliseconds;
    this.#soon();
  }

  // Stands still, or goes on.
  pause(isPaused) {
    this.#paused = isPaused ? (this.#samples.at(-1)?.at ?? null) : null;
    this.#soon();
  }

  get last() {
    return this.#samples.at(-1);
  }

  #push(sample) {
    const last = this.#samples.at(-1);
    if (last && sample.at - last.at > Math.max(HOLE, sample.span * 1_500)) this.#samples.push({ at: sample.at - 1, gap: true });
    this.#samples.push(sample);
    const oldest = sample.at - OLDEST;
    while (this.#samples[0].at < oldest) this.#samples.shift();
  }

  #vitals() {
    const list = element('dl', { class: 'vitals' });
    for (const [panel, label, read] of VITALS) {
      const value = element('dd', {}, '–');
      const link = element('a', { href: `#${panel}` }, label);
      list.append(element('div', { 'data-vital': panel }, element('dt', {}, link), value));
      this.#drawers.push({ draw: ({ sample }) => setText(value, read(sample)) });
    }
    return list;
  }

  #group({ title, panels }) {
    const id = `group-${title.toLowerCase().replaceAll(' ', '-')}`;
    const cards = element('div', { class: 'cards' }, ...panels.map((panel) => this.#card(panel)));
    return element('section', { class: 'group', 'aria-labelledby': id }, element('h2', { id }, title), cards);
  }

  #card(panel) {
    const { id, title, note } = panel;
    const heading = element('h3', { id: `${id}-title` }, title);
    const card = element('article', { id, class: panel.wide ? 'card wide' : 'card', 'aria-labelledby': `${id}-title`, tabindex: '-1' }, heading, element('p', { class: 'note' }, note));
    if (panel.table) {
      this.#drawers.push(new Table(panel.table, title, card));
      return card;
    }
    const place = element('div', { class: 'plot', tabindex: '0', role: 'group', 'aria-roledescription': 'chart', 'aria-label': `${title}. ${note}. Left and right move through time; the figures follow.` });
    const figures = element('ul', { class: 'figures' });
    card.append(place, figures);
    const chart = new Chart(panel, place, (index) => this.#pointAt(index));
    this.#drawers.push({
      draw: (shown) => {
        chart.draw(shown.samples, shown.from, shown.to);
        this.#figures(panel, figures, shown.sample);
      },
      restyle: () => chart.restyle(),
    });
    return card;
  }

  #figures(panel, list, sample) {
    const lines = panel.lines(sample).map(([label, value], index) => ({ label, text: panel.unit(value ?? null), ...panel.look(label, index) }));
    const facts = (panel.facts?.(sample) ?? []).map(([label, text]) => ({ label, text }));
    const all = [...lines, ...facts];
    const shape = all.map(({ label }) => label).join('\n');
    if (list.dataset.shape !== shape) {
      list.dataset.shape = shape;
      list.replaceChildren(
        ...all.map(({ label, token, dash }) => {
          const marks = token ? [element('i', { class: `swatch ${token} ${dash ?? 'solid'}`, 'aria-hidden': 'true' })] : [];
          return element('li', {}, ...marks, element('span', {}, label), element('b', {}));
        }),
      );
    }
    all.forEach(({ text }, index) => setText(list.children[index].lastChild, text));
  }

  #pointAt(index) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    this.#soon();
  }

  // Draws once, however much has changed; not at all while nobody can see it.
  #soon() {
    if (this.#due || document.hidden) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  #draw() {
    const all = this.#paused === null ? this.#samples : this.#samples.filter(({ at }) => at <= this.#paused);
    const newest = all.at(-1);
    if (!newest) {
      this.#summarize([]);
      return;
    }
    const to = newest.at;
    const samples = all.filter(({ at }) => at >= to - this.#shown);
    // What is not known yet takes no room, once there is a little.
    const from = Math.max(to - this.#shown, Math.min(samples[0].at, to - LEAST));
    const pointed = this.#cursor === null ? null : samples[this.#cursor];
    const sample = pointed && !pointed.gap ? pointed : newest;
    for (const drawer of this.#drawers) drawer.draw({ sample, samples, from, to });
    this.#summarize(all.filter(({ gap }) => !gap));
    const ago = sample === newest ? '' : `, ${duration(newest.at - sample.at)} before the newest`;
    const speed = sample.span > 2 ? `, means of ${Math.round(sample.span)} s` : '';
    setText(this.#when, `Figures of ${clock(sample.at)}${ago}${speed}${this.#paused === null ? '' : ', paused'}`);
  }

  #summarize(samples) {
    const { level, verdict, findings } = summary(samples);
    if (this.#level !== level) {
      this.#level = level;
      this.#section.dataset.level = level;
    }
    setText(this.#verdict, verdict);
    document.title = level === 'act' ? `▲ ${this.title}` : level === 'look' ? `△ ${this.title}` : this.title;
    const key = findings.map(({ panel }) => panel).join(' ');
    if (this.#findings.dataset.shape !== key) {
      this.#findings.dataset.shape = key;
      this.#findings.replaceChildren(...findings.map(({ level, panel }) => element('li', { class: level }, element('a', { href: `#${panel}` }, ''))));
    }
    findings.forEach(({ text }, index) => setText(this.#findings.children[index].firstChild, text));
  }
}
