package exporter

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// stalledList is who is stalled: the answer's JSON.
type stalledList struct {
	GeneratedAt time.Time                    `json:"generated_at"`
	Total       int                          `json:"total"`
	Customers   []onboarding.StalledCustomer `json:"customers"`
}

// stalledPage is the same for people.
type stalledPage struct {
	stalledList

	Status   string // that is asked for, or "" for all
	From, To string // how long somebody is in it who is listed
	Statuses []onboarding.Status
	Stalled  [onboarding.NumStatuses]int
}

// serveStalled lists who is stalled. These are the only personal data that the
// exporter shows, so it asks who wants to know.
func (e *Exporter) serveStalled(access access) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		format, name, statuses := r.URL.Query().Get("format"), r.URL.Query().Get("flow_status"), onboarding.WaitingStatuses()
		status, _ := onboarding.ParseStatus(name)
		if !access.allowed(r) {
			e.answer(w, r, http.StatusForbidden, refusal(e.options.Config.PrivateAddress, name))
			return
		}
		if name != "" {
			if !status.Waits() {
				e.answer(w, r, http.StatusBadRequest, fmt.Sprintf("flow_status must be one of %v.", statuses))
				return
			}
			statuses = []onboarding.Status{status}
		}
		report := e.refresher.Stalled()
		if report == nil {
			e.answer(w, r, http.StatusServiceUnavailable, "There is no current snapshot. "+e.health().Sentence)
			return
		}
		list, limits := listStalled(report, statuses), e.options.Config.Thresholds
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case format == "csv":
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="stalled.csv"`)
			list.writeCSV(w)
		case wantsPage(r):
			e.render(w, http.StatusOK, "stalled", stalledPage{
				stalledList: list, Status: name, From: span(limits.Stalled[status]), To: span(limits.Abandoned[status]),
				Statuses: onboarding.WaitingStatuses(), Stalled: report.Stalled,
			})
		case format == "" || format == "json":
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		default:
			e.answer(w, r, http.StatusBadRequest, "format must be json or csv.")
		}
	}
}

// refusal says where the list of a status is to be had. What is indented is
// there to be copied.
func refusal(privateAddress, status string) string {
	_, port, err := net.SplitHostPort(privateAddress)
	if err != nil {
		return "This list names customers.\n" +
			"Set EXPORTER_PRIVATE_ADDRESS, for example to 127.0.0.1:10102, to serve it there, or let EXPORTER_WEB_CONFIG_FILE demand credentials (basic_auth_users, or client_auth_type: RequireAndVerifyClientCert).\n" +
			"On a loopback address it is served to requests that name this address as their host and that no proxy forwards."
	}
	list := strings.TrimSuffix("http://localhost:10102/stalled?flow_status="+url.QueryEscape(status), "?flow_status=")
	return strings.ReplaceAll(`This list names customers. It is served at EXPORTER_PRIVATE_ADDRESS. Reach it from your machine with one of these

  kubectl port-forward deploy/yativo-card-exporter 10102
  ssh -N -L 10102:127.0.0.1:10102 the-machine-of-the-exporter

and open

  `+list+`

or print it with

  docker compose exec exporter /yativo-card-exporter stalled`, "10102", port)
}

// listStalled lists the stalled customers of the statuses, oldest first. A
// report names enough of each status to fill an answer.
func listStalled(report *onboarding.Report, statuses []onboarding.Status) stalledList {
	list := stalledList{GeneratedAt: report.At.UTC(), Customers: []onboarding.StalledCustomer{}}
	for _, s := range statuses {
		list.Total += report.Stalled[s]
		list.Customers = append(list.Customers, report.StalledCustomers[s]...)
	}
	slices.SortStableFunc(list.Customers, func(a, b onboarding.StalledCustomer) int { return a.Since.Compare(b.Since) })
	list.Customers = list.Customers[:min(len(list.Customers), onboarding.MaxStalledListed)]
	return list
}

// writeCSV writes the list as a table with the JSON's names.
func (l stalledList) writeCSV(w io.Writer) {
	table := csv.NewWriter(w)
	_ = table.Write([]string{"customer_id", "external_customer_id", "flow_status", "in_status_since", "entered_before_tracking", "created_at"})
	for _, c := range l.Customers {
		created := ""
		if !c.CreatedAt.IsZero() {
			created = c.CreatedAt.UTC().Format(time.RFC3339)
		}
		_ = table.Write([]string{
			withoutFormula(c.ID), withoutFormula(c.ExternalID), c.Status.String(),
			c.Since.UTC().Format(time.RFC3339), strconv.FormatBool(c.EnteredBeforeTracking), created,
		})
	}
	table.Flush()
}

// withoutFormula keeps a spreadsheet from computing an id.
func withoutFormula(id string) string {
	if id != "" && strings.ContainsRune("=+-@\t\r", rune(id[0])) {
		return "'" + id
	}
	return id
}
