import { expect, test } from '../support/fixtures.ts';
import { violations } from '../support/axe.ts';

test.describe('Explore', () => {
  test('shows the result of a query, and the URL has all its parameters', async ({ board, page }) => {
    await page.goto(board.origin + '/');
    await page.getByRole('link', { name: 'Explore', exact: true }).click();
    await expect(page).toHaveURL(/\/explore$/);
    await expect(page).toHaveTitle(/Explore/);
    // Explore is a page of the other program: a form that is sent before the program is loaded loads a document.
    await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live');
    const query = page.getByLabel('Query');
    await query.fill('sum by (provider) (hypersdk_jobs_active)');
    await query.press('Enter');
    await expect(page.locator('.explore-course svg.plot')).toBeVisible();
    await expect(page.locator('.explore-said')).toContainText(/\d+ series with \d+ points/);
    await expect(query).toBeFocused();
    await page.getByLabel('Evaluated').selectOption('At one time');
    await expect(page.locator('.explore-values tbody tr').first()).toContainText('provider=');
    await expect(page).toHaveURL(/expr=sum.*type=instant/);
    await page.goBack();
    await expect(page.locator('.explore-course svg.plot')).toBeVisible();
    await expect(query).toHaveValue('sum by (provider) (hypersdk_jobs_active)');
  });

  test('suggests names of metrics', async ({ board, page }) => {
    await page.goto(board.origin + '/explore');
    await expect(page.locator('#explore-metrics option[value="hypersdk_jobs_active"]')).toBeAttached();
  });

  test('shows the error of a query and its position', async ({ board, page }) => {
    await page.goto(board.origin + '/explore?expr=sum(up');
    const said = page.getByRole('alert').filter({ hasText: 'The query was not answered' });
    await expect(said).toContainText('1:7: parse error: unclosed left parenthesis');
    await expect(said.locator('code')).toHaveText('sum(up\u2026');
    await expect(said.locator('mark')).toHaveText('\u2026');
  });

  test('can be opened from a rule, an alert and a panel', async ({ board, page }) => {
    await page.goto(board.origin + '/alerts?view=rules');
    await page.getByRole('link', { name: /^Open .* in Explore$/ }).first().click();
    await expect(page).toHaveURL(/\/explore\?expr=/);
    await expect(page.getByLabel('Query')).not.toHaveValue('');
    await board.open('/system');
    const panel = page.getByRole('region', { name: 'CPU Usage', exact: true });
    await panel.locator('summary').click();
    await panel.getByRole('link', { name: 'Open in Explore' }).first().click();
    await expect(page).toHaveURL(/\/explore\?expr=.*from=now-3600s/);
    await expect(page.locator('.explore-course svg.plot')).toBeVisible();
  });

  test('retains typed text and choices when the page is updated', async ({ board, page }) => {
    await page.goto(board.origin + '/explore?expr=vector(1)&type=instant');
    const said = page.locator('.explore-said');
    const before = await said.textContent();
    await page.getByLabel('Query').fill('vector(2)');
    await page.getByLabel('Step').fill('30s');
    await expect(said).not.toHaveText(before ?? '', { timeout: 30_000 });
    await expect(page.getByLabel('Query')).toHaveValue('vector(2)');
    await expect(page.getByLabel('Step')).toHaveValue('30s');
  });

  for (const theme of ['light', 'dark'] as const) {
    test(`has no violation that axe finds, in ${theme}`, async ({ board, page }) => {
      await page.emulateMedia({ colorScheme: theme });
      for (const query of ['', '?expr=hypersdk_jobs_active', '?expr=hypersdk_jobs_active&type=instant', '?expr=sum(']) {
        await page.goto(`${board.origin}/explore${query}`);
        await expect(page.getByLabel('Query')).toBeVisible();
        expect(await violations(page), query).toEqual([]);
      }
    });
  }
});

test.describe('Explore without scripts', () => {
  test.use({ javaScriptEnabled: false });

  test('shows results', async ({ board, page }) => {
    await page.goto(board.origin + '/explore');
    await page.getByLabel('Query').fill('vector(42)');
    await page.getByLabel('Evaluated').selectOption('At one time');
    await page.getByRole('button', { name: 'Run' }).click();
    await expect(page.locator('.explore-values tbody')).toContainText('42');
    await expect(page.getByLabel('Query')).toHaveValue('vector(42)');
  });
});
