// Command floor reads pages of customers and decodes them with the standard
// library into the fields that the exporter needs, and does nothing else: what
// any program in Go would have to spend.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

type page struct {
	Success bool
	Data    struct {
		Customers []struct {
			ID         string      `json:"customer_id"`
			ExternalID string      `json:"external_customer_id"`
			Status     string      `json:"flow_status"`
			Deployed   *bool       `json:"safe_deployed"`
			Currency   *string     `json:"currency"`
			Ledger     json.Number `json:"ledger_balance"`
			Available  json.Number `json:"available_balance"`
			Pending    json.Number `json:"pending_balance"`
			Freshness  *string     `json:"balance_freshness"`
			Cards      int         `json:"cards_count"`
			CreatedAt  time.Time   `json:"created_at"`
		}
		Total, Page, Limit int
		Balances           bool `json:"balances_included"`
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: floor URL TOKEN PAGES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(url, token, pages string) error {
	last, err := strconv.Atoi(pages)
	if err != nil {
		return err
	}
	for number := 1; number <= last; number++ {
		if err := read(url+"?limit=100&page="+strconv.Itoa(number), token); err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	return nil
}

func read(url, token string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if len(p.Data.Customers) == 0 {
		return fmt.Errorf("no customers, status %d", resp.StatusCode)
	}
	return nil
}
