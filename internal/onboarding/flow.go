package onboarding

// flow counts who came to each position and who left it, by the hour, for a day.
// It is kept in memory, and so knows no more than this process has seen.
type flow struct {
	hour          uint32 // the one under way
	entered, left [hoursPerDay][numPositions]int
}

const (
	hoursPerDay    = 24
	secondsPerHour = 3600
)

// advance makes the hour of now the one under way.
func (f *flow) advance(now uint32) {
	hour := now / secondsPerHour
	for f.hour = max(f.hour, hour-min(hour, hoursPerDay)); f.hour < hour; {
		f.hour++
		f.entered[f.hour%hoursPerDay], f.left[f.hour%hoursPerDay] = [numPositions]int{}, [numPositions]int{}
	}
}

func (f *flow) add(from, to position) {
	f.left[f.hour%hoursPerDay][from]++
	f.entered[f.hour%hoursPerDay][to]++
}

// day adds up the last 24 hours, the one under way included.
func (f *flow) day() (entered, left [NumStatuses]int) {
	for hour := range f.entered {
		for s := range NumStatuses {
			entered[s] += f.entered[hour][s]
			left[s] += f.left[hour][s]
		}
	}
	return entered, left
}
