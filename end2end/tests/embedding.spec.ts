import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { Board } from '../support/board.ts';
import { type Example, startGo, startNginx } from '../support/examples.ts';
import { expect, test } from '../support/fixtures.ts';
import { startSimulator, writeBundle } from '../support/simulator.ts';

/** A file of the bundle, as its manifest lists it. */
interface Listed {
  path: string;
  content_type: string;
  immutable: boolean;
  gzip_bytes?: number;
}

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

test.beforeEach(() => test.setTimeout(180_000));

// The page asks whether a hyperscope server is there, which a daemon does not know.
test.use({ allowedInConsole: /status of 404/ });

/** Every file comes with the headers that the documentation promises. */
async function headersAreRight(example: Example): Promise<void> {
  const { files }: { files: Listed[] } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  for (const file of files) {
    const answer = await fetch(new URL(file.path, example.page), { headers: { 'Accept-Encoding': 'gzip' } });
    expect(answer.status, file.path).toBe(200);
    const header = (name: string) => answer.headers.get(name) ?? '';
    expect(header('content-type').split(';')[0], file.path).toBe(file.content_type.split(';')[0]);
    expect(header('cache-control'), file.path).toMatch(file.immutable ? /max-age=31536000, immutable/ : /no-cache/);
    expect(header('x-content-type-options'), file.path).toBe('nosniff');
    expect(header('content-security-policy'), file.path).toContain("script-src 'self' 'wasm-unsafe-eval'");
    expect(header('content-encoding'), file.path).toBe(file.gzip_bytes ? 'gzip' : '');
    const content = Buffer.from(await answer.arrayBuffer());
    expect(content.equals(readFileSync(join(bundle, file.path))), `${file.path} comes whole`).toBe(true);
  }
}

/** The page lives in a browser that keeps the policy: what it forbids would be in the console, which fails the test. */
async function pageIsLive(page: Page, example: Example): Promise<void> {
  const answer = await page.goto(example.page);
  expect(answer?.headers()['content-security-policy']).toContain("default-src 'none'");
  const board = new Board(page, `${example.page}#`);
  await board.live();
  await expect(board.panel('Live jobs').locator('tbody tr.job').first()).toBeVisible({ timeout: 30_000 });
  await page.locator('.sidebar-links a', { hasText: 'System' }).click();
  await expect(page.locator('h1')).toHaveText('System resources');
  await page.reload();
  await expect(page.locator('h1')).toHaveText('System resources');
  await board.live();
}

test('the example for nginx serves the bundle below a prefix, and passes the daemon on', async ({ page }) => {
  const daemon = await startSimulator([]);
  const example = await startNginx(bundle, daemon.origin);
  try {
    await headersAreRight(example);
    await pageIsLive(page, example);
    // The daemon's routes are below the same prefix: the live socket came through it too.
    const { sockets } = await (await fetch(`${daemon.origin}/sim/state`)).json();
    expect(sockets).toBeGreaterThan(0);
  } finally {
    await example.stop();
    await daemon.stop();
  }
});

test('the example in Go serves the bundle from inside a daemon', async ({ page }) => {
  test.skip(!process.env.HYPERSCOPE_PEERS, 'needs Go: `make test-peers` runs it');
  const daemon = await startSimulator([]);
  const example = await startGo(bundle, daemon.origin);
  try {
    await headersAreRight(example);
    await pageIsLive(page, example);
  } finally {
    await example.stop();
    await daemon.stop();
  }
});
