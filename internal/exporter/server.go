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

// Listen listens where the configuration says.
func Listen(ctx context.Context, c config.Config) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.ListenAddress)
	if err != nil {
		return nil, fmt.Errorf("listen on EXPORTER_LISTEN_ADDRESS: %w", err)
	}
	return listener, nil
}

// newServer returns a server that slow or greedy clients cannot tie up.
func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// serveHTTP serves until ctx ends, then lets requests in flight finish.
func serveHTTP(ctx context.Context, listener net.Listener, server *http.Server, webConfigFile string, logger *slog.Logger) error {
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
