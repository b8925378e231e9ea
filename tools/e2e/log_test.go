//go:build e2e

package e2e_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// logLine is a line of the exporter's log.
type logLine struct {
	Level, Msg, What, Reason, Err string
}

func logLines(t *testing.T, log string) (lines []logLine) {
	t.Helper()
	if strings.Contains(log, "\x1b") || strings.Contains(log, `\u001b`) || !utf8.ValidString(log) {
		t.Errorf("the log holds what a terminal would obey: %q", log)
	}
	for text := range strings.Lines(log) {
		var line logLine
		if strings.HasSuffix(text, "\n") {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("a line of the log is no JSON: %q", text)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// oneLineEach objects to a log that says the same thing twice.
func oneLineEach(t *testing.T, lines []logLine) {
	t.Helper()
	said := map[logLine]int{}
	for _, line := range lines {
		line.Err = ""
		said[line]++
	}
	for _, line := range slices.SortedFunc(maps.Keys(said), func(a, b logLine) int { return cmp.Compare(a.Reason, b.Reason) }) {
		if said[line] > 1 {
			t.Errorf("the log says %d times: %+v", said[line], line)
		}
	}
}
