package config

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"yativo-card-exporter/internal/onboarding"
)

// Environment is the configuration as it is written, each variable said once:
// its name, its default and what --help says of it. Everything is text here,
// because a decoder that fails would quote the value, which may be a secret,
// and would stop at the first mistake.
type Environment struct {
	BaseURL         string `env:"YATIVO_BASE_URL, default=https://crypto-api.yativo.com/api/v1" help:"address of the API; https, except on loopback"`
	TokenPath       string `env:"YATIVO_TOKEN_PATH, default=/auth/token" help:"path of the token endpoint, below the address"`
	APIKey          string `env:"YATIVO_API_KEY" help:"API key, used to get access tokens"`
	APIKeyFile      string `env:"YATIVO_API_KEY_FILE" help:"file that holds the API key; read again for each new token"`
	APISecret       string `env:"YATIVO_API_SECRET" help:"secret of the API key"`
	APISecretFile   string `env:"YATIVO_API_SECRET_FILE" help:"file that holds the secret; read again for each new token"`
	AccessToken     string `env:"YATIVO_ACCESS_TOKEN" help:"a static access token, in place of the key and its secret"`
	AccessTokenFile string `env:"YATIVO_ACCESS_TOKEN_FILE" help:"file that holds the access token; read again for each request"`
	PageSize        string `env:"YATIVO_PAGE_SIZE, default=100" help:"customers to ask for in one request, 1 to 100"`
	Timeout         string `env:"YATIVO_TIMEOUT, default=15s" help:"longest time for one HTTP request"`
	MaxConcurrency  string `env:"YATIVO_MAX_CONCURRENCY, default=4" help:"page requests in flight, 1 to 64"`
	RateLimit       string `env:"YATIVO_RATE_LIMIT, default=60" help:"most requests that the exporter sends in any rolling minute, 1 to 100000"`
	RateReserve     string `env:"YATIVO_RATE_RESERVE, default=0.5" help:"share of the API's own quota that is left to production traffic, from 0 to below 1"`

	ListenAddress   string `env:"EXPORTER_LISTEN_ADDRESS, default=:10101" help:"address to serve on"`
	PrivateAddress  string `env:"EXPORTER_PRIVATE_ADDRESS" help:"a second address, which also lists who is stalled: a loopback address such as 127.0.0.1:10102, or any address if the web configuration demands credentials"`
	WebConfigFile   string `env:"EXPORTER_WEB_CONFIG_FILE" help:"exporter-toolkit web configuration: TLS, client certificates, basic auth"`
	RefreshInterval string `env:"EXPORTER_REFRESH_INTERVAL, default=60s" help:"time from one refresh to the next, at least 5s"`
	BalanceInterval string `env:"EXPORTER_BALANCE_INTERVAL" help:"time from one refresh with balances to the next; 5m if unset, or the refresh interval if that is longer; 0 never asks for balances"`
	MaxStaleness    string `env:"EXPORTER_MAX_STALENESS, default=15m" help:"age past which the series of the customers or of the balances vanish; never less than three intervals or three times the last walk"`
	StateFile       string `env:"EXPORTER_STATE_FILE, default=data/state.db" help:"file that remembers when each customer entered its status; none keeps that only in memory"`
	StalledAfter    string `env:"EXPORTER_STALLED_AFTER" help:"time in a status past which a customer counts as stalled; a status that is not named keeps its default"`
	AbandonedAfter  string `env:"EXPORTER_ABANDONED_AFTER" help:"time in a status past which a customer counts as abandoned and no longer as stalled; same form"`
	BreakerFailures string `env:"EXPORTER_BREAKER_FAILURES, default=5" help:"failed calls in a row that open the circuit breaker"`
	BreakerCooldown string `env:"EXPORTER_BREAKER_COOLDOWN, default=30s" help:"time until an open circuit breaker tries the API again"`
	LogLevel        string `env:"EXPORTER_LOG_LEVEL, default=info" help:"debug, info, warn or error"`
	LogFormat       string `env:"EXPORTER_LOG_FORMAT, default=auto" help:"text, json, or auto: text on a terminal and JSON elsewhere"`
}

// ReadEnvironment reads the variables as text, defaults filled in. A variable
// that is set but empty counts as unset.
func ReadEnvironment(variables map[string]string) (Environment, error) {
	set := maps.Clone(variables)
	maps.DeleteFunc(set, func(_, value string) bool { return value == "" })
	var env Environment
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &env, Lookuper: envconfig.MapLookuper(set)})
	return env, err
}

// Variable is one environment variable as it is documented.
type Variable struct {
	Name    string
	Default string // "" if there is none
	Help    string
}

// Variables lists the fields of Environment. The defaults of the thresholds are
// the domain's.
func Variables() []Variable {
	thresholds := onboarding.DefaultThresholds()
	domain := map[string]string{
		"EXPORTER_STALLED_AFTER":   formatPerStatus(thresholds.Stalled),
		"EXPORTER_ABANDONED_AFTER": formatPerStatus(thresholds.Abandoned),
	}
	t := reflect.TypeFor[Environment]()
	list := make([]Variable, 0, t.NumField())
	for field := range t.Fields() {
		name, defaultValue, _ := strings.Cut(field.Tag.Get("env"), ", default=")
		list = append(list, Variable{name, cmp.Or(defaultValue, domain[name]), field.Tag.Get("help")})
	}
	return list
}

// Setting is a variable and the value in force.
type Setting struct{ Name, Value string }

// settings lists the variables that have a value. Of a secret it tells that
// there is one.
func (e Environment) settings() (list []Setting) {
	values := reflect.ValueOf(e)
	for i, v := range Variables() {
		value := cmp.Or(values.Field(i).String(), v.Default)
		if value != "" && slices.Contains(secretVariables(), v.Name) {
			value = "set"
		}
		if value != "" {
			list = append(list, Setting{v.Name, value})
		}
	}
	return list
}
