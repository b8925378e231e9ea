// Command upstream plays the API in a process of its own, so that what it costs
// is told apart from what is measured. It prints its address and a token, and
// tells at /counted what has arrived.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// counted is what has arrived at the API.
type counted struct {
	Pages, Tokens int
	BusiestMinute int // the most requests in any rolling minute
	LongestWalk   int // the most page requests from one for page 1 to the next
}

func main() {
	customers := flag.Int("customers", 0, "customers of the program")
	speed := flag.Float64("speed", 0, "how often customers move; 0 holds them still")
	latency := flag.Duration("latency", 0, "time before each answer")
	quota := flag.Int("quota", -1, "requests a minute that are granted; below 0 there is no limit")
	flag.Parse()
	if err := run(sandbox.Options{Seed: 1, Customers: *customers, Speed: *speed, Latency: *latency, Quota: *quota}); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(o sandbox.Options) error {
	api := sandbox.New(o)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET /counted", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(count(api)) // the reader is gone, which is its own affair
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens for as long as the process lives
	if err != nil {
		return err
	}
	if _, err := fmt.Printf("http://%s %s\n", listener.Addr(), api.MintToken()); err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

func count(api *sandbox.Sandbox) counted {
	arrived := api.Counters().Arrived
	c := counted{Pages: arrived[sandbox.CustomersEndpoint], Tokens: arrived[sandbox.TokenEndpoint]}
	requests, first, walk := api.Requests(), 0, 0
	for i, r := range requests {
		switch {
		case r.Endpoint != sandbox.CustomersEndpoint:
		case r.Page == 1:
			walk = 1
		default:
			walk++
		}
		c.LongestWalk = max(c.LongestWalk, walk)
		for r.Time.Sub(requests[first].Time) >= time.Minute {
			first++
		}
		c.BusiestMinute = max(c.BusiestMinute, i-first+1)
	}
	return c
}
