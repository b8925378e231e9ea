package exporter

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"yativo-card-exporter/internal/config"
)

// access says who may see what names customers, on a listener.
type access struct{ listenAddress, webConfigFile string }

// accesses are those of the listeners: the public one and, if there is one, the
// private one. What is on loopback wants no credentials.
func accesses(c config.Config) []access {
	all := []access{{c.ListenAddress, c.WebConfigFile}}
	if c.PrivateAddress != "" {
		private := access{c.PrivateAddress, c.WebConfigFile}
		if private.isLoopback() {
			private.webConfigFile = ""
		}
		all = append(all, private)
	}
	return all
}

func (a access) isLoopback() bool {
	host, _, err := net.SplitHostPort(a.listenAddress)
	return err == nil && config.IsLoopback(host)
}

// allowed reports whether the request may see customers: it has shown
// credentials that the web configuration demands, or it comes from this machine
// and names it. The name keeps a web page that resolves its own name to a
// loopback address from reading the list through somebody's browser. A reverse
// proxy on this machine is not the one who wants to know.
func (a access) allowed(r *http.Request) bool {
	if a.demandsCredentials(r) {
		return true
	}
	if !a.isLoopback() || isForwarded(r) {
		return false
	}
	return config.IsLoopback((&url.URL{Host: r.Host}).Hostname())
}

// isForwarded reports whether a proxy says that it passes the request on.
func isForwarded(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded") ||
			slices.Contains([]string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip"}, name) {
			return true
		}
	}
	return false
}

// demandsCredentials reads the web configuration as the server does, for each
// request, since it may change. With users in it, the server has already
// checked this request's; a client certificate belongs to the connection.
func (a access) demandsCredentials(r *http.Request) bool {
	passwords, certificates := config.DemandsCredentials(a.webConfigFile)
	return passwords || certificates && r.TLS != nil && len(r.TLS.VerifiedChains) > 0
}
