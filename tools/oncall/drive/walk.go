package drive

import (
	"sort"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// view is the moment whose list the API serves at a moment.
func (r *run) view(at int64) int64 {
	for _, frozen := range r.Frozen {
		if frozen.holds(at) {
			return frozen.Start
		}
	}
	return at
}

// rows is how many rows the API serves at a moment, those included that are
// left out here so that a walk stays short.
func (r *run) rows(at int64) int {
	return sort.Search(len(r.Customers), func(i int) bool { return r.Customers[i].Moves[0].At > r.view(at) })
}

// walkTime is how long a walk takes, in seconds: as long as the quota dictates
// if that grants fewer pages a minute than there are.
func (r *run) walkTime(start int64) int64 {
	pages := (r.rows(start) + rowsPerPage - 1) / rowsPerPage
	if float64(pages) > r.RequestsPerMinute {
		return int64(float64(pages) / r.RequestsPerMinute * 60)
	}
	return int64(time.Duration(pages) * pageTime / time.Second)
}

// walk reads the whole list. A row is read when its page is.
func (r *run) walk(start, took int64) {
	w := r.tracker.Begin(time.Unix(start, 0))
	r.trim(start)
	total := max(1, r.rows(start))
	readAt := func(number int) int64 {
		return r.view(start + took*int64(min(number, total))/int64(total))
	}
	r.arrive(readAt)
	var counts [onboarding.NumStatuses]int
	for i := range r.live {
		row := &r.live[i]
		moves, now := row.customer.Moves, readAt(row.number)
		for row.at+1 < len(moves) && moves[row.at+1].At <= now {
			row.at++
		}
		status := moves[row.at].Status
		counts[status]++
		w.Observe(onboarding.Observation{
			ID: row.customer.ID, Status: status, CreatedAt: time.Unix(row.customer.Created, 0),
		})
	}
	if r.Spent != nil && r.lastWalk != 0 && r.Spent(r.view(r.lastWalk), r.view(start)) {
		w.BalancesDiffer()
	}
	end := start + took
	r.steps(end)
	report := w.Commit(time.Unix(end, 0), true)
	r.lastWalk = start
	r.moved = sort.Search(len(r.moves), func(i int) bool { return r.moves[i] > r.view(start) })
	r.shown.walked(report, counts, total, time.Duration(took)*time.Second)
	if r.Walked != nil {
		r.Walked(end, r.shown)
	}
}

// arrive takes new customers into the list.
func (r *run) arrive(readAt func(number int) int64) {
	for ; r.upcoming < len(r.Customers); r.upcoming++ {
		c := &r.Customers[r.upcoming]
		if c.Moves[0].At > readAt(r.upcoming) {
			return
		}
		r.live = append(r.live, row{customer: c, number: r.upcoming})
	}
}

// trim leaves out customers to whom nothing happens any more.
func (r *run) trim(now int64) {
	kept := r.live[:0]
	for _, row := range r.live {
		if !r.done(row, now) {
			kept = append(kept, row)
		}
	}
	r.live = kept
}

func (r *run) done(row row, now int64) bool {
	moves := row.customer.Moves
	if row.at+1 < len(moves) {
		return false
	}
	last, keep := moves[row.at], r.KeepActive
	if last.Status.Waits() {
		if r.KeepFrom != 0 && last.At >= r.KeepFrom {
			return false
		}
		keep = r.KeepDropOuts
	}
	return keep > 0 && now-last.At > int64(keep/time.Second)
}

// next is when the walk after one begins, or when the exporter stops before.
func (r *run) next(start, took int64) int64 {
	next := max(start+r.interval, start+took)
	if r.IdleWalk > 0 && took < r.interval {
		// The first that finds something, at the exporter's own pace.
		until := start + int64(r.IdleWalk/time.Second)
		if r.moved < len(r.moves) {
			until = min(until, r.moves[r.moved])
		}
		if until > next {
			next += (until - next + r.interval - 1) / r.interval * r.interval
		}
	}
	return min(next, r.nextDown(start))
}
