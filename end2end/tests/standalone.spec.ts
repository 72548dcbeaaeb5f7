import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

import type { Locator, Page } from '@playwright/test';

import { violations } from '../support/axe.ts';
import { Board } from '../support/board.ts';
import { dashboards } from '../support/dashboards.ts';
import { freePort } from '../support/examples.ts';
import { expect, test } from '../support/fixtures.ts';
import { start } from '../support/server.ts';
import { type Simulator, startSimulator, writeBundle } from '../support/simulator.ts';

/** Largest size of all files that a page without a server loads, in brotli: what it is now, so that it does not grow. The goal is in the benchmark. */
const MOST_BYTES = 1_100_000;

/** The password of each vCenter of a simulated daemon, which sends it in clear. */
const VCENTER_PASSWORD = 'sim-vCenter-S3cret!42';

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

/** What is wrong with the daemon, in a sentence. */
function notice(page: Page): Locator {
  return page.locator('.banner-daemon');
}

/** Rows of the table of jobs. */
function jobs(board: Board): Locator {
  return board.panel('Live jobs').locator('tbody tr.job');
}

// Each test starts a daemon and compiles a WebAssembly program in the browser.
test.beforeEach(() => test.setTimeout(180_000));

// The page looks for a hyperscope server with a request that a daemon refuses.
test.use({ allowedInConsole: /status of (401|404|500)|WebSocket connection to|ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET)/ });

// Each has a daemon of its own.
test.describe.configure({ mode: 'parallel' });

for (const dialect of ['stock', 'custom', 'documented']) {
  test(`a ${dialect} daemon alone fills the three pages`, async ({ page }) => {
    await withDaemon(['--dialect', dialect], async (daemon) => {
      const board = await open(page, daemon);
      for (const dashboard of dashboards) {
        await page.goto(`${daemon.origin}/web/dashboard/#${dashboard.path}`);
        await board.live();
        await expect.poll(() => board.titles()).toEqual(dashboard.panels);
      }
      await expect(board.panel('Sources')).toContainText(dialect, { timeout: 30_000 });
      await page.goto(`${daemon.origin}/web/dashboard/#/`);
      await board.live();
      await expect(jobs(board).first()).toBeVisible();
      // The coded daemon takes sockets of pages at its own name only: then it is asked, which does not tell its memory, and the page says so.
      const chart = dialect === 'custom' ? 'Queue Length & Active Jobs' : 'Memory Usage';
      await expect(board.panel(chart).locator('canvas').first()).toBeVisible({ timeout: 40_000 });
      if (dialect === 'custom') await expect(notice(page)).toContainText('the live socket');
      else await expect(notice(page)).toBeEmpty();
      if (dialect !== 'documented') return;
      // It reports all that the panels show; rates need two scrapes.
      for (const dashboard of dashboards) {
        await page.goto(`${daemon.origin}/web/dashboard/#${dashboard.path}`);
        await expect(() => board.isFilled(dashboard)).toPass({ timeout: 90_000 });
      }
      expect(await page.content()).not.toContain(VCENTER_PASSWORD);
    });
  });
}

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
    await expect(jobs(board).first()).toBeVisible({ timeout: 30_000 });
    await page.reload();
    await expect(jobs(board).first()).toBeVisible({ timeout: 30_000 });
    await expect(dialog).toHaveCount(0);
    const stored = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href].join());
    expect(stored).not.toContain(key);
  });
});

test('a user of the daemon logs in, and stays so for the tab', async ({ page }) => {
  await withDaemon(['--dialect', 'custom', '--api-key', 'a-key-of-the-daemon-0123456789'], async (daemon) => {
    const board = await open(page, daemon);
    const dialog = page.getByRole('dialog', { name: 'Open the daemon' });
    await page.getByLabel('User', { exact: true }).fill('operator');
    await page.getByLabel('Password', { exact: true }).fill('not-to-be-kept');
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(jobs(board).first()).toBeVisible({ timeout: 30_000 });
    await page.reload();
    await expect(jobs(board).first()).toBeVisible({ timeout: 30_000 });
    const kept = await page.evaluate(() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href].join());
    expect(kept).not.toContain('not-to-be-kept');
    expect(await page.content()).not.toContain('not-to-be-kept');
    // All sessions end with the daemon's process.
    await daemon.fault('restart', 1);
    await expect(dialog.getByRole('alert')).toHaveText(/session at the daemon has ended/, { timeout: 40_000 });
  });
});

test('a daemon that restarts is shown as away, and comes back by itself', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    const board = await open(page, daemon);
    await board.live();
    const first = (await jobs(board).first().locator('a').first().textContent()) ?? '';
    await daemon.fault('restart', 20);
    await expect(board.panel('Live jobs').locator('.badge-stale')).toBeVisible({ timeout: 20_000 });
    await expect(board.panel('Memory Usage').locator('.badge-stale')).toBeVisible();
    await expect(notice(page)).toContainText(/^No new data from the daemon: /);
    await expect(jobs(board).filter({ hasText: first }), 'what is known stays').not.toHaveCount(0);
    // What one begins to look at meanwhile is old too.
    await page.goto(`${daemon.origin}/web/dashboard/#/system`);
    await expect(board.panel('Goroutines').locator('.badge-stale')).toBeVisible();
    await expect(page.locator('.badge-stale')).toHaveCount(0, { timeout: 40_000 });
    await expect(notice(page)).toBeEmpty();
    await page.goto(`${daemon.origin}/web/dashboard/#/`);
    await board.live();
    await expect(page.locator('.badge-stale')).toHaveCount(0);
    const id = await daemon.submit({ name: 'after-the-restart' });
    await expect(jobs(board).filter({ hasText: 'after-the-restart' })).toBeVisible();
    expect(id).not.toBe('');
  });
});

for (const [kind, words] of [
  ['html', /answered with an HTML page: this is not a hypervisord/],
  ['http_500', /answered HTTP 500/],
  ['half_json', /answered with something that is not a hypervisord/],
] as const) {
  test(`a daemon that answers ${kind} is said to do so, and the page goes on after it`, async ({ page }) => {
    await withDaemon([], async (daemon) => {
      await daemon.fault(kind, 12);
      const board = await open(page, daemon);
      await expect(notice(page)).toContainText(words, { timeout: 30_000 });
      await expect(notice(page)).toContainText(/^No data from the daemon: /);
      await expect(page.locator('h1')).toHaveText('Overview');
      expect(await violations(page)).toEqual([]);
      await expect(jobs(board).first()).toBeVisible({ timeout: 60_000 });
      await expect(notice(page)).toBeEmpty();
    });
  });
}

test('garbage on the socket is said, and what was known stays', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    const board = await open(page, daemon);
    await expect(jobs(board).first()).toBeVisible({ timeout: 30_000 });
    await daemon.fault('garbage', 4);
    await expect(notice(page)).toContainText(/^The daemon is connected, but not all is well: the live socket: /);
    await expect(jobs(board).first()).toBeVisible();
    await expect(notice(page)).toBeEmpty({ timeout: 30_000 });
    await expect(page.locator('.badge-stale')).toHaveCount(0);
  });
});

test('a daemon of another dialect at the same address is understood', async ({ page }) => {
  const port = await freePort();
  const stock = await startSimulator(['--web', bundle, '--dialect', 'stock'], { port });
  const board = await open(page, stock, '#/system');
  try {
    await expect(board.panel('Sources')).toContainText('stock', { timeout: 30_000 });
    await board.live();
  } finally {
    await stock.stop();
  }
  await expect(notice(page)).toContainText('No new data from the daemon', { timeout: 20_000 });
  const documented = await startSimulator(['--web', bundle, '--dialect', 'documented', '--seed', '9'], { port });
  try {
    await expect(board.panel('Sources')).toContainText('documented', { timeout: 60_000 });
    await expect(notice(page)).toBeEmpty();
    await page.goto(`${documented.origin}/web/dashboard/#/`);
    await documented.submit({ name: 'of-another-dialect', provider: 'azure' });
    await board.panel('Live jobs').getByLabel('Search jobs').fill('of-another-dialect');
    await expect(jobs(board)).toHaveCount(1, { timeout: 30_000 });
  } finally {
    await documented.stop();
  }
});

test('a daemon whose clock is off by a day is said to have it, and its times are put right', async ({ page }) => {
  await withDaemon(['--clock-offset', '-86400'], async (daemon) => {
    const board = await open(page, daemon);
    await expect(notice(page)).toContainText("The daemon's clock is 24 hours behind this computer's", { timeout: 30_000 });
    await daemon.submit({ name: 'just-now' });
    const job = jobs(board).filter({ hasText: 'just-now' });
    await expect(job).toBeVisible();
    await job.locator('a').first().click();
    await expect(page.getByRole('heading', { name: 'Times' })).toBeVisible();
    await expect(page.locator('main')).toContainText(new Date().toISOString().slice(8, 10));
    await expect(page.locator('main')).not.toContainText(/\b2[34] h/);
  });
});

test('ten thousand jobs do not hold the page up', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    await daemon.submit({ count: 10_000, name: 'one-of-many', status: 'running' });
    const board = await open(page, daemon);
    await expect(jobs(board).first()).toBeVisible({ timeout: 60_000 });
    // The table holds all: a search finds one that is not in sight.
    await daemon.submit({ name: 'the-needle', status: 'running' });
    await board.panel('Live jobs').getByLabel('Search jobs').fill('the-needle');
    await expect(jobs(board)).toHaveCount(1, { timeout: 30_000 });
    await page.locator('.sidebar-links a', { hasText: 'System' }).click();
    await expect(page.locator('h1')).toHaveText('System resources');
  });
});

test('a job is cancelled by the daemon', async ({ page }) => {
  await withDaemon([], async (daemon) => {
    await daemon.submit({ name: 'to-be-cancelled', status: 'running' });
    const board = await open(page, daemon);
    await jobs(board).filter({ hasText: 'to-be-cancelled' }).locator('a').first().click();
    await expect(page.getByRole('heading', { name: 'Log' })).toBeVisible();
    await page.getByRole('button', { name: 'Cancel' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: /cancel (the )?job/i }).click();
    await expect(page.locator('.job-answer')).not.toBeEmpty();
    const { cancelled } = (await (await fetch(`${daemon.origin}/sim/state`)).json()).jobs;
    expect(cancelled).toBeGreaterThan(0);
  });
});

test('its numbers are those of a server that was started when it was opened', async ({ page, browser }) => {
  test.setTimeout(300_000);
  await withDaemon([], async (daemon) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'hyperscope-beside-'));
    const token = 'token-of-this-test-only-0123456789abcdef';
    const [board, server] = await Promise.all([
      open(page, daemon),
      start(['serve', '--listen', '127.0.0.1:0', '--data-dir', dataDir, '--daemon-url', `hypervisord=${daemon.origin}`], {
        HYPERSCOPE_ADMIN_TOKEN: token,
      }),
    ]);
    const context = await browser.newContext();
    try {
      const beside = new Board(await context.newPage(), server.origin);
      await beside.page.goto(`${server.origin}/login?token=${token}`);
      for (const { path, titles, near } of [
        { path: '/', titles: ['Queue Length & Active Jobs'], near: 0 },
        { path: '/jobs', titles: ['Job Throughput', 'Submitted, completed, failed by provider'], near: 0.1 },
        // They change each second, so that it matters which of two samples is the last one before a step.
        { path: '/system', titles: ['Memory Usage', 'Goroutines', 'HTTP Request Rate'], near: 0.1 },
      ]) {
        await board.open(path);
        await beside.open(path);
        for (const title of titles) {
          await expect(async () => {
            const [own, other] = [await board.data(title), await beside.data(title)];
            expect(own[0], `${title}: the same series`).toEqual(other[0]);
            const same = common(own, other);
            expect(same.length, `${title}: steps that both have`).toBeGreaterThanOrEqual(3);
            // A change may reach one of them just before a step and the other one just after it.
            const different = same.filter(([one, two]) => !isSame(one, two, near));
            expect(different.length, `${title}: ${JSON.stringify(different)}`).toBeLessThanOrEqual(same.length / 4);
          }).toPass({ timeout: 90_000, intervals: [2_000] });
        }
      }
    } finally {
      await context.close();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});

/** Whether two rows have values that differ at most by this part of them. */
function isSame(one: string[], other: string[], near: number): boolean {
  return one.slice(1).every((cell, index) => {
    const beside = other[index + 1] ?? '';
    return cell === beside || Math.abs(Number(cell) - Number(beside)) <= near * Math.abs(Number(beside));
  });
}

/** Rows with values at times that both have, but the first one: the two did not begin in the same moment. */
function common(own: string[][], other: string[][]): [string[], string[]][] {
  const filled = (row: string[]) => row.slice(1).some((cell) => cell !== '');
  const byTime = new Map(other.slice(1).filter(filled).map((row) => [row[0], row]));
  const pairs = own.slice(1).filter(filled).map((row) => [row, byTime.get(row[0])] as const);
  return pairs.filter((pair): pair is [string[], string[]] => pair[1] !== undefined).slice(1);
}

test.describe('with a history that is kept', () => {
  let keeping: string;

  test.beforeAll(() => {
    test.setTimeout(180_000);
    keeping = mkdtempSync(join(tmpdir(), 'hyperscope-bundle-'));
    writeBundle(keeping, ['--keep-history']);
  });

  test.afterAll(() => {
    rmSync(keeping, { recursive: true, force: true });
  });

  test('charts go on after a reload', async ({ page }) => {
    const daemon = await startSimulator(['--web', keeping]);
    try {
      const board = await open(page, daemon, '#/system');
      await board.live();
      const blocks = () => page.evaluate(countBlocks);
      await expect.poll(blocks, { timeout: 60_000 }).toBeGreaterThan(0);
      const reloaded = new Date();
      await page.reload();
      await board.live();
      const [, first] = await board.data('Goroutines');
      expect(new Date(`${first?.[0]?.replace(' ', 'T').replace(/Z?$/, 'Z')}`).getTime()).toBeLessThan(reloaded.getTime());
    } finally {
      await daemon.stop();
    }
  });

  test('a browser that keeps nothing shows the page as well', async ({ page }) => {
    // As in a private window of some browsers.
    const worker = join(keeping, readdirSync(keeping).find((name) => /^worker-[0-9a-f]+\.js$/.test(name)) ?? '');
    writeFileSync(worker, `Object.defineProperty(self, 'indexedDB', { value: undefined });\n${readFileSync(worker, 'utf8')}`);
    const daemon = await startSimulator(['--web', keeping]);
    try {
      const board = await open(page, daemon);
      await board.live();
      await expect(jobs(board).first()).toBeVisible();
      await expect(notice(page)).toBeEmpty();
      expect(await page.evaluate(async () => (await indexedDB.databases()).length)).toBe(0);
    } finally {
      await daemon.stop();
    }
  });
});

/** How many blocks of history the browser's database has. Runs in the page. */
async function countBlocks(): Promise<number> {
  const found = (await indexedDB.databases()).find(({ name }) => name?.startsWith('hyperscope-history-'));
  if (!found?.name) return 0;
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(found.name ?? '');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const count = await new Promise<number>((resolve, reject) => {
    const request = database.transaction('blocks').objectStore('blocks').count();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  database.close();
  return count;
}

test('the files of the bundle are listed with their hashes and have a small total size', async ({}) => {
  const { files } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  let packed = 0;
  for (const file of files) {
    const content = readFileSync(join(bundle, file.path));
    expect(createHash('sha256').update(content).digest('hex'), file.path).toBe(file.sha256);
    expect(content.length, file.path).toBe(file.bytes);
    if (file.brotli_bytes) expect(readFileSync(join(bundle, `${file.path}.br`)).length).toBe(file.brotli_bytes);
    if (process.env.HYPERSCOPE_SHIPPED) packed += brotliBytes(content);
  }
  expect(files.map(({ path }: { path: string }) => path)).toContain('index.html');
  expect(existsSync(join(bundle, 'index.html.gz'))).toBe(true);
  test.skip(!process.env.HYPERSCOPE_SHIPPED, 'the bundle for tests is not made to be small');
  console.log(`all files of a page without a server: ${packed} bytes in brotli`);
  expect(packed).toBeLessThanOrEqual(MOST_BYTES);
});

/** The size of a file as a release build compresses it: the debug build that writes the bundle here does it quickly. */
function brotliBytes(content: Buffer): number {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
  return Math.min(content.length, brotliCompressSync(content, { params }).length);
}
