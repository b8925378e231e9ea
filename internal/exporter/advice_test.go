package exporter

import (
	"regexp"
	"testing"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/config"
)

// Every hint of the client's has words, and they name variables that exist.
func TestEveryHintHasAdvice(t *testing.T) {
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	words := advice()
	for _, hint := range apiclient.Hints() {
		named := regexp.MustCompile(`[A-Z]+_[A-Z_]+`).FindAllString(words[hint], -1)
		if len(named) == 0 {
			t.Errorf("the advice for %s names no variable: %q", hint, words[hint])
		}
		for _, name := range named {
			if !known[name] {
				t.Errorf("the advice for %s names %s, which is no variable", hint, name)
			}
		}
	}
	if len(words) != len(apiclient.Hints()) {
		t.Errorf("%d advices for %d hints", len(words), len(apiclient.Hints()))
	}
}
