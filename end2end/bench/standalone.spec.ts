import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, test } from '../support/fixtures.ts';
import { percentile, record, row } from '../support/rows.ts';
import { startSimulator, writeBundle } from '../support/simulator.ts';

/** Visits measured, each with an empty cache. */
const VISITS = 5;
/** Largest size of all files that a page without a server loads, in KiB of brotli: 900,000 bytes. */
const MOST_KIB = 900_000 / 1_024;

test.use({ allowedInConsole: /status of 404/ });

test('size, first paint and first live update of a page without a server', async ({ browser }) => {
  const bundle = mkdtempSync(path.join(tmpdir(), 'hyperscope-bench-'));
  writeBundle(bundle);
  const { files } = JSON.parse(readFileSync(path.join(bundle, 'manifest.json'), 'utf8'));
  const bytes = files.reduce((sum: number, file: { bytes: number; brotli_bytes?: number }) => sum + (file.brotli_bytes ?? file.bytes), 0);
  const daemon = await startSimulator(['--web', bundle]);
  const paints: number[] = [];
  const lives: number[] = [];
  try {
    for (let visit = 0; visit < VISITS; visit += 1) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
      const page = await context.newPage();
      await page.goto(`${daemon.origin}/web/dashboard/`);
      await expect(page.locator('.panel tr.job').first()).toBeVisible({ timeout: 30_000 });
      const [paint, live] = await page.evaluate(() => [
        performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
        performance.now(),
      ]);
      paints.push(paint ?? Number.NaN);
      lives.push(live ?? Number.NaN);
      await context.close();
    }
  } finally {
    await daemon.stop();
    rmSync(bundle, { recursive: true, force: true });
  }
  record(
    row('page without a server: all files', bytes / 1_024, 'KiB brotli', MOST_KIB),
    row('page without a server: first contentful paint, median', percentile(paints, 0.5), 'ms'),
    row('page without a server: jobs shown, median', percentile(lives, 0.5), 'ms'),
  );
});
