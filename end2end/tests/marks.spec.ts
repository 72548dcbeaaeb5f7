import type { Route } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';
import { violations } from '../support/axe.ts';

/** An alert of the demo that fires soon after the start, and a chart of the same metric. */
const alert = 'DemoProviderBusy';
const panel = 'Queue Length & Active Jobs';

test.describe('an alert that fires', () => {
  test.describe.configure({ timeout: 120_000 });

  test("is an annotation on related charts: in the server's HTML, on the canvas, and for screen readers", async ({ board, page }) => {
    await page.goto(board.origin + '/alerts');
    await expect(page.locator('.alert-line', { hasText: alert }).first()).toContainText('firing', { timeout: 60_000 });
    const html = await (await page.request.get(board.origin + '/')).text();
    expect(html).toContain('class="plot-marks"');
    await board.open('/');
    const chart = page.getByRole('region', { name: panel }).locator('.plot-box');
    await expect(chart).toHaveAccessibleDescription(new RegExp(`${alert}, info, fired from`));
    await expect(page.getByRole('region', { name: panel }).locator('canvas').first()).toBeVisible();
    await chart.focus();
    await page.keyboard.press('End');
    await expect(chart.locator('.hover-tip')).toContainText(`${alert} fires`);
    expect(await violations(page)).toEqual([]);
  });

  test('is an annotation on a page that is already open', async ({ board, page }) => {
    // Read the response here, because the browser may discard its body after it is in the page.
    const marks = new Promise<{ series: unknown }>((resolve) => {
      const pass = async (route: Route) => {
        const answer = await route.fetch();
        resolve((await answer.json()) as { series: unknown });
        await route.fulfill({ response: answer });
      };
      void page.route('**/api/dashboards/hypersdk-overview/marks?*', pass, { times: 1 });
    });
    await board.open('/');
    const { series } = await marks;
    expect(Array.isArray(series)).toBe(true);
  });
});

test.describe('the bell', () => {
  test.describe.configure({ timeout: 120_000 });

  test('sounds for alerts that begin to fire after it is turned on, and not before', async ({ board, page }) => {
    await page.addInitScript(() => {
      const rung: string[] = [];
      Object.assign(window, { rung });
      class Told {
        onclick = null;
        constructor(title: string) {
          rung.push(`notice ${title}`);
        }
        static async requestPermission() {
          return 'granted';
        }
      }
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (when?: number) {
        rung.push('sound');
        return start.call(this, when);
      };
      Object.assign(window, { Notification: Told });
    });
    const rung = () => page.evaluate(() => (window as unknown as { rung: string[] }).rung);
    await page.goto(board.origin + '/settings');
    const sound = page.getByLabel('Sound', { exact: true });
    await expect(sound).toHaveValue('off');
    await page.waitForFunction(() => document.querySelector('.connection')?.getAttribute('data-state') === 'live');
    expect(await rung()).toEqual([]);
    await sound.selectOption('All alerts');
    // Another alert may begin to fire at this moment, with another sound.
    expect(await rung()).toContain('sound');
    await page.getByLabel('Notification', { exact: true }).selectOption('All alerts');
    // The demo's drills fire each minute.
    await expect.poll(async () => (await rung()).filter((what) => what.startsWith('notice')).length, { timeout: 80_000 }).toBeGreaterThan(0);
    expect((await rung()).filter((what) => what === 'sound').length).toBeGreaterThan(1);
    await page.reload();
    await expect(sound).toHaveValue('all');
  });

  test('shows that the browser refuses notifications', async ({ board, page }) => {
    await page.addInitScript(() => {
      Object.assign(window, { Notification: class { static async requestPermission() { return 'denied'; } } });
    });
    await page.goto(board.origin + '/settings');
    await page.waitForFunction(() => document.querySelector('.connection')?.getAttribute('data-state') === 'live');
    const notice = page.getByLabel('Notification', { exact: true });
    await notice.selectOption('Critical');
    await expect(page.getByRole('alert').filter({ hasText: 'does not let this page' })).toBeVisible();
    await expect(notice).toHaveValue('off');
    expect(await violations(page)).toEqual([]);
  });
});
