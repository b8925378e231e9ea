// What the dashboard's queries return, in the frames that Grafana's panels take.
import { applyNullInsertThreshold, createTheme, getDisplayProcessor, getFieldDisplayName } from '@grafana/data';

const parameters = new URLSearchParams(location.search);
const minutes = Number(parameters.get('minutes'));

export const theme = createTheme({ colors: { mode: 'light' }, typography: { fontFamily: '"Inter Variable", sans-serif' } });
export const to = Math.floor(Date.now() / 1000);
export const from = to - 60 * minutes;
const step = Math.ceil((to - from) / 400);

const variables = { $job: 'yativo-card-exporter', $instance: '.+', $__rate_interval: '15s' };

// named puts the variables' values in the place of their names.
export const named = (text) => Object.entries(variables).reduce((t, [name, value]) => t.replaceAll(name, value), text);

async function ask(target) {
  const range = target.instant ? { time: to } : { start: from, end: to, step };
  const path = target.instant ? '/api/v1/query?' : '/api/v1/query_range?';
  const response = await fetch(parameters.get('prometheus') + path + new URLSearchParams({ query: named(target.expr), ...range }));
  const answer = await response.json();
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result;
}

const legend = (target, labels) => target.legendFormat?.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');

// table is the answer to one query as columns.
function table(panel, target, series) {
  const labels = [...new Set(series.flatMap((s) => Object.keys(s.metric)))].sort();
  return [{
    refId: target.refId, length: series.length, fields: [
      ...labels.map((label) => ({ name: label, type: 'string', config: {}, values: series.map((s) => s.metric[label] ?? '') })),
      { name: panel.targets.length > 1 ? 'Value #' + target.refId : 'Value', type: 'number', config: {}, values: series.map((s) => Number(s.value[1])) },
    ],
  }];
}

async function query(panel) {
  const frames = await Promise.all(panel.targets.map(async (target) => {
    const series = await ask(target);
    if (target.format === 'table') return series.length ? table(panel, target, series) : [];
    return series.map((s) => {
      const points = s.values ?? [s.value];
      return {
        refId: target.refId, length: points.length, fields: [
          { name: 'Time', type: 'time', config: target.instant ? {} : { interval: 1000 * step }, values: points.map((p) => p[0] * 1000) },
          { name: 'Value', type: 'number', labels: s.metric, config: { displayNameFromDS: legend(target, s.metric) }, values: points.map((p) => Number(p[1])) },
        ],
      };
    });
  }));
  return frames.flat();
}

// The transformations that the first screen uses, as Grafana does them.
const transformations = {
  merge(frames) {
    const rows = new Map(), columns = new Map();
    for (const frame of frames) {
      for (const field of frame.fields) if (!columns.has(field.name)) columns.set(field.name, { ...field, values: [] });
      for (let i = 0; i < frame.length; i++) {
        const key = JSON.stringify(frame.fields.filter((f) => f.type === 'string').map((f) => [f.name, f.values[i]]));
        rows.set(key, { ...rows.get(key), ...Object.fromEntries(frame.fields.map((f) => [f.name, f.values[i]])) });
      }
    }
    for (const row of rows.values()) for (const [name, column] of columns) column.values.push(row[name] ?? null);
    return rows.size ? [{ length: rows.size, fields: [...columns.values()] }] : [];
  },
  sortBy(frames, { sort: [by] }) {
    return frames.map((frame) => {
      const keys = frame.fields.find((f) => f.name === by.field)?.values ?? [];
      const order = [...keys.keys()].sort((a, b) => (keys[a] > keys[b]) - (keys[a] < keys[b]));
      return keys.length ? { ...frame, fields: frame.fields.map((f) => ({ ...f, values: order.map((i) => f.values[i]) })) } : frame;
    });
  },
  organize(frames, { excludeByName, indexByName, renameByName }) {
    const at = (field) => indexByName[field.name] ?? 99;
    return frames.map((frame) => ({
      ...frame, fields: frame.fields.filter((f) => !excludeByName[f.name]).sort((a, b) => at(a) - at(b))
        .map((f) => ({ ...f, name: renameByName[f.name] ?? f.name })),
    }));
  },
};

const matchers = {
  byName: (name, { display, field }) => display === name || field.name === name,
  byFrameRefID: (refId, { frame }) => frame.refId === refId,
  byRegexp: (pattern, { display }) => new RegExp(pattern.slice(1, -1)).test(display),
};

// configure gives each field what the panel says of it.
function configure(panel, frames) {
  const { defaults, overrides } = panel.fieldConfig;
  let series = 0;
  for (const frame of frames) for (const field of frame.fields) {
    const config = { ...structuredClone(defaults), ...field.config };
    config.custom ??= {};
    const display = getFieldDisplayName({ ...field, config }, frame, frames);
    for (const { matcher, properties } of overrides ?? []) {
      if (!matchers[matcher.id](matcher.options, { display, field, frame })) continue;
      for (const { id, value } of properties) {
        if (id.startsWith('custom.')) config.custom[id.slice(7)] = structuredClone(value);
        else config[id] = structuredClone(value);
      }
    }
    for (const step of config.thresholds?.steps ?? []) step.value ??= -Infinity;
    if (config.color?.fixedColor) config.color.fixedColor = theme.visualization.getColorByName(config.color.fixedColor);
    field.config = config;
    field.state = field.type === 'number' ? { seriesIndex: series++ } : {};
    field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    field.getLinks = () => (config.links ?? []).map((l) => ({ href: l.url, title: l.title, target: '_blank', origin: field }));
  }
  return frames;
}

// frames are a panel's data, ready to be drawn. Where a series has a gap, or ends
// before the panel does, its values become null.
export async function frames(panel) {
  const raw = (await query(panel)).map((frame) => applyNullInsertThreshold({ frame, refFieldPseudoMin: 1000 * from, refFieldPseudoMax: 1000 * to }));
  return configure(panel, (panel.transformations ?? []).reduce((f, t) => transformations[t.id](f, t.options), raw));
}
