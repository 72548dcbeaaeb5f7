import { expect, test } from '../support/fixtures.ts';

test.describe('alerts', () => {
  test('are counted on every page, and have details with a chart of their expression', async ({ board, page }) => {
    await page.goto(board.origin + '/');
    const count = page.getByRole('link', { name: /^Alerts/ }).locator('.count').first();
    await expect(count).toBeVisible({ timeout: 40_000 });
    await expect(page).toHaveTitle(/^\(\d+\) Overview/);
    await page.getByRole('link', { name: /^Alerts/ }).click();
    await expect(page).toHaveURL(/\/alerts$/);
    const line = page.locator('.alert-line').first();
    await expect(line).toContainText(/firing|pending/);
    await line.click();
    await expect(page.locator('.alert-detail .alert-course svg').first()).toBeVisible();
    // The actions come before the texts.
    await expect(page.locator('.alert-detail .alert-actions + .alert-course')).toHaveCount(1);
    await expect(page.locator('.alert-detail .alert-expr')).not.toBeEmpty();
    await expect(page.locator('.alert-line[aria-expanded="true"]')).toBeFocused();
  });

  test('are silenced with two clicks and a reason, after a preview of the muted alerts', async ({ board, page }) => {
    await page.goto(board.origin + '/alerts');
    const busy = page.locator('.alert-line', { hasText: 'DemoProviderBusy' }).first();
    await expect(busy).toBeVisible({ timeout: 40_000 });
    await busy.click();
    await page.getByRole('link', { name: 'Silence it' }).click();
    await expect(page.locator('.silence-preview')).toContainText('It would mute');
    await page.locator('#silence-matchers').fill('alertname="DemoProviderBusy"');
    await expect(page.locator('.silence-preview li').first()).toContainText('DemoProviderBusy');
    await page.getByLabel('Because').fill('a test of silences');
    await expect(page.locator('.silence-create input[name="matchers"]')).toHaveValue('alertname="DemoProviderBusy"');
    await page.getByRole('button', { name: 'Silence', exact: true }).click();
    await expect(page.locator('.silence', { hasText: 'a test of silences' })).toBeVisible();
    await page.getByRole('link', { name: /^Alerts/ }).last().click();
    await expect(page.locator('.alert-item', { hasText: 'DemoProviderBusy' }).first()).toContainText('silenced');
    await page.goto(board.origin + '/alerts?view=silences');
    await page.getByRole('button', { name: 'End it now' }).first().click();
    await expect(page.getByText('1 that are over')).toBeVisible();
  });

  test('are filtered by text that was typed before the program was loaded', async ({ board, page }) => {
    let come = () => {};
    const held = new Promise<void>((resolve) => (come = resolve));
    await page.route('**/*.wasm', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(board.origin + '/alerts', { waitUntil: 'commit' });
    const filter = page.getByLabel('Filter by labels');
    await filter.pressSequentially('alertname="NoSuchAlert"');
    come();
    await expect(page.getByText('Nothing matches')).toBeVisible();
    await expect(filter).toHaveValue('alertname="NoSuchAlert"');
  });

  test('are filtered while the user types, and an update does not change the text', async ({ board, page }) => {
    await page.goto(board.origin + '/alerts');
    await expect(page.locator('.alert-line').first()).toBeVisible({ timeout: 40_000 });
    const filter = page.getByLabel('Filter by labels');
    await filter.pressSequentially('alertname="NoSuchAlert"');
    await expect(page.getByText('Nothing matches')).toBeVisible();
    await expect(filter).toBeFocused();
    await expect(filter).toHaveValue('alertname="NoSuchAlert"');
    await filter.fill('alertname=');
    await filter.press('End');
    await filter.pressSequentially('"');
    await expect(page.getByRole('alert').filter({ hasText: /./ })).toBeVisible();
  });
});
