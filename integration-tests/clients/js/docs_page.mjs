// Loads the page of the API description in Chromium and checks that the document is shown, and that nobody else was asked.
//
// Usage: docs_page.mjs URL.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FLAGS, chromium } from './browser.mjs';
import { Checks } from './checks.mjs';

const checks = new Checks();
const check = checks.check.bind(checks);

const profile = await mkdtemp(join(tmpdir(), 'burgee-chromium-'));
try {
  // No name but the server's can be resolved, and the time of the page runs on until it is done.
  const flags = [...FLAGS, `--user-data-dir=${profile}`, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
  const way = ['--enable-logging=stderr', '--virtual-time-budget=60000', '--dump-dom', process.argv[2]];
  const limits = { maxBuffer: 64 * 1024 * 1024, timeout: 120_000, killSignal: 'SIGKILL' };
  const { stdout, stderr } = await promisify(execFile)(chromium(), [...flags, ...way], limits);
  check('the title', stdout.includes('OAS 3.1'), true);
  for (const operation of ['flags-evaluate_flags', 'openfeature-openfeature_evaluate_flag']) {
    check(operation, stdout.includes(`id="operations-${operation}"`), true);
  }
  check('no failure', /Failed to load|Fetch error|No API definition/.test(stdout), false);
  const refused = stderr.split('\n').filter((line) => /Content Security Policy|ERR_NAME_NOT_RESOLVED/.test(line));
  check('nobody else is asked', refused, []);
} finally {
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
checks.finish();
