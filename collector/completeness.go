package collector

import "yativo-card-exporter/apiclient"

const (
	// maxRemovedPercent and maxRemovedCustomers, taken together, are how many
	// customers may be removed while the list is read.
	maxRemovedPercent   = 10
	maxRemovedCustomers = 10

	// maxPagesWithoutNews is how many pages in a row may bring no new customer.
	// An API that repeats itself is not read for its whole total; one page may
	// repeat what sign-ups have moved on to it, if pages are small.
	maxPagesWithoutNews = 3

	// maxGapPerThousand is how many customers of a thousand may be missing from
	// what is published after repeated walks.
	maxGapPerThousand = 1
)

// completeness judges whether the rows of a walk add up to the API's own count.
type completeness struct {
	pages              int
	rows               int // repeats included
	customers          int // distinct ones
	firstPageRows      int
	firstTotal         int // the API's count, as the first page said
	total              int // the same, as the last page said
	minTotal, maxTotal int // of all pages; minTotal begins at the largest int
	fell               bool
	newPastTotal       bool // a page brought customers although as many rows as the total had been read
	pagesWithoutNews   int
	endsEmpty          bool // the last page listed nobody
	repeatsWithinPage  bool
}

// page takes a page in and reports whether to read on.
func (c *completeness) page(p *apiclient.Page, newCustomers int) (readOn bool) {
	if c.pages == 0 {
		c.firstPageRows, c.firstTotal, c.total = len(p.Rows), p.Total, p.Total
	}
	c.fell = c.fell || p.Total < c.total
	c.total = p.Total
	c.maxTotal = max(c.maxTotal, p.Total)
	if len(p.Rows) > 0 || c.customers == 0 {
		c.minTotal = min(c.minTotal, p.Total)
	}
	c.newPastTotal = c.newPastTotal || newCustomers > 0 && c.pages > 0 && c.rows >= c.maxTotal && c.maxTotal >= c.firstPageRows
	c.endsEmpty = len(p.Rows) == 0
	c.repeatsWithinPage = c.repeatsWithinPage || newCustomers < len(p.Rows) && repeatsWithin(p)
	c.pages++
	c.rows += len(p.Rows)
	c.customers += newCustomers
	c.pagesWithoutNews++
	if newCustomers > 0 {
		c.pagesWithoutNews = 0
	}
	return c.pagesWithoutNews < maxPagesWithoutNews
}

// gap is how many customers the rows lack against the API's total: 0 if they
// lie between the smallest and the largest that the walk saw, negative if there
// are more. A total that falls by more than people leave during a walk does not
// excuse those who were not read, nor does one on a page that brings nobody: an
// API in trouble answers with no customers of 0.
func (c *completeness) gap() int {
	least := max(c.minTotal, c.minPlausibleTotal())
	switch {
	case c.customers < least:
		return least - c.customers
	case c.customers > c.maxTotal:
		return c.maxTotal - c.customers
	default:
		return 0
	}
}

// minPlausibleTotal is the least to which removals bring the total in a walk.
func (c *completeness) minPlausibleTotal() int {
	return c.maxTotal - c.maxTotal*maxRemovedPercent/100 - maxRemovedCustomers
}

// isListedPastTotal reports whether the list goes on past a total that is capped
// or late, and was read to its own end.
func (c *completeness) isListedPastTotal() bool {
	return c.newPastTotal && c.customers > c.maxTotal && c.pagesWithoutNews < maxPagesWithoutNews
}

// worthRepeating reports whether another walk may bring customers that this one
// lacks. A list that shrank adds up and is still worth it: where a row that had
// been read was removed, an unread one has moved up and was skipped.
func (c *completeness) worthRepeating() bool {
	return c.fell || c.gap() != 0 && !c.isListedPastTotal()
}

// tolerable reports whether the gap is small enough to publish.
func (c *completeness) tolerable() bool {
	gap := c.gap()
	return c.isListedPastTotal() || max(gap, -gap)*1000 <= c.total*maxGapPerThousand
}

// likelyCause says what keeps the rows from adding up, by the looks of it. Pages
// that were fetched at once may have been counted in another order, so only the
// first and the last total tell sign-ups from removals.
func (c *completeness) likelyCause(oneAtATime bool) string {
	switch {
	case c.isListedPastTotal():
		return "a total that is capped or late"
	case c.total < c.minPlausibleTotal():
		return "a total that is wrong on some pages"
	case c.total > c.firstTotal && !oneAtATime:
		return "sign-ups during the walk"
	case c.fell:
		return "removals during the walk"
	case c.endsEmpty:
		return "a page that lists nobody before the end of the list"
	case c.repeatsWithinPage:
		return "one customer_id for two rows; report it to Yativo"
	case c.pagesWithoutNews == maxPagesWithoutNews:
		return "the same page for every request; check any proxy between here and the API"
	case c.rows > c.customers:
		return "an order that differs from answer to answer, which repeats some rows and never lists others; ask Yativo for a stable one"
	default:
		return "a total that does not count what is listed; report it to Yativo"
	}
}

// repeatsWithin reports whether a page lists a customer twice.
func repeatsWithin(p *apiclient.Page) bool {
	seen := make(map[string]bool, len(p.Rows))
	for i := range p.Rows {
		if id := p.Rows[i].ID; seen[id] {
			return true
		} else if id != "" {
			seen[id] = true
		}
	}
	return false
}
