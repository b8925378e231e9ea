package exporter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// stalledHandler lists who is stalled. These are the only personal data that
// the exporter shows, so it asks who wants to know.
type stalledHandler struct {
	access

	report func() *onboarding.Report
}

// stalledAnswer is the answer's JSON.
type stalledAnswer struct {
	GeneratedAt time.Time                    `json:"generated_at"`
	Total       int                          `json:"total"`
	Customers   []onboarding.StalledCustomer `json:"customers"`
}

func (h *stalledHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.allowed(r) {
		answer(w, http.StatusForbidden, "This list names customers. It is served only where EXPORTER_WEB_CONFIG_FILE demands\n"+
			"credentials (basic_auth_users, or client_auth_type: RequireAndVerifyClientCert), or where\n"+
			"EXPORTER_LISTEN_ADDRESS is a loopback address, the request names it as its host and no proxy passed it on.\n")
		return
	}
	statuses := onboarding.WaitingStatuses()
	if name := r.URL.Query().Get("flow_status"); name != "" {
		status, _ := onboarding.ParseStatus(name)
		if !status.Waits() {
			answer(w, http.StatusBadRequest, fmt.Sprintf("flow_status must be one of %s.\n", statuses))
			return
		}
		statuses = []onboarding.Status{status}
	}
	report := h.report()
	if report == nil {
		answer(w, http.StatusServiceUnavailable, "There is no snapshot that is fresh enough; /metrics says why.\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(listStalled(report, statuses))
}

// listStalled lists the stalled customers of the statuses, oldest first. A
// report names enough of each status to fill an answer.
func listStalled(report *onboarding.Report, statuses []onboarding.Status) stalledAnswer {
	list := stalledAnswer{GeneratedAt: report.At.UTC(), Customers: []onboarding.StalledCustomer{}}
	for _, s := range statuses {
		list.Total += report.Stalled[s]
		list.Customers = append(list.Customers, report.StalledCustomers[s]...)
	}
	slices.SortStableFunc(list.Customers, func(a, b onboarding.StalledCustomer) int { return a.Since.Compare(b.Since) })
	list.Customers = list.Customers[:min(len(list.Customers), onboarding.MaxStalledListed)]
	return list
}
