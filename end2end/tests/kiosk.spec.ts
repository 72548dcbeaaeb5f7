import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Page } from '@playwright/test';

import { violations } from '../support/axe.ts';
import { dashboards } from '../support/dashboards.ts';
import { expect, test as base } from '../support/fixtures.ts';
import { unreadable } from '../support/overlaps.ts';
import { settled } from '../support/picture.ts';
import { Proxy } from '../support/proxy.ts';
import { createToken, type Running, start } from '../support/server.ts';

const TOKEN = 'the-admin-of-these-tests_0123456789abcdef';
const KIOSK = '/kiosk/hypersdk-overview';

/** A server without daemons and rules. Alerts are posted to it, as by a Prometheus. */
class Alerts {
  constructor(readonly origin: string) {}

  async #send(method: string, to: string, body?: unknown): Promise<Response> {
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    const answer = await fetch(this.origin + to, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${to}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  /** Makes an alert fire, or changes its summary. */
  async fire(name: string, severity = 'critical', summary = `${name} is on`): Promise<void> {
    const labels = { alertname: name, severity, daemon: 'dc1', host: 'esxi-14' };
    await this.#send('POST', '/api/v2/alerts', [{ labels, annotations: { summary } }]);
  }

  async end(name: string, severity = 'critical'): Promise<void> {
    const labels = { alertname: name, severity, daemon: 'dc1', host: 'esxi-14' };
    const endsAt = new Date(Date.now() - 1_000).toISOString();
    await this.#send('POST', '/api/v2/alerts', [{ labels, startsAt: new Date(Date.now() - 60_000).toISOString(), endsAt }]);
  }

  /** Silences an alert, and returns the id of the silence. */
  async silence(name: string): Promise<string> {
    const answer = await this.#send('POST', '/api/silences', { matchers: `alertname=${name}`, comment: 'a test' });
    return ((await answer.json()) as { id: string }).id;
  }

  async expire(id: string): Promise<void> {
    await this.#send('DELETE', `/api/silences/${id}`);
  }

  async acknowledge(name: string): Promise<void> {
    const list = (await (await this.#send('GET', '/api/alerts')).json()) as { alerts: { name: string; fingerprint: string }[] };
    const fingerprint = list.alerts.find((alert) => alert.name === name)?.fingerprint;
    await this.#send('POST', `/api/alerts/${fingerprint}/ack`);
  }
}

interface Fixtures {
  alerts: Alerts;
  /** The proxy through which the browser reaches the server. */
  way: Proxy;
}

const test = base.extend<Fixtures>({
  alerts: async ({}, use) => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'hyperscope-kiosk-'));
    const server: Running = await start(['serve', '--listen', '127.0.0.1:0', '--data-dir', dataDir], { HYPERSCOPE_ADMIN_TOKEN: TOKEN });
    await use(new Alerts(server.origin));
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  },
  way: async ({ alerts }, use) => {
    const proxy = await Proxy.to(alerts.origin);
    await use(proxy);
    await proxy.close();
  },
  allowedInConsole: /ERR_|Failed to load resource|WebSocket connection/,
});

/** Counts the sounds of a page over all its documents. Turns on sounds from this severity on, also for kiosk displays. */
async function sounds(page: Page, severity: string): Promise<() => number> {
  let count = 0;
  await page.exposeFunction('countSound', () => (count += 1));
  await page.addInitScript((severity) => {
    OscillatorNode.prototype.start = () => (window as unknown as { countSound: () => void }).countSound();
    localStorage.setItem('hyperscope-sound', severity);
    localStorage.setItem('hyperscope-wall-sound', 'on');
  }, severity);
  return () => count;
}

const band = (page: Page) => page.locator('.wall-alarm');

async function open(page: Page, origin: string, at = KIOSK): Promise<void> {
  await page.goto(`${origin}/login?token=${TOKEN}`);
  await page.goto(origin + at);
  await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 30_000 });
}

test.describe('an alarm on a kiosk display', () => {
  test.describe.configure({ timeout: 120_000 });

  test("is a band above the panels with the alert's name, severity and age", async ({ alerts, page }) => {
    await page.setViewportSize({ width: 1920, height: 1080 });
    await open(page, alerts.origin);
    await alerts.fire('Lesser', 'warning');
    await alerts.fire('StoreFull', 'page');
    await alerts.fire('QueueStuck', 'critical', 'Nothing has moved for 10 min');
    await expect(band(page)).toContainText('Nothing has moved for 10 min');
    await expect(band(page)).toContainText(/QueueStuck\s*critical\s*firing for \d+ s/);
    await expect(band(page)).toContainText('daemon=dc1 host=esxi-14');
    await expect(band(page)).toContainText('and 1 more: StoreFull');
    await expect(band(page)).not.toContainText('Lesser');
    for (const [width, height] of [[1920, 1080], [1366, 768], [1080, 1920], [390, 844]] as const) {
      await page.setViewportSize({ width, height });
      const box = (await band(page).boundingBox())!;
      expect(box.height, `${width}x${height}`).toBeLessThanOrEqual(height / 3);
      const first = (await page.locator('section.panel').first().boundingBox())!;
      expect(box.y + box.height, 'it covers no panel').toBeLessThanOrEqual(first.y);
      const clipped = await band(page).evaluate((all) => [...all.children].filter((one) => one.getBoundingClientRect().bottom > all.getBoundingClientRect().bottom).length);
      expect(clipped, 'nothing of it is cut').toBe(0);
    }
    await expect(page.locator('.kiosk-time')).toBeInViewport();
    await expect(page.locator('.connection')).toBeInViewport();
    await expect(page.locator('.kiosk-bar .counts')).toHaveText('3 firing');
    expect(await page.evaluate(() => document.activeElement === document.body), 'it takes no focus').toBe(true);
    expect(await violations(page)).toEqual([]);
  });

  test('ignores silenced and acknowledged alerts, and sounds once for each firing', async ({ alerts, page, way }) => {
    const rung = await sounds(page, 'critical');
    await alerts.fire('Before');
    await open(page, way.origin);
    await expect(band(page)).toBeVisible();
    expect(rung(), 'what fired before the page was there').toBe(0);

    const before = await alerts.silence('Before');
    await expect(band(page)).toHaveCount(0);
    await expect(page.locator('.kiosk-bar .counts')).toHaveText('1 silenced');
    await expect(page).toHaveTitle(/^Overview/);

    await alerts.silence('Muted');
    await alerts.fire('Muted');
    await expect(page.locator('.kiosk-bar .counts')).toHaveText('2 silenced');
    await alerts.fire('Low', 'warning');
    await expect(page.locator('.kiosk-bar .count.ink-yellow')).toHaveText('1 firing');
    await expect(band(page)).toHaveCount(0);
    expect(rung()).toBe(0);

    await alerts.expire(before);
    await expect(band(page)).toContainText('Before');
    await expect.poll(rung, { message: 'its silence ended while it fires' }).toBe(1);

    await alerts.fire('Loud');
    await expect.poll(rung).toBe(2);
    // A reconnect sends the same list again, and a later alert of low severity makes no sound.
    way.cut();
    await alerts.fire('Low2', 'warning');
    await expect(page.locator('.kiosk-bar .count.ink-red')).toHaveText('4 firing', { timeout: 30_000 });
    expect(rung()).toBe(2);

    await alerts.acknowledge('Loud');
    await alerts.acknowledge('Before');
    await expect(band(page)).toHaveCount(0);
    await expect(page.locator('.kiosk-bar .count-muted')).toHaveText('3 muted');
  });

  test('is hidden by any key until it fires again', async ({ alerts, page }) => {
    await open(page, alerts.origin);
    await alerts.fire('Leak', 'critical', 'It uses 6.4 GiB');
    await expect(band(page)).toContainText('6.4 GiB');
    await page.keyboard.press('x');
    await expect(band(page)).toHaveCount(0);
    // The same firing with another summary, and changes of other alerts.
    await alerts.fire('Leak', 'critical', 'It uses 6.5 GiB');
    await alerts.fire('Other', 'warning');
    await expect(page.locator('.kiosk-bar .count')).toHaveText('2 firing');
    await expect(band(page)).toHaveCount(0);
    await alerts.end('Leak');
    await expect(page.locator('.kiosk-bar .count')).toHaveText('1 firing');
    await alerts.fire('Leak', 'critical', 'It uses 6.5 GiB');
    await expect(band(page)).toContainText('Leak');
    await page.getByRole('button', { name: 'Hide' }).click();
    await expect(band(page)).toHaveCount(0);
    await alerts.fire('Another');
    await expect(band(page)).toContainText('Another');
  });

  test('consumes the key and the click that hide it, and no others', async ({ alerts, page }) => {
    await open(page, alerts.origin);
    const leave = page.locator('.kiosk-leave');
    await alerts.fire('Leak');
    await expect(band(page)).toBeVisible();
    await leave.click({ force: true });
    await expect(band(page)).toHaveCount(0);
    expect(new URL(page.url()).pathname).toBe(KIOSK);
    await alerts.fire('Another');
    await expect(band(page)).toBeVisible();
    await leave.focus();
    await page.keyboard.press('Enter');
    await expect(band(page)).toHaveCount(0);
    expect(new URL(page.url()).pathname).toBe(KIOSK);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(alerts.origin + '/');
  });

  for (const hasTouch of [false, true]) {
    test(`is the only thing that a ${hasTouch ? 'tap' : 'click'} reaches`, async ({ alerts, browser }) => {
      const context = await browser.newContext({ hasTouch });
      const page = await context.newPage();
      await open(page, alerts.origin);
      await alerts.fire('Leak');
      await expect(band(page)).toBeVisible();
      const table = page.locator('.jobs-scroll');
      // The live table takes the place of the server's.
      await settled(page);
      await expect(table).toBeVisible();
      const { x, y } = (await table.boundingBox())!;
      const begun = page.evaluate(
        () => new Promise((done) => {
          const seen: string[] = [];
          for (const name of ['pointerdown', 'mousedown', 'click']) document.addEventListener(name, () => seen.push(name));
          setTimeout(() => done(seen), 1_500);
        }),
      );
      if (hasTouch) await page.touchscreen.tap(x + 40, y + 60);
      else await page.mouse.click(x + 40, y + 60);
      await expect(band(page)).toHaveCount(0);
      expect(await begun, 'nothing beneath hears of it').toEqual([]);
      expect(await page.evaluate(() => document.activeElement === document.body), 'nor takes the focus').toBe(true);
      await page.mouse.click(x + 40, y + 60);
      expect(await page.evaluate(() => document.activeElement === document.body), 'the next one does').toBe(false);
      await context.close();
    });
  }

  test('shrinks to one line after a minute', async ({ alerts, page }) => {
    await page.clock.install();
    await open(page, alerts.origin);
    await alerts.fire('QueueStuck');
    await expect(band(page)).toBeVisible();
    await expect(band(page)).not.toHaveAttribute('data-small');
    const whole = (await band(page).boundingBox())!.height;
    await page.clock.runFor(70_000);
    await expect(band(page)).toHaveAttribute('data-small', '');
    await expect(band(page)).toContainText('QueueStuck');
    expect((await band(page).boundingBox())!.height).toBeLessThan(whole / 2);
    await alerts.fire('Another');
    await expect(band(page)).not.toHaveAttribute('data-small');
  });

  test('turns grey and shows its age when the server is down', async ({ alerts, page, way }) => {
    await open(page, way.origin);
    await alerts.fire('QueueStuck');
    await expect(band(page)).toBeVisible();
    await expect(band(page)).not.toHaveAttribute('data-stale');
    way.become('down');
    way.cut();
    await expect(band(page)).toHaveAttribute('data-stale', '', { timeout: 30_000 });
    await expect(band(page)).toContainText(/last known \d\d:\d\d, server unreachable/);
    await expect(band(page)).toContainText(/fired \d\d:\d\d/);
    await expect(page.locator('.kiosk-bar .counts')).toHaveAttribute('data-stale', '');
    expect(await violations(page)).toEqual([]);
    way.become('clear');
    await expect(band(page)).not.toHaveAttribute('data-stale', { timeout: 60_000 });
    await expect(band(page)).toContainText(/firing/);
  });
});

test('an alert that begins to fire while the other program loads sounds once', async ({ alerts, page }) => {
  const rung = await sounds(page, 'all');
  const held: (() => void)[] = [];
  await page.route('**/*.wasm', async (route) => {
    if (route.request().url().includes('workbench')) await new Promise<void>((go) => held.push(go));
    await route.continue();
  });
  await open(page, alerts.origin, '/');
  await alerts.fire('First');
  await expect.poll(rung).toBe(1);

  await page.getByRole('link', { name: /^Alerts/ }).click();
  await expect(page.locator('.alert-line')).toHaveCount(1);
  await expect.poll(() => held.length).toBe(1);
  await alerts.fire('Meanwhile', 'warning');
  held.pop()!();
  await expect(page.locator('.alert-line')).toHaveCount(2);
  await expect.poll(rung).toBe(2);

  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 30_000 });
  await alerts.fire('Last');
  await expect.poll(rung, { message: 'the last one, and none a second time' }).toBe(3);
});

test('a kiosk limited to some dashboards has no links to other pages', async ({ demo, page }) => {
  // Each link is followed.
  test.setTimeout(180_000);
  const { secret } = await createToken(demo, 'kiosk', '--dashboards', 'hypersdk-overview');
  await page.goto(`${demo.origin}/login?token=${secret}`);
  for (const at of [KIOSK, '/', '/d/hypersdk-overview', '/settings']) {
    await page.goto(demo.origin + at);
    if (at !== '/settings') {
      await expect(page.locator('.panel-picture')).toHaveCount(0, { timeout: 30_000 });
      await expect(page.locator('.panel-jobs tr.job').first()).toBeVisible();
    }
    const links = await page.locator('a[href]').evaluateAll((all) => [...new Set(all.map((link) => (link as HTMLAnchorElement).href))]);
    for (const link of links) {
      const answer = await page.request.get(link);
      expect(answer.status(), `${link} on ${at}`).toBe(200);
    }
  }
});

test('the list of alerts is grey and its ages do not grow while the server is down', async ({ alerts, page, way }) => {
  test.setTimeout(120_000);
  await open(page, way.origin, '/');
  await alerts.fire('QueueStuck');
  const panel = page.locator('.panel-alerts');
  const chip = panel.locator('.alert .chip');
  const filter = () => chip.evaluate((one) => getComputedStyle(one).filter);
  await expect(chip).toBeVisible();
  expect(await filter()).toBe('none');
  way.become('down');
  way.cut();
  await expect(panel.locator('.badge-stale')).toHaveText(/^stale, \d+ s old/, { timeout: 30_000 });
  expect(await filter()).toBe('grayscale(1)');
  const age = await panel.locator('.alert-state').textContent();
  const old = await panel.locator('.badge-stale').textContent();
  await expect(panel.locator('.badge-stale')).not.toHaveText(old!);
  await expect(panel.locator('.alert-state')).toHaveText(age!);
  way.become('clear');
  await expect(panel.locator('.badge-stale')).toHaveCount(0, { timeout: 60_000 });
  expect(await filter()).toBe('none');
});

test('the badge counts active alerts, in the colour of the worst', async ({ alerts, page }) => {
  await open(page, alerts.origin, '/');
  const badge = page.getByRole('link', { name: /^Alerts/ }).locator('.count').first();
  await alerts.fire('Fact', 'info');
  await expect(badge).toHaveClass(/ink-blue/);
  await alerts.fire('Bad', 'error');
  await expect(badge).toHaveClass(/ink-red/);
  await expect(page).toHaveTitle(/^\(2\) /);
  await alerts.silence('Bad');
  await expect(badge).toHaveClass(/ink-blue/);
  await expect(page.getByRole('link', { name: /Alerts.*1 firing.*1 muted/ })).toBeVisible();
  await expect(page).toHaveTitle(/^\(1\) /);
  const panel = page.locator('.panel-alerts');
  await expect(panel.locator('.alerts > li')).toHaveText([/Fact/, '1 muted', /Bad.*silenced for another/]);
  await page.goto(alerts.origin + '/alerts');
  await expect(page.locator('.alert-group h2')).toHaveText([/^info/, /^muted/]);
  expect(await violations(page)).toEqual([]);
});

test('nothing on a kiosk display overlaps or is cut, and items that do not fit are counted', async ({ demo, page }) => {
  test.setTimeout(240_000);
  const proxy = await Proxy.to(demo.origin);
  const token = new URL(demo.loginLink).searchParams.get('token')!;
  const labels = { alertname: 'WallIsLow', severity: 'critical', daemon: 'demo', host: 'esxi-14' };
  const posted = await fetch(`${demo.origin}/api/v2/alerts`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ labels, annotations: { summary: 'It is 97 % full' }, endsAt: new Date(Date.now() + 600_000).toISOString() }]),
  });
  expect(posted.ok).toBe(true);
  await page.goto(`${proxy.origin}/login?token=${token}`);
  const sizes = [[1366, 768], [1920, 1080], [1080, 1920]] as const;
  const isReadable = async (when: string) => {
    for (const [width, height] of sizes) {
      await page.setViewportSize({ width, height });
      // The counts follow within a second.
      await expect(async () => expect(await unreadable(page), `${when}, ${width}x${height}`).toEqual([])).toPass({ timeout: 10_000 });
    }
  };
  for (const { path: at } of dashboards) {
    proxy.become('clear');
    const uid = { '/': 'hypersdk-overview', '/jobs': 'hypersdk-jobs', '/system': 'hypersdk-system' }[at]!;
    await page.goto(`${proxy.origin}/kiosk/${uid}`);
    await expect(page.locator('.panel-picture')).toHaveCount(0, { timeout: 30_000 });
    await expect(band(page)).toBeVisible();
    await isReadable(`${at} with a band`);
    if (at === '/') {
      await page.setViewportSize({ width: 1366, height: 768 });
      const jobs = page.locator('.panel-jobs');
      await expect(jobs.locator('.badges')).toHaveAttribute('data-more', /^and \d+ more$/);
      const rows = await jobs.locator('tr.job').evaluateAll((all) => {
        const edge = all[0]!.closest('.jobs-scroll')!.getBoundingClientRect().bottom;
        return all.filter((row) => row.getBoundingClientRect().bottom <= edge + 1).length;
      });
      const total = Number(await jobs.locator('table').getAttribute('aria-rowcount')) - 1;
      await expect(jobs.locator('.badges')).toHaveAttribute('data-more', `and ${total - rows} more`);
    }
    proxy.become('down');
    proxy.cut();
    await expect(page.locator('.badge-stale').first()).toBeVisible({ timeout: 30_000 });
    await isReadable(`${at} stale with a band`);
    await page.keyboard.press('x');
    await expect(band(page)).toHaveCount(0);
    await isReadable(`${at} stale`);
  }
  await proxy.close();
});
