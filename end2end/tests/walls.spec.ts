import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Page } from '@playwright/test';

import { violations } from '../support/axe.ts';
import { expect, test } from '../support/fixtures.ts';
import { unreadable } from '../support/overlaps.ts';
import { Proxy } from '../support/proxy.ts';
import { createToken, start } from '../support/server.ts';

const ADMIN = 'the-admin-of-these-tests_0123456789abcdef';
/** Kept after the run, for eyes. */
const artefacts = path.resolve(import.meta.dirname, '../artefacts');

const shown = (page: Page) => page.locator('.slide:not([inert])');
const title = (page: Page) => page.getByRole('heading', { level: 1 });

async function isFilled(page: Page): Promise<void> {
  await expect(page.locator('.connection')).toHaveAttribute('data-state', 'live', { timeout: 30_000 });
  await expect(shown(page).locator('.panel-picture')).toHaveCount(0, { timeout: 30_000 });
}

/** What of the text that can be seen is smaller than a share of the screen's height. */
async function smaller(page: Page, share: number): Promise<string[]> {
  return page.evaluate((share) => {
    const least = Math.min(innerHeight, innerWidth) * share - 0.05;
    const found = new Set<string>();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const one = node.parentElement!;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (!node.textContent!.trim() || box.width < 1 || box.height < 1 || one.closest('.sr-only')) continue;
      if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const size = parseFloat(getComputedStyle(one).fontSize);
      if (size < least) found.add(`${one.className || one.tagName} ${size} px: ${node.textContent!.trim().slice(0, 30)}`);
    }
    return [...found];
  }, share);
}

/** Presses a key, after the one that hides an alarm, which takes any. */
async function press(page: Page, key: string): Promise<void> {
  const band = page.locator('.wall-alarm');
  if (await band.count()) {
    await page.keyboard.press('x');
    await expect(band).toHaveCount(0);
  }
  await page.keyboard.press(key);
}

async function scrolls(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    return scrollWidth > innerWidth || scrollHeight > innerHeight;
  });
}

test.describe('a playlist', () => {
  test.describe.configure({ timeout: 120_000 });
  test.use({ allowedInConsole: /ERR_|Failed to load resource|WebSocket connection/ });

  test('shows each dashboard as soon as it is complete, over one connection', async ({ board, page }) => {
    await page.goto(`${board.origin}/kiosk/hypersdk-system,hypersdk-jobs?interval=6s`);
    await expect(title(page)).toHaveText('System resources');
    await expect(page.locator('.kiosk-turn')).toHaveText('1 of 2');
    await isFilled(page);
    const sockets: string[] = [];
    page.on('websocket', (socket) => sockets.push(socket.url()));
    // At each frame: is what is shown complete, and is there exactly one?
    await page.evaluate(() => {
      const seen = { frames: 0, faults: [] as string[] };
      Object.assign(window, { seen });
      const look = () => {
        const slides = [...document.querySelectorAll('.slide:not([inert])')];
        seen.frames += 1;
        if (slides.length !== 1) seen.faults.push(`${slides.length} are shown`);
        if (slides[0]?.querySelector('.panel-picture, [aria-busy]')) seen.faults.push('one that is not complete');
        requestAnimationFrame(look);
      };
      look();
    });
    await expect(title(page)).toHaveText('Job performance', { timeout: 30_000 });
    await expect(page).toHaveURL(/interval=6s&at=1$/);
    await expect(title(page)).toHaveText('System resources', { timeout: 30_000 });
    const { frames, faults } = await page.evaluate(() => (window as unknown as { seen: { frames: number; faults: string[] } }).seen);
    expect(frames).toBeGreaterThan(20);
    expect(faults).toEqual([]);
    expect(sockets, 'those that were opened meanwhile').toEqual([]);
    // What is gone is gone.
    await expect.poll(() => page.locator('.slide').count()).toBeLessThanOrEqual(2);
    await page.reload();
    await expect(title(page), 'it goes on where it was').toHaveText('System resources');
  });

  test('is stopped and turned by keys', async ({ board, page }) => {
    await page.goto(`${board.origin}/kiosk/hypersdk-overview,hypersdk-jobs,hypersdk-system?interval=1h`);
    await isFilled(page);
    await press(page, ' ');
    await expect(page.locator('.kiosk-turn')).toHaveText('1 of 3 · paused');
    await press(page, 'ArrowRight');
    await expect(title(page)).toHaveText('Job performance', { timeout: 30_000 });
    await expect(page.locator('.kiosk-turn')).toHaveText('2 of 3 · paused');
    await press(page, 'ArrowLeft');
    await expect(title(page)).toHaveText('Overview', { timeout: 30_000 });
    await press(page, 'ArrowLeft');
    await expect(title(page)).toHaveText('System resources', { timeout: 30_000 });
    await press(page, ' ');
    await expect(page.locator('.kiosk-turn')).toHaveText('3 of 3');
    expect(await violations(page)).toEqual([]);
  });

  test('says what of its address it cannot follow', async ({ board, page }) => {
    await page.goto(`${board.origin}/kiosk/hypersdk-jobs,nope?interval=1s&distance=far&hours=day`);
    await expect(title(page)).toHaveText('Job performance');
    const banner = page.locator('.banner', { hasText: 'nope' });
    await expect(banner).toContainText('There is no dashboard "nope".');
    await expect(banner).toContainText('The interval "1s" is not one from 5s to 1d: each dashboard is shown for 30 s.');
    await expect(banner).toContainText('The distance "far" is not one from 1m to 20m.');
    await expect(banner).toContainText('The hours "day" are not like 07:00-19:00.');
    expect((await page.goto(`${board.origin}/kiosk/nope,neither`))!.status()).toBe(404);
  });

  test('is where the link of a token leads that names its dashboards', async ({ browser, demo }) => {
    const { secret } = await createToken(demo, 'kiosk', '--dashboards', 'hypersdk-jobs,hypersdk-system');
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${demo.origin}/login?token=${secret}`);
    await expect(page).toHaveURL(`${demo.origin}/kiosk/hypersdk-jobs,hypersdk-system`);
    await isFilled(page);
    await press(page, 'ArrowRight');
    await expect(title(page)).toHaveText('System resources', { timeout: 30_000 });
    await isFilled(page);
    await context.close();
  });

  test('goes round without scripts', async ({ browser, demo }) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(demo.loginLink);
    await page.goto(`${demo.origin}/kiosk/hypersdk-jobs,hypersdk-system?interval=5s`);
    await expect(title(page)).toHaveText('Job performance');
    await expect(title(page)).toHaveText('System resources', { timeout: 20_000 });
    await expect(page).toHaveURL(/at=1/);
    await context.close();
  });

  test('stays on what it shows while the server is away', async ({ demo, page }) => {
    const proxy = await Proxy.to(demo.origin);
    await page.goto(`${proxy.origin}/login?token=${demo.token}`);
    await page.goto(`${proxy.origin}/kiosk/hypersdk-jobs,hypersdk-system?interval=15s`);
    await isFilled(page);
    proxy.become('down');
    proxy.cut();
    await expect(page.locator('.badge-stale').first()).toBeVisible({ timeout: 30_000 });
    await page.waitForTimeout(16_000);
    await expect(title(page)).toHaveText('Job performance');
    await expect(shown(page).locator('.badge-stale').first()).toContainText(/stale, \d+ s old/);
    proxy.become('clear');
    await expect(title(page)).toHaveText('System resources', { timeout: 60_000 });
    await expect(shown(page).locator('.badge-stale')).toHaveCount(0);
    await proxy.close();
  });
});

test.describe('the type of a wall', () => {
  test.describe.configure({ timeout: 240_000 });
  const uids = ['hypersdk-overview', 'hypersdk-jobs', 'hypersdk-system'];

  for (const [width, height] of [[1280, 720], [1366, 768], [1920, 1080], [3840, 2160], [1080, 1920]] as const) {
    test(`grows with a screen of ${width}x${height}, and nothing scrolls or is cut`, async ({ board, page }) => {
      await page.setViewportSize({ width, height });
      for (const uid of uids) {
        await page.goto(`${board.origin}/kiosk/${uid}`);
        await isFilled(page);
        await page.screenshot({ path: path.join(artefacts, `wall-${uid}-${width}x${height}.png`) });
        expect(await scrolls(page), uid).toBe(false);
        expect(await smaller(page, 0.0119), uid).toEqual([]);
        await expect(async () => expect(await unreadable(page), uid).toEqual([])).toPass({ timeout: 10_000 });
      }
    });
  }

  for (const [width, height] of [[1280, 720], [1920, 1080], [3840, 2160], [1080, 1920]] as const) {
    test(`is readable from ten metres on ${width}x${height}, a screenful at a time`, async ({ board, page }) => {
      await page.setViewportSize({ width, height });
      for (const uid of uids) {
        await page.goto(`${board.origin}/kiosk/${uid}?distance=10m&interval=1h`);
        await isFilled(page);
        // Whatever alarm there is has its say, and the panels their room.
        await press(page, 'x');
        const words = page.locator('.kiosk-turn');
        await expect(words).toHaveText(/^part 1 of \d+$/);
        const parts = Number(/\d+$/.exec((await words.textContent())!)![0]);
        const seen = new Set<string>();
        for (let part = 1; part <= parts; part += 1) {
          await expect(words).toHaveText(`part ${part} of ${parts}`);
          await page.screenshot({ path: path.join(artefacts, `far-${uid}-${width}x${height}-${part}.png`) });
          expect(await scrolls(page), uid).toBe(false);
          expect(await smaller(page, 0.025), uid).toEqual([]);
          await expect(async () => expect(await unreadable(page), `${uid}, part ${part}`).toEqual([])).toPass({ timeout: 10_000 });
          for (const one of await shown(page).locator('.panel:not([data-out]) .panel-title').allTextContents()) seen.add(one);
          await press(page, 'ArrowRight');
        }
        // An alarm that came meanwhile took room, and moved panels to other parts: those have their turn in the next round.
        const count = await shown(page).locator('.panel').count();
        for (let turn = 0; seen.size < count && turn < 2 * parts; turn += 1) {
          for (const one of await shown(page).locator('.panel:not([data-out]) .panel-title').allTextContents()) seen.add(one);
          await press(page, 'ArrowRight');
        }
        expect(seen.size, 'every panel had its turn').toBe(count);
      }
    });
  }
});

test.describe('for months', () => {
  test.use({ allowedInConsole: /ERR_|Failed to load resource|WebSocket connection/ });

  test('the screen stays on, nothing burns in, and outside of its hours it is dim', async ({ board, page }) => {
    await page.addInitScript(() => {
      Object.assign(window, { asked: [] });
      const request = async (kind: string) => void (window as unknown as { asked: string[] }).asked.push(kind);
      Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    });
    await page.clock.install({ time: new Date() });
    await board.open('/kiosk/hypersdk-system?zone=Asia/Kolkata');
    await expect(page.locator('.kiosk-dim')).toHaveCount(0);
    await expect(page.locator('.kiosk-zone')).toHaveText('Asia/Kolkata');
    const there = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Kolkata', hour: '2-digit', minute: '2-digit' });
    const now = await page.evaluate(() => Date.now());
    expect([there.format(now - 60_000), there.format(now), there.format(now + 60_000)]).toContain(await page.locator('.kiosk-time').textContent());
    await expect.poll(() => page.evaluate(() => (window as unknown as { asked: string[] }).asked)).toEqual(['screen']);
    const place = () => page.evaluate(() => getComputedStyle(document.querySelector('.page')!).translate);
    const places = new Set<string>();
    for (let minutes = 0; minutes < 12; minutes += 1) {
      places.add(await place());
      await page.clock.runFor(60_000);
    }
    expect(places.size).toBe(4);
    const hour = Number(there.format(await page.evaluate(() => Date.now())).slice(0, 2));
    const written = (hour: number) => `${String((hour + 24) % 24).padStart(2, '0')}:00`;
    await board.open(`/kiosk/hypersdk-system?zone=Asia/Kolkata&hours=${written(hour + 2)}-${written(hour + 3)}`);
    await expect(page.locator('.kiosk-dim')).toHaveCount(1);
    await board.open(`/kiosk/hypersdk-system?zone=Asia/Kolkata&hours=${written(hour - 1)}-${written(hour + 3)}`);
    await expect(page.locator('.kiosk-dim')).toHaveCount(0);
  });

  test('a dashboard file that changes is shown at once, and one that breaks leaves what it was', async ({ page }) => {
    test.setTimeout(120_000);
    const [dataDir, files] = [await mkdtemp(path.join(tmpdir(), 'hyperscope-walls-')), await mkdtemp(path.join(tmpdir(), 'hyperscope-files-'))];
    const panel = '{ id: a, title: One, kind: stat, width: 6, height: 4, queries: [{ expr: vector(7) }] }';
    const write = (name: string) => writeFile(path.join(files, 'hall.yaml'), `uid: hall\ntitle: ${name}\npanels:\n  - ${panel}\n`);
    await write('First');
    const server = await start(['serve', '--listen', '127.0.0.1:0', '--data-dir', dataDir, '--dashboards-dir', files], { HYPERSCOPE_ADMIN_TOKEN: ADMIN });
    await page.goto(`${server.origin}/login?token=${ADMIN}`);
    await page.goto(`${server.origin}/kiosk/hall`);
    await expect(title(page)).toHaveText('First');
    await isFilled(page);
    await write('Second');
    await expect(title(page)).toHaveText('Second', { timeout: 20_000 });
    await isFilled(page);
    await writeFile(path.join(files, 'hall.yaml'), 'uid: hall\ntitle: Third\npannels: []\n');
    await expect(page.locator('.banner', { hasText: 'hall.yaml:3:1' })).toContainText('did you mean `panels`?', { timeout: 20_000 });
    await expect(title(page)).toHaveText('Second');
    await expect(page.locator('.panel')).toHaveCount(1);
    await write('Fourth');
    await expect(title(page)).toHaveText('Fourth', { timeout: 20_000 });
    await expect(page.locator('.banner:visible')).toHaveCount(0);
    await server.stop();
    for (const folder of [dataDir, files]) await rm(folder, { recursive: true, force: true });
  });
});

test.describe('in a frame', () => {
  test.use({ allowedInConsole: /status of 404/ });

  test('one panel takes all there is of 300x200', async ({ board, page }) => {
    await page.setViewportSize({ width: 300, height: 200 });
    for (const at of ['hypersdk-overview/active-jobs', 'hypersdk-system/memory-usage', 'hypersdk-overview/live-jobs']) {
      const answer = await page.goto(`${board.origin}/d/${at}?theme=dark`);
      expect(answer!.status(), at).toBe(200);
      await expect(page.locator('.panel-picture')).toHaveCount(0, { timeout: 30_000 });
      await expect(page.locator('section.panel')).toHaveCount(1);
      expect(await scrolls(page), at).toBe(false);
      await page.screenshot({ path: path.join(artefacts, `panel-${at.replace('/', '-')}.png`) });
      await expect(async () => expect(await unreadable(page), at).toEqual([])).toPass({ timeout: 10_000 });
      await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    }
    expect((await page.goto(`${board.origin}/d/hypersdk-overview/nope`))!.status()).toBe(404);
  });

  test('a dashboard comes without chrome', async ({ board, page }) => {
    await page.goto(`${board.origin}/d/hypersdk-jobs?chrome=none&theme=light`);
    await expect(page.locator('.panel').first()).toBeVisible();
    await expect(page.locator('.sidebar')).toBeHidden();
    await expect(page.locator('.topbar')).toBeHidden();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  });
});

test.describe('walls that the server knows', () => {
  test.describe.configure({ timeout: 120_000 });

  test('are listed with what they show, steered from a phone, and jump to what breaks', async ({ browser }) => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'hyperscope-walls-'));
    const config = path.join(dataDir, 'config.yaml');
    const dashboards = '[hypersdk-overview, hypersdk-jobs, hypersdk-system]';
    await writeFile(config, `walls:\n  - { name: hall, dashboards: ${dashboards}, seconds: 3600, orientation: portrait, theme: dark, jump: false }\n  - { name: lab, dashboards: [hypersdk-jobs] }\n  - { name: ops, dashboards: [hypersdk-jobs, hypersdk-system], seconds: 3600 }\nrules: [rules.yml]\n`);
    const rule = '{ alert: Broken, expr: hypersdk_goroutines >= 0, labels: { severity: critical } }';
    await writeFile(path.join(dataDir, 'rules.yml'), `groups:\n  - { name: broken, interval: 1s, rules: [${rule}] }\n`);
    const server = await start(['demo', '--config', config, '--listen', '127.0.0.1:0', '--data-dir', dataDir], { HYPERSCOPE_ADMIN_TOKEN: ADMIN });
    const send = (to: string, body: unknown) => fetch(server.origin + to, {
      method: 'POST', headers: { Authorization: `Bearer ${ADMIN}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    const [hall, phone] = [await (await browser.newContext()).newPage(), await (await browser.newContext({ viewport: { width: 390, height: 844 } })).newPage()];
    await hall.goto(`${server.origin}/wall/hall?token=${ADMIN}`);
    await expect(hall).toHaveURL(`${server.origin}/kiosk/hypersdk-overview,hypersdk-jobs,hypersdk-system?interval=3600s&theme=dark&wall=hall`);
    await isFilled(hall);

    await phone.goto(`${server.origin}/login?token=${ADMIN}`);
    await phone.goto(`${server.origin}/settings`);
    await phone.getByRole('link', { name: '3', exact: true }).click();
    const card = phone.locator('.card', { has: phone.getByRole('heading', { name: /^hall/ }) });
    await expect(card).toContainText('lives', { timeout: 20_000 });
    await expect(card).toContainText('Overview');
    await expect(card).toContainText('which is not as it should hang');
    await expect(phone.locator('.card', { hasText: '/wall/lab' })).toContainText('not seen');
    expect(await violations(phone)).toEqual([]);
    await phone.screenshot({ path: path.join(artefacts, 'walls-phone.png') });

    await card.getByRole('button', { name: 'Next' }).click();
    await expect(title(hall)).toHaveText('Job performance', { timeout: 30_000 });
    await card.getByLabel('Dashboard').selectOption({ label: 'System resources' });
    await card.getByRole('button', { name: 'Stay on it' }).click();
    await expect(title(hall)).toHaveText('System resources', { timeout: 30_000 });
    await expect(card).toContainText('Pinned');
    await card.getByRole('button', { name: 'Go on by itself' }).click();
    await expect(card).not.toContainText('Pinned');

    const wrong = await send('/api/walls/hall/steer', { action: 'pin', dashboard: 'nope' });
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('it has hypersdk-overview')]);
    expect((await send('/api/walls/nope/steer', { action: 'next' })).status).toBe(404);

    // What fires concerns its second dashboard.
    await phone.goto(`${server.origin}/wall/ops`);
    await expect(title(phone)).toHaveText('System resources', { timeout: 60_000 });
    await phone.goto(`${server.origin}/walls`);
    const metrics = await (await fetch(`${server.origin}/metrics`, { headers: { Authorization: `Bearer ${ADMIN}` } })).text();
    expect(metrics).toMatch(/hyperscope_wall_report_age_seconds\{wall="hall"\} \d/);
    await hall.close();
    await expect(card).toContainText('late', { timeout: 60_000 });
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
});
