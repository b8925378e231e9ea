package apiclient

import (
	"bytes"
	"context"
	"maps"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"yativo-card-exporter/internal/onboarding"
)

// Survey is the first page, and what it tells of the API's form.
type Survey struct {
	*Page
	Absent       []string // documented fields that are nowhere in it
	Undocumented []string // names of others
}

// documentedFields are those of a page and of its rows.
func documentedFields() []string {
	return []string{
		"total", "page", "limit", "balances_included",
		"customer_id", "yativo_card_id", "external_customer_id", "email", "flow_status", "step", "next_action", "safe_deployed",
		"currency", "ledger_balance", "available_balance", "pending_balance", "balance_freshness", "cards_count", "created_at",
	}
}

// Survey fetches the first page. Its error is as that of Page.
func (c *Client) Survey(ctx context.Context, balances bool) (*Survey, error) {
	var raw bytes.Buffer
	page, err := c.fetch(ctx, query{number: 1, balances: balances, copyTo: &raw})
	if err != nil {
		return nil, err
	}
	s := &Survey{Page: page}
	var answer struct {
		Data map[string]jsontext.Value `json:"data"`
	}
	lenient := json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	var rows []jsontext.Value
	found := map[string]jsontext.Value{}
	if json.Unmarshal(raw.Bytes(), &answer, lenient) == nil && json.Unmarshal(answer.Data["customers"], &rows, lenient) == nil {
		for _, row := range rows {
			_ = json.Unmarshal(row, &found, lenient) // a row that is no object has no fields
		}
		delete(answer.Data, "customers")
		maps.Copy(found, answer.Data)
	}
	for _, field := range documentedFields() {
		if _, ok := found[field]; !ok {
			s.Absent = append(s.Absent, field)
		}
		delete(found, field)
	}
	s.Undocumented = slices.Sorted(maps.Keys(found))
	plain := regexp.MustCompile(`^[a-zA-Z_]{1,40}$`) // which is nobody's address
	for i, name := range s.Undocumented {
		if !plain.MatchString(name) {
			s.Undocumented[i] = "(a name that is no plain word)"
		}
	}
	s.Undocumented = slices.Compact(s.Undocumented)
	return s, nil
}

// CountIn asks for the API's own count of the customers in a status.
func (c *Client) CountIn(ctx context.Context, status onboarding.Status) (total int, err error) {
	page, err := c.fetch(ctx, query{number: 1, status: status.String()})
	if err != nil {
		return 0, err
	}
	return page.Total, nil
}
