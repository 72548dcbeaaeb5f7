import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Page } from '@playwright/test';

import config from '../playwright.config.ts';
import { Board } from '../support/board.ts';
import { expect, test } from '../support/fixtures.ts';
import { createToken, startDemo } from '../support/server.ts';

const launchOptions = config.use?.launchOptions ?? {};
/** A browser that resolves these names to this machine. They are not loopback names, so plain HTTP with them is an insecure origin. */
test.use({
  launchOptions: {
    ...launchOptions,
    args: [...(launchOptions.args ?? []), '--host-resolver-rules=MAP scope.test 127.0.0.1, MAP wiki.test 127.0.0.1'],
  },
  ignoreHTTPSErrors: true,
});

/** The same server under a name. */
function named(origin: string): string {
  return origin.replace('127.0.0.1', 'scope.test');
}

/** Logs in by the form. */
async function logIn(page: Page, login: string, token: string): Promise<void> {
  await page.goto(login);
  await page.getByLabel(/token/i).fill(token);
  await page.getByRole('button', { name: /log in/i }).click();
}

test.describe('plain HTTP under a name', () => {
  test('logs in, silences, acknowledges and logs out', async ({ page, demo }) => {
    const origin = named(demo.origin);
    await logIn(page, `${origin}/login?next=%2F`, demo.token);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
    // The live socket accepts this origin too.
    await new Board(page, origin).connected('live');

    await page.goto(`${origin}/alerts`);
    // A pending alert cannot be acknowledged.
    const alert = page.locator('a.alert-line', { hasText: /firing/ }).first();
    await expect(alert).toBeVisible({ timeout: 40_000 });
    await alert.click();
    await page.getByRole('button', { name: 'I look after it' }).click();
    await expect(page.getByRole('button', { name: 'Give it back' })).toBeVisible();

    const matchers = encodeURIComponent('alertname="NobodyHasIt"');
    await page.goto(`${origin}/alerts?view=silences&matchers=${matchers}`);
    await page.getByLabel('Because').fill('a silence under a name');
    await page.locator('.silence-create button[type=submit]').click();
    await expect(page.locator('.silence', { hasText: 'a silence under a name' })).toBeVisible();

    await page.goto(`${origin}/`);
    await page.locator('.user-menu > summary').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await expect(page).toHaveURL(/\/login/);
    expect((await page.context().cookies()).filter(({ name }) => name === 'hyperscope_session')).toEqual([]);
    await page.goto(`${origin}/jobs`);
    await expect(page).toHaveURL(/\/login\?next=/);
  });

  test('works without scripts in an old browser', async ({ browser, demo }) => {
    const origin = named(demo.origin);
    const context = await browser.newContext({ javaScriptEnabled: false });
    // Headers that an old browser does not send.
    await context.route('**', async (route) => {
      const headers = { ...(await route.request().allHeaders()) };
      for (const name of ['origin', 'referer', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest']) delete headers[name];
      await route.continue({ headers });
    });
    const page = await context.newPage();
    await logIn(page, `${origin}/login?next=%2Fsettings`, demo.token);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Settings');
    const matchers = encodeURIComponent('alertname="NobodyHasItEither"');
    await page.goto(`${origin}/alerts?view=silences&matchers=${matchers}`);
    await page.getByLabel('Because').fill('a silence of an old browser');
    await page.locator('.silence-create button[type=submit]').click();
    await expect(page.locator('.silence', { hasText: 'a silence of an old browser' })).toBeVisible();
    await context.close();
  });

  test('a page of another site cannot change anything', async ({ page, demo }) => {
    const origin = named(demo.origin);
    await logIn(page, `${origin}/login?next=%2Fsettings`, demo.token);
    await expect(page).toHaveURL(/\/settings/);
    const session = (await page.context().cookies()).find(({ name }) => name === 'hyperscope_session');
    expect(session).toMatchObject({ sameSite: 'Strict' });
    // The worst case: a browser that sends the cookie from every site.
    await page.context().addCookies([{ ...session!, sameSite: 'Lax' }]);
    await page.route('http://wiki.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        headers: { 'referrer-policy': 'no-referrer' },
        body: `<form method="post" action="${origin}/logout"><button>Win a prize</button></form>`,
      }),
    );
    await page.goto('http://wiki.test/');
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === `${origin}/logout`),
      page.getByRole('button', { name: 'Win a prize' }).click(),
    ]);
    // Without the cookie there is no session to end. With it, the form is refused.
    expect([303, 403]).toContain(answer.status());
    await page.goto(`${origin}/settings`);
    await expect(page).toHaveURL(/\/settings/);
  });
});

test('under a base path, every page, link and request is below it', async ({ page }) => {
  const demo = await startDemo('--public-url', 'http://scope.test/scope');
  try {
    const origin = named(demo.origin);
    const outside: string[] = [];
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin === origin && !/^\/scope(\/|$)/.test(url.pathname)) outside.push(`${request.method()} ${url.pathname}`);
    });
    page.on('websocket', (socket) => {
      if (!new URL(socket.url()).pathname.startsWith('/scope/')) outside.push(socket.url());
    });
    const stays = async (what: string) => {
      const links = await page.evaluate(() =>
        [...document.querySelectorAll('[href], [src], [action]')].map((element) => {
          const value = ['href', 'src', 'action'].map((name) => element.getAttribute(name)).find((text) => text !== null) ?? '';
          return new URL(value, document.baseURI).href;
        }),
      );
      const strays = links.filter((link) => new URL(link).origin === origin && !new URL(link).pathname.startsWith('/scope/'));
      expect(strays, `links of ${what} that leave the path`).toEqual([]);
      expect(new URL(page.url()).pathname, what).toMatch(/^\/scope\//);
    };

    const board = new Board(page, `${origin}/scope`);
    await logIn(page, `${origin}/scope/login?next=%2Fjobs`, demo.token);
    await board.live();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Job performance');
    await stays('the jobs');
    expect((await page.context().cookies()).every((cookie) => cookie.path.startsWith('/scope'))).toBe(true);

    // By links, as a user navigates, so that the browser renders the pages.
    const navigation = page.getByRole('navigation', { name: 'Dashboards' });
    for (const [link, heading] of [
      ['Overview', 'Overview'],
      ['System resources', 'System resources'],
      ['Alerts', 'Alerts'],
      ['Explore', 'Explore'],
      ['Overview', 'Overview'],
    ] as const) {
      await navigation.getByRole('link', { name: link, exact: false }).first().click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
      await stays(link);
    }
    await board.connected('live');
    await page.goBack();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Explore');
    await page.goForward();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
    await page.locator('.job a').first().click();
    await expect(page).toHaveURL(/\/scope\/jobs\/[^/]+\/[^/]+/);
    await stays('a job');
    await page.goto(`${origin}/scope/kiosk/hypersdk-jobs`);
    await board.connected('live');
    await stays('the kiosk');
    await page.goto(`${origin}/scope/alerts?view=silences&matchers=${encodeURIComponent('alertname="X"')}`);
    await page.getByLabel('Because').fill('below a path');
    await page.locator('.silence-create button[type=submit]').click();
    await expect(page.locator('.silence', { hasText: 'below a path' })).toBeVisible();
    await stays('the silences');
    await page.goto(`${origin}/scope`);
    await board.connected('live');
    await page.locator('.user-menu > summary').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await expect(page).toHaveURL(/\/scope\/login/);
    expect(outside, 'requests that leave the path').toEqual([]);
  } finally {
    await demo.stop();
  }
});

test.describe('a kiosk in a frame of another site', () => {
  // Chromium itself reports a cookie that a frame may not store.
  test.use({ allowedInConsole: /cookie|insecure|autofocusing|status of 40/i });

  test('stays logged in over HTTPS', async ({ page }) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hyperscope-frame-'));
    const [cert, key] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=scope.test'], {
      stdio: 'ignore',
    });
    let frame = '';
    const wiki = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<h1>Wiki</h1><iframe src="${frame}" width="1200" height="700" title="kiosk"></iframe>`);
    });
    await new Promise<void>((resolve) => wiki.listen(0, '127.0.0.1', resolve));
    const wikiOrigin = `https://wiki.test:${(wiki.address() as AddressInfo).port}`;
    const demo = await startDemo('--tls-cert', cert, '--tls-key', key, '--frame-ancestors', wikiOrigin);
    try {
      const token = await createToken(demo, 'kiosk');
      frame = `${named(demo.origin)}/kiosk/hypersdk-jobs?token=${token.secret}`;
      await page.goto(wikiOrigin);
      const kiosk = page.frameLocator('iframe');
      await expect(kiosk.getByRole('heading', { level: 1 })).toHaveText('Job performance');
      await expect(kiosk.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 30_000 });
      // Later, and without the token.
      frame = `${named(demo.origin)}/kiosk/hypersdk-jobs`;
      await page.reload();
      await expect(kiosk.getByRole('heading', { level: 1 })).toHaveText('Job performance');
      // A page that is still loading when the server stops writes errors to the console.
      await expect(kiosk.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 30_000 });
    } finally {
      await demo.stop();
      wiki.close();
      wiki.closeAllConnections();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('says over plain HTTP why it cannot log in', async ({ page }) => {
    let frame = '';
    // A separate server, because Chromium blocks requests from a page mocked by the test to this machine.
    const wiki = createPlainServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<iframe src="${frame}" width="1200" height="700" title="kiosk"></iframe>`);
    });
    await new Promise<void>((resolve) => wiki.listen(0, '127.0.0.1', resolve));
    const wikiOrigin = `http://wiki.test:${(wiki.address() as AddressInfo).port}`;
    const demo = await startDemo('--frame-ancestors', wikiOrigin);
    try {
      const token = await createToken(demo, 'kiosk');
      frame = `${named(demo.origin)}/kiosk/hypersdk-jobs?token=${token.secret}`;
      await page.goto(wikiOrigin);
      await expect(page.frameLocator('iframe').getByRole('note')).toContainText('over HTTPS only');
    } finally {
      await demo.stop();
      wiki.close();
      wiki.closeAllConnections();
    }
  });
});
