/// Scripts that check the accessibility of a page. Each returns a list of faults.
enum PageChecks {
  /// Checks the contrast of every visible text with its background: 4.5 to 1, or 3 to 1 for large text.
  static let contrast = """
    (() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const parse = (color) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = '#000'; canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
      };
      const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3])).concat(1);
      const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ground = (node) => {
        const layers = [];
        for (let one = node; one; one = one.parentElement) {
          const style = getComputedStyle(one);
          if (one.closest('svg') && one.tagName === 'g') {
            const box = one.querySelector(':scope > rect.box, :scope > rect');
            if (box) layers.push(parse(getComputedStyle(box).fill));
          }
          layers.push(parse(style.backgroundColor));
        }
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
      };
      const wrong = []; let seen = 0;
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const node = text.parentElement;
        if (!text.data.trim() || node.closest('.sr, noscript, title, option, script, style, :disabled') || !node.checkVisibility()) continue;
        if (!node.getClientRects().length) continue;
        seen += 1;
        const style = getComputedStyle(node);
        const under = ground(node);
        const ink = over(parse(node.closest('svg') ? style.fill : style.color), under);
        const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
        if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)}: "${text.data.trim().slice(0, 40)}" in ${node.tagName}.${node.getAttribute('class')}`);
      }
      if (seen < 10) wrong.push(`only ${seen} texts were seen`);
      return wrong;
    })()
    """

  /// Checks that every control has a name, every id is unique, tables have headings, and the page has its landmarks.
  static let names = """
    (() => {
      const wrong = [];
      for (const node of document.querySelectorAll('button, a[href], input, select, textarea, summary, [role=button], [tabindex="0"]')) {
        if (!node.checkVisibility()) continue;
        const labelled = (node.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
        const name = node.getAttribute('aria-label') || labelled || [...(node.labels ?? [])].map((one) => one.innerText).join('')
          || (node.matches('input, select, textarea') ? '' : node.textContent) || node.getAttribute('title');
        if (!name?.trim() && node.tagName !== 'PRE') wrong.push('no name: ' + node.outerHTML.slice(0, 120));
      }
      const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
      for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) wrong.push('id twice: ' + id);
      for (const table of document.querySelectorAll('table')) if (!table.querySelector('th[scope]')) wrong.push('a table without headings');
      for (const mark of ['main', 'header', 'nav[aria-label]', 'h1', '[role=search]', '[aria-live=polite]']) {
        if (!document.querySelector(mark)) wrong.push('no ' + mark);
      }
      if (document.querySelectorAll('main h1').length !== 1) wrong.push('not one h1');
      if (!document.documentElement.lang) wrong.push('no language');
      return wrong;
    })()
    """

  /// Checks that no element is wider than its section or the page.
  static let width = """
    (() => {
      const room = document.documentElement.clientWidth;
      const out = [...document.querySelectorAll('section *')].filter((node) => !node.closest('.scroll, svg, pre, .sr')
        && node.checkVisibility() && node.getBoundingClientRect().right > node.closest('section').getBoundingClientRect().right + 1);
      if (out.length) return out.slice(0, 5).map((node) => 'sticks out of its section: ' + node.outerHTML.slice(0, 120));
      if (document.documentElement.scrollWidth <= room) return [];
      return [...document.querySelectorAll('body *')].filter((node) => !node.closest('.scroll') && node.getBoundingClientRect().right > room + 1)
        .slice(0, 5).map((node) => 'sticks out: ' + node.outerHTML.slice(0, 120));
    })()
    """
}
