'use strict';
// Turns each still figure into an interactive chart when it scrolls into view.
(() => {
  const MIB = 1048576;
  const LANE = 0.055; // height of one row of step bands, as a share of the plot's height
  // For whoever drives the page: what was drawn, and when.
  const memtide = (window.memtide = { viewers: [], errors: [], drawnAt: {} });

  async function unpack(id) {
    const text = document.getElementById(id).textContent.trim();
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Response(stream).text();
  }

  let library;
  function chartLibrary() {
    library ??= unpack('chart-script').then((text) => {
      const script = document.createElement('script');
      script.textContent = text;
      document.head.append(script);
    });
    return library;
  }

  // The counterpart of `Series` in the page's writer: one number, or differences.
  function values(series, length) {
    if (series.same !== undefined) return new Array(length).fill(series.same);
    let last = 0;
    return (series.steps ?? []).map((step) => (step === null ? null : (last += step)));
  }

  function read(group) {
    let ns = 0;
    const t = group.t.map((step) => (ns += step) / 1e9);
    const all = (list) => list.map((s) => ({ ...s, values: values(s, t.length) }));
    return {
      name: group.name, samples: group.samples, t,
      areas: all(group.areas), lines: all(group.lines),
      formulas: all(group.formulas), rows: all(group.rows),
    };
  }

  const mib = (bytes) => (bytes === null || bytes === undefined ? '–' : `${(bytes / MIB).toFixed(1)} MiB`);
  const exact = (n, absent) => (n === null || n === undefined ? absent ?? 'not given' : n.toLocaleString('en'));
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const ink = (colour) => (colour === '#000000' ? css('--ink') : colour);
  // Rows that are no bytes: counts, flags and microseconds.
  const isCount = (name) => /pressure|failcnt|:oom|events|pg(fault|maj|scan|steal|act|deact|lazy|ref|promote|demote)|workingset_|^truth:ops|under_oom|swappiness|thp_|nr_/.test(name);

  class Viewer {
    constructor(node, chart) {
      this.node = node;
      this.chart = chart;
      this.groups = chart.groups.map(read);
      this.hidden = new Set();
      this.extra = new Set();
      this.div = node.querySelector('.chart');
      // Paper keeps the still figure: its words stand at its lines.
      const paper = element('div', { className: 'paper' });
      paper.append(...this.div.childNodes);
      this.div.after(paper);
      node.classList.add('live');
      this.show(chart.main);
    }

    show(index) {
      this.group = this.groups[index];
      this.at = this.fullest();
      for (const part of this.node.querySelectorAll('.bar, .time, .now')) part.remove();
      this.draw();
      this.node.append(this.tools(index), this.legend(), this.slider(), this.panel());
      this.moveTo(this.at);
    }

    // Areas, lines, the formulas the reader asked for, then who fired.
    series() {
      const { areas, lines, formulas } = this.group;
      return [...areas.map((s) => [s, 'area']), ...lines.map((s) => [s, 'line']),
        ...formulas.filter((s) => this.extra.has(s.name)).map((s) => [s, 'formula'])];
    }

    traces() {
      const dashes = { working_set: 'solid', rss: '8px,4px', limit: '2px,4px' };
      const spare = ['#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#0072B2'];
      let next = 0;
      const traces = this.series().map(([s, kind]) => {
        const trace = {
          name: s.name, x: this.group.t, y: s.values.map((v) => (v === null ? null : v / MIB)),
          text: s.values.map(mib), hovertemplate: '%{text}', type: 'scatter', mode: 'lines',
          visible: !this.hidden.has(s.name),
        };
        if (kind === 'area') {
          return { ...trace, stackgroup: 'usage', fillcolor: s.colour + 'd0', line: { width: 0, color: s.colour } };
        }
        if (kind === 'line') {
          return { ...trace, line: { width: s.name === 'limit' ? 2 : 3, color: ink(s.colour), dash: dashes[s.name] } };
        }
        return { ...trace, line: { width: 2, color: spare[next++ % spare.length], dash: 'dashdot' } };
      });
      if (this.chart.fires.length) traces.push(this.fires());
      return traces;
    }

    fires() {
      const fires = this.chart.fires;
      return {
        name: 'detectors', type: 'scatter', mode: 'markers', x: fires.map((f) => f.t),
        y: fires.map(() => this.top() * 1.01), visible: !this.hidden.has('detectors'),
        text: fires.map((f) => `${f.detector} fired: ${f.judgement}`), hovertemplate: '%{text}',
        marker: {
          size: 13, line: { width: 1, color: css('--ink') },
          symbol: fires.map((f) => (f.right ? 'triangle-down' : 'x')),
          color: fires.map((f) => (f.right ? css('--good') : css('--bad'))),
        },
      };
    }

    top() {
      const { areas, lines } = this.group;
      let top = 0;
      this.group.t.forEach((_, i) => {
        const stacked = areas.reduce((sum, s) => sum + (s.values[i] ?? 0), 0);
        top = Math.max(top, stacked, ...lines.map((s) => s.values[i] ?? 0));
      });
      return top / MIB;
    }

    // Where there is most to see: the last sample of the largest usage. After a kill all is 0.
    fullest() {
      const sum = (i) => this.group.areas.reduce((total, s) => total + (s.values[i] ?? 0), 0);
      return this.group.t.reduce((best, _, i) => (sum(i) >= sum(best) ? i : best), 0);
    }

    layout() {
      const lanes = Math.max(0, ...this.chart.bands.map((b) => b.lane + 1));
      const axis = {
        color: css('--quiet'), gridcolor: css('--rule'), zerolinecolor: css('--rule'), linecolor: css('--rule'),
      };
      return {
        height: 470, margin: { l: 70, r: 16, t: 18 + lanes * 24, b: 44 }, showlegend: false,
        paper_bgcolor: css('--ground'), plot_bgcolor: css('--ground'), font: { color: css('--ink'), family: 'system-ui, sans-serif', size: 13 },
        hovermode: 'x unified', hoverlabel: { bgcolor: css('--raised'), bordercolor: css('--rule'), font: { color: css('--ink') } },
        dragmode: 'zoom', modebar: { bgcolor: 'rgba(0,0,0,0)', color: css('--quiet'), activecolor: css('--ink') }, shapes: this.shapes(), annotations: this.annotations(),
        xaxis: { ...axis, ticksuffix: ' s', range: this.range ?? [0, this.chart.end], hoverformat: '.3f', showspikes: true, spikemode: 'across', spikethickness: -2, spikedash: 'solid', spikecolor: css('--quiet') },
        yaxis: { ...axis, ticksuffix: ' MiB', rangemode: 'tozero', range: [0, this.top() * 1.06], fixedrange: false },
      };
    }

    shapes() {
      const quiet = css('--quiet');
      const bands = this.chart.bands.flatMap((b, i) => {
        const shade = { type: 'rect', xref: 'x', yref: 'paper', x0: b.start, x1: b.end, line: { width: 0 }, fillcolor: quiet };
        const y0 = 1.012 + b.lane * LANE;
        const strip = { ...shade, y0, y1: y0 + LANE * 0.9, opacity: i % 2 ? 0.14 : 0.26 };
        return b.lane === 0 && i % 2 === 0 ? [strip, { ...shade, y0: 0, y1: 1, opacity: 0.07, layer: 'below' }] : [strip];
      });
      const line = (t, color, dash) => ({ type: 'line', xref: 'x', yref: 'paper', x0: t, x1: t, y0: 0, y1: 1, line: { color, width: 2, dash } });
      const fires = this.hidden.has('detectors') ? [] : this.chart.fires;
      return [...bands, ...this.chart.marks.map((m) => line(m.t, css('--bad'), 'solid')),
        ...fires.map((f) => line(f.t, css(f.right ? '--good' : '--bad'), 'dot'))];
    }

    // A step's name in its band, as much of it as fits.
    annotations() {
      const [from, to] = this.range ?? [0, this.chart.end];
      const width = Math.max(200, this.div.clientWidth - 90);
      const names = this.chart.bands.flatMap((b) => {
        const x = Math.max(b.start, from);
        const room = Math.floor((((Math.min(b.end, to) - x) / (to - from)) * width) / 7.2);
        if (room < 3) return [];
        const text = b.step.length <= room ? b.step : b.step.slice(0, room - 1) + '…';
        return [{ x, y: 1.012 + (b.lane + 0.45) * LANE, xref: 'x', yref: 'paper', xanchor: 'left', yanchor: 'middle', showarrow: false, text: escapeText(text), hovertext: escapeText(b.say), font: { size: 12 }, borderpad: 2 }];
      });
      const marks = this.chart.marks.map((m) => ({
        x: m.t, y: 0.985, xref: 'x', yref: 'paper', yanchor: 'top', showarrow: false, text: `<b>${escapeText(m.label)}</b>`,
        xanchor: m.t > from + (to - from) * 0.85 ? 'right' : 'left', font: { color: css('--bad') }, bgcolor: css('--ground'), hovertext: escapeText(m.text),
      }));
      return [...names, ...marks];
    }

    draw() {
      const config = { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'] };
      const first = !this.div.classList.contains('js-plotly-plot');
      Plotly.react(this.div, this.traces(), this.layout(), config);
      if (!first) return;
      this.div.on('plotly_hover', (event) => this.moveTo(event.points[0].fullData.name === 'detectors' ? this.nearest(event.points[0].x) : event.points[0].pointIndex));
      this.div.on('plotly_relayout', (change) => {
        if (!('xaxis.range[0]' in change || 'xaxis.autorange' in change || 'xaxis.range' in change)) return;
        const range = this.div.layout.xaxis.range.map(Number);
        this.range = change['xaxis.autorange'] ? [0, this.chart.end] : range;
        Plotly.relayout(this.div, { annotations: this.annotations() });
      });
    }

    zoom(factor) {
      const [from, to] = this.range ?? [0, this.chart.end];
      const middle = Math.min(Math.max(this.group.t[this.at], from), to);
      const half = ((to - from) * factor) / 2;
      const range = factor === 0 ? [0, this.chart.end] : [Math.max(0, middle - half), Math.min(this.chart.end, middle + half)];
      this.range = range;
      Plotly.relayout(this.div, { 'xaxis.range': range, 'yaxis.range': [0, this.top() * 1.06] });
    }

    tools(index) {
      const bar = element('div', { className: 'bar' });
      bar.setAttribute('role', 'group');
      bar.setAttribute('aria-label', 'Chart');
      if (this.groups.length > 1) {
        const select = element('select', { onchange: () => this.show(select.selectedIndex) }, ...this.groups.map((g) => element('option', {}, g.name)));
        select.selectedIndex = index;
        bar.append(element('label', {}, 'cgroup ', select));
      }
      bar.append(
        element('button', { type: 'button', onclick: () => this.zoom(0.5) }, 'Zoom in'),
        element('button', { type: 'button', onclick: () => this.zoom(2) }, 'Zoom out'),
        element('button', { type: 'button', onclick: () => this.zoom(0) }, 'All of it'),
      );
      const { samples, t } = this.group;
      if (samples > t.length) bar.append(element('span', { className: 'none' }, `${t.length} of ${samples} samples shown, peaks kept`));
      return bar;
    }

    legend() {
      const bar = element('div', { className: 'bar legend' });
      bar.setAttribute('role', 'group');
      bar.setAttribute('aria-label', 'Series: press to hide or show');
      const entries = [...this.group.areas.map((s) => [s, '']), ...this.group.lines.map((s) => [s, `line ${s.name}`])];
      if (this.chart.fires.length) entries.push([{ name: 'detectors', words: '▼ fired rightly, ✕ wrongly' }, null]);
      for (const [s, kind] of entries) {
        const swatch = element('span', { className: `swatch ${kind}` });
        if (kind) swatch.style.borderColor = s.colour === '#000000' ? 'var(--ink)' : s.colour;
        else if (kind === '') swatch.style.background = s.colour;
        const button = element('button', { type: 'button', onclick: () => this.toggle(s.name, button) },
          ...(kind === null ? [] : [swatch]), element('b', {}, s.name), element('span', { className: 'words' }, s.words));
        button.dataset.series = s.name;
        button.setAttribute('aria-pressed', String(!this.hidden.has(s.name)));
        bar.append(button);
      }
      return bar;
    }

    toggle(name, button) {
      if (!this.hidden.delete(name)) this.hidden.add(name);
      button.setAttribute('aria-pressed', String(!this.hidden.has(name)));
      this.draw();
    }

    slider() {
      const input = element('input', { type: 'range', min: 0, max: this.group.t.length - 1, step: 1, oninput: () => this.pointAt(Number(input.value)) });
      this.input = input;
      this.output = element('output');
      return element('label', { className: 'time' }, 'time', input, this.output);
    }

    nearest(t) {
      let best = 0;
      this.group.t.forEach((other, i) => { if (Math.abs(other - t) < Math.abs(this.group.t[best] - t)) best = i; });
      return best;
    }

    // The slider moves the chart's own hover along, so that both always say the same.
    pointAt(index) {
      this.moveTo(index);
      Plotly.Fx.hover(this.div, { xval: this.group.t[index], yval: 0 }, 'xy');
    }

    panel() {
      const node = element('div', { className: 'now' });
      this.doing = element('p', { className: 'doing' });
      this.cells = [];
      const list = (title, series, head, row) => element('div', {}, element('h3', {}, title), element('div', { className: 'list' },
        element('table', {}, element('thead', {}, element('tr', {}, ...head.map((h) => element('th', { scope: 'col', className: h.endsWith('*') ? 'n' : '' }, h.replace('*', ''))))),
          element('tbody', {}, ...series.map(row)))));
      const cells = (s, ...before) => {
        const short = element('td', { className: 'n' });
        const long = element('td', { className: 'n' });
        const name = element('th', { scope: 'row', title: s.words ?? '' }, s.name);
        this.cells.push([s, short, long]);
        const line = element('tr', {}, ...before, name, short, long);
        line.dataset.name = s.name;
        return line;
      };
      const formula = (s) => {
        const box = element('input', { type: 'checkbox', checked: this.extra.has(s.name), onchange: () => { if (!this.extra.delete(s.name)) this.extra.add(s.name); this.draw(); } });
        box.setAttribute('aria-label', `draw ${s.name}`);
        return cells(s, element('td', {}, box));
      };
      node.append(this.doing, element('div', { className: 'pair' },
        list('Formulas', this.group.formulas, ['draw', 'formula', '*', 'bytes*'], formula),
        list('Rows, as the kernel gave them', this.group.rows, ['row', '*', 'value*'], (s) => cells(s))));
      return node;
    }

    moveTo(index) {
      this.at = index;
      const t = this.group.t[index];
      this.input.value = index;
      this.input.setAttribute('aria-valuetext', `${t.toFixed(2)} seconds`);
      this.output.textContent = `${t.toFixed(3)} s`;
      const bands = this.chart.bands.filter((b) => b.start <= t && t <= b.end);
      this.doing.textContent = bands.map((b) => `${b.step}${b.say ? ': ' + b.say : ''}`).join(' | ');
      const limit = this.group.lines.find((s) => s.name === 'limit')?.values[index];
      for (const [s, short, long] of this.cells) {
        const value = s.values[index] ?? null;
        const formula = this.group.formulas.includes(s);
        short.textContent = !formula && isCount(s.name) ? '' : mib(value);
        long.textContent = exact(value, s.absent);
        if (formula) {
          short.classList.add('share');
          short.style.setProperty('--share', limit && value > 0 ? `${Math.min(100, (100 * value) / limit)}%` : '0%');
        }
      }
    }
  }

  // The chart library reads a small markup in its texts.
  function escapeText(text) {
    return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  }

  async function enliven(node) {
    const id = node.dataset.chart;
    try {
      const [json] = await Promise.all([unpack(id), chartLibrary()]);
      memtide.viewers.push(new Viewer(node, JSON.parse(json)));
      memtide.drawnAt[id] = performance.now(); // since the page began to load
    } catch (error) {
      memtide.errors.push(String(error));
      node.prepend(element('p', { className: 'bad' }, `The interactive chart can't be drawn here (${error}); this is the still one.`));
    }
  }

  function compare(section) {
    const table = JSON.parse(section.querySelector('script').textContent);
    const select = section.querySelector('select');
    const rows = section.querySelectorAll('tbody tr');
    select.addEventListener('change', () => {
      table[select.value].forEach((step, r) => step.forEach(([bytes, differs], c) => {
        const cell = rows[r].querySelectorAll('td')[c];
        cell.textContent = bytes === null ? '–' : (bytes / MIB).toFixed(1);
        cell.classList.toggle('differs', differs);
        cell.title = bytes === null ? 'the kernel did not give it' : `${bytes} bytes`;
      }));
    });
  }

  document.querySelectorAll('.compare').forEach(compare);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      seen.unobserve(entry.target);
      enliven(entry.target);
    }
  }, { rootMargin: '300px' });
  document.querySelectorAll('.viewer').forEach((node) => seen.observe(node));
  const redraw = () => memtide.viewers.forEach((viewer) => viewer.draw());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  // Paper is white: colours are read anew from the print style.
  matchMedia('print').addEventListener('change', redraw);
})();
