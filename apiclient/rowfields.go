package apiclient

import (
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
	var ok bool
	check := func(field Field) {
		if !ok {
			row.Broken.add(field)
		}
	}
	row.ID, ok = f.identifier()
	check(FieldCustomerID)
	if text := f.ExternalID.text(); len(text) <= maxIDBytes {
		row.ExternalID = string(text)
	}
	row.Status, ok = onboarding.ParseStatus(string(f.FlowStatus.text()))
	check(FieldFlowStatus)
	if !ok && onboarding.IsUndocumented(f.FlowStatus.text()) {
		row.StatusName = string(f.FlowStatus.text())
	}
	row.Step, _ = f.Step.count(onboarding.Active.Step())
	row.SafeDeployed, ok = f.SafeDeployed.deployment()
	check(FieldSafeDeployed)
	row.Cards, ok = f.CardsCount.count(math.MaxInt32)
	check(FieldCardsCount)
	row.CreatedAt, ok = f.CreatedAt.date()
	check(FieldCreatedAt)
	row.Currency, ok = f.Currency.currency()
	check(FieldCurrency)
	row.Ledger, ok = f.Ledger.amount()
	check(FieldLedger)
	row.Available, ok = f.Available.amount()
	check(FieldAvailable)
	row.Pending, ok = f.Pending.amount()
	check(FieldPending)
	row.Freshness, ok = f.Freshness.freshness()
	check(FieldFreshness)
	return row
}

// identifier is the customer's. Its name is customer_id, wherever that stands;
// where it is missing, the API's document says id, and its database _id, which
// does not come and go as an id beside it may.
func (f *rowFields) identifier() (id string, ok bool) {
	for _, s := range []scalar{f.CustomerID, f.DocumentID, f.ID} {
		text := s.text()
		if s.kind() == '0' {
			text = s
		}
		if len(text) > 0 && len(text) <= maxIDBytes {
			return string(text), true
		}
	}
	return "", false
}

func (s scalar) deployment() (Deployment, bool) {
	switch s.kind() {
	case 't':
		return Deployed, true
	case 'f':
		return Undeployed, true
	default:
		return DeploymentUnknown, false
	}
}

func (s scalar) date() (time.Time, bool) {
	var at time.Time
	if at.UnmarshalText(s.text()) != nil || at.Year() < firstYear {
		return time.Time{}, false
	}
	return at, true
}

func (s scalar) amount() (Amount, bool) {
	if s.kind() == '0' {
		return parseAmount(s)
	}
	return Amount{}, !s.isGiven()
}

// currency is a code of three to five capital letters. The documented ones are
// not allocated.
func (s scalar) currency() (code string, ok bool) {
	text := s.text()
	switch string(text) {
	case "USD":
		return "USD", true
	case "EUR":
		return "EUR", true
	case "GBP":
		return "GBP", true
	}
	if len(text) < 3 || len(text) > 5 {
		return "", !s.isGiven()
	}
	for _, letter := range text {
		if letter < 'A' || letter > 'Z' {
			return "", false
		}
	}
	return string(text), true
}

func (s scalar) freshness() (Freshness, bool) {
	switch string(s.text()) {
	case "realtime":
		return Realtime, true
	case "on_chain":
		return OnChain, true
	default:
		return FreshnessUnknown, !s.isGiven()
	}
}
