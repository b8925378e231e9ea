//go:build e2e

package e2e_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// An exporter that starts while the API is down serves at once, says what is
// wrong, invents nothing, and is right as soon as it can be.
func TestStartsIntoAFault(t *testing.T) {
	t.Parallel()
	for reason, fault := range map[string]sandbox.Fault{
		"server": sandbox.Status(http.StatusServiceUnavailable), "timeout": sandbox.Hang(), "network": sandbox.Refuse(),
		"auth": sandbox.Status(http.StatusUnauthorized), "bad_response": sandbox.HTML(),
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			api := stillPopulation()
			end := api.InjectFault(fault)
			exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{
				"YATIVO_TIMEOUT": "1s", "EXPORTER_BREAKER_COOLDOWN": "5s",
			}))
			exporter.await(30*time.Second, "the failure is told", func(now series) error {
				for name := range now {
					if strings.HasPrefix(name, "yativo_card_customers") || strings.HasPrefix(name, "yativo_card_ledger") ||
						strings.HasPrefix(name, "yativo_exporter_snapshot") {
						t.Fatalf("%s is there before a first snapshot", name)
					}
				}
				return errors.Join(now.is("yativo_up", 0), now.above(failures(reason), 0))
			})
			if code, _ := exporter.get("/-/ready"); code != http.StatusServiceUnavailable {
				t.Errorf("/-/ready answers %d before a first snapshot, want 503", code)
			}
			if code, _ := exporter.get("/-/healthy"); code != http.StatusOK {
				t.Errorf("/-/healthy answers %d, want 200", code)
			}
			end()
			want := truth(t, api)
			exporter.await(30*time.Second, "the exporter is well", func(now series) error {
				return errors.Join(now.agree(want), now.is("yativo_up", 1))
			})
		})
	}
}
