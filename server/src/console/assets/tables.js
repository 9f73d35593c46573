// The two tables: routes, and mailboxes against their capacity.

import { count, exact, name, rate, seconds } from './format.js';

const COLUMNS = {
  routes: ['Route', 'Answers', 'p50', 'p99', 'Failed', 'Since start'],
  mailboxes: ['Mailbox', 'Waiting', 'Most', 'Capacity', 'Refused'],
};

const ROWS = {
  routes({ sample }) {
    const rows = sample.routes.toSorted((a, b) => b.rate - a.rate || b.total - a.total);
    return rows.map(({ route, rate: answered, p50, p99, bad, total }) => ({
      key: route,
      cells: [rate(answered), seconds(p50), seconds(p99), rate(bad), exact(total)],
      warns: bad > 0 ? 3 : null,
    }));
  },
  mailboxes({ sample, samples }) {
    return sample.mailboxes.map(({ actor, instance, depth, capacity, refused }) => {
      const most = samples.reduce((most, { mailboxes }) => {
        const same = mailboxes?.find((other) => other.actor === actor && other.instance === instance);
        return Math.max(most, same?.depth ?? 0);
      }, 0);
      return {
        key: `${name(actor)} ${instance}`,
        cells: [count(depth), count(most), count(capacity), rate(refused)],
        bar: [depth, most, capacity],
        warns: refused > 0 ? 3 : null,
      };
    });
  },
};

function element(tag, text = '', attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

// A table whose rows stay the same elements, so that nobody who reads it loses the place.
export class Table {
  #kind;
  #body = element('tbody', '', { role: 'rowgroup' });
  #rows = new Map();

  constructor(kind, title, place) {
    this.#kind = kind;
    // The roles are said, because narrow screens lay the cells out otherwise, and browsers then forget them.
    const table = element('table', '', { class: kind, role: 'table' });
    table.append(element('caption', title, { class: 'unseen' }));
    const head = element('tr', '', { role: 'row' });
    head.append(...COLUMNS[kind].map((column) => element('th', column, { scope: 'col', role: 'columnheader' })));
    const top = element('thead', '', { role: 'rowgroup' });
    top.append(head);
    table.append(top, this.#body);
    place.append(table);
  }

  // `shown` has the sample whose figures are shown, and all samples of the time that is shown.
  draw(shown) {
    const rows = ROWS[this.#kind](shown);
    const order = rows.map(({ key, cells, bar, warns }) => {
      const row = this.#row(key, cells.length, bar !== undefined);
      cells.forEach((text, index) => {
        const cell = row.cells[index];
        if (cell.textContent !== text) cell.textContent = text;
        cell.classList.toggle('warns', warns === index);
      });
      if (bar) this.#fill(row.bar, bar);
      return row.element;
    });
    const isSame = order.length === this.#body.children.length && order.every((row, index) => row === this.#body.children[index]);
    if (!isSame) this.#body.replaceChildren(...order);
  }

  #row(key, count, hasBar) {
    if (this.#rows.has(key)) return this.#rows.get(key);
    const row = element('tr', '', { role: 'row' });
    const head = element('th', '', { scope: 'row', role: 'rowheader' });
    const inside = element('span', '', { class: 'name' });
    inside.append(element('span', key));
    head.append(inside);
    const bar = hasBar ? element('span', '', { class: 'bar', 'aria-hidden': 'true' }) : null;
    if (bar) {
      bar.append(element('i', '', { class: 'most' }), element('i', '', { class: 'now' }));
      inside.append(bar);
    }
    const cells = Array.from({ length: count }, () => element('td', '', { role: 'cell' }));
    row.append(head, ...cells);
    const made = { element: row, cells, bar };
    this.#rows.set(key, made);
    return made;
  }

  // The square root shows a few of many as more than nothing.
  #fill(bar, [depth, most, capacity]) {
    const width = (value) => `${capacity > 0 ? Math.min(1, Math.sqrt(value / capacity)) * 100 : 0}%`;
    bar.querySelector('.most').style.width = width(most);
    bar.querySelector('.now').style.width = width(depth);
    bar.classList.toggle('warns', capacity > 0 && depth / capacity >= 0.25);
  }
}
