// Every control without an accessible name.
() => [...document.querySelectorAll('button, input, select, summary, a, .chart .plot')].filter((e) =>
  e.getClientRects().length && !(e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim() || e.title)
).map((e) => e.outerHTML.slice(0, 80))
