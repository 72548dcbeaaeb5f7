import type { Browser, Page } from '@playwright/test';

import { Board, panel } from '../support/board.ts';
import { expect, test } from '../support/fixtures.ts';
import { settled } from '../support/picture.ts';

const HOUR_MS = 3_600_000;

/** A page whose scripts see a clock that is wrong by this many milliseconds. */
async function withClock(browser: Browser, wrongByMs: number): Promise<Page> {
  const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB' });
  await context.addInitScript((shiftMs) => {
    const Real = Date;
    (window as unknown as { shiftMs: number }).shiftMs = shiftMs;
    const now = () => Real.now() + (window as unknown as { shiftMs: number }).shiftMs;
    window.Date = new Proxy(Real, {
      construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args) as object,
      get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
    });
  }, wrongByMs);
  return context.newPage();
}

/** The time of a kiosk display, in minutes of the day. */
async function minutes(page: Page): Promise<number> {
  const [hours, minute] = ((await page.locator('.kiosk-time').textContent()) ?? '').split(':').map(Number);
  return (hours ?? 0) * 60 + (minute ?? 0);
}

/** Checks that a page for the last 15 minutes shows the server's last 15 minutes, whatever the viewer's clock. */
async function isOfNow(page: Page): Promise<void> {
  const now = new Date();
  const wanted = now.getUTCHours() * 60 + now.getUTCMinutes();
  expect(Math.abs((await minutes(page)) - wanted) % (24 * 60 - 1), 'the clock').toBeLessThanOrEqual(1);
  const labels = await panel(page, 'Memory Usage').locator('.axis-x span').allTextContents();
  expect(labels.length).toBeGreaterThan(1);
  for (const label of labels) {
    const [hours, minute] = label.split(':').map(Number);
    const ago = (wanted - ((hours ?? 0) * 60 + (minute ?? 0)) + 24 * 60) % (24 * 60);
    expect(ago, `${label} is within the last quarter of an hour`).toBeLessThanOrEqual(16);
  }
  await expect(page.locator('.badge-stale')).toHaveCount(0);
}

test.describe('a viewer whose clock is wrong', () => {
  test.use({ allowedInConsole: /WebSocket connection to|status of 502/ });

  for (const hours of [-3, 3]) {
    test(`by ${hours} h sees the server's time, with a socket and while polling`, async ({ browser, wire, demo }) => {
      test.setTimeout(120_000);
      const page = await withClock(browser, hours * HOUR_MS);
      try {
        const wall = encodeURIComponent('/kiosk/hypersdk-overview?from=now-15m&to=now');
        await page.goto(`${wire.origin}/login?token=${demo.token}&next=${wall}`);
        const board = new Board(page, wire.origin);
        await board.live();
        await isOfNow(page);
        // The clock is corrected while the page is open.
        await page.evaluate(() => ((window as unknown as { shiftMs: number }).shiftMs = 0));
        await page.waitForTimeout(2_500);
        await isOfNow(page);
        wire.become('no-upgrades');
        await page.reload();
        await board.connected('polling');
        await settled(page);
        await page.waitForTimeout(6_000);
        await isOfNow(page);
        const stat = board.panel('Active Jobs').locator('.stat-value');
        await expect(stat).not.toBeEmpty();
      } finally {
        await page.context().close();
      }
    });
  }
});

/** A time in summer and one in winter, both in the past: whole hours in UTC. */
const JULY = Date.UTC(2026, 6, 3, 6);

for (const [zone, from, to] of [
  ['Europe/Berlin', '2026-07-03T08:00', '2026-07-03T10:00'],
  ['Asia/Kolkata', '2026-07-03T11:30', '2026-07-03T13:30'],
  ['America/New_York', '2026-07-03T02:00', '2026-07-03T04:00'],
] as const) {
  test.describe(`in ${zone}`, () => {
    test.use({ timezoneId: zone });

    test('each time has the offset that is valid at it, in the picker, on axes and after each Apply', async ({ page, board }) => {
      const url = `${board.origin}/?from=${JULY}&to=${JULY + 2 * HOUR_MS}`;
      await page.goto(url);
      // From the second page on, the server knows the time zone, so the browser hydrates the same text.
      // Chromium has older names for some zones.
      const named = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
      await expect.poll(async () => (await page.context().cookies()).find(({ name }) => name === 'hyperscope_tz')?.value).toBe(named);
      const drawn = await (await page.request.get(url)).text();
      expect(drawn).toContain(`value="${from}"`);
      expect(drawn).toContain(named);
      await page.reload();
      for (let times = 0; times < 3; times += 1) {
        await page.locator('.range-drop > summary').click();
        await expect(page.getByLabel('From', { exact: true })).toHaveValue(from);
        await expect(page.getByLabel('To', { exact: true })).toHaveValue(to);
        await page.getByRole('button', { name: 'Apply' }).click();
        await expect(page).toHaveURL(url);
      }
      // Another range and back, with times typed in that time zone.
      await page.goto(`${board.origin}/`);
      await page.locator('.range-drop > summary').click();
      await page.getByLabel('From', { exact: true }).fill(from);
      await page.getByLabel('To', { exact: true }).fill(to);
      await page.getByRole('button', { name: 'Apply' }).click();
      await expect(page).toHaveURL(url);
      await expect(page.locator('.range-words')).toContainText(from.replace('T', ' '));
    });
  });
}

test.describe('where clocks were set back', () => {
  test.use({ timezoneId: 'Europe/Berlin' });

  test('the repeated hour is not lost', async ({ page, board }) => {
    // 25 October 2026 at 02:30, the second time, to 04:00.
    const [from, to] = [Date.UTC(2026, 9, 25, 1, 30), Date.UTC(2026, 9, 25, 3)];
    await page.goto(`${board.origin}/?from=${from}&to=${to}`);
    for (let times = 0; times < 2; times += 1) {
      await page.locator('.range-drop > summary').click();
      await expect(page.getByLabel('From', { exact: true })).toHaveValue('2026-10-25T02:30');
      await page.getByRole('button', { name: 'Apply' }).click();
      await expect(page).toHaveURL(new RegExp(`from=${from}&to=${to}`));
    }
    // A typed repeated hour begins with its first occurrence. A skipped time is moved behind the change by the same amount.
    const apply = async (start: string, end: string) => {
      await page.locator('.range-drop > summary').click();
      await page.getByLabel('From', { exact: true }).fill(start);
      await page.getByLabel('To', { exact: true }).fill(end);
      await page.getByRole('button', { name: 'Apply' }).click();
    };
    await apply('2026-10-25T02:15', '2026-10-25T02:45');
    await expect(page).toHaveURL(new RegExp(`from=${Date.UTC(2026, 9, 25, 0, 15)}&to=${Date.UTC(2026, 9, 25, 1, 45)}`));
    await apply('2026-03-29T02:30', '2026-03-29T04:00');
    await expect(page).toHaveURL(new RegExp(`from=${Date.UTC(2026, 2, 29, 1, 30)}&to=${Date.UTC(2026, 2, 29, 2)}`));
  });
});

test('a page for a past range shows the past, and marks panels that show the present', async ({ page, board }) => {
  await board.open('/?from=now-1h&to=now');
  await expect(page.locator('.as-of')).toHaveCount(0);
  await expect(page.locator('.panel-present')).toHaveCount(0);
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const end = new Date(now - HOUR_MS).toISOString();
  const url = `${board.origin}/?from=${now - 2 * HOUR_MS}&to=${now - HOUR_MS}`;
  const says = async () => {
    await expect(page.locator('.as-of')).toContainText('as of');
    await expect(page.locator('.as-of')).toContainText(end.slice(11, 16));
    await expect(board.panel('Live jobs').locator('.panel-present')).toHaveText('now');
    await expect(board.panel('Alerts').locator('.panel-present')).toHaveCount(0);
    await expect(board.panel('Memory Usage').locator('.panel-present')).toHaveCount(0);
  };
  const history = page.waitForRequest(/\/api\/alerts\/past\?at=/);
  await page.goto(url);
  await settled(page);
  await says();
  expect((await history).url()).toContain(`at=${now - HOUR_MS}`);
  await board.connected('live');
  await expect(board.connection.locator('.connection-words')).toHaveText('connected');
  await expect(page.locator('.refresh-words')).toHaveText('Fixed');
  // The server's HTML already says so.
  const drawn = await (await page.request.get(url)).text();
  expect(drawn).toContain('panel-present');
  // Before the history of alerts, the panel shows the current ones.
  await page.goto(`${board.origin}/?from=${now - 41 * 24 * HOUR_MS}&to=${now - 40 * 24 * HOUR_MS}`);
  await expect(board.panel('Alerts').locator('.panel-present')).toHaveText('now');
  await page.goto(`${board.origin}/system?from=${now - 2 * HOUR_MS}&to=${now - HOUR_MS}`);
  await expect(board.panel('Sources').locator('.panel-present')).toHaveText('now');
  await page.locator('.range-drop > summary').click();
  await page.locator('.range-body a[href*="from=now-1h&to=now"]').click();
  await settled(page);
  await expect(page.locator('.as-of, .panel-present')).toHaveCount(0);
  await expect(board.connection.locator('.connection-words')).toHaveText('live');
});
