// One chart: lines over time, drawn by uPlot, with the newest figures (or those under the cursor) as text beside it.

import { clock } from './format.js';

const HEIGHT = 132;
const FONT = '11px system-ui, sans-serif';
const DASH = { solid: [], dashed: [5, 4], dotted: [2, 3] };

const style = (property) => getComputedStyle(document.documentElement).getPropertyValue(property).trim();
const theme = new Map();
const color = (token) => {
  if (!theme.has(token)) theme.set(token, style(`--${token}`));
  return theme.get(token);
};

// To be called when the colours may be others now.
export const forgetColors = () => theme.clear();

// Charts that show the same moment under the cursor.
const sync = uPlot.sync('console');

// Steps of time that people count in, in seconds.
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600];
const SIDE = 58;

function axes({ unit, tick = unit, steps }) {
  const shared = { stroke: () => color('faint'), font: FONT, ticks: { show: false } };
  const grid = { stroke: () => color('grid'), width: 1 };
  return [
    { ...shared, grid: { show: false }, size: 22, gap: 4, space: 64, incrs: TIMES, values: (_, times) => times.map((time) => clock(time * 1000)) },
    { ...shared, grid, gap: 4, space: 28, size: SIDE, incrs: steps, values: (_, values) => values.map((value) => (value === null ? '' : tick(value))) },
  ];
}

// The figures that no line reaches: what happened once, with nothing before and after.
function alone(plot, index) {
  const values = plot.data[index];
  const indexes = [...values.keys()].filter((at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null);
  return indexes.length > 0 ? indexes : null;
}

// From zero to the most there is, and never a flat line at the top.
function range(least) {
  return (_, low, high) => {
    const top = Math.max(high ?? 0, least);
    return [Math.min(0, low ?? 0), top * 1.08];
  };
}

export class Chart {
  #panel;
  #place;
  #plot = null;
  #labels = [];
  #onCursor;
  #size;

  // `panel.lines(sample)` gives [label, value] pairs; `panel.look(label, index)` how a line is drawn.
  constructor(panel, place, onCursor) {
    this.#panel = panel;
    this.#place = place;
    this.#onCursor = onCursor;
    this.#size = new ResizeObserver(() => this.#fit());
    this.#size.observe(place);
    place.addEventListener('keydown', (event) => this.#key(event));
    place.addEventListener('blur', () => this.#moveTo(null));
  }

  // Draws samples; `from` and `to` are the ends of the time that is shown, in milliseconds.
  draw(samples, from, to) {
    const columns = new Map();
    const times = samples.map((sample) => sample.at / 1000);
    samples.forEach((sample, row) => {
      if (sample.gap) return;
      for (const [label, value] of this.#panel.lines(sample)) {
        if (!columns.has(label)) columns.set(label, new Array(samples.length).fill(null));
        columns.get(label)[row] = value ?? null;
      }
    });
    const labels = [...columns.keys()];
    labels.forEach((label, index) => {
      // What never happened is a figure, and no line.
      if (!this.#panel.look(label, index).fill && !columns.get(label).some(Boolean)) columns.get(label).fill(null);
    });
    if (this.#plot === null || labels.join('\n') !== this.#labels.join('\n')) this.#build(labels);
    this.#plot.batch(() => {
      this.#plot.setData([times, ...columns.values()], false);
      this.#plot.setScale('x', { min: from / 1000, max: to / 1000 });
    });
  }

  // Draws it anew, in other colours.
  restyle() {
    this.#plot?.redraw(false);
  }

  #width() {
    return Math.max(120, Math.floor(this.#place.clientWidth));
  }

  #fit() {
    if (this.#plot && this.#plot.width !== this.#width()) this.#plot.setSize({ width: this.#width(), height: HEIGHT });
  }

  #build(labels) {
    this.#plot?.destroy();
    this.#labels = labels;
    const series = labels.map((label, index) => {
      const { token, dash = 'solid', fill = false } = this.#panel.look(label, index);
      return {
        label,
        stroke: () => color(token),
        // The tokens are six hexadecimal digits: two more are how much shines through.
        fill: fill ? () => `${color(token)}24` : undefined,
        width: 1.5,
        dash: DASH[dash],
        points: { show: false, size: 3, stroke: () => color(token), fill: () => color(token), filter: alone },
        spanGaps: false,
      };
    });
    const options = {
      width: this.#width(),
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: sync.key }, drag: { x: false, y: false }, points: { size: 5, width: 0 } },
      scales: { x: { time: true }, y: { range: range(this.#panel.least ?? 1) } },
      axes: axes(this.#panel),
      series: [{}, ...series],
      hooks: { setCursor: [(plot) => this.#onCursor(plot.cursor.idx ?? null)] },
    };
    this.#plot = new uPlot(options, [[], ...labels.map(() => [])], this.#place);
  }

  // Left and right go through time, Escape comes back to now.
  #key(event) {
    const times = this.#plot?.data[0] ?? [];
    if (times.length === 0) return;
    const last = times.length - 1;
    const at = this.#plot.cursor.idx ?? last;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10 };
    if (event.key === 'Escape') this.#moveTo(null);
    else if (event.key in moves) this.#moveTo(Math.min(last, Math.max(0, moves[event.key])));
    else return;
    event.preventDefault();
  }

  #moveTo(index) {
    if (!this.#plot) return;
    const left = index === null ? -10 : this.#plot.valToPos(this.#plot.data[0][index], 'x');
    this.#plot.setCursor({ left, top: index === null ? -10 : 10 }, true, true);
  }
}
