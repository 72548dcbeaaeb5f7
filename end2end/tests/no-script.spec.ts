import { panel } from '../support/board.ts';
import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

test.use({ javaScriptEnabled: false });

for (const { name, path, panels, mayBeEmpty } of dashboards) {
  test(`${name} is complete with scripts off, and asks for itself again`, async ({ page, demo }) => {
    await page.goto(demo.loginLink);
    await page.goto(demo.origin + path);
    for (const title of panels) {
      const shown = panel(page, title);
      await expect(shown).toBeVisible();
      if (mayBeEmpty.includes(title)) continue;
      await expect(shown.locator('.message')).toHaveCount(0);
    }
    expect(await page.locator('section.panel .panel-body svg').count()).toBeGreaterThan(3);
    await expect(page.locator('noscript meta[http-equiv="refresh"], meta[http-equiv="refresh"]')).toHaveAttribute(
      'content',
      '15',
    );
    await expect(page.locator('.connection')).toBeHidden();
  });
}
