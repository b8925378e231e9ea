package apiclient

import "github.com/cockroachdb/apd/v3"

const (
	// maxAmountExponent bounds the decimal exponent of an amount, and
	// 10^maxAmountDigits its magnitude: nothing beyond is money, and exact
	// sums of huge exponents exhaust memory.
	maxAmountExponent = 64
	maxAmountDigits   = 24
	// maxAmountText bounds an amount's text, in bytes.
	maxAmountText = 256
)

// Amount is a balance in units of its currency, exactly as the API wrote it,
// or unknown. The zero value is unknown.
type Amount struct {
	Known bool
	Value apd.Decimal
}

// parseAmount reads a JSON number. It reports false for one that is beyond what
// can be money.
func parseAmount(number []byte) (Amount, bool) {
	if len(number) > maxAmountText {
		return Amount{}, false
	}
	var a Amount
	if _, _, err := a.Value.SetString(string(number)); err != nil || a.Value.Form != apd.Finite {
		return Amount{}, false
	}
	if a.Value.Exponent < -maxAmountExponent || a.Value.Exponent > maxAmountExponent {
		return Amount{}, false
	}
	digits := a.Value.NumDigits() + int64(a.Value.Exponent)
	a.Known = digits <= maxAmountDigits || new(apd.Decimal).Abs(&a.Value).Cmp(apd.New(1, maxAmountDigits)) <= 0
	if !a.Known {
		return Amount{}, false
	}
	return a, true
}
