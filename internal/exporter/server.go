package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"yativo-card-exporter/internal/config"
)

// shutdownTimeout is how long scrapes in flight have to end.
const shutdownTimeout = 5 * time.Second

// Listen listens where the configuration says: on one address, or on two.
func Listen(ctx context.Context, c config.Config) (listeners []net.Listener, err error) {
	for i, a := range accesses(c) {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.listenAddress)
		if err != nil {
			CloseAll(listeners)
			return nil, fmt.Errorf("listen on %s: %w", []string{"EXPORTER_LISTEN_ADDRESS", "EXPORTER_PRIVATE_ADDRESS"}[i], err)
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

// CloseAll closes listeners that are not served.
func CloseAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// serveHTTP serves until ctx ends, then lets requests in flight finish. Slow or
// greedy clients cannot tie it up.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, webConfigFile string, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(listener, server, &web.FlagConfig{WebConfigFile: &webConfigFile}, logger)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	// The context that ended cannot bound the shutdown.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
