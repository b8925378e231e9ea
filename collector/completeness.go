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
	customers          int // distinct ones
	total              int // the API's count, as the last page said
	minTotal, maxTotal int // of all pages; minTotal begins at the largest int
	fell               bool
	pagesWithoutNews   int
}

// page takes a page in and reports whether to read on.
func (c *completeness) page(p *apiclient.Page, newCustomers int) (readOn bool) {
	c.fell = c.fell || p.Total < c.total
	c.total = p.Total
	c.maxTotal = max(c.maxTotal, p.Total)
	if len(p.Rows) > 0 || c.customers == 0 {
		c.minTotal = min(c.minTotal, p.Total)
	}
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
	least := max(c.minTotal, c.maxTotal-c.maxTotal*maxRemovedPercent/100-maxRemovedCustomers)
	switch {
	case c.customers < least:
		return least - c.customers
	case c.customers > c.maxTotal:
		return c.maxTotal - c.customers
	default:
		return 0
	}
}

// worthRepeating reports whether another walk may bring customers that this one
// lacks. A list that shrank adds up and is still worth it: where a row that had
// been read was removed, an unread one has moved up and was skipped.
func (c *completeness) worthRepeating() bool { return c.gap() != 0 || c.fell }

// tolerable reports whether the gap is small enough to publish.
func (c *completeness) tolerable() bool {
	gap := c.gap()
	return max(gap, -gap)*1000 <= c.total*maxGapPerThousand
}
