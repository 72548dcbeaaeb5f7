import { expect, type Page } from '@playwright/test';

/** What a chart shows, in a form that two pages can be compared by although one was drawn a moment later. */
export interface Picture {
  title: string;
  /** Labels of the value axis and of the time axis. */
  values: string[];
  times: string[];
  /** Names in the legend. */
  series: string[];
  /** Share of the columns of the series' canvas that have ink of a series. */
  inked: number;
  /** The highest and the lowest ink of each strip of columns, from 0 at the top to 1; null where there is none. */
  strips: ([number, number] | null)[];
}

/** Strips that a plot is cut into. */
const STRIPS = 40;

/** The charts of a page as they are now. */
export async function pictures(page: Page): Promise<Picture[]> {
  return page.locator('section:is(.panel-timeseries, .panel-heatmap)').evaluateAll((panels, count) => {
    const texts = (panel: Element, selector: string) =>
      [...panel.querySelectorAll(selector)].map((element) => element.textContent ?? '');
    const grid = Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue('--grid').trim().slice(1), 16);
    return panels.map((panel) => {
      const canvas = [...panel.querySelectorAll('canvas')].at(-1);
      const copy = document.createElement('canvas');
      [copy.width, copy.height] = [canvas?.width ?? 0, canvas?.height ?? 0];
      const context = copy.getContext('2d', { willReadFrequently: true });
      if (canvas?.width) context?.drawImage(canvas, 0, 0);
      const pixels = copy.width ? context?.getImageData(0, 0, copy.width, copy.height) : undefined;
      const strips: ([number, number] | null)[] = Array.from({ length: count }, () => null);
      let inked = 0;
      for (let x = 0; pixels && x < pixels.width; x += 1) {
        let [top, bottom] = [pixels.height, -1];
        for (let y = 0; y < pixels.height; y += 1) {
          const at = (y * pixels.width + x) * 4;
          const [red = 0, green = 0, blue = 0, opacity = 0] = pixels.data.subarray(at, at + 4);
          // A line of a series: neither the area below it nor a line of the time axis.
          if (opacity < 128 || (red << 16) + (green << 8) + blue === grid) continue;
          top = Math.min(top, y);
          bottom = y;
        }
        if (bottom < 0) continue;
        inked += 1 / pixels.width;
        const index = Math.floor((x * count) / pixels.width);
        const [high, low] = strips[index] ?? [1, 0];
        strips[index] = [Math.min(high, top / pixels.height), Math.max(low, bottom / pixels.height)];
      }
      return {
        title: panel.querySelector('.panel-title')?.textContent ?? '',
        values: texts(panel, '.axis-y span'),
        times: texts(panel, '.axis-x span'),
        series: texts(panel, '.legend-name').toSorted(),
        inked,
        strips,
      };
    });
  }, STRIPS);
}

/** Waits until no panel of a page waits for the data of another range, and what came is on its canvases. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator('.panel-picture, .panel[aria-busy]')).toHaveCount(0, { timeout: 30_000 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** A picture as it is whatever its value axis: the highest ink is at 0, the lowest at 1. */
function stretched(picture: Picture): Picture {
  const inked = picture.strips.filter((strip) => strip !== null);
  const top = Math.min(...inked.map(([high]) => high));
  const height = Math.max(...inked.map(([, low]) => low)) - top || 1;
  const strips = picture.strips.map((strip): [number, number] | null => strip && [(strip[0] - top) / height, (strip[1] - top) / height]);
  return { ...picture, values: [], strips };
}

/**
 * Checks that the charts of two pages that show the same are the same, but for points that came in between. The value axis of a page that
 * goes on may be higher than that of a new one: it does not jump with every point.
 */
export function alike(all: Picture[], allWanted: Picture[], axes: 'same' | 'own' = 'same'): void {
  const [shown, wanted] = axes === 'own' ? [all.map(stretched), allWanted.map(stretched)] : [all, allWanted];
  const words = ({ title, values, times, series }: Picture) => ({ title, values, times, series });
  expect(shown.map(words)).toEqual(wanted.map(words));
  shown.forEach((picture, index) => {
    const other = wanted[index] as Picture;
    expect(Math.abs(picture.inked - other.inked), `${picture.title}: ${picture.inked} and ${other.inked} inked`).toBeLessThan(0.04);
    const far = [...strangers(picture, other), ...strangers(other, picture)];
    expect(far, `${picture.title}: strips with ink that the other has not`).toEqual([]);
  });
}

/** Strips of a picture whose ink is beyond that of another's strip and of its neighbours. */
function strangers(one: Picture, other: Picture): number[] {
  const near = (index: number) => [index - 1, index, index + 1].map((at) => other.strips[at]).filter((strip) => strip != null);
  return one.strips.flatMap((strip, index) => {
    if (strip === null) return [];
    const around = near(index);
    const high = Math.min(...around.map(([top]) => top));
    const low = Math.max(...around.map(([, bottom]) => bottom));
    return strip[0] < high - 0.05 || strip[1] > low + 0.05 ? [index] : [];
  });
}
