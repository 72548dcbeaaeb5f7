import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Locator } from '@playwright/test';

import { violations } from '../support/axe.ts';
import { Board } from '../support/board.ts';
import { expect, test as base } from '../support/fixtures.ts';
import { type Demo, startDemo } from '../support/server.ts';

/** Panels with difficult data: series with the same name, more series than fit, and series without a legend. */
const dashboard = `
uid: several
title: Several series
panels:
  - id: twins
    title: Twins
    kind: timeseries
    width: 12
    height: 7
    queries:
      - { expr: 'vector(1)', legend: same }
      - { expr: 'vector(2)', legend: same }
      - { expr: 'sum by (provider) (hypersdk_jobs_total)', legend: jobs }
  - id: nameless
    title: Nameless
    kind: timeseries
    width: 12
    height: 7
    queries:
      - { expr: 'sum(hypersdk_jobs_total)' }
  - id: dials
    title: Dials
    kind: gauge
    width: 12
    height: 6
    max: 10
    queries:
      - { expr: 'label_replace(vector(1), "n", "one", "", "") or label_replace(vector(2), "n", "two", "", "")', legend: '{{n}}', instant: true }
  - id: few
    title: A few of many
    kind: gauge
    width: 4
    height: 6
    max: 10
    queries:
      - { expr: 'count by (__name__) ({__name__=~"hypersdk_.+"})', legend: '{{__name__}}', instant: true }
  - id: six
    title: Six
    kind: stat
    width: 4
    height: 6
    unit: jobs/h
    queries:
      - { expr: 'vector(146.2)', legend: openstack }
      - { expr: 'vector(1322)', legend: aws }
      - { expr: 'vector(0.0456)', legend: azure }
      - { expr: 'vector(98765)', legend: vsphere-frankfurt }
      - { expr: 'vector(12)', legend: gcp }
      - { expr: 'vector(1)', legend: kvm }
`;

interface Fixtures {
  /** A demo with this dashboard and two minutes of history. */
  young: Demo;
}

const test = base.extend<{ several: Board }, Fixtures>({
  young: [
    async ({}, use) => {
      const directory = await mkdtemp(path.join(tmpdir(), 'hyperscope-dashboards-'));
      await writeFile(path.join(directory, 'several.yaml'), dashboard);
      const demo = await startDemo('--dashboards-dir', directory, '--history', '2m');
      await use(demo);
      await demo.stop();
      await rm(directory, { recursive: true, force: true });
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  several: async ({ page, young }, use) => {
    await page.goto(young.loginLink);
    await use(new Board(page, young.origin));
  },
});

const legend = (panel: Locator) => panel.locator('.legend-item');

test.describe('series with the same name', () => {
  test('have distinct names, values and colours, and a click isolates one', async ({ several, page }) => {
    await several.open('/d/several');
    const panel = several.panel('Twins');
    const [first, second] = [legend(panel).filter({ hasText: 'same (query 1)' }), legend(panel).filter({ hasText: 'same (query 2)' })];
    await expect(first.locator('.legend-value')).toHaveText('1');
    await expect(second.locator('.legend-value')).toHaveText('2');
    expect(await ink(first)).not.toBe(await ink(second));
    await expect(legend(panel).filter({ hasText: 'jobs {provider="aws"}' })).toHaveCount(1);
    await second.click();
    await expect(first).toHaveAttribute('aria-pressed', 'false');
    await expect(second).toHaveAttribute('aria-pressed', 'true');
    await panel.locator('.plot-box').focus();
    await page.keyboard.press('End');
    await expect(panel.locator('.hover-tip li')).toHaveText(['same (query 2)2']);
  });

  test("are distinct in the server's HTML as well, and none is named by its query", async ({ several, page }) => {
    const html = await (await page.request.get(several.origin + '/d/several')).text();
    expect(html).toContain('same (query 2)');
    await several.open('/d/several');
    await expect(legend(several.panel('Nameless')).locator('.legend-name')).toHaveText('Nameless');
  });
});

test.describe('several series', () => {
  test('all have a gauge, or are counted', async ({ several, page }) => {
    await several.open('/d/several');
    const dials = several.panel('Dials');
    await expect(dials.locator('.gauge-number')).toHaveCount(2);
    await expect(dials.locator('.stat-name')).toHaveText(['one', 'two']);
    await expect(several.panel('A few of many').locator('.cells-more')).toHaveText(/^and \d+ more$/);
    expect(await violations(page)).toEqual([]);
  });

  for (const [width, height] of [[1920, 1080], [1366, 768], [390, 844]] as const) {
    test(`fit into a stat at ${width}`, async ({ several, page }) => {
      await page.setViewportSize({ width, height });
      await several.open('/d/several');
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, 'the page scrolls sideways').toBeLessThanOrEqual(0);
      const panel = several.panel('Six');
      await expect(panel.locator('.stat-value').first()).toBeVisible();
      const outside = await panel.evaluate((section) => {
        const box = section.getBoundingClientRect();
        const values = [...section.querySelectorAll('.stat-value')];
        const boxes = values.map((value) => value.getBoundingClientRect());
        if (boxes.length !== 6 || values.some((value) => value.scrollWidth > value.clientWidth + 1)) return boxes.length;
        const within = (one: DOMRect) => one.left >= box.left && one.right <= box.right && one.top >= box.top && one.bottom <= box.bottom;
        const over = (one: DOMRect, other: DOMRect) =>
          one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1;
        return boxes.filter((one, index) => !within(one) || boxes.slice(index + 1).some((other) => over(one, other))).length;
      });
      expect(outside, 'numbers that lie outside or over each other').toBe(0);
    });
  }
});

test.describe('less data than the range of the query', () => {
  test('has a remark beside the value, in the page and in images', async ({ several, page }) => {
    await several.open('/');
    await expect(several.panel('Completed Jobs (24h)').locator('.badge')).toHaveText(/^\d+ min of 24 h stored$/);
    const picture = await page.request.get(several.origin + '/render/d/hypersdk-overview/completed-jobs-24h.svg');
    expect(await picture.text()).toMatch(/\d+ min of 24 h stored/);
    await expect(several.panel('Job Completion Rate').locator('.badge')).toHaveCount(0);
  });

  test('is linked from a range that is mostly empty', async ({ several, page }) => {
    await several.open('/');
    const link = page.getByRole('link', { name: 'Show from the first data on' });
    await expect(link).toBeVisible();
    const size = page.viewportSize();
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
    await expect(page.locator('.topbar-controls > :last-child')).toBeInViewport({ ratio: 1 });
    if (size) await page.setViewportSize(size);
    await link.click();
    await expect(page).toHaveURL(/from=now-\d+m&to=now$/);
    await expect(link).toHaveCount(0);
  });
});

test.describe('on paper', () => {
  test.use({ colorScheme: 'dark' });

  test('a dashboard is light, without controls, and has the time of the print', async ({ several, page }) => {
    await several.open('/d/several');
    const chart = several.panel('Nameless').locator('canvas').last();
    const [dark, light] = ['#5ba9f2', '#1f6fc4'];
    await expect.poll(() => shows(chart, dark)).toBe(true);
    // The content of the canvas after the event `beforeprint`.
    await page.evaluate(() => {
      window.addEventListener('beforeprint', () => {
        const canvases = [...document.querySelectorAll<HTMLCanvasElement>('#panel-nameless canvas')];
        for (const canvas of canvases) {
          const copy = document.createElement('canvas');
          [copy.width, copy.height] = [canvas.width, canvas.height];
          copy.getContext('2d')?.drawImage(canvas, 0, 0);
          copy.className = 'printed-canvas';
          copy.hidden = true;
          document.body.append(copy);
        }
      });
    });
    expect((await page.pdf()).byteLength).toBeGreaterThan(1_000);
    const printed = page.locator('.printed-canvas').last();
    expect(await shows(printed, light)).toBe(true);
    expect(await shows(printed, dark)).toBe(false);
    await expect.poll(() => shows(chart, dark), 'dark again').toBe(true);

    await page.emulateMedia({ media: 'print' });
    await expect.poll(() => shows(chart, light)).toBe(true);
    await expect(page.getByRole('navigation')).toBeHidden();
    await expect(page.locator('.topbar-controls')).toBeHidden();
    await expect(page.locator('.printed')).toHaveText(/^\d{4}-\d\d-\d\d .* to \d{4}-.*\. Printed \d{4}-/);
    expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(24, 33, 45)');
    // A printed canvas is white where it is empty, so the grid and the thresholds are visible.
    await expect(chart).toHaveCSS('mix-blend-mode', 'multiply');
  });

  test('lists have the full width, and a job has all its fields', async ({ board, page }) => {
    await board.open('/');
    await page.emulateMedia({ media: 'print' });
    // The size of an A4 sheet without its margins.
    await page.setViewportSize({ width: 703, height: 1_032 });
    await expect(page.locator('.jobs-table th:is(.job-provider, .job-rate, .job-eta, .job-elapsed)')).toHaveCount(4);
    for (const column of ['provider', 'rate', 'eta', 'elapsed']) await expect(page.locator(`.jobs-table th.job-${column}`)).toBeVisible();
    const width = async (selector: string) => (await page.locator(selector).boundingBox())!.width;
    expect(await width('.panel-alerts')).toBeCloseTo(await width('.panels'), 0);
    expect(await width('.panel-jobs')).toBeCloseTo(await width('.panels'), 0);
  });

  for (const path of ['/alerts', '/explore?expr=up', '/settings']) {
    test(`${path} is light and has the time of the print`, async ({ several, page }) => {
      await page.goto(several.origin + path);
      await page.emulateMedia({ media: 'print' });
      await expect(page.getByRole('navigation', { name: 'Dashboards' })).toBeHidden();
      await expect(page.locator('.printed')).toHaveText(/^Printed \d{4}-/);
      expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(24, 33, 45)');
    });
  }
});

/** The colour of a series in the legend. */
async function ink(item: Locator): Promise<string> {
  return item.locator('.legend-swatch').evaluate((swatch) => getComputedStyle(swatch).backgroundColor);
}

/** Whether a line of this colour is on a canvas, whatever is next to it. */
async function shows(canvas: Locator, colour: string): Promise<boolean> {
  return canvas.evaluate((element, colour) => {
    const { width, height } = element as HTMLCanvasElement;
    const copy = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d', { willReadFrequently: true });
    copy?.drawImage(element as HTMLCanvasElement, 0, 0);
    const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    const data = copy?.getImageData(0, 0, width, height).data ?? [];
    for (let at = 0; at < data.length; at += 4) {
      // If the line covers most of a pixel, the colour of the pixel is close enough.
      if ((data[at + 3] ?? 0) > 160 && wanted.every((part, index) => Math.abs((data[at + index] ?? 0) - part) <= 3)) return true;
    }
    return false;
  }, colour);
}
