package sandbox

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"yativo-card-exporter/onboarding"
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

// appendJSON appends the customer's row.
func (c *Customer) appendJSON(b []byte, balances bool) []byte {
	if c.JSON != "" {
		return append(b, c.JSON...)
	}
	b = append(b, '{')
	w := rowWriter{b, len(b), c.Raw}
	w.text("customer_id", c.ID)
	w.text("yativo_card_id", c.CardID)
	w.text("external_customer_id", c.ExternalID)
	w.text("email", c.Email)
	w.text("flow_status", c.Status.String())
	w.number("step", c.Status.Step())
	w.text("next_action", nextAction(c.Status))
	w.verbatim("safe_deployed", strconv.FormatBool(c.SafeDeployed))
	w.textOrNull("currency", c.Currency)
	if balances {
		w.verbatim("ledger_balance", cmp.Or(c.Ledger, "null"))
		w.verbatim("available_balance", cmp.Or(c.Available, "null"))
		w.verbatim("pending_balance", cmp.Or(c.Pending, "null"))
		w.textOrNull("balance_freshness", c.Freshness)
	} else {
		for _, name := range [...]string{"ledger_balance", "available_balance", "pending_balance", "balance_freshness"} {
			w.field(name)
			w.b = append(w.b, "null"...)
		}
	}
	w.number("cards_count", c.Cards)
	if w.planned("created_at") {
		w.b = append(w.b, '"')
		w.b = c.CreatedAt.UTC().AppendFormat(w.b, createdLayout)
		w.b = append(w.b, '"')
	}
	return append(w.b, '}')
}

// rowWriter appends the fields of a row, those in raw as they are there.
type rowWriter struct {
	b     []byte
	start int
	raw   map[string]string
}

// field begins a field.
func (w *rowWriter) field(name string) {
	if len(w.b) > w.start {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, `":`...)
}

// planned begins a field whose value is to follow, or writes the whole of it
// from raw and returns false.
func (w *rowWriter) planned(name string) bool {
	raw, ok := w.raw[name]
	if !ok || raw != "" {
		w.field(name)
	}
	w.b = append(w.b, raw...)
	return !ok
}

func (w *rowWriter) verbatim(name, value string) {
	if w.planned(name) {
		w.b = append(w.b, value...)
	}
}

func (w *rowWriter) number(name string, value int) {
	if w.planned(name) {
		w.b = strconv.AppendInt(w.b, int64(value), 10)
	}
}

func (w *rowWriter) text(name, value string) {
	if w.planned(name) {
		w.b = appendQuoted(w.b, value)
	}
}

func (w *rowWriter) textOrNull(name, value string) {
	if value == "" {
		w.verbatim(name, "null")
	} else {
		w.text(name, value)
	}
}

// appendQuoted appends a JSON string.
func appendQuoted(b []byte, s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) {
		quoted, err := json.Marshal(s)
		if err != nil {
			panic("sandbox: encode a string as JSON: " + err.Error())
		}
		return append(b, quoted...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// record is a customer of the living population. It holds no pointer, so that
// a million of them cost the garbage collector nothing; identifiers are made
// from the serial number when a row is read.
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

// customer returns the record as a row.
func (r *record) customer(seed uint64, currency string) Customer {
	var buf [64]byte
	var cardID [8]byte
	binary.BigEndian.PutUint64(cardID[:], mix(seed+1, uint64(r.serial)))
	card := hex.AppendEncode(append(buf[:0], "yativo_card_customer_"...), cardID[:])
	c := Customer{
		CardID:       string(strconv.AppendInt(append(card, '_'), r.created, 10)),
		ID:           string(r.appendID(buf[:0], seed)),
		ExternalID:   "usr_" + strconv.FormatUint(uint64(r.serial), 10),
		Email:        fmt.Sprintf("c%06d@example.com", r.serial),
		Status:       r.status,
		SafeDeployed: r.deployed(),
		Currency:     currency,
		Cards:        int(r.cards),
		CreatedAt:    time.UnixMilli(r.created).UTC(),
	}
	if r.deployed() {
		c.Ledger = string(appendCents(buf[:0], r.ledger))
		c.Available, c.Freshness = c.Ledger, "on_chain"
	}
	if r.deployed() && r.realtime {
		c.Available = string(appendCents(buf[:0], r.ledger-r.pending))
		c.Pending, c.Freshness = string(appendCents(buf[:0], r.pending)), "realtime"
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
