import { panel } from '../support/board.ts';
import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

test.use({ javaScriptEnabled: false });

for (const { name, path, panels, mayBeEmpty } of dashboards) {
  test(`${name} is complete without scripts, and reloads itself`, async ({ page, demo }) => {
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

test('a custom range is chosen without scripts, on a page that does not reload itself', async ({ page, demo }) => {
  await page.goto(demo.loginLink);
  await page.goto(`${demo.origin}/system?refresh=5s`);
  const picker = page.locator('.range-drop');
  await picker.locator('summary').click();
  await expect(page.getByLabel('From', { exact: true })).toBeHidden();
  await picker.getByRole('link', { name: 'From a time to a time' }).click();
  await expect(page.getByLabel('From', { exact: true })).toBeVisible();
  await expect(page.locator('meta[http-equiv="refresh"]')).toHaveCount(0);
  await page.getByLabel('From', { exact: true }).fill('2026-01-02T03:00');
  await page.getByLabel('To', { exact: true }).fill('2026-01-02T04:00');
  await page.getByRole('button', { name: 'Apply' }).click();
  const address = new URL(page.url()).searchParams;
  expect([...address.keys()].toSorted()).toEqual(['from', 'refresh', 'to']);
  await expect(page.locator('.range-words')).toContainText('03:00');
  await expect(page.locator('meta[http-equiv="refresh"]')).toHaveAttribute('content', '5');
});

test('a job is cancelled, and a token is created, without scripts', async ({ page, demo }) => {
  await page.goto(demo.loginLink);
  const { jobs } = await (await page.request.get(`${demo.origin}/api/jobs?status=running`)).json();
  await page.goto(`${demo.origin}/jobs/${jobs[0].daemon}/${jobs[0].id}`);
  await page.getByRole('link', { name: 'Cancel job' }).click();
  await page.getByRole('button', { name: 'Yes, ask the daemon to cancel it' }).click();
  await expect(page).toHaveURL(/\/jobs\/[^/]+\/[^/?]+$/);
  await expect(page.locator('.status-chip')).toHaveAttribute('data-status', /cancel/);

  await page.goto(`${demo.origin}/settings`);
  await page.getByText('New token').click();
  await page.getByLabel('Name').fill('hall display');
  await page.getByLabel('Role').selectOption('kiosk');
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByLabel('Secret of the new token')).toHaveValue(/.{20,}/);
  await page.getByRole('button', { name: 'Revoke hall display' }).click();
  await expect(page.getByText('hall display')).toHaveCount(0);
  await page.getByLabel('Theme').selectOption('dark');
  await page.getByRole('button', { name: 'Use' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});
