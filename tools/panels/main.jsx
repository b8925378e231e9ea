// The first screen of the onboarding dashboard as it is shipped, drawn by
// Grafana's own panels against a real Prometheus: for the README's picture,
// where Grafana itself cannot be had.
import '@fontsource-variable/inter';
import 'react-data-grid/lib/styles.css';
import { createRoot } from 'react-dom/client';
import { dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues, ThemeContext } from '@grafana/data';
import { BigValue, GlobalStyles, Icon, PanelChrome, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import dashboard from '../../dashboards/yativo-card-onboarding.json';
import { frames, from, named, theme, to } from './data.js';

const width = 1240, unit = width / 24, row = 38, gap = 8;
const same = (text) => text;
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-10m', to: 'now' } };

function Tile({ panel, data, w, h }) {
  const { options } = panel;
  const values = getFieldDisplayValues({
    fieldConfig: { ...panel.fieldConfig, overrides: [] }, reduceOptions: options.reduceOptions, replaceVariables: same, theme, data, timeZone: 'utc',
  });
  const alignment = getDisplayValueAlignmentFactors(values);
  return <VizRepeater getValues={() => values} getAlignmentFactors={() => alignment} width={w} height={h} source={data} autoGrid itemSpacing={3}
    orientation={options.orientation} renderCounter={0} renderValue={({ value, alignmentFactors, width, height, count }) =>
      <BigValue {...options} value={value.display} count={count} alignmentFactors={alignmentFactors} width={width} height={height} theme={theme} />} />;
}

function Drawn({ panel, data, w, h }) {
  const { options } = panel;
  if (panel.type === 'stat') return <Tile {...{ panel, data, w, h }} />;
  if (!data.length) return <div style={{ padding: gap, textAlign: 'center' }}>{panel.fieldConfig.defaults.noValue}</div>;
  if (panel.type === 'table') {
    return <TableNG data={data[0]} width={w} height={h} cellHeight={options.cellHeight} timeRange={timeRange} getActions={() => []}
      replaceVariables={same} structureRev={1} fieldConfig={panel.fieldConfig} frozenColumns={0} />;
  }
  return <TimeSeries frames={data} width={w} height={h} timeRange={timeRange} timeZone="utc" legend={options.legend} options={options}
    structureRev={1} replaceVariables={same} dataLinkPostProcessor={same}>{() => null}</TimeSeries>;
}

function Panel({ panel, data }) {
  const { x, y, w, h } = panel.gridPos;
  const link = panel.links?.length > 0 && <PanelChrome.TitleItem href={panel.links[0].url}><Icon name="external-link-alt" /></PanelChrome.TitleItem>;
  return <div style={{ position: 'absolute', left: x * unit, top: y * row }}>
    <PanelChrome title={named(panel.title)} description={panel.description} width={w * unit - gap} height={h * row - gap}
      padding={panel.type === 'table' ? 'none' : 'md'} titleItems={link || undefined}>
      {(innerWidth, innerHeight) => <Drawn panel={panel} data={data} w={innerWidth} h={innerHeight} />}
    </PanelChrome>
  </div>;
}

async function draw() {
  const first = dashboard.panels.slice(0, dashboard.panels.findIndex((p) => p.type === 'row'));
  const data = await Promise.all(first.map(frames));
  createRoot(document.getElementById('root')).render(<ThemeContext.Provider value={theme}><GlobalStyles />
    <div style={{ position: 'relative', margin: 16, width }}>{first.map((panel, i) => <Panel key={panel.id} panel={panel} data={data[i]} />)}</div>
  </ThemeContext.Provider>);
}

draw();
