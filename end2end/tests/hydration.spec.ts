import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

for (const { name, path, panels } of dashboards) {
  test(`${name} is hydrated as the server sent it`, async ({ board, page }) => {
    // Mark panels before the bundle runs: hydrated elements retain the mark, elements that are created again have none.
    await page.addInitScript(() => {
      document.addEventListener('readystatechange', () => {
        for (const panel of document.querySelectorAll('section.panel')) panel.setAttribute('data-mark', '');
      });
    });
    await board.open(path);
    await expect(page.locator('html[data-ssr]')).toHaveCount(1);
    await expect(page.locator('section.panel[data-mark]')).toHaveCount(panels.length);
    // The console's errors and warnings fail the test by themselves.
  });
}

test('the program is sent as WebAssembly and is immutable for caches', async ({ board, page }) => {
  const program = page.waitForResponse((answer) => new URL(answer.url()).pathname.endsWith('.wasm'));
  await board.page.reload();
  const answer = await program;
  expect(answer.headers()['content-type']).toBe('application/wasm');
  expect(answer.headers()['cache-control']).toContain('immutable');
});

/** Types of the files that a page loads from the bundle. */
const LOADED = ['.wasm', '.js', '.css'];

/** Limits for the total size of the files that a page of each program loads, in KiB. */
const LIMITS = { viewer: 350, workbench: 250 };

for (const [program, limit] of Object.entries(LIMITS)) {
  test(`the shipped ${program} is at most ${limit} KiB in total`, () => {
    const dist = process.env.HYPERSCOPE_SHIPPED;
    test.skip(!dist, 'the bundle for tests is not made to be small');
    if (!dist) return;
    const isLoaded = (name: string) =>
      LOADED.includes(extname(name)) && (name.startsWith(`${program}-`) || extname(name) === '.css');
    const names = readdirSync(dist).filter(isLoaded);
    const files = names.map((name) => {
      const bytes = readFileSync(join(dist, name));
      // Compressed as in the release binary.
      const packed = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 22 } });
      return { name, size: packed.length };
    });
    const total = files.reduce((sum, { size }) => sum + size, 0);
    expect(new Set(names.map((name) => extname(name)))).toEqual(new Set(LOADED));
    expect(total, JSON.stringify(files)).toBeLessThanOrEqual(limit * 1024);
  });
}
