// Counts checks, prints those that failed, and leaves with 1 if there were any.

import { isDeepStrictEqual } from 'node:util';

// As JSON would have it: prototypes do not matter.
const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

export class Checks {
  #checked = 0;
  #failures = [];

  check(what, actual, expected) {
    this.#checked += 1;
    if (!isDeepStrictEqual(plain(actual), plain(expected))) {
      this.#failures.push(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
    }
  }

  finish() {
    for (const failure of this.#failures) console.log(failure);
    console.log(`${this.#checked - this.#failures.length} checks passed, ${this.#failures.length} failed`);
    process.exit(this.#failures.length > 0 ? 1 : 0);
  }
}
