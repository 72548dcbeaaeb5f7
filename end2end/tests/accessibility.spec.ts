import { violations } from '../support/axe.ts';
import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

for (const theme of ['light', 'dark'] as const) {
  test.describe(`axe in ${theme}`, () => {
    test.use({ colorScheme: theme });

    for (const { name, path } of dashboards) {
      test(`finds no violation on ${name}`, async ({ board, page }) => {
        await board.open(path);
        expect(await violations(page)).toEqual([]);
      });
    }

    for (const view of ['alerts', 'silences&matchers=severity%3D%22info%22', 'rules', 'history', 'notifications']) {
      test(`finds no violation on the alert page, ${view.split('&')[0]}`, async ({ board, page }) => {
        await page.goto(`${board.origin}/alerts?view=${view}`);
        await expect(page.locator('.tabs')).toBeVisible();
        expect(await violations(page)).toEqual([]);
      });
    }

    test('finds no violation while a page waits for the server', async ({ board, page }) => {
      await page.goto(`${board.origin}/alerts?view=rules`);
      await page.route('**/fragments/**', () => {
        // Never responds.
      });
      await page.getByRole('link', { name: 'History' }).click();
      await expect(page.locator('[aria-busy]')).not.toHaveCSS('box-shadow', 'none');
      // Past the end of the transition.
      await page.waitForTimeout(400);
      expect(await violations(page)).toEqual([]);
    });

    test('finds no violation on the login page', async ({ page, demo }) => {
      await page.goto(`${demo.origin}/login`);
      expect(await violations(page)).toEqual([]);
    });

    test('finds no violation on a phone', async ({ board, page }) => {
      await page.setViewportSize({ width: 390, height: 844 });
      await board.open('/');
      expect(await violations(page)).toEqual([]);
    });
  });
}

test('navigation, controls and panels can be focused by keyboard, with a visible focus', async ({ board, page }) => {
  await board.open('/');
  const reached = new Set<string>();
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
      const place = element.closest('nav') ? 'navigation' : element.closest('header.topbar') ? 'controls' : element.closest('section.panel') ? 'panel' : 'other';
      return { marked, place, what: element.outerHTML.slice(0, 120) };
    });
    if (!focused) continue;
    expect(focused.marked, `no visible focus on ${focused.what}`).toBe(true);
    reached.add(focused.place);
  }
  expect([...reached]).toEqual(expect.arrayContaining(['navigation', 'controls', 'panel']));
});
