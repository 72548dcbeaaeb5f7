import { Board } from '../support/board.ts';
import { expect, test } from '../support/fixtures.ts';

test.describe('when the connection breaks', () => {
  // Chromium reports each attempt that fails.
  test.use({ allowedInConsole: /WebSocket connection to|ERR_(CONNECTION|EMPTY|INTERNET|NETWORK|INCOMPLETE|SOCKET)|status of 502/ });

  test('a cut socket comes back by itself and the page goes on', async ({ page, wire, demo }) => {
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

  test('while the server is away, every panel says how old it is, and then no longer', async ({ page, wire, demo }) => {
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

  test('where upgrades are refused it polls, and takes the socket when it can', async ({ page, wire, demo }) => {
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

  test('an offline browser says so and is back at once', async ({ board, page }) => {
    await board.open('/');
    await page.context().setOffline(true);
    // Chromium keeps open sockets open when it plays offline; the event is what a real one sends.
    await page.evaluate(() => window.dispatchEvent(new Event('offline')));
    await expect(board.connection).toHaveText(/offline|reconnecting/i);
    await page.context().setOffline(false);
    await board.connected('live');
  });
});
