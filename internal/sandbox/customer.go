package sandbox

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// Customer is a row of the list as a test places or edits it. An empty
// Currency, Freshness or amount is null. Such a customer moves no more by
// itself and is not removed by the population's own churn.
type Customer struct {
	ID         string
	CardID     string
	ExternalID string
	Email      string
	Status     onboarding.Status
	// SafeDeployed says that the account wallet exists.
	SafeDeployed bool
	Currency     string
	// Ledger, Available and Pending are JSON numbers, in units of Currency,
	// and are sent just as they are written here.
	Ledger, Available, Pending string
	Freshness                  string
	Cards                      int
	CreatedAt                  time.Time

	// Raw replaces the JSON text of fields by their JSON name; an empty text
	// leaves the field out. It is how a broken value is planted: Truth and the
	// status filter go on believing the fields above.
	Raw map[string]string
	// JSON, unless empty, is sent verbatim in place of the whole row, with the
	// same consequence.
	JSON string
}

// Example returns the two customers of the API's documented example, first
// row first.
func Example() []Customer {
	return []Customer{
		{
			ID: "69f0bdf29a84752db9cc8ff9", CardID: "yativo_card_customer_8f9a..._1769031332068",
			ExternalID: "usr_8821", Email: "alice@yourapp.com", Status: onboarding.Active,
			SafeDeployed: true, Currency: "USD", Ledger: "45.23", Available: "38.50", Pending: "6.73",
			Freshness: "realtime", Cards: 1, CreatedAt: time.Date(2026, 4, 20, 8, 0, 0, 0, time.UTC),
		},
		{
			ID: "6627f3a2c5d4e100123abcde", CardID: "yativo_card_customer_ab12..._1769031332999",
			ExternalID: "usr_7714", Email: "bob@yourapp.com", Status: onboarding.KYCInitiated,
			CreatedAt: time.Date(2026, 4, 25, 10, 0, 0, 0, time.UTC),
		},
	}
}

const createdLayout = "2006-01-02T15:04:05.000Z"

// nextAction is the API's sentence for a status.
func nextAction(s onboarding.Status) string {
	switch s {
	case onboarding.OTPRequested:
		return "Awaiting OTP verification"
	case onboarding.OTPVerified:
		return "Customer to open the KYC link"
	case onboarding.KYCInitiated:
		return "Awaiting KYC verification"
	case onboarding.KYCCompleted:
		return "Customer to answer the source of funds questionnaire"
	case onboarding.SafeDeploying:
		return "Account wallet is being deployed"
	case onboarding.CardCreated:
		return "Card created — customer can spend"
	case onboarding.Active:
		return "Card is active — customer can spend"
	default:
		return ""
	}
}

// appendJSON appends the row of a placed customer.
func (c *Customer) appendJSON(b []byte, balances bool) []byte {
	if c.JSON != "" {
		return append(b, c.JSON...)
	}
	b = append(b, '{')
	start := len(b)
	for _, f := range [...]struct {
		name, text string
		balance    bool
	}{
		{"customer_id", quote(c.ID), false},
		{"yativo_card_id", quote(c.CardID), false},
		{"external_customer_id", quote(c.ExternalID), false},
		{"email", quote(c.Email), false},
		{"flow_status", quote(c.Status.String()), false},
		{"step", strconv.Itoa(c.Status.Step()), false},
		{"next_action", quote(nextAction(c.Status)), false},
		{"safe_deployed", strconv.FormatBool(c.SafeDeployed), false},
		{"currency", quoteOrNull(c.Currency), false},
		{"ledger_balance", cmp.Or(c.Ledger, "null"), true},
		{"available_balance", cmp.Or(c.Available, "null"), true},
		{"pending_balance", cmp.Or(c.Pending, "null"), true},
		{"balance_freshness", quoteOrNull(c.Freshness), true},
		{"cards_count", strconv.Itoa(c.Cards), false},
		{"created_at", quote(c.CreatedAt.UTC().Format(createdLayout)), false},
	} {
		text := f.text
		if raw, ok := c.Raw[f.name]; ok {
			text = raw
		}
		if f.balance && !balances {
			text = "null"
		}
		if text == "" {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, `":`...)
		b = append(b, text...)
	}
	return append(b, '}')
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("sandbox: encode a string as JSON: %v", err))
	}
	return string(b)
}

func quoteOrNull(s string) string {
	if s == "" {
		return "null"
	}
	return quote(s)
}

// record is a customer of the living population. It holds no pointer, so that
// a million of them cost the garbage collector nothing; identifiers are made
// from the serial number when a row is sent.
type record struct {
	created  int64 // Unix milliseconds
	ledger   int64 // cents
	pending  int64 // cents, 0 unless realtime
	serial   uint32
	currency uint32 // index into population.currencies, 0 is null
	status   onboarding.Status
	cards    uint8
	realtime bool
	placed   bool // the row is a Customer in population.placed
}

func (r *record) deployed() bool { return r.status >= onboarding.CardCreated }

func (r *record) appendID(b []byte, seed uint64) []byte {
	var id [12]byte
	binary.BigEndian.PutUint32(id[0:], uint32(r.created/1000))
	binary.BigEndian.PutUint64(id[4:], mix(seed, uint64(r.serial))<<24|uint64(r.serial)&0xffffff)
	return hex.AppendEncode(b, id[:])
}

func (r *record) appendCardID(b []byte, seed uint64) []byte {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], mix(seed+1, uint64(r.serial)))
	b = append(b, "yativo_card_customer_"...)
	b = hex.AppendEncode(b, id[:])
	b = append(b, '_')
	return strconv.AppendInt(b, r.created, 10)
}

func (r *record) appendEmail(b []byte) []byte {
	b = append(b, 'c')
	for width := uint32(100_000); width > 1 && r.serial < width; width /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendUint(b, uint64(r.serial), 10)
	return append(b, "@example.com"...)
}

// appendJSON appends the record's row. It does by hand what customer and
// Customer.appendJSON do together, in a quarter of the time and without
// allocating, so that a benchmark of a client does not measure the sandbox.
func (r *record) appendJSON(b []byte, seed uint64, currency string, balances bool) []byte {
	b = append(b, `{"customer_id":"`...)
	b = r.appendID(b, seed)
	b = append(b, `","yativo_card_id":"`...)
	b = r.appendCardID(b, seed)
	b = append(b, `","external_customer_id":"usr_`...)
	b = strconv.AppendUint(b, uint64(r.serial), 10)
	b = append(b, `","email":"`...)
	b = r.appendEmail(b)
	b = append(b, `","flow_status":"`...)
	b = append(b, r.status.String()...)
	b = append(b, `","step":`...)
	b = strconv.AppendInt(b, int64(r.status.Step()), 10)
	b = append(b, `,"next_action":"`...)
	b = append(b, nextAction(r.status)...)
	b = append(b, `","safe_deployed":`...)
	b = strconv.AppendBool(b, r.deployed())
	b = append(b, `,"currency":`...)
	if r.currency == 0 {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), currency...), '"')
	}
	switch {
	case !balances || !r.deployed():
		b = append(b, `,"ledger_balance":null,"available_balance":null,"pending_balance":null,"balance_freshness":null`...)
	case r.realtime:
		b = appendCents(append(b, `,"ledger_balance":`...), r.ledger)
		b = appendCents(append(b, `,"available_balance":`...), r.ledger-r.pending)
		b = appendCents(append(b, `,"pending_balance":`...), r.pending)
		b = append(b, `,"balance_freshness":"realtime"`...)
	default:
		b = appendCents(append(b, `,"ledger_balance":`...), r.ledger)
		b = appendCents(append(b, `,"available_balance":`...), r.ledger)
		b = append(b, `,"pending_balance":null,"balance_freshness":"on_chain"`...)
	}
	b = append(b, `,"cards_count":`...)
	b = strconv.AppendUint(b, uint64(r.cards), 10)
	b = append(b, `,"created_at":"`...)
	b = time.UnixMilli(r.created).UTC().AppendFormat(b, createdLayout)
	return append(b, `"}`...)
}

// customer returns the record in the form that a test edits.
func (r *record) customer(seed uint64, currency string) Customer {
	c := Customer{
		ID:           string(r.appendID(nil, seed)),
		CardID:       string(r.appendCardID(nil, seed)),
		ExternalID:   fmt.Sprintf("usr_%d", r.serial),
		Email:        string(r.appendEmail(nil)),
		Status:       r.status,
		SafeDeployed: r.deployed(),
		Currency:     currency,
		Cards:        int(r.cards),
		CreatedAt:    time.UnixMilli(r.created).UTC(),
	}
	if r.deployed() {
		c.Ledger = string(appendCents(nil, r.ledger))
		c.Available, c.Freshness = c.Ledger, "on_chain"
	}
	if r.deployed() && r.realtime {
		c.Available = string(appendCents(nil, r.ledger-r.pending))
		c.Pending, c.Freshness = string(appendCents(nil, r.pending)), "realtime"
	}
	return c
}

// appendCents appends an amount of cents, never negative, in units with at
// most two decimals.
func appendCents(b []byte, cents int64) []byte {
	b = strconv.AppendInt(b, cents/100, 10)
	rest := cents % 100
	if rest == 0 {
		return b
	}
	b = append(b, '.', byte('0'+rest/10))
	if rest%10 != 0 {
		b = append(b, byte('0'+rest%10))
	}
	return b
}

// mix spreads a number over 64 bits, differently for each seed (SplitMix64).
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
