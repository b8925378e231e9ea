package cli

import (
	"context"
	"errors"
	"net"
	"os/signal"
	"syscall"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
)

// serve is the exporter itself.
func serve(ctx context.Context, p Process) error {
	c, err := config.Read(p.Environment)
	if err != nil {
		return err
	}
	listener, err := exporter.Listen(ctx, c)
	if err != nil {
		return err
	}
	return export(ctx, p, c, listener)
}

// export runs an exporter on listener until ctx ends, and returns nil if
// everything has been closed in order.
func export(ctx context.Context, p Process, c config.Config, listener net.Listener) error {
	// Whoever reads the log may stop reading, which must hold up nothing, or die,
	// which must kill nothing.
	signal.Ignore(syscall.SIGPIPE)
	queue := exporter.NewLogQueue(p.Stderr)
	defer queue.Close()
	e, err := exporter.New(exporter.Options{
		Config: c, Version: p.version(), LogQueue: queue,
		Logger: exporter.NewLogger(c.Log, queue, p.Environment["NO_COLOR"] != ""),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return errors.Join(e.Run(ctx, listener), e.Close())
}
