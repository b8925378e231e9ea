package collector_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// The histogram of time in status describes who is there now: when customers
// move on its counts fall, and every format says so.
func TestTimeInStatusFallsInEveryFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Quota: -1})
		for i := range 10 {
			api.Add(customer(fmt.Sprint("id", i), onboarding.KYCInitiated))
		}
		r := newRig(t, api, nil)
		r.refresh()
		wait(10 * time.Minute)
		r.refresh()
		r.wantAges(10, 600)

		for i := range 7 {
			api.Update(fmt.Sprint("id", i), func(c *sandbox.Customer) { c.Status = onboarding.KYCCompleted })
		}
		wait(2 * time.Minute)
		r.refresh()
		r.wantAges(3, 720)
	})
}

// wantAges checks, in the three formats, that so many customers are in
// kyc_initiated, each for so many seconds, more than 300 and at most 900.
func (r *rig) wantAges(customers, seconds int) {
	r.t.Helper()
	const name = "yativo_card_time_in_status_seconds"
	pass := func(n string) bool { return n == name }
	for format, le := range map[expfmt.Format]string{
		expfmt.NewFormat(expfmt.TypeTextPlain):   `le="%d"`,
		expfmt.NewFormat(expfmt.TypeOpenMetrics): `le="%d.0"`,
	} {
		text := r.text(format, pass)
		for bound, want := range map[int]int{300: 0, 900: customers} {
			line := fmt.Sprintf("%s_bucket{flow_status=\"kyc_initiated\","+le+"} %d\n", name, bound, want)
			if !strings.Contains(text, line) {
				r.t.Errorf("%s: no line %s in\n%s", format, line, text)
			}
		}
		for _, line := range []string{
			fmt.Sprintf("%s_count{flow_status=\"kyc_initiated\"} %d\n", name, customers),
			fmt.Sprintf("%s_sum{flow_status=\"kyc_initiated\"} %d", name, customers*seconds),
		} {
			if !strings.Contains(text, line) {
				r.t.Errorf("%s: no line %s in\n%s", format, line, text)
			}
		}
	}

	binary := r.text(expfmt.NewFormat(expfmt.TypeProtoDelim), pass)
	var family dto.MetricFamily
	decoder := expfmt.NewDecoder(bufio.NewReader(strings.NewReader(binary)), expfmt.NewFormat(expfmt.TypeProtoDelim))
	if err := decoder.Decode(&family); err != nil {
		r.t.Fatal(err)
	}
	for _, m := range family.GetMetric() {
		if m.GetLabel()[0].GetValue() != "kyc_initiated" {
			continue
		}
		h := m.GetHistogram()
		if int(h.GetSampleCount()) != customers || h.GetSampleSum() != float64(customers*seconds) {
			r.t.Errorf("protobuf: %d customers, %v seconds in all", h.GetSampleCount(), h.GetSampleSum())
		}
		for _, b := range h.GetBucket() {
			if want := map[bool]int{true: customers}[b.GetUpperBound() >= 900]; int(b.GetCumulativeCount()) != want {
				r.t.Errorf("protobuf: %d customers up to %v, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
			}
		}
		return
	}
	r.t.Error("protobuf: no kyc_initiated")
}
