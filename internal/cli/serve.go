package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os/signal"
	"sync"
	"syscall"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
)

// serve is the exporter itself. It has the flags that exporters have, which
// override the environment.
func serve(ctx context.Context, p Process) error {
	environment := map[string]string{}
	maps.Copy(environment, p.Environment)
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, variable := range map[string]string{
		"web.listen-address": "EXPORTER_LISTEN_ADDRESS",
		"web.config.file":    "EXPORTER_WEB_CONFIG_FILE",
		"log.level":          "EXPORTER_LOG_LEVEL",
		"log.format":         "EXPORTER_LOG_FORMAT",
	} {
		flags.Func(name, "", func(value string) error {
			environment[variable] = value
			return nil
		})
	}
	switch err := flags.Parse(p.Args); {
	case errors.Is(err, flag.ErrHelp):
		return printHelp(p.Stdout)
	case err != nil:
		return usageError("serve: " + err.Error())
	case flags.NArg() > 0:
		return usageError(fmt.Sprintf("serve: takes no arguments, but got %q", flags.Arg(0)))
	}
	c, err := config.Read(environment)
	if err != nil {
		return err
	}
	listeners, err := exporter.Listen(ctx, c)
	if err != nil {
		return err
	}
	return export(ctx, p, c, listeners, func(context.Context, *exporter.Exporter) {})
}

// export runs an exporter on listeners until ctx ends, and returns nil if
// everything has been closed in order. Beside it runs watch.
func export(ctx context.Context, p Process, c config.Config, listeners []net.Listener, watch func(context.Context, *exporter.Exporter)) error {
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
		exporter.CloseAll(listeners)
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { watch(ctx, e) })
	err = e.Run(ctx, listeners)
	stop()
	watching.Wait()
	return errors.Join(err, e.Close())
}
