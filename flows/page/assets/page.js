// The page: its two charts, the theme, the ranking's search. It follows chart.js in one scope.
// Traffic over time: stacked days or hours, of all domains or of one.
const timeSource = () => {
  const state = { domain: -1, hours: false, chosen: false };
  const hasHours = data.hours.length > 0;
  const days = data.midnights.slice(0, -1);
  const fill = (place) => ink(`--s${Math.min(place, 8)}`);
  const isOther = () => data.domains.length > data.stacked;
  const series = () => {
    const [each, total] = state.hours ? [data.hourly, data.hourlyTotal] : [data.daily, data.total];
    if (state.domain >= 0) {
      return [{ name: data.domains[state.domain], values: each[state.domain], fill: fill(Math.min(state.domain, 7)) }];
    }
    const top = each.slice(0, data.stacked)
      .map((values, place) => ({ name: data.domains[place], values, fill: fill(place) }));
    if (!isOther()) return top;
    const rest = total.map((sum, n) => Math.max(sum - top.reduce((all, s) => all + (s.values[n] ?? 0), 0), 0));
    return [...top, { name: say("rest"), values: rest, fill: fill(8) }];
  };
  const starts = () => (state.hours ? data.hours : days);
  const ends = (n) => (state.hours ? data.hours[n] + HOUR : data.midnights[n + 1]);
  const unread = () => (state.domain < 0 ? data.unread
    : [...(data.states[data.domains[state.domain]] ?? "")].map((s) => (s > "1" ? "x" : "-")).join(""));
  const select = make("select", { ariaLabel: say("domain") }, make("option", { value: -1, textContent: say("all") }),
    ...data.domains.map((name, place) => make("option", { value: place, textContent: name })));
  const day = make("button", { type: "button", textContent: say("day") });
  const hour = make("button", { type: "button", textContent: say("hour"), disabled: !hasHours });
  const resolution = make("span", { className: "group", role: "group" }, day, hour);
  resolution.setAttribute("aria-label", say("resolution"));
  const keys = make("ul", { className: "keys" });
  const source = {
    kind: "bytes", extra: data.domains.length > 1 ? [select, resolution] : [resolution], keys,
    refresh() {
      const noHours = !hasHours || state.domain >= data.hourly.length;
      if (noHours) state.hours = false;
      hour.disabled = noHours;
      day.setAttribute("aria-pressed", !state.hours);
      hour.setAttribute("aria-pressed", state.hours);
      keys.replaceChildren(...series().map((s) => make("li", {}, make("i", { style: `background:${s.fill}` }),
        data.domains.length > 1 && s.name !== say("rest")
          ? make("button", { type: "button", textContent: s.name, onclick: () => source.pick(data.domains.indexOf(s.name)) })
          : s.name)));
    },
    pick(place) {
      state.domain = state.domain === place ? -1 : place;
      select.value = state.domain;
      source.refresh();
      source.chart.draw();
    },
    zoomed(length) {
      if (!state.chosen) state.hours = hasHours && length <= 7 * DAY;
      source.refresh();
    },
    starts: (shown) => inside(starts(), ends, shown).map((n) => starts()[n]),
    layers(shown) {
      const from = starts();
      const places = inside(from, ends, shown);
      const low = new Map(places.map((n) => [n, 0]));
      const bars = [];
      const areas = [];
      for (const one of series()) {
        for (const n of places) {
          const value = one.values[n];
          const base = low.get(n);
          low.set(n, base + (value ?? 0));
          const row = { key: one.name, from: from[n], to: ends(n), low: base, high: base + (value ?? 0), fill: one.fill };
          if (!state.hours) { if (value) bars.push(row); continue; }
          const known = value !== null;
          const drawn = { ...row, known, opacity: 0.85, stroke: one.fill };
          areas.push({ ...drawn, at: from[n] }, { ...drawn, at: ends(n) - 1 });
          if (ends(n) < (from[n + 1] ?? ends(n))) areas.push({ ...drawn, at: ends(n), known: false });
        }
      }
      const bands = days.flatMap((at, n) => (unread()[n] === "x" ? [{ from: at, to: data.midnights[n + 1] }] : []));
      return { bands, bars, areas, rules: [], points: [] };
    },
    describe(at) {
      const n = placeOf(starts(), at);
      if (n < 0 || at >= ends(n)) return null;
      const rows = series().map((s) => ({ name: s.name, fill: s.fill, text: s.values[n] === null ? "–" : amount(s.values[n], "bytes") }));
      const dayPlace = Math.min(placeOf(data.midnights, starts()[n]), days.length - 1);
      if (state.domain < 0 && rows.length > 1) {
        rows.push({ name: say("total"), text: amount((state.hours ? data.hourlyTotal : data.total)[n], "bytes") });
      }
      if (unread()[dayPlace] === "x") rows.push({ name: say("unread"), text: "", fill: ink("--partial") });
      const title = state.hours ? stamp(starts()[n]) : data.dates[n];
      return { at: (starts()[n] + ends(n)) / 2, title, rows };
    },
  };
  const choose = (hours) => () => {
    state.hours = hours;
    state.chosen = true;
    source.refresh();
    source.chart.point(null);
    source.chart.draw();
  };
  day.onclick = choose(false);
  hour.onclick = choose(true);
  select.onchange = () => { state.domain = Number(select.value); source.refresh(); source.chart.draw(); };
  source.refresh();
  return source;
};

// Bandwidth: the highest point of each stretch of a pixel, every point when zoomed in.
const bandwidthSource = () => {
  const band = data.bandwidth;
  const stretch = ([from, to], width) => Math.max(Math.ceil((to - from) / band.step / Math.max(width, 1)), 1);
  const highest = (shown, width) => {
    const each = stretch(shown, width);
    const first = Math.max(Math.floor((shown[0] - band.start) / band.step / each) * each - each, 0);
    const last = Math.min(Math.ceil((shown[1] - band.start) / band.step) + each, band.points.length);
    const found = [];
    for (let n = first; n < last; n += each) {
      let best = null;
      for (let m = n; m < Math.min(n + each, band.points.length); m += 1) {
        if (band.points[m] !== null && (best === null || band.points[m] > band.points[best])) best = m;
      }
      found.push({ at: band.start + (best ?? n) * band.step, value: best === null ? null : band.points[best] });
    }
    return found;
  };
  return {
    kind: "bits",
    starts: (shown, width) => highest(shown, width).map((p) => p.at).filter((at) => at >= shown[0] && at < shown[1]),
    layers(shown, width) {
      const fill = ink("--s0");
      const areas = highest(shown, width).map((p) => ({
        key: "", at: p.at, low: 0, high: p.value ?? 0, known: p.value !== null, fill, opacity: 0.2, stroke: fill,
      }));
      const rules = band.percentiles
        .filter((p) => p.from < shown[1] && p.to > shown[0])
        .map((p) => ({ from: p.from, to: p.to, value: p.bits, label: `p95 ${amount(p.bits, "bits")}` }));
      const points = band.peak && band.peak.at >= shown[0] && band.peak.at < shown[1]
        ? [{ at: band.peak.at, value: band.peak.bits, label: say("peak", { amount: amount(band.peak.bits, "bits") }) }] : [];
      return { bands: [], bars: [], areas, rules, points };
    },
    describe(at, shown, width) {
      const near = highest(shown, width).filter((p) => p.value !== null);
      const found = near.reduce((best, p) => (best === null || Math.abs(p.at - at) < Math.abs(best.at - at) ? p : best), null);
      const each = stretch(shown, width);
      if (!found || Math.abs(found.at - at) > 2 * each * band.step) return null;
      const rows = [{ name: each > 1 ? say("highest") : "", text: amount(found.value, "bits"), fill: ink("--s0") }];
      const month = band.percentiles.find((p) => p.from <= found.at && found.at < p.to);
      if (month) rows.push({ name: say("p95", { month: month.month }), text: amount(month.bits, "bits"), fill: ink("--bad") });
      return { at: found.at, title: stamp(found.at), rows };
    },
  };
};

const charts = [];
const open = (id, source) => {
  const host = document.getElementById(id);
  if (!host) return null;
  const made = source();
  const chart = new TimeChart(host, made);
  made.chart = chart;
  if (made.keys) host.append(made.keys);
  charts.push(chart);
  return made;
};
const time = open("chart-time", timeSource);
if (data.bandwidth) open("chart-bandwidth", bandwidthSource);

const redraw = () => charts.forEach((chart) => { chart.source.refresh?.(); chart.build(); });
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) { width = innerWidth; requestAnimationFrame(redraw); }
});
matchMedia("print").addEventListener("change", redraw);
addEventListener("beforeprint", redraw);
addEventListener("afterprint", redraw);

// The theme: the system's, until the switch is used.
const root = document.documentElement;
const preference = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");
const isDark = () => (root.dataset.theme ?? (preference.matches ? "dark" : "light")) === "dark";
const themed = () => { button.setAttribute("aria-pressed", isDark()); redraw(); };
button.hidden = false;
button.setAttribute("aria-pressed", isDark());
button.onclick = () => { root.dataset.theme = isDark() ? "light" : "dark"; themed(); };
preference.addEventListener("change", themed);

// The ranking: the first ten, all on demand, those found while searching; a name opens its chart.
const table = document.getElementById("ranking");
if (table) {
  const rows = [...table.tBodies[0].rows];
  const find = document.getElementById("find");
  const more = document.getElementById("more");
  const FIRST = 10;
  let all = rows.length <= FIRST + 2;
  const sift = () => {
    const word = find.value.trim().toLowerCase();
    let found = 0;
    rows.forEach((row, place) => {
      const fits = word ? row.dataset.domain.toLowerCase().includes(word) : all || place < FIRST;
      row.hidden = !fits;
      if (fits) found += 1;
    });
    more.hidden = Boolean(word) || rows.length <= FIRST + 2;
    more.textContent = all ? more.dataset.fewer : more.dataset.all;
    document.getElementById("found-none").hidden = found > 0;
  };
  document.getElementById("ranking-tools").hidden = rows.length <= FIRST;
  find.oninput = sift;
  more.onclick = () => { all = !all; sift(); };
  if (time && data.domains.length > 1) {
    rows.forEach((row) => {
      const place = data.domains.indexOf(row.dataset.domain);
      if (place < 0) return;
      const name = row.cells[1];
      const pick = make("button", { type: "button", textContent: row.dataset.domain, title: row.dataset.domain });
      pick.onclick = () => {
        time.pick(place);
        document.getElementById("time").scrollIntoView({ behavior: still ? "auto" : "smooth" });
      };
      name.replaceChildren(pick);
    });
  }
  sift();
}
Promise.all(charts.map((chart) => chart.ready)).then(() => { root.dataset.ready = "yes"; });
