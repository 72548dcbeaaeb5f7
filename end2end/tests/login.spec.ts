import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { violations } from '../support/axe.ts';
import { createToken, revokeToken } from '../support/server.ts';
import { expect, test } from '../support/fixtures.ts';

test.describe('logging in', () => {
  // Chromium reports refused requests itself.
  test.use({ allowedInConsole: /status of (401|403|429)|WebSocket connection to/ });

  test('the printed link opens the overview and leaves no token in the URL', async ({ page, demo }) => {
    await page.goto(demo.loginLink);
    expect(new URL(page.url()).pathname).toBe('/');
    expect(page.url()).not.toContain('hs_');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
  });

  test('the form accepts a token and returns to the requested page', async ({ page, demo }) => {
    await page.goto(`${demo.origin}/system?from=now-1h`);
    expect(new URL(page.url()).pathname).toBe('/login');
    await page.getByLabel(/token/i).fill(demo.token);
    await page.getByRole('button', { name: /log in|sign in/i }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('System resources');
    expect(new URL(page.url()).searchParams.get('from')).toBe('now-1h');
  });

  test('an invalid token is refused with a message, in the form and in a link', async ({ page, demo }) => {
    await page.goto(`${demo.origin}/login`);
    await page.getByLabel(/token/i).fill(`hs_${'A'.repeat(49)}`);
    await page.getByRole('button', { name: /log in|sign in/i }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await page.goto(`${demo.origin}/login?token=hs_${'B'.repeat(49)}`);
    await expect(page.getByRole('alert')).toBeVisible();
    expect(await page.context().cookies()).toEqual([]);
  });

  test('the login does not redirect to another site', async ({ page, demo }) => {
    await page.goto(`${demo.loginLink}&next=${encodeURIComponent('https://example.com/')}`);
    expect(new URL(page.url()).origin).toBe(demo.origin);
  });

  test('the cookie is hidden from scripts and not sent by other sites', async ({ page, demo }) => {
    await page.goto(demo.loginLink);
    const session = (await page.context().cookies()).find(({ name }) => name === 'hyperscope_session');
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    expect(await page.evaluate(() => document.cookie)).not.toContain('hyperscope_session');
  });

  test('logging out ends the session', async ({ board, page, demo }) => {
    await board.open('/');
    const [cookie] = await page.context().cookies();
    await page.locator('.user-menu > summary').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await expect(page).toHaveURL(/\/login/);
    const answer = await page.request.get(`${demo.origin}/api/session`, {
      headers: { Cookie: `${cookie?.name}=${cookie?.value}` },
    });
    expect(answer.status()).toBe(401);
  });

  test('a login link on another site asks before it replaces a login', async ({ board, page, demo }) => {
    await board.open('/');
    const { secret } = await createToken(demo, 'viewer');
    // For a browser, localhost and 127.0.0.1 are different sites.
    const elsewhere = createServer((_, answer) => {
      answer.setHeader('Content-Type', 'text/html').end(`<a href="${demo.origin}/login?token=${secret}">in</a>`);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, resolve));
    try {
      await page.goto(`http://localhost:${(elsewhere.address() as AddressInfo).port}/`);
      await page.getByRole('link', { name: 'in' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(/^Log in as .+\?$/);
      const role = async () => ((await (await page.request.get(`${demo.origin}/api/session`)).json()) as { role: string }).role;
      expect(await role()).toBe('admin');
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: /^Log in as/ }).click();
      await expect(page).toHaveURL(`${demo.origin}/`);
      expect(await role()).toBe('viewer');
    } finally {
      elsewhere.close();
      elsewhere.closeAllConnections();
    }
  });

  test('the settings list the sessions of the token and end them', async ({ browser, page, demo }) => {
    const { secret } = await createToken(demo, 'viewer');
    const other = await (await browser.newContext()).newPage();
    await other.goto(`${demo.origin}/login?token=${secret}`);
    await page.goto(`${demo.origin}/login?token=${secret}&next=/settings`);
    const sessions = page.locator('.sessions tbody tr');
    await expect(sessions).toHaveCount(2);
    await expect(sessions.first()).toContainText(/Chrome on .*this one.*127\.0\.0\.1/s);
    await expect(sessions.first().getByRole('button')).toHaveCount(0);
    expect(await violations(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await sessions.nth(1).getByRole('button', { name: /^End the session of Chrome/ }).click();
    await expect(sessions).toHaveCount(1);
    await expect(page).toHaveURL(`${demo.origin}/settings`);
    await expect(other).toHaveURL(/\/login/, { timeout: 30_000 });
    await other.context().close();
  });

  test('a refused form shows the reason until it is dismissed, and retains the typed values', async ({ page, demo }) => {
    await page.goto(`${demo.loginLink}&next=/settings`);
    await page.getByText('New token').click();
    await page.getByLabel('Name').fill('hall display');
    await page.getByLabel('Only series with').fill('provider');
    await page.getByRole('button', { name: 'Create' }).click();
    const refusal = page.getByRole('alert').filter({ hasText: 'Dismiss' });
    await expect(refusal).toContainText('not a list of matchers');
    await expect(page).toHaveURL(`${demo.origin}/settings`);
    // The content is replaced after 15 s at most.
    await page.locator('#tokens').evaluate((tokens) => tokens.setAttribute('data-before', ''));
    await expect(page.locator('#tokens[data-before]')).toHaveCount(0, { timeout: 30_000 });
    await expect(page.getByLabel('Name')).toHaveValue('hall display');
    await expect(page.getByLabel('Only series with')).toHaveValue('provider');
    await refusal.getByRole('link', { name: 'Dismiss' }).click();
    await expect(refusal).toHaveCount(0);
    await page.reload();
    await expect(page.getByText('New token')).toBeVisible();
    await expect(refusal).toHaveCount(0);
  });

  test('an open page leads to the login within seconds after its token is revoked', async ({ page, demo }) => {
    const token = await createToken(demo, 'viewer');
    await page.goto(`${demo.origin}/login?token=${token.secret}`);
    await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live');
    await revokeToken(demo, token.id);
    await expect(page).toHaveURL(/\/login\?next=/);
  });
});
