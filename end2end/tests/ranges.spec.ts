import type { Page } from '@playwright/test';

import { Board } from '../support/board.ts';
import { expect, test } from '../support/fixtures.ts';
import { alike, pictures, settled } from '../support/picture.ts';
import { startDemo } from '../support/server.ts';

const HOUR_MS = 3_600_000;
/** Presets to choose one after the other, each with a different step. */
const LIVE = ['now-15m', 'now-1h', 'now-6h', 'now-15d'];

/** A path through a complete directed graph of `count` nodes that uses each edge once. */
function everyStep(count: number): number[] {
  const left = new Map<number, number[]>();
  for (let from = 0; from < count; from += 1) {
    left.set(from, Array.from({ length: count }, (_, to) => to).filter((to) => to !== from));
  }
  const [open, way] = [[0], [] as number[]];
  while (open.length > 0) {
    const next = left.get(open.at(-1) as number)?.pop();
    if (next === undefined) way.unshift(open.pop() as number);
    else open.push(next);
  }
  return way;
}

/** Chooses a range in the picker, as a viewer does. */
async function choose(page: Page, [from, to]: [string, string]): Promise<void> {
  await page.locator('.range-drop > summary').click();
  if (to === 'now') {
    await page.locator(`.range-body a[href*="from=${from}&to=now"]:not([href*="range=ask"])`).click();
  } else {
    await page.getByLabel('From', { exact: true }).fill(from);
    await page.getByLabel('To', { exact: true }).fill(to);
    await page.getByRole('button', { name: 'Apply' }).click();
  }
}

/** Checks that a page shows the same as another one that is loaded now from the same URL. */
async function asLoaded(page: Page, axes: 'same' | 'own' = 'same'): Promise<void> {
  const fresh = await page.context().newPage();
  try {
    await expect(async () => {
      await fresh.goto(page.url());
      await settled(fresh);
      await settled(page);
      alike(await pictures(page), await pictures(fresh), axes);
    }).toPass({ timeout: 20_000, intervals: [500] });
  } finally {
    await fresh.close();
  }
}

const local = (atMs: number) => new Date(atMs).toISOString().slice(0, 16);

test('after any change of the range, the charts equal those of a reloaded page', async ({ board, page }) => {
  test.setTimeout(300_000);
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const absolute: [string, string][] = [
    [local(now - 2 * HOUR_MS), local(now - HOUR_MS)],
    [local(now - 5 * HOUR_MS), local(now - HOUR_MS / 2)],
  ];
  const ranges: [string, string][] = [...LIVE.map((from) => [from, 'now'] as [string, string]), ...absolute];
  await board.open('/?from=now-15m&to=now');
  for (const index of everyStep(ranges.length).slice(1)) {
    const range = ranges[index] as [string, string];
    await test.step(`${range[0]} to ${range[1]}`, async () => {
      await choose(page, range);
      await asLoaded(page);
    });
  }
});

test('a chosen fixed range equals the reloaded one in each pixel', async ({ board, page }) => {
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const canvases = (of: Page) =>
    of.locator('.panel canvas').evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
  for (const path of ['/', '/jobs', '/system']) {
    await board.open(`${path}?from=now-1h&to=now`);
    await choose(page, [local(now - 2 * HOUR_MS), local(now - HOUR_MS)]);
    await settled(page);
    const shown = await canvases(page);
    await page.reload();
    await settled(page);
    expect(await canvases(page), path).toEqual(shown);
  }
});

test('until data of the new range arrives, the old chart stays complete and is marked', async ({ board, page }) => {
  await board.open('/?from=now-1h&to=now');
  // Responses for a fixed range are delayed.
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/api/frame?*', async (route) => {
    await held;
    await route.continue();
  });
  const panel = board.panel('Memory Usage');
  const before = await pictures(page);
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  await choose(page, [local(now - 5 * HOUR_MS), local(now - HOUR_MS)]);
  await expect(panel).toHaveAttribute('aria-busy', 'true');
  await expect(panel.getByText('Loading')).toBeVisible();
  const during = await pictures(page);
  const axes = (all: typeof before) => all.map(({ title, times }) => ({ title, count: times.length }));
  expect(axes(during)).toEqual(axes(before));
  expect(during.map(({ inked }) => Math.round(inked * 20))).toEqual(before.map(({ inked }) => Math.round(inked * 20)));
  // Panels without a time range are not dimmed.
  await expect(board.panel('Live jobs')).not.toHaveAttribute('aria-busy', 'true');
  release();
  await expect(panel).not.toHaveAttribute('aria-busy', 'true');
  await page.unroute('**/api/frame?*');
  await asLoaded(page);
});

test('after a pause or a freeze, the charts equal those of a reloaded page', async ({ board, page }) => {
  test.setTimeout(120_000);
  await page.goto(`${board.origin}/?from=now-15m&to=now&refresh=paused`);
  await settled(page);
  await choose(page, ['now-1h', 'now']);
  await asLoaded(page);
  await page.waitForTimeout(11_000);
  await page.locator('.refresh-drop > summary').click();
  await page.locator('.refresh-drop .drop-item', { hasText: 'Live' }).click();
  await board.connected('live');
  await asLoaded(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await asLoaded(page);
  await choose(page, ['now-15m', 'now']);
  await asLoaded(page);
});

test.describe('when the connection breaks', () => {
  test.use({ allowedInConsole: /WebSocket connection to|ERR_(CONNECTION|EMPTY|INTERNET|NETWORK|INCOMPLETE|SOCKET)|status of 502/ });

  test('a range chosen before, during or after is complete', async ({ page, wire, demo }) => {
    test.setTimeout(120_000);
    const board = new Board(page, wire.origin);
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.open('/?from=now-1h&to=now');
    const reconnected = async () => {
      const upgrades = wire.upgrades;
      wire.cut();
      await expect.poll(() => wire.upgrades).toBeGreaterThan(upgrades);
      await board.connected('live');
    };
    await reconnected();
    await choose(page, ['now-15m', 'now']);
    await asLoaded(page);
    wire.become('down');
    wire.cut();
    await choose(page, ['now-3h', 'now']);
    await expect(board.panel('Memory Usage')).toHaveAttribute('aria-busy', 'true');
    wire.become('clear');
    await board.connected('live');
    await asLoaded(page);
    await reconnected();
    await reconnected();
    await asLoaded(page, 'own');
  });

  test('a range chosen while the page polls is shown at once', async ({ page, wire, demo }) => {
    test.setTimeout(120_000);
    const board = new Board(page, wire.origin);
    wire.become('no-upgrades');
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.connected('polling');
    await settled(page);
    await choose(page, ['now-3h', 'now']);
    await asLoaded(page);
    await choose(page, ['now-15m', 'now']);
    await asLoaded(page);
  });

  test('after a restart of the server, two kiosk displays show only its history', async ({ browser, wire, demo }) => {
    test.setTimeout(180_000);
    const other = await startDemo('--seed', '7', '--history', '2h');
    const walls: Page[] = [];
    try {
      for (const viewport of [{ width: 1920, height: 1080 }, { width: 1080, height: 1920 }]) {
        const context = await browser.newContext({ viewport, timezoneId: 'UTC' });
        const wall = await context.newPage();
        await wall.goto(`${wire.origin}/login?token=${demo.token}&next=${encodeURIComponent('/kiosk/hypersdk-overview?from=now-1h&to=now')}`);
        await settled(wall);
        walls.push(wall);
      }
      wire.become('down');
      wire.cut();
      // Log in to the new server as well, because cookies do not depend on the port.
      for (const wall of walls) await wall.context().request.get(other.loginLink);
      wire.lead(other.origin);
      wire.become('clear');
      for (const wall of walls) {
        await expect(wall.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 60_000 });
        await asLoaded(wall, 'own');
      }
    } finally {
      for (const wall of walls) await wall.context().close();
      await other.stop();
    }
  });
});
