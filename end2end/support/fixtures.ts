import { test as base, expect, type Page } from '@playwright/test';

import { Board } from './board.ts';
import { Proxy } from './proxy.ts';
import { type Demo, startDemo } from './server.ts';

interface TestFixtures {
  /** What may be written to the console although nothing is wrong: a cut connection is reported by Chromium itself. */
  allowedInConsole: RegExp | null;
  /** The page, watched: errors and warnings in its console fail the test. */
  page: Page;
  /** The dashboards as a logged in admin sees them. */
  board: Board;
  /** A proxy in front of the demo. */
  wire: Proxy;
}

interface WorkerFixtures {
  /** One demo for all tests of a worker. */
  demo: Demo;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  demo: [
    async ({}, use) => {
      const demo = await startDemo();
      await use(demo);
      await demo.stop();
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  allowedInConsole: [null, { option: true }],

  page: async ({ page, allowedInConsole }, use) => {
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const text = `${message.type()}: ${message.text()} (${message.location().url})`;
      if (!allowedInConsole?.test(text)) complaints.push(text);
    });
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`));
    await use(page);
    expect(complaints, 'errors and warnings in the console').toEqual([]);
  },

  board: async ({ page, demo }, use) => {
    await page.goto(demo.loginLink);
    await use(new Board(page, demo.origin));
  },

  wire: async ({ demo }, use) => {
    const proxy = await Proxy.to(demo.origin);
    await use(proxy);
    await proxy.close();
  },
});

export { expect };
