import { createToken } from '../support/server.ts';
import { expect, test } from '../support/fixtures.ts';

test('the job table sorts, filters and searches', async ({ board }) => {
  await board.open('/');
  const panel = board.panel('Live jobs');
  const rows = panel.locator('tbody tr.job');
  await expect(rows.first()).toBeVisible();

  await panel.getByLabel('Status').selectOption('completed');
  await expect(rows.locator('td').first()).toContainText(/completed/i);
  for (const status of await rows.locator('td:first-child').allTextContents()) expect(status).toMatch(/completed/i);
  await panel.getByLabel('Status').selectOption({ index: 0 });

  const name = (await rows.first().locator('a').first().textContent())?.trim() ?? '';
  await panel.getByLabel('Search jobs').fill(name);
  await expect(rows.first()).toContainText(name);
  await panel.getByLabel('Search jobs').fill('no job has this name');
  await expect(rows).toHaveCount(0);
  await panel.getByLabel('Search jobs').fill('');
  await expect(rows.first()).toBeVisible();

  const header = panel.getByRole('columnheader', { name: 'Job' });
  await header.getByRole('button').click();
  await expect(header).toHaveAttribute('aria-sort', /ascending|descending/);
});

test('a row opens the job, and an operator can cancel it after a confirmation', async ({ board, page }) => {
  await board.open('/');
  const panel = board.panel('Live jobs');
  await panel.getByLabel('Status').selectOption('running');
  await panel.locator('tbody tr.job a').first().click();
  await expect(page).toHaveURL(/\/jobs\/.+/);
  await expect(page.getByRole('heading', { name: 'Times' })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Log' })).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: /cancel (the )?job/i }).click();
  await expect(page.locator('.job-answer')).not.toBeEmpty();
});

test("the focus on a job's page does not move while the job changes, or after a response", async ({ board, page }) => {
  await board.open('/');
  await board.panel('Live jobs').getByLabel('Status').selectOption('running');
  await board.panel('Live jobs').locator('tbody tr.job a').first().click();
  const numbers = page.locator('.job-numbers');
  const moves = async () => {
    const before = await numbers.textContent();
    await expect(numbers).not.toHaveText(before!, { timeout: 30_000 });
  };
  const cancel = page.getByRole('button', { name: 'Cancel job' }).first();
  await cancel.focus();
  await moves();
  await expect(cancel).toBeFocused();
  await cancel.press('Enter');
  const keep = page.getByRole('button', { name: 'Keep it running' });
  await keep.focus();
  await moves();
  await expect(keep).toBeFocused();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel job' }).press('Enter');
  await expect(page.locator('.job-answer')).not.toBeEmpty();
  await expect(cancel).toBeFocused();
});

test.describe('a viewer', () => {
  test.use({ allowedInConsole: /status of 403/ });

  test('sees jobs and cannot cancel them', async ({ page, demo }) => {
    const viewer = await createToken(demo, 'viewer');
    await page.goto(`${demo.origin}/login?token=${viewer.secret}`);
    const job = page.locator('tbody tr.job a').first();
    await job.click();
    await expect(page.getByRole('heading', { name: 'Times' })).toBeVisible();
    await expect(page.getByRole('button', { name: /cancel/i })).toHaveCount(0);
  });
});
