package apiclient

import (
	"context"
	"iter"
	"sync"
)

// Walk reads the whole list, page by page in their order, and stops after the
// first error, whichever page's it is. It fetches the first page alone, since that tells how many there
// are and is the one request that probes a breaker, then up to MaxConcurrency
// at once. It goes on to pages that come into being meanwhile and ends at the
// last one or at an empty one; whether the rows add up to the total is for the
// caller to judge. Each range over it is a walk of its own.
func (c *Client) Walk(ctx context.Context, balances bool) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		var fetches sync.WaitGroup
		defer fetches.Wait()
		defer cancel(nil)

		page, err := c.Page(ctx, 1, balances)
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(page, nil) {
			return
		}
		size := c.believedPageSize(page)
		last := pagesFor(page.Total, size)

		// Pages are yielded in order, so up to twice as many are asked for or
		// waiting as may be in flight: one slow page does not idle the rest.
		// They are sent in order too, since rows that move on while a later
		// page overtakes an earlier one are read by neither.
		slots := make(chan struct{}, c.maxConcurrency)
		sent := make(chan struct{}) // closed when the page before has its slot
		close(sent)
		var ahead []chan fetched
		for next := 2; ; {
			for ; next <= last && len(ahead) < 2*c.maxConcurrency; next++ {
				number, result := next, make(chan fetched, 1)
				before, own := sent, make(chan struct{})
				ahead, sent = append(ahead, result), own
				fetches.Go(func() {
					<-before
					select {
					case slots <- struct{}{}:
						close(own)
						defer func() { <-slots }()
						page, err := c.Page(ctx, number, balances)
						if err != nil {
							cancel(err) // whoever waits for quota waits in vain
						}
						result <- fetched{page, err}
					case <-ctx.Done():
						close(own)
						result <- fetched{nil, ctx.Err()}
					}
				})
			}
			if len(ahead) == 0 {
				return
			}
			got := <-ahead[0]
			ahead = ahead[1:]
			if got.err != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			if !yield(got.page, nil) || len(got.page.Rows) == 0 {
				return
			}
			last = max(last, pagesFor(got.page.Total, size))
		}
	}
}

// fetched is what became of a page that was asked for ahead.
type fetched struct {
	page *Page
	err  error
}

// believedPageSize is how many rows the API puts on a page: the limit that the
// first page names, since a server may cap the one asked for. It is the rows that
// are believed if there are fewer than that although more are to come, or if
// they are all there is.
func (c *Client) believedPageSize(first *Page) int {
	size := c.pageSize
	if first.Limit > 0 {
		size = first.Limit
	}
	rows := len(first.Rows)
	if rows > 0 && rows < size && rows < first.Total || rows > size && rows >= first.Total {
		size = rows
	}
	return size
}

func pagesFor(total, size int) int { return (total + size - 1) / size }
