package exporter

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/config"
)

func TestLogFormats(t *testing.T) {
	write := func(format string) string {
		var out bytes.Buffer
		logger := NewLogger(config.Log{Format: format}, &out, false)
		logger.Info("message", "took", 90*time.Second, "err", errors.New("a \x1b[31mred\x1b[0m\nerror"), "text", "\x1b]0;title\a")
		logger.Debug("not shown")
		return out.String()
	}
	for _, format := range []string{"auto", "json", "text"} {
		t.Run(format, func(t *testing.T) {
			line := write(format)
			if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\a") {
				t.Errorf("a control character or a second line gets through: %q", line)
			}
			if isJSON := strings.HasPrefix(line, "{"); isJSON != (format != "text") {
				t.Errorf("JSON is %t: %s", isJSON, line)
			}
			if !strings.Contains(line, "1m30s") {
				t.Errorf("the duration cannot be read: %s", line)
			}
		})
	}
	var out bytes.Buffer
	NewLogger(config.Log{Format: "text", Level: slog.LevelWarn}, &out, false).Info("too quiet")
	if out.Len() != 0 {
		t.Errorf("written below the Level: %s", out.String())
	}
}
