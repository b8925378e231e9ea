package apiclient

import (
	"bytes"
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"yativo-card-exporter/internal/onboarding"
)

const (
	// maxIDBytes is the longest identifier that is believed to be one.
	maxIDBytes = 256
	// firstYear is the first in which a customer can have been created; an
	// earlier date is a placeholder.
	firstYear = 2000
)

// rowFields is what a row is read into: the fields that are needed, whatever
// their values are.
type rowFields struct {
	CustomerID   scalar `json:"customer_id"`
	DocumentID   scalar `json:"_id"`
	ID           scalar `json:"id"`
	ExternalID   scalar `json:"external_customer_id"`
	FlowStatus   scalar `json:"flow_status"`
	Step         scalar `json:"step"`
	SafeDeployed scalar `json:"safe_deployed"`
	CardsCount   scalar `json:"cards_count"`
	CreatedAt    scalar `json:"created_at"`
	Currency     scalar `json:"currency"`
	Ledger       scalar `json:"ledger_balance"`
	Available    scalar `json:"available_balance"`
	Pending      scalar `json:"pending_balance"`
	Freshness    scalar `json:"balance_freshness"`
}

// reset forgets a row and keeps the memory for the next one.
func (f *rowFields) reset() {
	*f = rowFields{
		f.CustomerID[:0], f.DocumentID[:0], f.ID[:0], f.ExternalID[:0], f.FlowStatus[:0], f.Step[:0], f.SafeDeployed[:0], f.CardsCount[:0],
		f.CreatedAt[:0], f.Currency[:0], f.Ledger[:0], f.Available[:0], f.Pending[:0], f.Freshness[:0],
	}
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]. A row that is no object
// has no fields.
func (f *rowFields) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	type plain rowFields // without this method
	return json.UnmarshalDecode(dec, (*plain)(f))
}

// row turns the fields into a Row. Those that are null until they are known are
// broken only by another value; the others also if they are null or missing.
func (f *rowFields) row() (row Row) {
	row.ID = f.identifier()
	row.Broken[FieldCustomerID] = row.ID == ""
	if text := f.ExternalID.text(); len(text) <= maxIDBytes {
		row.ExternalID = string(text)
	}
	status := f.FlowStatus.text()
	var isDocumented bool
	row.Status, isDocumented = onboarding.ParseStatus(string(status))
	row.Broken[FieldFlowStatus] = !isDocumented
	if !isDocumented && onboarding.IsUndocumented(status) {
		row.StatusName = string(status)
	}
	row.Step, _ = f.Step.count(onboarding.Active.Step())
	row.SafeDeployed, row.Broken[FieldSafeDeployed] = f.SafeDeployed.deployment()
	row.Cards, row.Broken[FieldCardsCount] = f.CardsCount.count(math.MaxInt32)
	row.CreatedAt, row.Broken[FieldCreatedAt] = f.CreatedAt.date()
	row.Currency, row.Broken[FieldCurrency] = f.Currency.currency()
	row.Ledger, row.Broken[FieldLedger] = f.Ledger.amount()
	row.Available, row.Broken[FieldAvailable] = f.Available.amount()
	row.Pending, row.Broken[FieldPending] = f.Pending.amount()
	row.Freshness, row.Broken[FieldFreshness] = f.Freshness.freshness()
	return row
}

// identifier is the customer's, or "". Its name is customer_id, wherever that
// stands; where it is missing, the API's document says id, and its database _id,
// which does not come and go as an id beside it may.
func (f *rowFields) identifier() string {
	for _, s := range []scalar{f.CustomerID, f.DocumentID, f.ID} {
		text := s.text()
		if s.kind() == '0' {
			text = s
		}
		if len(text) > 0 && len(text) <= maxIDBytes {
			return string(text)
		}
	}
	return ""
}

func (s scalar) deployment() (d Deployment, broken bool) {
	switch s.kind() {
	case 't':
		return Deployed, false
	case 'f':
		return Undeployed, false
	default:
		return DeploymentUnknown, true
	}
}

func (s scalar) date() (at time.Time, broken bool) {
	if at.UnmarshalText(s.text()) != nil || at.Year() < firstYear {
		return time.Time{}, true
	}
	return at, false
}

func (s scalar) amount() (a Amount, broken bool) {
	if s.kind() != '0' {
		return Amount{}, s.isGiven()
	}
	a, ok := parseAmount(s)
	return a, !ok
}

// currency is a code of three to five capital letters. The documented ones are
// not allocated.
func (s scalar) currency() (code string, broken bool) {
	text := s.text()
	for _, documented := range []string{"USD", "EUR", "GBP"} {
		if string(text) == documented {
			return documented, false
		}
	}
	isCapital := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	if len(text) < 3 || len(text) > 5 || len(bytes.TrimFunc(text, isCapital)) > 0 {
		return "", s.isGiven()
	}
	return string(text), false
}

func (s scalar) freshness() (f Freshness, broken bool) {
	switch string(s.text()) {
	case "realtime":
		return Realtime, false
	case "on_chain":
		return OnChain, false
	default:
		return FreshnessUnknown, s.isGiven()
	}
}
