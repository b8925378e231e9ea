package judge

import (
	"context"
	"slices"
	"sort"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory holds series as Prometheus' engine reads them. Every series has a
// sample at most once a step.
type memory struct {
	byName map[string][]*series
	byKey  map[string]*series
}

type series struct {
	key     string
	labels  labels.Labels
	samples []sample
}

type sample struct {
	at    int64 // milliseconds
	value float64
}

func newMemory() *memory {
	return &memory{byName: map[string][]*series{}, byKey: map[string]*series{}}
}

// clone copies the series.
func (m *memory) clone() *memory {
	c := newMemory()
	for name, all := range m.byName {
		for _, s := range all {
			copied := &series{s.key, s.labels, slices.Clone(s.samples)}
			c.byKey[s.key], c.byName[name] = copied, append(c.byName[name], copied)
		}
	}
	return c
}

// get returns the series with these labels, a new one if there is none.
func (m *memory) get(key string, fresh func() labels.Labels) *series {
	if s := m.byKey[key]; s != nil {
		return s
	}
	s := &series{key: key, labels: fresh()}
	m.byKey[key] = s
	name := s.labels.Get(prommodel.MetricNameLabel)
	m.byName[name] = append(m.byName[name], s)
	return s
}

// append adds a sample, in the place of one of the same moment.
func (s *series) append(at int64, v float64) {
	if n := len(s.samples); n > 0 && s.samples[n-1].at == at {
		s.samples = s.samples[:n-1]
	}
	s.samples = append(s.samples, sample{at, v})
}

// Querier implements storage.Queryable.
func (m *memory) Querier(start, end int64) (storage.Querier, error) {
	return &querier{memory: m, start: start, end: end}, nil
}

type querier struct {
	storage.MockQuerier

	memory     *memory
	start, end int64
}

// Select implements storage.Querier.
func (q *querier) Select(_ context.Context, sorted bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	name := ""
	for _, m := range matchers {
		if m.Name == prommodel.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	set := &seriesSet{next: -1}
	for _, s := range q.memory.byName[name] {
		if matches(s.labels, matchers) {
			from := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].at >= q.start })
			to := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].at > q.end })
			if from < to {
				set.series = append(set.series, &series{s.key, s.labels, s.samples[from:to]})
			}
		}
	}
	if sorted {
		slices.SortFunc(set.series, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	}
	return set
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// seriesSet implements storage.SeriesSet.
type seriesSet struct {
	series []*series
	next   int
}

func (s *seriesSet) Next() bool                      { s.next++; return s.next < len(s.series) }
func (s *seriesSet) At() storage.Series              { return s.series[s.next] }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }
func (s *series) Labels() labels.Labels              { return s.labels }

// Iterator implements storage.Series.
func (s *series) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(samples(s.samples))
}

// samples implements storage.Samples. Pointers go into an interface without an
// allocation.
type samples []sample

func (s samples) Get(i int) chunks.Sample { return &s[i] }
func (s samples) Len() int                { return len(s) }

func (s *sample) T() int64                    { return s.at }
func (*sample) ST() int64                     { return 0 }
func (s *sample) F() float64                  { return s.value }
func (*sample) H() *histogram.Histogram       { return nil }
func (*sample) FH() *histogram.FloatHistogram { return nil }
func (*sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s *sample) Copy() chunks.Sample         { c := *s; return &c }
