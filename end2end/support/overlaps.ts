import type { Page } from '@playwright/test';

/** What one cannot read on a wall, which nobody scrolls: words that lie on others, leave their panel, or are cut. */
export async function unreadable(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    interface Box { left: number; right: number; top: number; bottom: number }
    const found: string[] = [];
    const isHidden = (element: Element) => {
      for (let one: Element | null = element; one; one = one.parentElement) {
        const style = getComputedStyle(one);
        if (style.display === 'none' || style.visibility === 'hidden' || style.opacity === '0' || one.classList.contains('sr-only')) return true;
      }
      return false;
    };
    for (const panel of document.querySelectorAll('section.panel, .kiosk-bar, .wall-alarm')) {
      const edge = panel.getBoundingClientRect();
      const title = panel.querySelector('.panel-title')?.textContent ?? panel.className;
      const words: { text: string; box: Box }[] = [];
      const texts = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
      for (let node = texts.nextNode(); node; node = texts.nextNode()) {
        const parent = node.parentElement!;
        const text = node.textContent!.trim().slice(0, 40);
        if (text === '' || isHidden(parent)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const { left, right, top, bottom, height } = range.getBoundingClientRect();
        if (height === 0) continue;
        let box: Box = { left, right, top, bottom };
        // Letters take less than their line.
        const letters = parseFloat(getComputedStyle(parent).fontSize) * 0.8;
        if (height < letters * 2) box = { ...box, top: (top + bottom - letters) / 2, bottom: (top + bottom + letters) / 2 };
        let isCut = false;
        for (let one: Element | null = parent; one && one !== panel.parentElement; one = one.parentElement) {
          const style = getComputedStyle(one);
          if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
          const clip = one.getBoundingClientRect();
          const isSeen = box.bottom > clip.top && box.top < clip.bottom && box.right > clip.left && box.left < clip.right;
          if (isSeen && (box.bottom > clip.bottom + 2 || box.top < clip.top - 2)) isCut = true;
          if (isSeen && style.textOverflow !== 'ellipsis' && box.right > clip.right + 2) isCut = true;
          box = { left: Math.max(box.left, clip.left), right: Math.min(box.right, clip.right), top: Math.max(box.top, clip.top), bottom: Math.min(box.bottom, clip.bottom) };
        }
        if (box.right - box.left < 1 || box.bottom - box.top < 1) continue;
        if (isCut) found.push(`${title}: "${text}" is cut`);
        if (box.bottom > edge.bottom + 1 || box.top < edge.top - 1 || box.right > edge.right + 1 || box.left < edge.left - 1) found.push(`${title}: "${text}" leaves its panel`);
        for (const other of words) {
          const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
          const overlap = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
          if (width > 1.5 && overlap > 2) found.push(`${title}: "${other.text}" and "${text}" overlap`);
        }
        words.push({ text, box });
      }
    }
    return found;
  });
}
