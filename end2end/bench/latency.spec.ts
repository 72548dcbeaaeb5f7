import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, test } from '../support/fixtures.ts';
import { percentile, record, row } from '../support/rows.ts';
import { start } from '../support/server.ts';

/** Jobs submitted, one after the other. */
const JOBS = 200;
/** Of this run only. */
const TOKEN = 'benchmark-token-of-this-run-only-0123456789';

test('from a change in the daemon to the page', async ({ page }) => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hyperscope-bench-'));
  const daemon = await start(['daemon-sim', '--listen', '127.0.0.1:0', '--dialect', 'documented', '--jobs-per-minute', '1']);
  const server = await start(['serve', '--listen', '127.0.0.1:0', '--data-dir', dataDir, '--daemon-url', daemon.origin], {
    HYPERSCOPE_ADMIN_TOKEN: TOKEN,
  });
  try {
    await page.goto(`${server.origin}/login?token=${TOKEN}`);
    await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live');
    // Notes when a name that was asked for is in the page; the same clock as ours, on the same machine.
    await page.evaluate(() => {
      const seen = new Map<string, number>();
      Object.assign(window, { seen });
      new MutationObserver(() => {
        const now = performance.timeOrigin + performance.now();
        for (const [, name] of document.body.textContent?.matchAll(/(latency-\d+-)/g) ?? []) {
          if (name && !seen.has(name)) seen.set(name, now);
        }
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    });

    const delays: number[] = [];
    for (let number = 0; number < JOBS; number += 1) {
      const name = `latency-${number}-`;
      // Before the request: what the daemon itself takes counts too.
      const asked = performance.timeOrigin + performance.now();
      const answer = await fetch(`${daemon.origin}/jobs/submit`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name, vm_name: name, provider: 'vsphere', vm_path: `/dc/vm/${name}`, output_path: `/exports/${name}` }),
      });
      expect(answer.ok, await answer.text()).toBe(true);
      const shown = await page.waitForFunction(
        (name) => (window as unknown as { seen: Map<string, number> }).seen.get(name),
        name,
        { timeout: 5_000 },
      );
      delays.push(((await shown.jsonValue()) as number) - asked);
    }
    record(
      row('daemon to page, p50', percentile(delays, 0.5), 'ms'),
      row('daemon to page, p99', percentile(delays, 0.99), 'ms', 100),
    );
  } finally {
    await server.stop();
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
