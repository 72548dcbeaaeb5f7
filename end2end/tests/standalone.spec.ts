import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { violations } from '../support/axe.ts';
import { Board } from '../support/board.ts';
import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';
import { type Simulator, startSimulator, writeBundle } from '../support/simulator.ts';

/** Largest size of all files that a page without a server loads, in brotli. */
const MOST_BYTES = 900_000;

let bundle: string;

test.beforeAll(() => {
  // A debug build compresses slowly.
  test.setTimeout(180_000);
  bundle = mkdtempSync(join(tmpdir(), 'hyperscope-bundle-'));
  writeBundle(bundle);
});

test.afterAll(() => {
  rmSync(bundle, { recursive: true, force: true });
});

/** Runs `body` with a daemon that serves the bundle. */
async function withDaemon(options: string[], body: (daemon: Simulator) => Promise<void>): Promise<void> {
  const daemon = await startSimulator(['--web', bundle, ...options]);
  try {
    await body(daemon);
  } finally {
    await daemon.stop();
  }
}

/** The page of the bundle at the daemon, as a board. */
async function open(page: Page, daemon: Simulator, path = ''): Promise<Board> {
  const board = new Board(page, `${daemon.origin}/web/dashboard/#`);
  await page.goto(`${daemon.origin}/web/dashboard/${path}`);
  return board;
}

// Each test starts a daemon and compiles a WebAssembly program in the browser.
test.beforeEach(() => test.setTimeout(180_000));

// The page looks for a hyperscope server with a request that a daemon refuses.
test.use({ allowedInConsole: /status of (401|404)|WebSocket connection to|ERR_(CONNECTION|EMPTY|INCOMPLETE)/ });

test('a daemon alone fills the three pages', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    const board = await open(page, daemon);
    for (const dashboard of dashboards) {
      await page.goto(`${daemon.origin}/web/dashboard/#${dashboard.path}`);
      await board.live();
      expect(await board.titles()).toEqual(dashboard.panels);
    }
    await page.goto(`${daemon.origin}/web/dashboard/#/`);
    await board.live();
    await expect(board.panel('Live jobs').locator('tbody tr.job').first()).toBeVisible();
    await expect(board.panel('Memory Usage').locator('canvas').first()).toBeVisible({ timeout: 40_000 });
  });
});

test('pages that need a server are missing, and a reload stays on its page', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    const board = await open(page, daemon, '#/system');
    await board.live();
    await expect(page.locator('h1')).toHaveText('System resources');
    const links = await page.locator('.sidebar-links a').allTextContents();
    expect(links.map((link) => link.trim())).not.toContain('Explore');
    await expect(page.locator('form[action*="logout"], a[href*="settings"], a[href*="explore"]')).toHaveCount(0);
    await page.locator('.sidebar-links a', { hasText: 'Alerts' }).click();
    await expect(page).toHaveURL(/#\/alerts$/);
    await expect(page.locator('h1')).toHaveText('Alerts');
    await page.reload();
    await expect(page.locator('h1')).toHaveText('Alerts');
    await page.goBack();
    await expect(page.locator('h1')).toHaveText('System resources');
    expect(await violations(page)).toEqual([]);
  });
});

test("the page asks for the daemon's key, shows that it is wrong, and stores it for the tab only", async ({ page }) => {
  const key = 'a-key-of-the-daemon-0123456789';
  await withDaemon(['--dialect', 'custom', '--api-key', key], async (daemon) => {
    const board = await open(page, daemon);
    const dialog = page.getByRole('dialog', { name: 'Open the daemon' });
    await expect(dialog).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('API key').fill('wrong');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await expect(dialog.getByRole('alert')).toHaveText(/does not accept this API key/);
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Use this key' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(board.panel('Live jobs').locator('tbody tr.job').first()).toBeVisible({ timeout: 30_000 });
    await page.reload();
    await expect(board.panel('Live jobs').locator('tbody tr.job').first()).toBeVisible({ timeout: 30_000 });
    await expect(dialog).toHaveCount(0);
    const stored = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href].join());
    expect(stored).not.toContain(key);
  });
});

test('the files of the bundle are listed with their hashes and have a small total size', async ({}) => {
  const { files } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  let bytes = 0;
  for (const file of files) {
    const content = readFileSync(join(bundle, file.path));
    expect(createHash('sha256').update(content).digest('hex'), file.path).toBe(file.sha256);
    expect(content.length, file.path).toBe(file.bytes);
    if (file.brotli_bytes) expect(readFileSync(join(bundle, `${file.path}.br`)).length).toBe(file.brotli_bytes);
    bytes += file.brotli_bytes ?? file.bytes;
  }
  expect(files.map(({ path }: { path: string }) => path)).toContain('index.html');
  expect(existsSync(join(bundle, 'index.html.gz'))).toBe(true);
  test.skip(!process.env.HYPERSCOPE_SHIPPED, 'the bundle for tests is not made to be small');
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});
