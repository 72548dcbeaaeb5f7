import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { CDPSession, Page } from '@playwright/test';

import { expect, test } from '../support/fixtures.ts';
import { beginning, LiveSource, type MadeSeries, times } from '../support/live-source.ts';
import { beside, record } from '../support/rows.ts';
import { start } from '../support/server.ts';

const PANELS = 20;
const SERIES = 6;
/** Height of a plot box, about that of a panel of the dashboard, in CSS pixels. */
const PLOT = { width: 600, height: 250 };
/** Ticks measured, and how long after each other, in milliseconds: a tick is done before the next begins. */
const TICKS = 40;
const TICK_MS = 250;
/** Time of the newest data before the first tick: a multiple of every step. */
const BEGIN_MS = beginning(300_000);

/** A window and how many points a series has in it. */
interface Load {
  name: string;
  windowMs: number;
  pointMs: number;
  /** How much of time a tick is: the page's step for the window. */
  tickMs: number;
}

const LOADS: Load[] = [
  { name: '360 points', windowMs: 1_800_000, pointMs: 5_000, tickMs: 5_000 },
  { name: '2,000 points', windowMs: 10_000_000, pointMs: 5_000, tickMs: 30_000 },
  { name: '20,000 points', windowMs: 100_000_000, pointMs: 5_000, tickMs: 300_000 },
];

/** A value that looks like a measured one, and is the same for both sides. */
function value(panel: number, series: number, atMs: number): number {
  const t = atMs / 60_000;
  const noise = Math.sin(atMs / 5_000 * 12.9898 + series * 78.233) * 43_758.5453;
  return 50 + 10 * series + 20 * Math.sin(t / 7 + panel + series) + 5 * (noise - Math.floor(noise));
}

function make(pointMs: number) {
  return (expr: string, fromMs: number, toMs: number): MadeSeries[] => {
    const panel = Number(/\d+/.exec(expr)?.[0] ?? 0);
    const timestamps = times(fromMs, toMs, pointMs);
    return Array.from({ length: SERIES }, (_, series) => ({
      labels: { series: `series ${series}` },
      timestamps,
      values: timestamps.map((at) => value(panel, series, at)),
    }));
  };
}

/** Main-thread time in milliseconds since the page was opened. */
async function spent(session: CDPSession): Promise<{ task: number; script: number }> {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name: string) => (metrics.find((metric) => metric.name === name)?.value ?? Number.NaN) * 1_000;
  return { task: of('TaskDuration'), script: of('ScriptDuration') };
}

/** Main-thread time of a tick, the mean of all. */
async function measure(page: Page, tick: () => Promise<unknown> | void): Promise<{ task: number; script: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const before = await spent(session);
  for (let count = 0; count < TICKS; count += 1) {
    await tick();
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const after = await spent(session);
  await session.detach();
  return { task: (after.task - before.task) / TICKS, script: (after.script - before.script) / TICKS };
}

const uplot = (file: string) => readFileSync(path.join(import.meta.dirname, '../node_modules/uplot/dist', file), 'utf8');

/** The peer: the same charts by uPlot, with live legends, on a page of its own. */
function peerPage(load: Load): string {
  return `<!doctype html><meta charset="utf-8"><style>${uplot('uPlot.min.css')} body{margin:0;display:grid;grid-template-columns:repeat(3,1fr)}</style>
<body><script>${uplot('uPlot.iife.min.js')}</script><script>
const value = ${value.toString()}; const times = ${times.toString()};
const SERIES = ${SERIES};
let now = ${BEGIN_MS};
const columns = (panel, from) => { const at = times(from, now, ${load.pointMs}); return [at.map((ms) => ms / 1000), ...Array.from({length: SERIES}, (_, s) => at.map((ms) => value(panel, s, ms)))]; };
const ink = ['#3987e5', '#d95926', '#199e70', '#c98500', '#d55181', '#008300'];
const data = Array.from({length: ${PANELS}}, (_, panel) => columns(panel, now - ${load.windowMs}));
const plots = data.map((columns, panel) => new uPlot({ title: 'Panel ' + panel, width: ${PLOT.width}, height: ${PLOT.height},
  series: [{}, ...Array.from({length: SERIES}, (_, s) => ({ label: 'series ' + s, stroke: ink[s], width: 1.5 }))] }, columns, document.body));
const last = () => plots.forEach((plot, panel) => plot.setLegend({ idx: data[panel][0].length - 1 }));
last();
window.tick = () => {
  const from = now + 1;
  now += ${load.tickMs};
  const start = (now - ${load.windowMs}) / 1000;
  plots.forEach((plot, panel) => {
    const fresh = columns(panel, from);
    const old = data[panel];
    const drop = old[0].findIndex((at) => at >= start);
    data[panel] = old.map((column, index) => column.slice(drop).concat(fresh[index]));
    plot.setData(data[panel]);
  });
  last();
};
</script>`;
}

const viewport = { width: 1920, height: 2400 };

test('twenty live charts beside uPlot', async ({ browser }) => {
  test.setTimeout(600_000);
  const directory = mkdtempSync(path.join(tmpdir(), 'hyperscope-bench-'));
  const panels = Array.from({ length: PANELS }, (_, panel) =>
    [`  - { id: p${panel}, title: Panel ${panel}, kind: timeseries, width: 8, height: 8,`, `      queries: [{ expr: made_${panel}, legend: "{{series}}" }] }`].join('\n'),
  );
  writeFileSync(path.join(directory, 'drawing.yaml'), `uid: drawing\ntitle: Drawing\npanels:\n${panels.join('\n')}\n`);
  const server = await start(['serve', '--listen', '127.0.0.1:0', '--insecure-no-auth', '--data-dir', path.join(directory, 'data'), '--dashboards-dir', directory]);
  try {
    for (const load of LOADS) {
      const source = await LiveSource.before(server.origin, make(load.pointMs), BEGIN_MS);
      const page = await browser.newPage({ viewport });
      await page.goto(`${source.origin}/d/drawing?from=now-${load.windowMs / 1_000}s&to=now`);
      await expect(page.locator('.plot-layers canvas')).toHaveCount(2 * PANELS);
      await expect.poll(() => source.subscriptions).toBe(PANELS);
      await page.waitForTimeout(1_000);
      const ours = await measure(page, () => source.advance(load.tickMs));
      await page.close();
      await source.close();

      const peer = await browser.newPage({ viewport });
      await peer.setContent(peerPage(load));
      await expect(peer.locator('canvas')).toHaveCount(PANELS);
      await peer.waitForTimeout(1_000);
      const theirs = await measure(peer, () => peer.evaluate('tick()'));
      await peer.close();
      record(
        beside(`20 charts, ${load.name}: main thread a tick`, ours.task, 'ms', 'uPlot', theirs.task),
        beside(`20 charts, ${load.name}: script a tick`, ours.script, 'ms', 'uPlot', theirs.script),
      );
    }
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
