package exporter

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
)

// stalledHandler lists who is stalled. These are the only personal data that
// the exporter shows, so it asks who wants to know.
type stalledHandler struct {
	listenAddress string
	webConfigFile string
	report        func() *onboarding.Report
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

// allowed reports whether the request may see the list: it has shown
// credentials that the web configuration demands, or it comes from this machine
// and names it. The name keeps a web page that resolves its own name to a
// loopback address from reading the list through somebody's browser. A reverse
// proxy on this machine is not the one who wants to know.
func (h *stalledHandler) allowed(r *http.Request) bool {
	if h.demandsCredentials(r) {
		return true
	}
	listen, _, err := net.SplitHostPort(h.listenAddress)
	if err != nil || !config.IsLoopback(listen) || isForwarded(r) {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return config.IsLoopback(host)
}

// isForwarded reports whether a proxy says that it passes the request on.
func isForwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// demandsCredentials reads the web configuration as the server does, for each
// request, since it may change. With users in it, the server has already
// checked this request's; a client certificate belongs to the connection.
func (h *stalledHandler) demandsCredentials(r *http.Request) bool {
	if h.webConfigFile == "" {
		return false
	}
	text, err := os.ReadFile(h.webConfigFile)
	if err != nil {
		return false
	}
	var c web.Config
	if yaml.UnmarshalStrict(text, &c) != nil {
		return false
	}
	verified := r.TLS != nil && len(r.TLS.VerifiedChains) > 0
	return len(c.Users) > 0 || c.TLSConfig.ClientAuth == "RequireAndVerifyClientCert" && verified
}
