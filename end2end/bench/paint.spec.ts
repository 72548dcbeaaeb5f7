import { expect, test } from '../support/fixtures.ts';
import { percentile, record, row } from '../support/rows.ts';

/** Visits measured, each with an empty cache. */
const VISITS = 9;

test('first paint and first live update of the overview', async ({ browser, demo }) => {
  const paints: number[] = [];
  const lives: number[] = [];
  for (let visit = 0; visit < VISITS; visit += 1) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    await context.request.get(demo.loginLink);
    const page = await context.newPage();
    // Marks when the last of the server's pictures has given way to live data.
    await page.addInitScript(() => {
      const watch = new MutationObserver(() => {
        const live = document.querySelectorAll('.panel-live').length;
        if (live > 0 && document.querySelectorAll('.panel-picture').length === 0) {
          performance.mark('live');
          watch.disconnect();
        }
      });
      watch.observe(document, { childList: true, subtree: true });
    });
    await page.goto(`${demo.origin}/`);
    await expect.poll(() => page.evaluate(() => performance.getEntriesByName('live').length)).toBe(1);
    const [paint, live] = await page.evaluate(() => [
      performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
      performance.getEntriesByName('live')[0]?.startTime ?? Number.NaN,
    ]);
    paints.push(paint ?? Number.NaN);
    lives.push(live ?? Number.NaN);
    await context.close();
  }
  record(
    row('overview: first contentful paint, median', percentile(paints, 0.5), 'ms', 200),
    row('overview: every panel live, median', percentile(lives, 0.5), 'ms'),
  );
});
