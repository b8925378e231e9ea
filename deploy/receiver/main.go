// Command receiver stands in for a pager and a ticket system: it takes what
// Alertmanager sends with the example configuration and prints it.
//
//	receiver [-listen ADDRESS]    print what arrives on /page, /ticket and /watchdog
//	receiver -check ADDRESS       exit 0 if a receiver answers there
//
// It is a single file that needs the standard library alone, so that it can be
// built into an image from its own folder.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 1 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:9095", "`address` to listen on")
	check := flag.String("check", "", "only ask whether a receiver answers at this `address`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *check != "" {
		err = probe(ctx, *check)
	} else {
		err = serve(ctx, *listen, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		stop()
		os.Exit(1) //nolint:gocritic // the context has been stopped
	}
}

// serve prints what arrives until ctx ends.
func serve(ctx context.Context, address string, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newHandler(out, time.Now), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// message is the part of a Slack message that is shown.
type message struct {
	Attachments []struct{ Title, Text string }
}

// handler prints messages, one at a time.
type handler struct {
	now func() time.Time

	mu       sync.Mutex // guards all below
	out      io.Writer
	watchdog bool // one was seen
}

// newHandler returns a handler that prints to out, with the time of now.
func newHandler(out io.Writer, now func() time.Time) http.Handler {
	h := &handler{out: out, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /page", func(w http.ResponseWriter, r *http.Request) { h.message(w, r, "PAGE") })
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) { h.message(w, r, "TICKET") })
	mux.HandleFunc("POST /watchdog", h.alive)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

func (h *handler) message(w http.ResponseWriter, r *http.Request, kind string) {
	var m message
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage)).Decode(&m); err != nil {
		http.Error(w, "not a message: "+err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range m.Attachments {
		fmt.Fprintf(h.out, "\n%s  %s  %s\n", h.now().Format(time.TimeOnly), kind, printable(a.Title))
		for line := range strings.Lines(strings.TrimSpace(a.Text)) {
			fmt.Fprintf(h.out, "    %s\n", printable(line))
		}
	}
	fmt.Fprint(w, "ok")
}

// alive says once that the watchdog's alert arrives, which it never stops doing.
func (h *handler) alive(http.ResponseWriter, *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.watchdog {
		fmt.Fprintf(h.out, "\n%s  The watchdog's alert arrives: Prometheus and Alertmanager reach this receiver.\n", h.now().Format(time.TimeOnly))
	}
	h.watchdog = true
}

// printable keeps control characters off the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// probe asks a receiver whether it is there.
func probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/-/healthy", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", address, resp.StatusCode)
	}
	return nil
}
