package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/sethvargo/go-envconfig"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// environment is the configuration as it is written, each variable said once:
// its name, its default and what --help says of it. Everything is text here,
// because a decoder that fails would quote the value, which may be a secret,
// and would stop at the first mistake.
type environment struct {
	BaseURL         string `env:"YATIVO_BASE_URL, default=https://crypto-api.yativo.com/api/v1" help:"address of the API; https, except on loopback"`
	TokenPath       string `env:"YATIVO_TOKEN_PATH, default=/auth/token" help:"path of the token endpoint, below the address"`
	APIKey          string `env:"YATIVO_API_KEY" help:"API key, with which tokens are minted"`
	APIKeyFile      string `env:"YATIVO_API_KEY_FILE" help:"file that holds the API key; read again at each mint"`
	APISecret       string `env:"YATIVO_API_SECRET" help:"secret of the API key"`
	APISecretFile   string `env:"YATIVO_API_SECRET_FILE" help:"file that holds the secret; read again at each mint"`
	AccessToken     string `env:"YATIVO_ACCESS_TOKEN" help:"a static access token, in place of the key and its secret"`
	AccessTokenFile string `env:"YATIVO_ACCESS_TOKEN_FILE" help:"file that holds the access token; read again for each request"`
	PageSize        string `env:"YATIVO_PAGE_SIZE, default=100" help:"customers to ask for in one request, 1 to 100"`
	Timeout         string `env:"YATIVO_TIMEOUT, default=15s" help:"time for one HTTP request"`
	MaxConcurrency  string `env:"YATIVO_MAX_CONCURRENCY, default=4" help:"page requests in flight, 1 to 64"`
	RateLimit       string `env:"YATIVO_RATE_LIMIT, default=60" help:"requests in any rolling minute that the exporter allows itself, 1 to 100000"`
	RateReserve     string `env:"YATIVO_RATE_RESERVE, default=0.5" help:"share of the API's own quota that is left to production traffic, from 0 to below 1"`

	ListenAddress   string `env:"EXPORTER_LISTEN_ADDRESS, default=:10101" help:"address to serve on"`
	WebConfigFile   string `env:"EXPORTER_WEB_CONFIG_FILE" help:"exporter-toolkit web configuration: TLS, client certificates, basic auth"`
	RefreshInterval string `env:"EXPORTER_REFRESH_INTERVAL, default=60s" help:"time from one refresh to the next, at least 5s"`
	BalanceInterval string `env:"EXPORTER_BALANCE_INTERVAL" help:"time from one refresh with balances to the next; 5m if unset, or the refresh interval if that is longer; 0 never asks for balances"`
	MaxStaleness    string `env:"EXPORTER_MAX_STALENESS, default=15m" help:"age past which the customers' or the balances' series vanish; at least three intervals and three times the last walk"`
	StateFile       string `env:"EXPORTER_STATE_FILE, default=data/state.db" help:"where it is remembered when each customer entered its status; none keeps that in memory"`
	StalledAfter    string `env:"EXPORTER_STALLED_AFTER, default=otp_requested:24h,otp_verified:72h,kyc_initiated:24h,kyc_completed:72h,safe_deploying:15m" help:"time in a status past which a customer counts as stalled; a status that is not named keeps its default"`
	AbandonedAfter  string `env:"EXPORTER_ABANDONED_AFTER, default=otp_requested:168h,otp_verified:168h,kyc_initiated:168h,kyc_completed:168h,safe_deploying:72h" help:"time in a status past which a customer counts as abandoned and no longer as stalled; same form"`
	BreakerFailures string `env:"EXPORTER_BREAKER_FAILURES, default=5" help:"failed calls in a row that open the circuit breaker"`
	BreakerCooldown string `env:"EXPORTER_BREAKER_COOLDOWN, default=30s" help:"time until an open circuit breaker probes the API"`
	LogLevel        string `env:"EXPORTER_LOG_LEVEL, default=info" help:"debug, info, warn or error"`
	LogFormat       string `env:"EXPORTER_LOG_FORMAT, default=auto" help:"text, json, or auto: text on a terminal and JSON elsewhere"`
}

// config is the configuration that the environment means.
type config struct {
	baseURL                        *url.URL
	tokenPath                      string
	apiKey, apiSecret, accessToken apiclient.Secret
	pageSize                       int
	timeout                        time.Duration
	maxConcurrency                 int
	rateLimit                      int
	rateReserve                    float64

	listenAddress   string
	webConfigFile   string
	refreshInterval time.Duration
	balanceInterval time.Duration // 0: never
	maxStaleness    time.Duration
	stateFile       string // "": in memory
	thresholds      onboarding.Thresholds
	breakerFailures uint32
	breakerCooldown time.Duration
	log             logConfig
}

// The bounds of durations. A year is more than anybody means, and far from
// overflowing what is computed from it.
const (
	minRefreshInterval = 5 * time.Second
	maxDuration        = 365 * 24 * time.Hour
)

// readConfig reads the configuration from the environment. Its error is a
// usageError that lists every problem by the variable's name and never quotes
// a value.
func readConfig(lookup func(string) (string, bool)) (config, error) {
	env, err := readEnvironment(lookup)
	if err != nil {
		return config{}, err
	}
	var p problems
	c := config{
		baseURL:         p.baseURL("YATIVO_BASE_URL", env.BaseURL),
		tokenPath:       p.path("YATIVO_TOKEN_PATH", env.TokenPath),
		pageSize:        p.whole("YATIVO_PAGE_SIZE", env.PageSize, 100),
		timeout:         p.duration("YATIVO_TIMEOUT", env.Timeout, 100*time.Millisecond),
		maxConcurrency:  p.whole("YATIVO_MAX_CONCURRENCY", env.MaxConcurrency, 64),
		rateLimit:       p.whole("YATIVO_RATE_LIMIT", env.RateLimit, 100_000),
		rateReserve:     p.share("YATIVO_RATE_RESERVE", env.RateReserve),
		listenAddress:   p.address("EXPORTER_LISTEN_ADDRESS", env.ListenAddress),
		webConfigFile:   p.webConfig("EXPORTER_WEB_CONFIG_FILE", env.WebConfigFile),
		refreshInterval: p.duration("EXPORTER_REFRESH_INTERVAL", env.RefreshInterval, minRefreshInterval),
		maxStaleness:    p.duration("EXPORTER_MAX_STALENESS", env.MaxStaleness, time.Second),
		stateFile:       env.StateFile,
		thresholds:      p.thresholds(env.StalledAfter, env.AbandonedAfter),
		breakerFailures: uint32(p.whole("EXPORTER_BREAKER_FAILURES", env.BreakerFailures, 1000)),
		breakerCooldown: p.duration("EXPORTER_BREAKER_COOLDOWN", env.BreakerCooldown, time.Second),
		log:             p.log(env.LogLevel, env.LogFormat),
	}
	c.balanceInterval = p.balanceInterval("EXPORTER_BALANCE_INTERVAL", env.BalanceInterval, c.refreshInterval)
	p.credentials(env, &c)
	if c.stateFile == "none" {
		c.stateFile = ""
	}
	return c, p.err()
}

// readEnvironment reads the variables as text, defaults filled in. A variable
// that is set but empty counts as unset.
func readEnvironment(lookup func(string) (string, bool)) (environment, error) {
	var env environment
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{
		Target: &env,
		Lookuper: lookuper(func(name string) (string, bool) {
			value, ok := lookup(name)
			return value, ok && value != ""
		}),
	})
	return env, err
}

// lookuper makes a function an envconfig.Lookuper.
type lookuper func(name string) (string, bool)

func (l lookuper) Lookup(name string) (string, bool) { return l(name) }

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
	return usageError("the configuration is wrong:\n  " + strings.Join(*p, "\n  "))
}

func (p *problems) baseURL(variable, value string) *url.URL {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		p.add(variable, "must be an address such as https://crypto-api.yativo.com/api/v1")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		p.add(variable, "must hold neither credentials nor a query nor a fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		p.add(variable, "must begin with https://, since the token would travel in the clear; http:// is for loopback hosts")
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

func (p *problems) thresholds(stalledAfter, abandonedAfter string) onboarding.Thresholds {
	t := onboarding.DefaultThresholds()
	p.perStatus("EXPORTER_STALLED_AFTER", stalledAfter, &t.Stalled)
	p.perStatus("EXPORTER_ABANDONED_AFTER", abandonedAfter, &t.Abandoned)
	for _, s := range onboarding.WaitingStatuses() {
		if t.Stalled[s] >= t.Abandoned[s] {
			p.add("EXPORTER_ABANDONED_AFTER", "%s must be longer than it is in EXPORTER_STALLED_AFTER", s)
		}
	}
	return t
}

// perStatus reads status:duration pairs, separated by commas.
func (p *problems) perStatus(variable, value string, to *[onboarding.NumStatuses]time.Duration) {
	for i, entry := range strings.Split(value, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(entry), ":")
		status, _ := onboarding.ParseStatus(strings.TrimSpace(name))
		d, err := time.ParseDuration(strings.TrimSpace(text))
		switch {
		case !status.Waits():
			p.add(variable, "entry %d does not begin with one of otp_requested:, otp_verified:, kyc_initiated:, kyc_completed:, safe_deploying:", i+1)
		case err != nil || d < time.Second || d > maxDuration:
			p.add(variable, "%s must be a duration such as 15m or 72h, at least 1s and at most a year", status)
		default:
			to[status] = d
		}
	}
}

func (p *problems) log(level, format string) logConfig {
	c := logConfig{format: format}
	if err := c.level.UnmarshalText([]byte(level)); err != nil {
		p.add("EXPORTER_LOG_LEVEL", "must be debug, info, warn or error")
	}
	if format != "auto" && format != "text" && format != "json" {
		p.add("EXPORTER_LOG_FORMAT", "must be auto, text or json")
	}
	return c
}

// credentials reads the secrets: a key with its secret, or a static token.
func (p *problems) credentials(env environment, c *config) {
	c.apiKey = p.secret("YATIVO_API_KEY", env.APIKey, env.APIKeyFile)
	c.apiSecret = p.secret("YATIVO_API_SECRET", env.APISecret, env.APISecretFile)
	c.accessToken = p.secret("YATIVO_ACCESS_TOKEN", env.AccessToken, env.AccessTokenFile)
	switch key, secret, token := c.apiKey.IsSet(), c.apiSecret.IsSet(), c.accessToken.IsSet(); {
	case token && (key || secret):
		p.add("YATIVO_ACCESS_TOKEN", "excludes YATIVO_API_KEY and YATIVO_API_SECRET; set the one or the other")
	case !token && !key && !secret:
		p.add("YATIVO_API_KEY and YATIVO_API_SECRET", "must be set, or YATIVO_ACCESS_TOKEN in their place")
	case !token && !key:
		p.add("YATIVO_API_KEY", "must be set beside YATIVO_API_SECRET")
	case !token && !secret:
		p.add("YATIVO_API_SECRET", "must be set beside YATIVO_API_KEY")
	}
}

func (p *problems) secret(variable, value, path string) apiclient.Secret {
	if value != "" && path != "" {
		p.add(variable, "excludes %s_FILE; set the one or the other", variable)
		return apiclient.SecretValue(value)
	}
	secret := apiclient.SecretValue(value)
	if path != "" {
		secret, variable = apiclient.SecretFile(path), variable+"_FILE"
	}
	if secret.IsSet() {
		if _, err := secret.Reveal(); err != nil {
			p.add(variable, "%v", err)
		}
	}
	return secret
}

// isLoopback reports whether a host, without its port, is this machine by name
// or by address.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
