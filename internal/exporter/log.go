package exporter

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"yativo-card-exporter/internal/config"
)

// NewLogger logs to w: for people, in color where w is a terminal and NO_COLOR
// is not set, or as JSON.
func NewLogger(c config.Log, w io.Writer, noColor bool) *slog.Logger {
	terminal := isTerminal(w)
	if c.Format == "json" || c.Format == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: readableDurations}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{
		Level:       c.Level,
		TimeFormat:  time.RFC3339,
		NoColor:     noColor || !terminal,
		ReplaceAttr: withoutControls,
	}))
}

// isTerminal reports whether w, or what is behind its queue, is a terminal.
func isTerminal(w io.Writer) bool {
	if queue, ok := w.(*LogQueue); ok {
		w = queue.out
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// readableDurations writes a duration as "1m30s", where JSON would count
// nanoseconds.
func readableDurations(_ []string, attr slog.Attr) slog.Attr {
	if attr.Value.Kind() == slog.KindDuration {
		attr.Value = slog.StringValue(attr.Value.Duration().String())
	}
	return attr
}

// withoutControls replaces control characters, which tint lets through and
// which could rewrite what a terminal shows.
func withoutControls(_ []string, attr slog.Attr) slog.Attr {
	switch attr.Value.Kind() {
	case slog.KindString, slog.KindAny:
		text := attr.Value.String()
		if err, ok := attr.Value.Any().(error); ok {
			text = err.Error()
		}
		if strings.ContainsFunc(text, isControl) {
			attr.Value = slog.StringValue(fmt.Sprintf("%q", text))
		}
	}
	return attr
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }
