import { defineConfig } from '@playwright/test';

import tests from './playwright.config.ts';

/** What only a browser can measure. One at a time: two would measure each other. */
export default defineConfig({ ...tests, testDir: 'bench', workers: 1, timeout: 180_000 });
