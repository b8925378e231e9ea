package apiclient

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"yativo-card-exporter/internal/onboarding"
)

const (
	// maxTotal is the largest program that is walked, in customers. A larger
	// total is an error of the API's, not a reason to ask for 10^10 pages.
	maxTotal = 10_000_000
	// maxRows is the most customers that a page is believed to list. A row takes
	// far more memory than its shortest text, and nobody is asked for more than
	// 100.
	maxRows = 10_000
	// maxIDBytes is the longest identifier that is believed to be one.
	maxIDBytes = 256
	// firstYear is the first in which a customer can have been created; an
	// earlier date is a placeholder.
	firstYear = 2000
)

// Page is one page of the list of customers.
type Page struct {
	Number   int
	Rows     []Row
	Total    int  // customers of the program, as this page says
	Limit    int  // rows a page, as this page says, or 0 if it does not
	Balances bool // whether the rows carry balances
}

// decodePage reads a page. A broken envelope is an error; a broken field is
// unknown and noted in its row. It asks for syntax that is JSON, but not for
// valid UTF-8, which one row's name could break for all.
func decodePage(body io.Reader, withBalances bool) (*Page, error) {
	d := pageDecoder{
		dec:  jsontext.NewDecoder(body, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)),
		page: &Page{Total: -1, Balances: withBalances},
	}
	if err := d.envelope(); err != nil {
		return nil, err
	}
	return d.page, nil
}

// pageDecoder decodes one page from a stream of JSON tokens.
type pageDecoder struct {
	dec     *jsontext.Decoder
	page    *Page
	hasRows bool
	text    []byte // scratch for strings with escapes
}

// errSyntax is every failure of JSON's syntax. Its cause is dropped, because it
// may quote the answer.
func errSyntax() error {
	return badResponse("the answer is not JSON, or is cut off; check YATIVO_BASE_URL and what stands between")
}

func (d *pageDecoder) envelope() error {
	if d.dec.PeekKind() != '{' {
		return badResponse("the answer is not a JSON object; check YATIVO_BASE_URL and what stands between")
	}
	err := d.object(func(name jsontext.Value) error {
		switch string(name) {
		case `"success"`:
			value, err := d.dec.ReadValue()
			if err == nil && value.Kind() == 'f' {
				return badResponse("the answer says success: false")
			}
			return err
		case `"data"`:
			if d.dec.PeekKind() != '{' {
				return badResponse("the answer's data is not an object")
			}
			return d.object(d.data)
		default:
			return d.dec.SkipValue()
		}
	})
	if err == nil {
		if _, end := d.dec.ReadToken(); end != io.EOF { //nolint:errorlint // ReadToken promises io.EOF itself
			return badResponse("the answer goes on after its JSON object")
		}
	}
	switch {
	case err != nil:
		if _, ok := err.(*Error); ok { //nolint:errorlint // made in this file, never wrapped
			return err
		}
		return errSyntax()
	case !d.hasRows:
		return badResponse("the answer has no list data.customers")
	case d.page.Total < 0:
		return badResponse("the answer's data.total is not a count of customers up to %d", maxTotal)
	}
	return nil
}

// data reads a member of the envelope's data.
func (d *pageDecoder) data(name jsontext.Value) error {
	switch string(name) {
	case `"customers"`:
		if d.dec.PeekKind() != '[' {
			return badResponse("the answer's data.customers is not a list")
		}
		d.hasRows, d.page.Rows = true, nil
		return d.rows()
	case `"total"`:
		total, ok, err := d.count(maxTotal)
		if d.page.Total = -1; ok {
			d.page.Total = total
		}
		return err
	case `"limit"`:
		limit, _, err := d.count(maxTotal)
		d.page.Limit = limit
		return err
	case `"balances_included"`:
		value, err := d.scalar()
		if err == nil && value.Kind() == 'f' {
			d.page.Balances = false
		}
		return err
	default:
		return d.dec.SkipValue()
	}
}

func (d *pageDecoder) rows() error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != ']' {
		if len(d.page.Rows) == maxRows {
			return badResponse("the answer lists more than %d customers on one page", maxRows)
		}
		row, err := d.row()
		if err != nil {
			return err
		}
		d.page.Rows = append(d.page.Rows, row)
	}
	_, err := d.dec.ReadToken()
	return err
}

// always are the fields that every row has. One that is left out is broken;
// the others may be null or missing until they are known.
const always FieldSet = 1<<FieldCustomerID | 1<<FieldFlowStatus | 1<<FieldSafeDeployed | 1<<FieldCardsCount | 1<<FieldCreatedAt

func (d *pageDecoder) row() (Row, error) {
	row := Row{Broken: always}
	if d.dec.PeekKind() != '{' {
		return row, d.dec.SkipValue()
	}
	err := d.object(func(name jsontext.Value) error {
		switch string(name) {
		case `"customer_id"`, `"id"`:
			return d.id(&row)
		case `"external_customer_id"`:
			text, err := d.string()
			if len(text) <= maxIDBytes {
				row.ExternalID = string(text)
			}
			return err
		case `"flow_status"`:
			return d.field(&row, FieldFlowStatus, func(text []byte) (ok bool) {
				row.Status, ok = onboarding.ParseStatus(string(text))
				return ok
			})
		case `"created_at"`:
			return d.field(&row, FieldCreatedAt, func(text []byte) bool {
				row.CreatedAt = time.Time{}
				var at time.Time
				if at.UnmarshalText(text) != nil || at.Year() < firstYear {
					return false
				}
				row.CreatedAt = at
				return true
			})
		case `"safe_deployed"`:
			return d.safeDeployed(&row)
		case `"cards_count"`:
			cards, ok, err := d.count(math.MaxInt32)
			row.Cards = cards
			row.mark(FieldCardsCount, ok)
			return err
		case `"currency"`:
			return d.nullable(&row, FieldCurrency, func(text []byte) (ok bool) {
				row.Currency, ok = currency(text)
				return ok
			})
		case `"balance_freshness"`:
			return d.nullable(&row, FieldFreshness, func(text []byte) bool {
				row.Freshness = freshness(text)
				return row.Freshness != FreshnessUnknown
			})
		case `"ledger_balance"`:
			return d.amount(&row, FieldLedger, &row.Ledger)
		case `"available_balance"`:
			return d.amount(&row, FieldAvailable, &row.Available)
		case `"pending_balance"`:
			return d.amount(&row, FieldPending, &row.Pending)
		default:
			return d.dec.SkipValue()
		}
	})
	return row, err
}

// mark notes whether a field is broken. The last one of a repeated name counts.
func (r *Row) mark(f Field, ok bool) {
	if r.Broken &^= 1 << f; !ok {
		r.Broken.add(f)
	}
}

// object reads an object, calling member for each of its names, quotes
// included and valid until it reads on, to read the value.
func (d *pageDecoder) object(member func(name jsontext.Value) error) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() == '"' {
		name, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// scalar reads a value. It returns nil, without holding the value in memory,
// for an object or an array, where none is expected.
func (d *pageDecoder) scalar() (jsontext.Value, error) {
	if kind := d.dec.PeekKind(); kind == '{' || kind == '[' {
		return nil, d.dec.SkipValue()
	}
	return d.dec.ReadValue()
}

// string reads a string's text, valid until the next read, or nil for any
// other value.
func (d *pageDecoder) string() ([]byte, error) {
	value, err := d.scalar()
	if err != nil {
		return nil, err
	}
	return d.unquote(value), nil
}

func (d *pageDecoder) unquote(value jsontext.Value) []byte {
	if value.Kind() != '"' {
		return nil
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	// The value has passed the syntax check; only invalid UTF-8 can be
	// complained of here, and it has been replaced.
	d.text, _ = jsontext.AppendUnquote(d.text[:0], value)
	return d.text
}

// field reads a string that every row has.
func (d *pageDecoder) field(row *Row, f Field, set func(text []byte) bool) error {
	text, err := d.string()
	row.mark(f, set(text))
	return err
}

// nullable reads a string of a balance, which is null until it is known.
func (d *pageDecoder) nullable(row *Row, f Field, set func(text []byte) bool) error {
	value, err := d.scalar()
	if err == nil && value.Kind() != 'n' {
		row.mark(f, set(d.unquote(value)))
	}
	return err
}

// id reads the identifier, a string or a number, from either of its names.
func (d *pageDecoder) id(row *Row) error {
	value, err := d.scalar()
	if err != nil || row.ID != "" {
		return err
	}
	id := []byte(value)
	if value.Kind() != '0' {
		id = d.unquote(value)
	}
	if len(id) > 0 && len(id) <= maxIDBytes {
		row.ID = string(id)
		row.mark(FieldCustomerID, true)
	}
	return nil
}

func (d *pageDecoder) safeDeployed(row *Row) error {
	value, err := d.scalar()
	row.SafeDeployed = DeploymentUnknown
	if err == nil {
		switch value.Kind() {
		case 't':
			row.SafeDeployed = Deployed
		case 'f':
			row.SafeDeployed = Undeployed
		}
	}
	row.mark(FieldSafeDeployed, row.SafeDeployed != DeploymentUnknown)
	return err
}

func (d *pageDecoder) amount(row *Row, f Field, to *Amount) error {
	value, err := d.scalar()
	if err != nil {
		return err
	}
	*to = Amount{}
	ok := value.Kind() == 'n'
	if value.Kind() == '0' {
		*to, ok = parseAmount(value)
	}
	row.mark(f, ok)
	return nil
}

// count reads a whole number from 0 to most. It reports false, and 0, for any
// other value.
func (d *pageDecoder) count(most int) (n int, ok bool, err error) {
	value, err := d.scalar()
	if err != nil || value.Kind() != '0' {
		return 0, false, err
	}
	n, ok = wholeNumber(value, most)
	return n, ok, nil
}

// wholeNumber reads a JSON number such as 87 or 87.0.
func wholeNumber(text []byte, most int) (n int, ok bool) {
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil || number != math.Trunc(number) || number < 0 || number > float64(most) {
		return 0, false
	}
	return int(number), true
}

// currency returns a code of three to five capital letters, without allocating
// for the documented ones.
func currency(text []byte) (string, bool) {
	switch string(text) {
	case "USD":
		return "USD", true
	case "EUR":
		return "EUR", true
	case "GBP":
		return "GBP", true
	}
	if len(text) < 3 || len(text) > 5 {
		return "", false
	}
	for _, letter := range text {
		if letter < 'A' || letter > 'Z' {
			return "", false
		}
	}
	return string(text), true
}

func freshness(text []byte) Freshness {
	switch string(text) {
	case "realtime":
		return Realtime
	case "on_chain":
		return OnChain
	default:
		return FreshnessUnknown
	}
}
