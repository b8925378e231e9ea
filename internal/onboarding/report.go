package onboarding

import "time"

// Report is what one committed walk says of the customers' time in status.
// It is immutable. Ages are taken at At and never extrapolated; arrays are
// indexed by Status and mean something for the waiting statuses alone. Only
// customers whom the walk itself saw are counted, but for Tracked.
type Report struct {
	// At is the moment the walk ended.
	At time.Time
	// TimeInStatus holds the present population's ages, in seconds, abandoned
	// customers included.
	TimeInStatus [NumStatuses]Histogram
	// OldestEntry is when the longest-waiting customer who is not abandoned
	// entered; the zero time if nobody waits.
	OldestEntry [NumStatuses]time.Time
	// Stalled and Abandoned count customers past the thresholds.
	Stalled, Abandoned [NumStatuses]int
	// StalledCustomers names those whom Stalled counts, oldest first, at most
	// MaxStalledListed of each status.
	StalledCustomers [NumStatuses][]StalledCustomer
	// Entered and Left count who came to a status and who left it in the last 24
	// hours, or since this process began.
	Entered, Left [NumStatuses]int
	// Tracked is how many customers are remembered and not gone.
	Tracked int
	// Undocumented names the undocumented statuses, in the order of their labels.
	Undocumented []string
}

// Histogram is a distribution over AgeBuckets in the form that
// prometheus.NewConstHistogram takes.
type Histogram struct {
	Count   uint64
	Sum     float64            // seconds
	Buckets map[float64]uint64 // cumulative, by upper bound in seconds
}

// tally builds a Report, record by record.
type tally struct {
	Report

	tracker *Tracker
	now     uint32
	bounds  []float64
	counts  [NumStatuses][]uint64 // of each bucket alone
	oldest  [NumStatuses]uint32
}

func newTally(t *Tracker, now uint32) *tally {
	b := &tally{tracker: t, now: now, bounds: AgeBuckets()}
	b.At = moment(now)
	for _, s := range WaitingStatuses() {
		b.counts[s] = make([]uint64, len(b.bounds))
	}
	return b
}

// add counts a customer whom the walk saw.
func (b *tally) add(c customer) {
	s := c.status
	if !s.Waits() || c.has(statusHidden) {
		return
	}
	seconds := age(c.entered, b.now).Seconds()
	b.TimeInStatus[s].Count++
	b.TimeInStatus[s].Sum += seconds
	for i, bound := range b.bounds {
		if seconds <= bound {
			b.counts[s][i]++
			break
		}
	}
	switch b.tracker.classify(c, b.now) {
	case abandoned:
		b.Abandoned[s]++
		return
	case stalled:
		b.Stalled[s]++
	case waiting:
	}
	if b.oldest[s] == 0 || c.entered < b.oldest[s] {
		b.oldest[s] = c.entered
	}
}

func (b *tally) finish() *Report {
	report := b.Report
	report.Entered, report.Left = b.tracker.flow.day()
	for _, s := range WaitingStatuses() {
		report.TimeInStatus[s].Buckets = make(map[float64]uint64, len(b.bounds))
		sum := uint64(0)
		for i, bound := range b.bounds {
			sum += b.counts[s][i]
			report.TimeInStatus[s].Buckets[bound] = sum
		}
		if b.oldest[s] != 0 {
			report.OldestEntry[s] = moment(min(b.oldest[s], b.now))
		}
		report.StalledCustomers[s] = b.tracker.listStalled(s, b.now)
	}
	return &report
}
