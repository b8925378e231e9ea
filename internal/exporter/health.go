package exporter

import (
	"fmt"
	"slices"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
)

// health is how well the exporter sees the program, as a person would say it.
type health struct {
	State    string // OK, Degraded or Blind
	Sentence string
	Error    string // the last one at length, or ""
	Section  string // of the runbook, or ""
}

// cause is in words what is wrong, with the runbook's section on it.
type cause struct{ Words, Section string }

const sectionFailing = "yativocardrefreshfailing"

func causes() map[apiclient.Reason]cause {
	return map[apiclient.Reason]cause{
		apiclient.ReasonAuth:        {"Yativo refuses the credentials", "yativocardauthfailing"},
		apiclient.ReasonForbidden:   {"Yativo says that the key lacks the permission", "yativocardauthfailing"},
		apiclient.ReasonRateLimited: {"Yativo says that the key's quota is used up", "yativocardquotaexhausted"},
		apiclient.ReasonBreakerOpen: {"Yativo has failed too often, so only a test request now and then is sent", sectionFailing},
		apiclient.ReasonTimeout:     {"Yativo does not answer in time", sectionFailing},
		apiclient.ReasonNetwork:     {"Yativo cannot be reached", sectionFailing},
		apiclient.ReasonServer:      {"Yativo answers with errors of its own", sectionFailing},
		apiclient.ReasonBadResponse: {"Yativo's answers do not have the documented form", sectionFailing},
		apiclient.ReasonIncomplete:  {"Yativo lists fewer or more customers than it counts", sectionFailing},
		apiclient.ReasonClient:      {"Yativo does not accept the request, or this machine cannot make it", sectionFailing},
	}
}

// health says whether the data are current, and if not, why, since when and how
// often that was tried.
func (e *Exporter) health() health {
	recent := e.refresher.RecentRefreshes()
	h := health{State: "Degraded", Section: "yativocarddatastale"}
	if e.refresher.Stalled() == nil {
		h.State = "Blind"
	}
	if len(recent) == 0 {
		h.Sentence = "The first refresh is running."
		return e.waiting(h)
	}
	last := recent[len(recent)-1]
	switch {
	case e.isHalted():
		h.Sentence = "Refreshes have stopped; the log may say where. Restart the exporter."
	case !last.Up:
		past := lastCause(recent)
		c := causes()[past.Reason]
		h.Sentence, h.Section, h.Error = fmt.Sprintf("%s (since %s, %s).", c.Words, moment(last.Since), inARow(last.InARow)), c.Section, past.Error
	case h.State == "Blind":
		h.Sentence = "The last data are too old, and the present refresh has not ended yet."
		h = e.waiting(h)
	case !e.refresher.BalancesCurrent():
		h.Sentence = "The customers are current. The balances cannot be read."
		h.Error = lastCause(recent).Error
	default:
		return health{State: "OK", Sentence: "The data are current, read " + span(time.Since(e.refresher.Stalled().At)) + " ago."}
	}
	return h
}

// isHalted reports whether refreshes have come to a halt. Where quota is short a
// request may be held back for minutes, and a restart would only ask for more.
func (e *Exporter) isHalted() bool {
	return !e.refresher.IsTurning() && !e.client.WaitsForQuota()
}

// waiting adds that requests are held back, if they are.
func (e *Exporter) waiting(h health) health {
	if e.client.WaitsForQuota() {
		h.Sentence += " A request waits for quota."
		h.Section = "yativocardquotaexhausted"
	}
	return h
}

// lastCause is the last failure that tells why. That the breaker is open says
// less than what opened it.
func lastCause(recent []collector.PastRefresh) collector.PastRefresh {
	for _, past := range slices.Backward(recent) {
		if past.Reason != "" && past.Reason != apiclient.ReasonBreakerOpen {
			return past
		}
	}
	return recent[len(recent)-1]
}

func inARow(n int) string {
	if n == 1 {
		return "1 refresh"
	}
	return fmt.Sprintf("%d refreshes in a row", n)
}
