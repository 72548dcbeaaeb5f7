import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

for (const { name, path, panels } of dashboards) {
  test(`${name} is taken over as the server sent it`, async ({ board, page }) => {
    // Marked by the first script, before the bundle runs: what is hydrated keeps its mark, what is made anew has none.
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

test('the program is sent as what it is and kept for ever', async ({ board, page }) => {
  const program = page.waitForResponse((answer) => new URL(answer.url()).pathname.endsWith('.wasm'));
  await board.page.reload();
  const answer = await program;
  expect(answer.headers()['content-type']).toBe('application/wasm');
  expect(answer.headers()['cache-control']).toContain('immutable');
});
