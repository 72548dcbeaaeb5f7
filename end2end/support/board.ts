import { readFileSync } from 'node:fs';

import { expect, type Locator, type Page } from '@playwright/test';

import type { Dashboard } from './dashboards.ts';

/** How long a first live frame may take on a busy machine. */
const LIVE_MS = 30_000;

/** A dashboard in a browser, in a viewer's words. */
export class Board {
  constructor(
    readonly page: Page,
    /** Where the server is, for this browser. */
    readonly origin: string,
  ) {}

  /** How the page is connected, in words. */
  get connection(): Locator {
    return this.page.locator('.connection');
  }

  /** A panel by its title. */
  panel(title: string): Locator {
    return panel(this.page, title);
  }

  /** Titles of all panels, in order. */
  async titles(): Promise<string[]> {
    return this.page.locator('section.panel .panel-title').allTextContents();
  }

  /** Opens a dashboard and waits until it is live. */
  async open(path: string): Promise<void> {
    await this.page.goto(this.origin + path);
    await this.live();
  }

  /** Waits until the page is connected and every panel has taken over from its picture. */
  async live(): Promise<void> {
    await this.connected('live');
    await expect(this.page.locator('.panel-picture')).toHaveCount(0, { timeout: LIVE_MS });
  }

  /** Waits until the connection is in this state. */
  async connected(state: 'live' | 'reconnecting' | 'polling' | 'offline'): Promise<void> {
    await expect(this.connection).toHaveAttribute('data-state', state, { timeout: LIVE_MS });
  }

  /** Checks that each panel of `dashboard` is there and shows data. */
  async isFilled(dashboard: Dashboard): Promise<void> {
    expect(await this.titles()).toEqual(dashboard.panels);
    for (const title of dashboard.panels) {
      if (dashboard.mayBeEmpty.includes(title)) continue;
      const panel = this.panel(title);
      await expect(panel.locator('.message'), `${title} shows a message in place of data`).toHaveCount(0);
      await expect(panel.locator('.badge-stale'), `${title} is stale`).toHaveCount(0);
      expect(await hasContent(panel), `${title} shows something`).toBe(true);
    }
  }

  /** The data of a panel as its menu saves it: a row a time, a column a series. */
  async data(title: string): Promise<string[][]> {
    const panel = this.panel(title);
    await panel.getByLabel(`Menu of ${title}`).first().click();
    const saved = this.page.waitForEvent('download');
    await panel.getByRole('button', { name: 'Data as CSV' }).click();
    const text = readFileSync(await (await saved).path(), 'utf8');
    return text.trim().split('\r\n').map((line) => line.split(','));
  }

  /** What each panel shows now, to be compared with later: its words, and the pixels of its canvases. */
  async contents(): Promise<Map<string, string>> {
    const pairs = await this.page.locator('section.panel').evaluateAll((panels) =>
      panels.map((panel) => {
        const title = panel.querySelector('.panel-title')?.textContent ?? '';
        const body = panel.querySelector('.panel-body') as HTMLElement;
        const canvases = [...body.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL());
        const drawings = [...body.querySelectorAll('svg')].map((svg) => svg.outerHTML);
        return [title, JSON.stringify([body.innerText, canvases, drawings])] as [string, string];
      }),
    );
    return new Map(pairs);
  }
}

/** A panel of a page by its title. */
export function panel(page: Page, title: string): Locator {
  const heading = page.getByRole('heading', { level: 2, name: title, exact: true });
  return page.locator('section.panel').filter({ has: heading });
}

/** Whether a panel shows words, or a drawing with something in it. */
async function hasContent(panel: Locator): Promise<boolean> {
  return panel.locator('.panel-body').evaluate((body: HTMLElement) => {
    const painted = [...body.querySelectorAll('canvas')].some((canvas) => {
      const blank = document.createElement('canvas');
      blank.width = canvas.width;
      blank.height = canvas.height;
      return canvas.toDataURL() !== blank.toDataURL();
    });
    const drawn = body.querySelector('svg :is(path, rect, circle, polyline, line)') !== null;
    return painted || drawn || body.innerText.trim() !== '';
  });
}
