package apiclient

import (
	"errors"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxTotal is the largest program that is walked, in customers. A larger
	// total is an error of the API's, not a reason to ask for 10^10 pages.
	maxTotal = 10_000_000
	// maxRows is the most customers that a page is believed to list. A row takes
	// far more memory than its shortest text, and nobody is asked for more than
	// 100.
	maxRows = 10_000
	// rowsAsked is the most rows that a page is asked for: memory for as many
	// is had at once.
	rowsAsked = 100
)

// Page is one page of the list of customers.
type Page struct {
	Number   int
	Rows     []Row
	Total    int  // customers of the program, as this page says
	Limit    int  // rows a page, as this page says, or 0 if it does not
	Balances bool // whether the rows carry balances
}

// envelope is what a page's answer is read into.
type envelope struct {
	Success scalar   `json:"success"`
	Data    pageData `json:"data"`
}

type pageData struct {
	Customers        rowList `json:"customers"`
	Total            scalar  `json:"total"`
	Limit            scalar  `json:"limit"`
	BalancesIncluded scalar  `json:"balances_included"`
}

// decodePage reads a page. A broken envelope is an error; a broken field is
// unknown and noted in its row. It asks for syntax that is JSON, but not for
// valid UTF-8, which one row's name could break for all.
func decodePage(body io.Reader, q query) (*Page, error) {
	dec := jsontext.NewDecoder(body, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return nil, badAnswer("the answer is not a JSON object")
	}
	var answer envelope
	if err := json.UnmarshalDecode(dec, &answer); err != nil && answer.Success.kind() != 'f' {
		if apiErr, ok := errors.AsType[*Error](err); ok {
			return nil, apiErr
		}
		// The cause is dropped, because it may quote the answer.
		return nil, badAnswer("the answer is not JSON, or is cut off")
	}
	total, brokenTotal := answer.Data.Total.count(maxTotal)
	limit, _ := answer.Data.Limit.count(maxTotal)
	_, end := dec.ReadToken()
	switch {
	case answer.Success.kind() == 'f':
		return nil, badResponse("the answer says success: false")
	case !errors.Is(end, io.EOF):
		return nil, badResponse("the answer goes on after its JSON object")
	case answer.Data.Customers == nil:
		return nil, badResponse("the answer has no list data.customers")
	case brokenTotal:
		return nil, badResponse("the answer's data.total is not a count of customers up to %d", maxTotal)
	}
	return &Page{
		Number: q.number, Rows: answer.Data.Customers, Total: total, Limit: limit,
		Balances: q.balances && answer.Data.BalancesIncluded.kind() != 'f',
	}, nil
}

// badAnswer is an answer that something between here and the API may have made.
func badAnswer(detail string) *Error {
	return &Error{Reason: ReasonBadResponse, Detail: detail, Hint: HintBetween}
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (d *pageData) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return badResponse("the answer's data is not an object")
	}
	type plain pageData // without this method
	return json.UnmarshalDecode(dec, (*plain)(d))
}

// rowList is the list of customers. It is nil until there is one.
type rowList []Row

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (l *rowList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return badResponse("the answer's data.customers is not a list")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*l = make(rowList, 0, rowsAsked)
	var fields rowFields
	for dec.PeekKind() != ']' {
		if len(*l) == maxRows {
			return badResponse("the answer lists more than %d customers on one page", maxRows)
		}
		fields.reset()
		if err := json.UnmarshalDecode(dec, &fields); err != nil {
			return err
		}
		*l = append(*l, fields.row())
	}
	_, err := dec.ReadToken()
	return err
}

// scalar is a value as it stands in the answer, or nothing. Of an object or a
// list, where none is expected, it holds the bracket alone.
type scalar []byte

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (s *scalar) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind == '{' || kind == '[' {
		*s = append((*s)[:0], byte(kind))
		return dec.SkipValue()
	}
	value, err := dec.ReadValue()
	*s = append((*s)[:0], value...)
	return err
}

// kind is the kind of the value, or 0 if there is none.
func (s scalar) kind() jsontext.Kind { return jsontext.Value(s).Kind() }

// isGiven reports whether there is a value other than null.
func (s scalar) isGiven() bool { return len(s) > 0 && s.kind() != 'n' }

// text is the text of a string, or nil for any other value.
func (s scalar) text() []byte {
	if s.kind() != '"' {
		return nil
	}
	if slices.Contains(s, '\\') {
		// The value has passed the syntax check; only invalid UTF-8 can be
		// complained of here, and it has been replaced.
		text, _ := jsontext.AppendUnquote(nil, s)
		return text
	}
	return s[1 : len(s)-1]
}

// count is a whole number from 0 to most, such as 87 or 87.0. Any other value is
// broken, and 0.
func (s scalar) count(most int) (n int, broken bool) {
	number, err := strconv.ParseFloat(string(s), 64)
	if s.kind() != '0' || err != nil || number != math.Trunc(number) || number < 0 || number > float64(most) {
		return 0, true
	}
	return int(number), false
}
