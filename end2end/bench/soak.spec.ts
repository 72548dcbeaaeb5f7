import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { CDPSession, Page } from '@playwright/test';

import { expect, test } from '../support/fixtures.ts';
import { beginning, LiveSource, type MadeSeries, times } from '../support/live-source.ts';
import { beside, record } from '../support/rows.ts';
import { start } from '../support/server.ts';

/** Live frames until the first measurement, when what is made once is there, and until the last: what months of a wall do. */
const WARM_FRAMES = 2_000;
const FRAMES = 20_000;
/** How often the connection is lost. */
const RECONNECTS = 500;
const WARM_RECONNECTS = 25;
const STEP_MS = 5_000;
const BEGIN_MS = beginning(STEP_MS);

function make(expr: string, fromMs: number, toMs: number): MadeSeries[] {
  const seed = [...expr].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const timestamps = times(fromMs, toMs, STEP_MS);
  const values = timestamps.map((at) => 50 + 40 * Math.sin(at / 600_000 + seed));
  return ['aws', 'azure', 'vsphere'].map((provider) => ({ labels: { provider, daemon: 'd' }, timestamps, values }));
}

interface Held {
  heapMib: number;
  wasmMib: number;
  nodes: number;
  listeners: number;
}

/** What the page holds after its garbage was collected; what a collection sets free, the next one collects. */
async function held(page: Page, session: CDPSession): Promise<Held> {
  for (let round = 0; round < 4; round += 1) {
    await session.send('HeapProfiler.collectGarbage');
    await page.clock.runFor(1_000);
  }
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
  const wasm = await page.evaluate('window.wasmMemory.buffer.byteLength');
  return { heapMib: of('JSHeapUsedSize') / 2 ** 20, wasmMib: Number(wasm) / 2 ** 20, nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

function compare(what: string, before: Held, after: Held): void {
  record(
    beside(`wall, ${what}: heap of scripts`, after.heapMib, 'MiB', 'at the beginning', before.heapMib),
    beside(`wall, ${what}: memory of the program`, after.wasmMib, 'MiB', 'at the beginning', before.wasmMib),
    beside(`wall, ${what}: DOM nodes`, after.nodes, 'nodes', 'at the beginning', before.nodes),
    beside(`wall, ${what}: event listeners`, after.listeners, 'listeners', 'at the beginning', before.listeners),
  );
}

test.use({ allowedInConsole: /WebSocket/ });

test('a wall that runs for months', async ({ page }) => {
  test.setTimeout(900_000);
  const directory = mkdtempSync(path.join(tmpdir(), 'hyperscope-bench-'));
  const server = await start(['serve', '--listen', '127.0.0.1:0', '--insecure-no-auth', '--data-dir', directory]);
  const source = await LiveSource.before(server.origin, make, BEGIN_MS);
  try {
    // The clock of the page goes on when this test says so.
    await page.clock.install({ time: BEGIN_MS });
    await page.addInitScript(`
      for (const name of ['instantiate', 'instantiateStreaming']) {
        const original = WebAssembly[name];
        WebAssembly[name] = async (...given) => {
          const made = await original.apply(WebAssembly, given);
          window.wasmMemory = (made.instance ?? made).exports.memory;
          return made;
        };
      }`);
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    await page.goto(`${source.origin}/kiosk/hypersdk-overview`);
    await expect.poll(() => source.subscriptions).toBeGreaterThan(0);
    const tick = async () => {
      source.advance(STEP_MS);
      await page.clock.runFor(STEP_MS);
    };
    let frames = 0;
    const runTo = async (count: number) => {
      while (frames < count) {
        frames += source.subscriptions;
        await tick();
      }
    };
    await runTo(WARM_FRAMES);
    const begun = await held(page, session);
    await runTo(FRAMES);
    compare(`${FRAMES} live frames`, begun, await held(page, session));

    const reconnect = async () => {
      source.cut();
      await expect.poll(async () => {
        await page.clock.runFor(1_000);
        return source.subscriptions;
      }).toBeGreaterThan(0);
      await tick();
    };
    for (let count = 0; count < WARM_RECONNECTS; count += 1) await reconnect();
    const before = await held(page, session);
    for (let count = 0; count < RECONNECTS; count += 1) await reconnect();
    compare(`${RECONNECTS} reconnects`, before, await held(page, session));
  } finally {
    await page.close();
    await source.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
