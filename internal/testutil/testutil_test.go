//go:build unix

package testutil_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/internal/testutil"
)

func TestPollReturnsTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		calls, start := 0, time.Now()
		err := testutil.Poll(ctx, time.Second, func() error {
			calls++
			return errors.New("not yet")
		})
		if calls != 4 || err == nil || err.Error() != "not yet" || time.Since(start) != 3500*time.Millisecond {
			t.Errorf("%d calls in %v end with %v", calls, time.Since(start), err)
		}
		if err := testutil.Poll(ctx, time.Second, func() error { return nil }); err != nil {
			t.Errorf("a check that passes ends with %v", err)
		}
	})
}

func TestSeriesOfARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."}, []string{"code", "path"})
	requests.WithLabelValues("200", "/a b").Add(3)
	registry.MustRegister(requests)
	got, err := testutil.GatherSeries(registry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testutil.Series{`requests_total{code="200",path="/a b"}`: 3}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := testutil.ParseSeries("up\n"); err == nil || !strings.Contains(err.Error(), `"up"`) {
		t.Errorf("a line without a value ends with %v", err)
	}
}

func TestProcessKeepsWhatItPrintsAndIsStopped(t *testing.T) {
	p, err := testutil.Start(exec.CommandContext(t.Context(), "sh", "-c", "trap '' TERM; echo out; echo err >&2; while :; do sleep 1; done"))
	if err != nil {
		t.Fatal(err)
	}
	if err := testutil.Poll(t.Context(), time.Millisecond, func() error {
		if p.Stdout.String() != "out\n" || p.Stderr.String() != "err\n" {
			return errors.New("it has not printed yet")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := p.Stop(time.Millisecond); err != nil {
		t.Error(err)
	}
	if status, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("a process that ignores SIGTERM ended with %v", p.Cmd.ProcessState)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a process that has ended: %v", err)
	}
}

func TestToolThatIsNotBuiltNamesTheWayOut(t *testing.T) {
	root := t.TempDir()
	if _, err := testutil.Tool(root, "promtool"); err == nil || !strings.Contains(err.Error(), "promtool") || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("error %v; want one that names the tool and what builds it", err)
	}
	built := filepath.Join(root, ".tools", "promtool")
	if err := os.Mkdir(filepath.Dir(built), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(built, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := testutil.Tool(root, "promtool"); got != built || err != nil {
		t.Errorf("the tool is %s, %v; want %s", got, err, built)
	}
}

func TestSectionIsReplacedAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	const page = "# Title\n<!-- figures -->\n%s<!-- end of figures -->\nRest.\n"
	if err := os.WriteFile(path, fmt.Appendf(nil, page, "old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	section, err := testutil.ReadSection(path, "figures")
	if err != nil || section.Text != "old\n" {
		t.Fatalf("section %q, %v", section.Text, err)
	}
	if err := section.Replace("new\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); string(got) != fmt.Sprintf(page, "new\n") || err != nil {
		t.Errorf("the page is now %q, %v", got, err)
	}
	if _, err := testutil.ReadSection(path, "table"); err == nil || !strings.Contains(err.Error(), "<!-- table -->") {
		t.Errorf("a section that is not there: %v", err)
	}
}
