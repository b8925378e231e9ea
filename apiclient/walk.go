package apiclient

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// WalkOptions say how a walk reads the list.
type WalkOptions struct {
	Balances bool
	// OneAtATime requests no page before the one ahead of it has come, where
	// others request up to MaxConcurrency at once. Sign-ups then move rows on
	// to pages that are still to be read, and hide nobody.
	OneAtATime bool
}

// Walk reads the whole list, page by page in their order, and stops after the
// first error, whichever page's it is. It fetches the first page alone, since
// that tells how many there are and is the one request that probes a breaker.
// It goes on to pages that come into being meanwhile and, because a total may
// be capped or late, past it for as long as pages are full. It ends at the last
// page, at an empty one, or where the API rejects one as past the end; whether
// the rows add up to the total is for the caller to judge. Each range over it
// is a walk of its own.
func (c *Client) Walk(ctx context.Context, o WalkOptions) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		p := c.newPrefetch(ctx, o)
		defer p.stop()
		last, size, pastTotal := 1, 0, false
		for number := 1; ; number++ {
			page, err := p.next(last)
			switch {
			case isNoPage(err) && number == last && number > 1,
				err == nil && len(page.Rows) == 0 && pastTotal:
				return // the end
			case err != nil:
				yield(nil, err)
				p.stop()
				c.dropConnections() // of which no request uses one any longer
				return
			case !yield(page, nil) || len(page.Rows) == 0:
				return
			case number == 1:
				size = c.rowsPerPage(page)
			}
			last = max(last, (page.Total+size-1)/size)
			if pastTotal = number == last; pastTotal {
				if len(page.Rows) < size || page.Total < size || last*size >= maxTotal {
					return
				}
				last++
			}
		}
	}
}

// isNoPage reports whether err says that the API does not have such a page: it
// rejects the request, or answers in a form of its own that holds no list.
func isNoPage(err error) bool {
	apiErr, ok := errors.AsType[*Error](err)
	return ok && (apiErr.Reason == ReasonClient && apiErr.Status != 0 || apiErr.Reason == ReasonBadResponse && apiErr.Hint == "")
}

// rowsPerPage is how many rows a page has that is not the last: the limit
// that the first page names, since a server may cap the one asked for. It is the
// rows that are believed if there are fewer than that although more are to come.
// If they are more than that and all there is, the API knows no pages, and this
// one is not full.
func (c *Client) rowsPerPage(first *Page) int {
	size := c.options.PageSize
	if first.Limit > 0 {
		size = first.Limit
	}
	switch rows := len(first.Rows); {
	case rows > 0 && rows < size && rows < first.Total:
		return rows
	case rows > size && rows >= first.Total:
		return rows + 1
	default:
		return size
	}
}

// prefetch fetches pages ahead of their turn. Up to twice
// as many are asked for or waiting as may be in flight, so that one slow page
// does not idle the rest.
type prefetch struct {
	client  *Client
	options WalkOptions
	ctx     context.Context //nolint:containedctx // of the one walk that this is for
	cancel  context.CancelCauseFunc
	fetches sync.WaitGroup
	slots   chan struct{} // as many as may be in flight

	nextNumber int              // of the page to ask for next
	ahead      []<-chan fetched // of the pages asked for, in their order
	sent       chan struct{}    // closed when the last of them goes out, or never will
}

// fetched is what became of a page that was asked for ahead.
type fetched struct {
	page *Page
	err  error
}

func (c *Client) newPrefetch(ctx context.Context, o WalkOptions) *prefetch {
	inFlight := c.options.MaxConcurrency
	if o.OneAtATime {
		inFlight = 1
	}
	p := &prefetch{client: c, options: o, slots: make(chan struct{}, inFlight), nextNumber: 1, sent: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	close(p.sent)
	return p
}

// stop ends every request under way.
func (p *prefetch) stop() {
	p.cancel(nil)
	p.fetches.Wait()
}

// next returns the next page, of which last is the last to be asked for.
func (p *prefetch) next(last int) (*Page, error) {
	for ; p.nextNumber <= last && len(p.ahead) < 2*cap(p.slots); p.nextNumber++ {
		p.fetch(p.nextNumber)
	}
	got := <-p.ahead[0]
	p.ahead = p.ahead[1:]
	// The page that failed first says why all others were given up.
	if first, ok := errors.AsType[*Error](context.Cause(p.ctx)); ok && got.err != nil {
		return nil, first
	}
	return got.page, got.err
}

// fetch asks for a page. Pages are sent in order, since rows that move on while
// a later page overtakes an earlier one are read by neither.
func (p *prefetch) fetch(number int) {
	result, before, own := make(chan fetched, 1), p.sent, make(chan struct{})
	p.ahead, p.sent = append(p.ahead, result), own
	p.fetches.Go(func() {
		<-before
		sending := sync.OnceFunc(func() { close(own) })
		defer sending()
		select {
		case p.slots <- struct{}{}:
			defer func() { <-p.slots }()
			page, err := p.client.fetch(p.ctx, query{number: number, balances: p.options.Balances, sending: sending})
			// Whoever waits for quota waits in vain. The page that opened the breaker
			// says more than one that met it open, and may be a moment later.
			if err != nil && !isNoPage(err) && ReasonOf(err) != ReasonBreakerOpen {
				p.cancel(err)
			}
			result <- fetched{page, err}
		case <-p.ctx.Done():
			result <- fetched{nil, p.ctx.Err()}
		}
	})
}
