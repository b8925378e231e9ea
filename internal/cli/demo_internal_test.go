package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/internal/sandbox"
)

func TestDemoSaysWhatWillHappen(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[sandbox.Scenario]string{
		sandbox.Healthy:   "",
		sandbox.KYCStall:  "12:00:10 KYC stops; 12:03:10 KYC works again; 12:06:10 it begins again.\n",
		sandbox.SafeStall: "12:00:10 wallets no longer deploy; 12:03:10 wallets deploy again; 12:06:10 it begins again.\n",
		sandbox.Outage:    "12:01:00 the API fails; 12:03:00 the API works again; 12:04:00 it begins again.\n",
		sandbox.RateLimit: "12:00:10 other traffic uses up the API's quota; 12:02:10 other traffic leaves some of the quota; 12:04:10 it begins again.\n",
	} {
		s := story{scenario: scenario, start: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
		if got := s.plot(); got != want {
			t.Errorf("%s: %q, want %q", scenario, got, want)
		}
	}
}

func TestDemoSaysWhatHappened(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := story{out: &out, scenario: sandbox.KYCStall, start: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	for _, moment := range []struct {
		after    time.Duration
		warnings map[string]string
	}{
		{9 * time.Second, nil},
		{10 * time.Second, nil},
		{44 * time.Second, map[string]string{"kyc_initiated": "5 wait"}},
		{45 * time.Second, map[string]string{"kyc_initiated": "6 wait", "the data": "Yativo cannot be reached."}},
		{46 * time.Second, map[string]string{"kyc_initiated": "6 wait"}},
		{190 * time.Second, map[string]string{"kyc_initiated": "9 wait"}},
		{195 * time.Second, nil},
		{196 * time.Second, nil},
	} {
		s.tell(s.start.Add(moment.after), moment.warnings)
	}
	want := `12:00:10 KYC stops
12:00:44 the status page warns: kyc_initiated: 5 wait
12:00:45 the status page warns: the data: Yativo cannot be reached.
12:00:46 the warning is over: the data
12:03:10 KYC works again
12:03:15 the warning is over: kyc_initiated
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
