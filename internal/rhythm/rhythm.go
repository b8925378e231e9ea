// Package rhythm learns when a program is usually busy and weighs its present
// quiet by that. A [Silence] knows, for each hour of the week, whether an event
// usually happens in it, so that a night, a weekend or the wait for a daily
// batch weighs nothing. A [Cohort] knows how many of those who entered a status
// 4 to 24 hours ago usually still wait, and tells a loss by how many are late.
// Both know only what was watched.
//
// Hours are whole hours of Unix time and weeks are 168 of them, in UTC. A
// change to summer time moves a program by one hour of the week, which is
// learned anew within weeks and blurs one hour until then.
package rhythm

const (
	// HoursPerWeek is the number of hours that are told apart.
	HoursPerWeek = 168
	hoursPerDay  = 24

	secondsPerHour = 3600

	// memoryWeeks is how many weeks shape what is usual; older ones fade.
	memoryWeeks = 4
	// minWeeks is how often most hours of the week must have been watched
	// before anything is called usual.
	minWeeks = 2
	// minKnownHours is how many of the 168 hours that means.
	minKnownHours = HoursPerWeek * 9 / 10
	// minWatched is the share of an hour that must be watched for it to teach.
	minWatched = 0.75
)

// hourOf is the number of hours from the epoch to a moment in Unix seconds.
func hourOf(unix uint32) uint32 { return unix / secondsPerHour }

func slot(hour uint32) int { return int(hour % HoursPerWeek) }

// Watch is the time from one walk to the next, in Unix seconds: what the second
// walk finds has happened after From and by To.
type Watch struct{ From, To uint32 }
