package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"yativo-card-exporter/internal/config"
)

// stalled prints who is stalled, as the exporter on this machine lists them at
// its private address.
func stalled(ctx context.Context, p Process) error {
	query := url.Values{"format": {"csv"}}
	switch {
	case len(p.Args) > 1:
		return usageError("stalled: takes one flow_status or none")
	case len(p.Args) == 1 && isHelpFlag(p.Args[0]):
		return printHelp(p.Stdout)
	case len(p.Args) == 1:
		query.Set("flow_status", p.Args[0])
	}
	env, err := config.ReadEnvironment(p.Environment)
	if err != nil {
		return err
	}
	if env.PrivateAddress == "" {
		return &config.Error{Problems: []string{"EXPORTER_PRIVATE_ADDRESS: must be set as it is for the exporter"}}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+env.PrivateAddress+"/stalled?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the exporter at EXPORTER_PRIVATE_ADDRESS: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("the exporter answers %d: %s", resp.StatusCode, text)
	}
	_, err = io.Copy(p.Stdout, resp.Body)
	return err
}
