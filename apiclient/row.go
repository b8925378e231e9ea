package apiclient

import (
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// Row is one customer as a page lists it, with just the fields that are needed:
// an e-mail address never becomes one. A field that is broken, or that the API
// leaves out, holds its unknown value; Broken tells which were broken.
type Row struct {
	ID           string // "" if the row has none
	ExternalID   string
	Status       onboarding.Status
	StatusName   string    // of an undocumented status, "" if that cannot be a label
	Step         int       // 1 to 6, or 0 if unknown: where an undocumented status stands
	CreatedAt    time.Time // zero if unknown
	SafeDeployed Deployment
	Cards        int
	Currency     string // "USD" and the like, "" if unknown
	Ledger       Amount
	Available    Amount
	Pending      Amount
	Freshness    Freshness
	Broken       FieldSet
}

// Deployment says whether a customer's safe is deployed.
type Deployment uint8

// The values of Deployment.
const (
	DeploymentUnknown Deployment = iota
	Undeployed
	Deployed
)

// Freshness says where a balance comes from.
type Freshness uint8

// The values of Freshness.
const (
	FreshnessUnknown Freshness = iota
	Realtime                   // from card notifications
	OnChain                    // from a live query: pending is unknown
	NumFreshness
)

// String returns the API's own name, or "unknown".
func (f Freshness) String() string {
	return [NumFreshness]string{"unknown", "realtime", "on_chain"}[f]
}

// Field is a field of a row that can be broken.
type Field uint8

// The fields, in the order of the API's own example. The balance fields, from
// FieldCurrency on, are only read in a walk with balances.
const (
	FieldCustomerID Field = iota
	FieldFlowStatus
	FieldSafeDeployed
	FieldCardsCount
	FieldCreatedAt
	FieldCurrency
	FieldLedger
	FieldAvailable
	FieldPending
	FieldFreshness
	NumFields
)

// String returns the API's name of the field.
func (f Field) String() string {
	return [NumFields]string{
		"customer_id", "flow_status", "safe_deployed", "cards_count", "created_at",
		"currency", "ledger_balance", "available_balance", "pending_balance", "balance_freshness",
	}[f]
}

// OfBalance reports whether the field is read only in a walk with balances.
func (f Field) OfBalance() bool { return f >= FieldCurrency }

// FieldSet is a set of fields.
type FieldSet [NumFields]bool
