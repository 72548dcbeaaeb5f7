import { Board } from '../support/board.ts';
import { expect, test } from '../support/fixtures.ts';

test.describe('when the connection breaks', () => {
  // Chromium reports each attempt that fails.
  test.use({ allowedInConsole: /WebSocket connection to|ERR_(CONNECTION|EMPTY|INTERNET|NETWORK|INCOMPLETE|SOCKET)|status of 502/ });

  test('a cut socket reconnects and the page continues', async ({ page, wire, demo }) => {
    const board = new Board(page, wire.origin);
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.live();
    const upgrades = wire.upgrades;
    wire.cut();
    await expect.poll(() => wire.upgrades).toBeGreaterThan(upgrades);
    await board.connected('live');
    const before = await board.contents();
    await expect.poll(async () => (await board.contents()).get('Live jobs')).not.toBe(before.get('Live jobs'));
  });

  test('every panel shows its age while the server is down, and not after it is back', async ({ page, wire, demo }) => {
    const board = new Board(page, wire.origin);
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.live();
    wire.become('down');
    wire.cut();
    await expect(board.connection).toHaveText(/reconnecting|offline/i);
    await expect(board.panel('Memory Usage').locator('.badge-stale')).toBeVisible();
    await expect(board.panel('Active Jobs').locator('.badge-stale')).toBeVisible();
    wire.become('clear');
    await board.connected('live');
    await expect(page.locator('.badge-stale')).toHaveCount(0);
  });

  test('a range chosen meanwhile waits for the server, and the page says so', async ({ page, wire, demo }) => {
    const board = new Board(page, wire.origin);
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.live();
    wire.become('down');
    wire.cut();
    const memory = board.panel('Memory Usage');
    await expect(memory.locator('.badge-stale')).toBeVisible({ timeout: 20_000 });
    await page.locator('.range-drop > summary').click();
    await page.locator('.range-body a[href*="from=now-6h"]').click();
    await expect(memory.locator('.panel-waits')).toHaveText('Waiting for the server');
    // Only the data of the other range is dimmed, not the text about it.
    const opacity = await memory.locator('.badge-stale').evaluate((badge) => {
      let product = 1;
      for (let one: Element | null = badge; one; one = one.parentElement) product *= Number(getComputedStyle(one).opacity);
      return product;
    });
    expect(opacity).toBe(1);
    const hour = (ago: number) => new Date(Date.now() - ago * 3_600_000).toISOString().slice(0, 16);
    await page.locator('.range-drop > summary').click();
    await page.getByLabel('From', { exact: true }).fill(hour(2));
    await page.getByLabel('To', { exact: true }).fill(hour(1));
    await page.getByRole('button', { name: 'Apply' }).click();
    await expect(memory.locator('.panel-waits')).toHaveText('Waiting for the server');
    wire.become('clear');
    await board.connected('live');
    await expect(page.locator('.panel-waits')).toHaveCount(0, { timeout: 20_000 });
    await expect(page.locator('.message-failed')).toHaveCount(0);
    await expect(memory.locator('.legend-item')).toHaveCount(1);
  });

  test('a paused page shows that the server is down', async ({ page, wire, demo }) => {
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await page.goto(`${wire.origin}/?refresh=paused`);
    const connection = page.locator('.connection');
    await expect(page.locator('.panel-picture')).toHaveCount(0, { timeout: 30_000 });
    await expect(connection).toHaveAttribute('data-state', 'paused');
    wire.become('down');
    wire.cut();
    await expect(connection).toContainText('paused, server gone', { timeout: 30_000 });
    await expect(page.locator('.banner-over')).toContainText('Not connected');
    await expect(page.locator('.panel-alerts .badge-stale')).toBeVisible();
    wire.become('clear');
    await expect(connection).toHaveAttribute('data-state', 'paused', { timeout: 30_000 });
    await expect(page.locator('.badge-stale')).toHaveCount(0);
  });

  test('a page polls while upgrades are refused, and opens a socket when they are not', async ({ page, wire, demo }) => {
    test.setTimeout(120_000);
    const board = new Board(page, wire.origin);
    wire.become('no-upgrades');
    await page.goto(`${wire.origin}/login?token=${demo.token}`);
    await board.connected('polling');
    const before = await board.contents();
    await expect.poll(async () => (await board.contents()).get('Live jobs')).not.toBe(before.get('Live jobs'));
    await expect(board.panel('Active Jobs').locator('.badge-stale')).toHaveCount(0);
    wire.become('clear');
    await expect(board.connection).toHaveAttribute('data-state', 'live', { timeout: 60_000 });
  });

  test('an offline browser shows that, and reconnects at once when it is online', async ({ board, page }) => {
    await board.open('/');
    await page.context().setOffline(true);
    // Chromium does not close sockets when it emulates an offline network. A real browser also sends this event.
    await page.evaluate(() => window.dispatchEvent(new Event('offline')));
    await expect(board.connection).toHaveText(/offline|reconnecting/i);
    await page.context().setOffline(false);
    await board.connected('live');
  });
});
