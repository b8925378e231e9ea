package exporter

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// pipe is a writer that waits until it is read from.
func pipe(t *testing.T) (*io.PipeReader, *io.PipeWriter) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { _ = r.Close() })
	return r, w
}

func TestLogQueueWritesEveryLineInOrder(t *testing.T) {
	var out bytes.Buffer
	q := NewLogQueue(&out)
	var want strings.Builder
	line := make([]byte, 0, 16)
	for i := range 100 {
		line = fmt.Appendf(line[:0], "line %d\n", i)
		want.Write(line)
		if n, err := q.Write(line); n != len(line) || err != nil {
			t.Fatalf("Write returned %d, %v", n, err)
		}
	}
	q.Close()
	if out.String() != want.String() || q.Dropped() != 0 {
		t.Errorf("%d dropped, written:\n%s", q.Dropped(), out.String())
	}
}

// A log that nobody reads holds nobody up, and tells how much it lost.
func TestLogQueueDropsWhatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := pipe(t)
		q := NewLogQueue(writer)
		const lines = 3000
		for range lines {
			_, _ = q.Write([]byte("x\n"))
			synctest.Wait()
		}
		// One is in the writer's hands besides those in the queue.
		if got, want := q.Dropped(), int64(lines-maxQueuedLogLines-1); got != want {
			t.Errorf("%d lines dropped, want %d", got, want)
		}
		start := time.Now()
		q.Close()
		if took := time.Since(start); took != logFlushTimeout {
			t.Errorf("closing took %s, want %s", took, logFlushTimeout)
		}
		_, _ = q.Write([]byte("late\n"))
		read := make(chan []byte)
		go func() {
			text, _ := io.ReadAll(reader)
			read <- text
		}()
		<-q.ended
		_ = writer.Close()
		if got := bytes.Count(<-read, []byte("x\n")); got != maxQueuedLogLines+1 {
			t.Errorf("%d lines written once there is a reader, want %d", got, maxQueuedLogLines+1)
		}
	})
}

// A reader that died takes its lines with it and nothing else.
func TestLogQueueOutlivesItsReader(t *testing.T) {
	reader, writer := pipe(t)
	_ = reader.Close()
	q := NewLogQueue(writer)
	for range 10 {
		_, _ = q.Write([]byte("x\n"))
	}
	q.Close()
	if got := q.Dropped(); got != 10 {
		t.Errorf("%d lines dropped, want 10", got)
	}
}

func TestDroppedLogLinesAreExported(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	if _, text := e.get(t, "/metrics", "localhost"); !strings.Contains(text, "\nyativo_exporter_dropped_log_lines_total 0\n") {
		t.Error("no counter of dropped lines from 0")
	}
	e.options.LogQueue.Close()
	_, _ = e.options.LogQueue.Write([]byte("x\n"))
	if _, text := e.get(t, "/metrics", "localhost"); !strings.Contains(text, "\nyativo_exporter_dropped_log_lines_total 1\n") {
		t.Error("a dropped line is not counted")
	}
}
