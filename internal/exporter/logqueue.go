package exporter

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueuedLogLines bounds the memory of a log that nobody reads: a line has
	// a few hundred bytes.
	maxQueuedLogLines = 1024
	// logFlushTimeout is how long the lines that are queued at the end have.
	logFlushTimeout = time.Second
)

// LogQueue is a writer for log lines that never waits. A goroutine of its own
// writes them on; while that waits for a reader, as on a full pipe, further
// lines are dropped and counted, so that refreshes and scrapes go on.
type LogQueue struct {
	out     io.Writer
	dropped atomic.Int64

	mu    sync.Mutex    // held to send to or close lines
	lines chan []byte   // nil once it is closed
	ended chan struct{} // closed when every queued line has been written or dropped
}

// NewLogQueue returns a queue that writes to out until it is closed.
func NewLogQueue(out io.Writer) *LogQueue {
	q := &LogQueue{out: out, lines: make(chan []byte, maxQueuedLogLines), ended: make(chan struct{})}
	go q.run(q.lines)
	return q
}

func (q *LogQueue) run(lines <-chan []byte) {
	defer close(q.ended)
	for line := range lines {
		if _, err := q.out.Write(line); err != nil {
			q.dropped.Add(1)
		}
	}
}

// Write takes one line, or drops it. It never fails.
func (q *LogQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

// Dropped is how many lines were not written, since the queue was full, closed,
// or nobody was there to read. A nil queue drops none.
func (q *LogQueue) Dropped() int64 {
	if q == nil {
		return 0
	}
	return q.dropped.Load()
}

// Close waits for a second at most until what is queued is written.
func (q *LogQueue) Close() {
	q.mu.Lock()
	if q.lines != nil {
		close(q.lines)
		q.lines = nil
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
	case <-time.After(logFlushTimeout):
	}
}
