package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// problems collects what is wrong with the configuration, so that all of it is
// reported at once.
type problems []string

func (p *problems) add(variable, format string, args ...any) {
	*p = append(*p, variable+": "+fmt.Sprintf(format, args...))
}

func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	return &Error{Problems: *p}
}

func (p *problems) baseURL(variable, value string) *url.URL {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		p.add(variable, "must be an address such as https://crypto-api.yativo.com/api/v1")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		p.add(variable, "must hold no credentials, query or fragment")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		p.add(variable, "must begin with https://, since the token would be sent without encryption; http:// is only for loopback hosts")
	}
	return u
}

func (p *problems) path(variable, value string) string {
	u, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(value, "/") || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
		p.add(variable, "must be a path such as /auth/token")
	}
	return value
}

// whole reads a whole number from 1 on.
func (p *problems) whole(variable, value string, most int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		p.add(variable, "must be a whole number from 1 to %d", most)
	}
	return n
}

func (p *problems) share(variable, value string) float64 {
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(share) || share < 0 || share >= 1 {
		p.add(variable, "must be a number from 0 to below 1")
	}
	return share
}

func (p *problems) duration(variable, value string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(value)
	if err != nil || d < least || d > maxDuration {
		p.add(variable, "must be a duration such as 90s, 5m or 24h, at least %s and at most a year", least)
	}
	return d
}

func (p *problems) balanceInterval(variable, value string, refreshInterval time.Duration) time.Duration {
	if value == "" {
		return max(5*time.Minute, refreshInterval)
	}
	if d, err := time.ParseDuration(value); err == nil && d == 0 {
		return 0
	}
	return p.duration(variable, value, minRefreshInterval)
}

func (p *problems) address(variable, value string) string {
	_, port, err := net.SplitHostPort(value)
	if n, errPort := strconv.ParseUint(port, 10, 16); err != nil || errPort != nil || n > math.MaxUint16 {
		p.add(variable, "must be host:port or :port, with a port from 0 to 65535")
	}
	return value
}

// privateAddress reads where customers are listed: on loopback, or for those who
// show credentials.
func (p *problems) privateAddress(variable, value, webConfigFile string) string {
	if value == "" {
		return ""
	}
	host, _, _ := net.SplitHostPort(p.address(variable, value))
	if passwords, certificates := DemandsCredentials(webConfigFile); !IsLoopback(host) && !passwords && !certificates {
		p.add(variable, "must be a loopback address such as 127.0.0.1:10102, or EXPORTER_WEB_CONFIG_FILE must demand credentials")
	}
	return value
}

// DemandsCredentials reports whether a web configuration lets nobody in without
// a password, or without a client certificate.
func DemandsCredentials(path string) (passwords, certificates bool) {
	text, err := os.ReadFile(path)
	var c web.Config
	if err != nil || yaml.UnmarshalStrict(text, &c) != nil {
		return false, false
	}
	return len(c.Users) > 0, c.TLSConfig.ClientAuth == "RequireAndVerifyClientCert"
}

// stateFile reads the path of the state file, "" for none.
func (p *problems) stateFile(variable, value string) string {
	if value == "none" {
		return ""
	}
	if strings.EqualFold(value, "none") {
		p.add(variable, "must be none, in small letters, to keep no file; for a file of that name, write ./NONE")
	}
	return value
}

func (p *problems) webConfig(variable, path string) string {
	if err := web.Validate(path); err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			p.add(variable, "a file cannot be read: %v", pathErr)
		} else {
			// The parser's own words may quote a password's hash or a key.
			p.add(variable, "the file is not a valid web configuration; see the exporter-toolkit's documentation of it")
		}
	}
	return path
}

func (p *problems) log(level, format string) Log {
	c := Log{Format: format}
	if err := c.Level.UnmarshalText([]byte(level)); err != nil {
		p.add("EXPORTER_LOG_LEVEL", "must be debug, info, warn or error")
	}
	if format != "auto" && format != "text" && format != "json" {
		p.add("EXPORTER_LOG_FORMAT", "must be auto, text or json")
	}
	return c
}

// IsLoopback reports whether a host, without its port, is this machine by name
// or by address.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
