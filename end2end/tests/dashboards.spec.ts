import { dashboards } from '../support/dashboards.ts';
import { expect, test } from '../support/fixtures.ts';

for (const dashboard of dashboards) {
  test.describe(dashboard.name, () => {
    test('comes with every chart rendered, before any script has run', async ({ board, page, demo }) => {
      const html = await (await page.request.get(demo.origin + dashboard.path)).text();
      // The HTML is only parsed, so no script runs.
      const panels = await page.evaluate((html) => {
        const document = new DOMParser().parseFromString(html, 'text/html');
        return [...document.querySelectorAll('section.panel')].map((panel) => ({
          title: panel.querySelector('.panel-title')?.textContent ?? '',
          message: panel.querySelector('.message .message-title')?.textContent ?? null,
          chart: panel.querySelector('.panel-body svg') !== null,
          words: panel.querySelector('.panel-body')?.textContent?.trim() ?? '',
        }));
      }, html);
      expect(panels.map(({ title }) => title)).toEqual(dashboard.panels);
      for (const panel of panels.filter(({ title }) => !dashboard.mayBeEmpty.includes(title))) {
        expect(panel.message, `${panel.title} shows a message in place of data`).toBeNull();
        expect(panel.chart || panel.words !== '', `${panel.title} shows something`).toBe(true);
      }
      expect(board.page).toBe(page);
    });

    test('fills every panel with live data that changes', async ({ board, page }) => {
      await board.open(dashboard.path);
      await board.isFilled(dashboard);
      const before = await board.contents();
      // A step of the shortest range is 15 s; the numbers of jobs and sources move each second.
      await expect(async () => {
        const now = await board.contents();
        const moved = dashboard.panels.filter((title) => now.get(title) !== before.get(title));
        expect(moved.length, `panels that moved: ${moved.join(', ')}`).toBeGreaterThan(dashboard.panels.length / 2);
      }).toPass({ timeout: 45_000, intervals: [1_000] });
      await board.isFilled(dashboard);
      await expect(page.getByRole('alert')).toHaveCount(0);
    });
  });
}

test('links between dashboards retain the time range, which is in the URL', async ({ board, page }) => {
  await board.open('/?from=now-1h');
  await page.getByRole('navigation', { name: 'Dashboards' }).getByRole('link', { name: 'Job performance' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Job performance');
  const address = new URL(page.url());
  expect(address.pathname).toBe('/jobs');
  expect(address.searchParams.get('from')).toBe('now-1h');
  await board.live();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
});

test('the title of the window is the title of the page, in both programs', async ({ board, page }) => {
  const navigation = page.getByRole('navigation', { name: 'Dashboards' });
  const title = (of: string) => expect(page).toHaveTitle(new RegExp(`^(\\(\\d+\\) )?${of} · hyperscope$`));
  await board.open('/');
  await title('Overview');
  for (const name of ['Job performance', 'System resources', 'Job performance']) {
    await navigation.getByRole('link', { name }).click();
    await title(name);
  }
  await page.goBack();
  await title('System resources');
  await navigation.getByRole('link', { name: 'Overview', exact: true }).click();
  const job = board.panel('Live jobs').locator('tbody tr.job a').first();
  const name = await job.textContent();
  await job.click();
  await title(name!.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));

  await navigation.getByRole('link', { name: /^Alerts/ }).click();
  await board.connected('live');
  await title('Alerts');
  for (const of of ['Explore', 'Alerts', 'Explore']) {
    await navigation.getByRole('link', { name: new RegExp(`^${of}`) }).click();
    await title(of);
  }
  await page.goBack();
  await title('Alerts');
});

test('going back over pages of both programs restores their scroll positions', async ({ board, page }) => {
  await page.setViewportSize({ width: 900, height: 500 });
  const place = () => page.evaluate(() => Math.round(window.scrollY));
  const scroll = async (to: number) => {
    await page.evaluate((to) => window.scrollTo(0, to), to);
    await expect.poll(() => page.evaluate(() => history.state as unknown)).toBe(to);
  };
  const navigation = page.getByRole('navigation', { name: 'Dashboards' });
  await board.open('/');
  await scroll(420);
  await navigation.getByRole('link', { name: 'Job performance' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Job performance');
  expect(await place()).toBe(0);
  await board.live();
  await scroll(260);
  await navigation.getByRole('link', { name: /^Alerts/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Alerts');
  await board.connected('live');

  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Job performance');
  await expect.poll(place).toBe(260);
  await board.connected('live');
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
  await expect.poll(place).toBe(420);
  await page.goForward();
  await expect.poll(place).toBe(260);
});

test('the kiosk form shows only the panels', async ({ board, page }) => {
  await board.open('/kiosk/hypersdk-overview');
  await expect(page.getByRole('navigation', { name: 'Dashboards' })).toBeHidden();
  await expect(board.panel('Active Jobs')).toBeVisible();
});
