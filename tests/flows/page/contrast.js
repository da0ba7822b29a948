// Every text that stands out from its background by less than 4.5.
() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const back = (node) => { for (let e = node; e; e = e.parentElement) {
    const found = rgb(getComputedStyle(e).backgroundColor); if (found[3] === 255) return found; }
    return rgb(getComputedStyle(document.body).backgroundColor); };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.getClientRects().length || node.closest('script, style, option, .sr, :disabled')) continue;
    const style = getComputedStyle(node);
    const svg = node.closest('svg');
    if (svg && style.strokeWidth !== '0px' && style.stroke !== 'none') continue;
    const [a, b] = [light(rgb(svg ? style.fill : style.color)), light(back(svg ? svg.parentElement : node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${walk.currentNode.data.trim().slice(0, 30)} ${node.className.baseVal ?? node.className}`);
  }
  return found;
}
