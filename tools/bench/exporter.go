//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// upstream is the API, played in a process of its own.
type upstream struct {
	*process
	url, token string
}

func (b *bench) startUpstream(ctx context.Context, customers int, flags ...string) (*upstream, error) {
	p, words, err := startServer(ctx, nil, b.binary("upstream"), append(flags, "-customers", strconv.Itoa(customers))...)
	if err != nil {
		return nil, err
	}
	return &upstream{p, words[0], words[1]}, nil
}

// customersURL is where the list of customers is.
func (u *upstream) customersURL() string { return u.url + sandbox.BasePath + "/card-issuer/customers" }

// counted is what has arrived at the API.
type counted struct{ Pages, Tokens, BusiestMinute, LongestWalk int }

func (u *upstream) counted(ctx context.Context) (c counted, err error) {
	body, err := get(ctx, u.url+"/counted")
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(body, &c)
}

// exporter is the product, as it ships.
type exporter struct {
	*process
	url   string
	ready time.Duration // from its start to its first snapshot
}

// startExporter starts an exporter with a state file and settings that let it
// go as fast as it can, but for those that are given, and awaits its first
// snapshot.
func (b *bench) startExporter(ctx context.Context, api *upstream, settings ...string) (*exporter, error) {
	address, err := testutil.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	b.states++
	p, err := start(ctx, append([]string{
		"YATIVO_BASE_URL=" + api.url + sandbox.BasePath,
		"YATIVO_API_KEY=" + sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET=" + sandbox.DefaultAPISecret,
		"YATIVO_RATE_LIMIT=100000", "YATIVO_RATE_RESERVE=0",
		"EXPORTER_LISTEN_ADDRESS=" + address,
		"EXPORTER_REFRESH_INTERVAL=1h",
		"EXPORTER_STATE_FILE=" + filepath.Join(b.folder, fmt.Sprintf("state-%d.db", b.states)),
	}, settings...), nil, io.Discard, b.binary("exporter"))
	if err != nil {
		return nil, err
	}
	e := &exporter{process: p, url: "http://" + address}
	// To answer costs the exporter CPU time, which walks are measured by.
	err = poll(ctx, 2*time.Millisecond, func() error {
		_, err := get(ctx, e.url+"/-/ready")
		return err
	})
	e.ready = time.Since(p.Started)
	if err != nil {
		return nil, errors.Join(err, p.stop(), errors.New(p.Stderr.String()))
	}
	return e, nil
}

// metrics returns all series by their text form.
func (e *exporter) metrics(ctx context.Context) (testutil.Series, error) {
	body, err := get(ctx, e.url+"/metrics")
	if err != nil {
		return nil, err
	}
	return testutil.ParseSeries(string(body))
}

// awaitRefreshes waits until the exporter has refreshed so often.
func (e *exporter) awaitRefreshes(ctx context.Context, n float64) error {
	return poll(ctx, 20*time.Millisecond, func() error {
		all, err := e.metrics(ctx)
		if err == nil && all["yativo_exporter_refreshes_total"] < n {
			err = errors.New("too few refreshes")
		}
		return err
	})
}

// poll calls check until it has nothing to object, for at most five minutes.
func poll(ctx context.Context, every time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return testutil.Poll(ctx, every, check)
}

// get returns the body of an answer, which must be 200.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// Compression would hide the difference that is measured.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return body, err
}

// sizeMB is the size of a file in millions of bytes.
func sizeMB(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
