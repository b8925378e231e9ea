package cli

import (
	"context"
	"errors"
	"net"

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
	e, err := exporter.New(c, p.version(), p.logger(c.Log))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return errors.Join(e.Run(ctx, listener), e.Close())
}
