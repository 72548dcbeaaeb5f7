import path from 'node:path';

import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

/** Screenshots for people, which are not removed after the run. */
const artefacts = path.resolve(import.meta.dirname, '../artefacts');

const sizes = [
  { name: 'wall', width: 1920, height: 1080 },
  { name: 'tablet', width: 1024, height: 768 },
  { name: 'phone', width: 390, height: 844 },
];

for (const theme of ['light', 'dark'] as const) {
  test.describe(`in ${theme}`, () => {
    test.use({ colorScheme: theme });

    for (const size of sizes) {
      test(`the pages fit a ${size.name}`, async ({ board, page }) => {
        await page.setViewportSize({ width: size.width, height: size.height });
        for (const dashboard of dashboards) {
          await board.open(dashboard.path);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          expect(overflow, `${dashboard.name} scrolls sideways`).toBeLessThanOrEqual(0);
          await page.screenshot({
            path: path.join(artefacts, `${dashboard.name}-${theme}-${size.name}.png`),
            fullPage: true,
          });
        }
      });
    }

    for (const [width, height] of [[1366, 768], [1920, 1080], [1080, 1920]] as const) {
      test(`a kiosk display of ${width}x${height} cuts no number and no name`, async ({ board, page }) => {
        await page.setViewportSize({ width, height });
        for (const uid of ['hypersdk-overview', 'hypersdk-jobs', 'hypersdk-system']) {
          await board.open(`/kiosk/${uid}`);
          await page.screenshot({ path: path.join(artefacts, `${uid}-${theme}-${width}x${height}.png`) });
          expect(await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight), 'it has to be scrolled').toBeLessThanOrEqual(0);
          expect(await cut(page), uid).toEqual([]);
        }
      });
    }

    test('the theme follows the system', async ({ board, page }) => {
      await board.open('/');
      expect(await isDark(page)).toBe(theme === 'dark');
    });
  });
}

test('the switch changes the theme, and the choice is stored', async ({ board, page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await board.open('/');
  const toggle = page.getByRole('button', { name: /^Theme:/ });
  await expect(async () => {
    await toggle.click();
    expect(await isDark(page)).toBe(true);
  }).toPass();
  await page.reload();
  expect(await isDark(page)).toBe(true);
});

/** Clipped elements of a page: numbers wider than their box, rows that extend out of their list or panel, and axis labels that overlap. */
async function cut(page: import('@playwright/test').Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const all = (selector: string, within: ParentNode = document) =>
      [...within.querySelectorAll<HTMLElement>(selector)].filter((one) => one.getClientRects().length > 0);
    const say = (what: string, one: HTMLElement) =>
      found.push(`${one.closest('.panel')?.querySelector('.panel-title')?.textContent}: ${what} ${one.textContent}`);
    const cells = '.jobs-table td:is(.job-status, .job-rate, .job-eta, .job-elapsed), .stat-value, .pie-name, .table td.is-number';
    for (const cell of all(cells)) if (cell.scrollWidth > cell.clientWidth) say('narrow', cell);
    for (const row of all('.pie-list li, .bars li, .beside-number')) {
      const [inner, outer] = [row.getBoundingClientRect(), row.closest('.panel')!.getBoundingClientRect()];
      if (inner.bottom > outer.bottom || inner.right > outer.right || inner.top < outer.top) say('outside', row);
    }
    for (const axis of all('.axis-y')) {
      const labels = all('span', axis).map((label) => label.getBoundingClientRect()).sort((one, other) => one.top - other.top);
      if (labels.some((label, index) => index > 0 && label.top < labels[index - 1]!.bottom - 1)) say('crowded', axis);
    }
    return found;
  });
}

/** Whether the page's background is darker than its text. */
async function isDark(page: import('@playwright/test').Page): Promise<boolean> {
  return page.evaluate(() => {
    const brightness = (colour: string) => {
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 1;
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
      return red + green + blue;
    };
    const style = getComputedStyle(document.body);
    const background = [document.body, document.documentElement]
      .map((element) => getComputedStyle(element).backgroundColor)
      .find((colour) => !/^rgba\(0, 0, 0, 0\)$|^transparent$/.test(colour));
    return brightness(background ?? 'white') < brightness(style.color);
  });
}
