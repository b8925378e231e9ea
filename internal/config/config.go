// Package config reads the configuration from the environment and says all that
// is wrong with it at once.
package config

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// Config is the configuration that the environment means.
type Config struct {
	// Of the client, as far as the environment tells them. RefreshInterval is
	// among them.
	apiclient.Options

	ListenAddress   string
	PrivateAddress  string // "": none
	WebConfigFile   string
	BalanceInterval time.Duration // 0: never
	MaxStaleness    time.Duration
	StateFile       string // "": in memory
	Thresholds      onboarding.Thresholds
	Log             Log

	// Settings are the variables that have a value, without secrets.
	Settings []Setting

	// Warnings say what may be wrong with the environment, each beginning with
	// the name of its variable.
	Warnings []string
}

// Log says how to log.
type Log struct {
	Level  slog.Level
	Format string // auto, text or json
}

// The bounds of durations. A year is more than anybody means, and far from
// overflowing what is computed from it.
const (
	minRefreshInterval = 5 * time.Second
	maxDuration        = 365 * 24 * time.Hour
)

// Read reads the configuration from the environment. Its error is a
// *Error that lists every problem by the variable's name and never quotes
// a value.
func Read(variables map[string]string) (Config, error) {
	env, err := ReadEnvironment(variables)
	if err != nil {
		return Config{}, err
	}
	var p problems
	p.spelling(variables)
	p.proxies(variables)
	c := Config{
		Options: apiclient.Options{
			BaseURL:         p.baseURL("YATIVO_BASE_URL", env.BaseURL),
			TokenPath:       p.path("YATIVO_TOKEN_PATH", env.TokenPath),
			APIKey:          p.secret("YATIVO_API_KEY", env.APIKey, env.APIKeyFile),
			APISecret:       p.secret("YATIVO_API_SECRET", env.APISecret, env.APISecretFile),
			AccessToken:     p.secret("YATIVO_ACCESS_TOKEN", env.AccessToken, env.AccessTokenFile),
			PageSize:        p.whole("YATIVO_PAGE_SIZE", env.PageSize, 100),
			Timeout:         p.duration("YATIVO_TIMEOUT", env.Timeout, 100*time.Millisecond),
			MaxConcurrency:  p.whole("YATIVO_MAX_CONCURRENCY", env.MaxConcurrency, 64),
			RateLimit:       p.whole("YATIVO_RATE_LIMIT", env.RateLimit, 100_000),
			RateReserve:     p.share("YATIVO_RATE_RESERVE", env.RateReserve),
			RefreshInterval: p.duration("EXPORTER_REFRESH_INTERVAL", env.RefreshInterval, minRefreshInterval),
			BreakerFailures: uint32(p.whole("EXPORTER_BREAKER_FAILURES", env.BreakerFailures, 1000)),
			BreakerCooldown: p.duration("EXPORTER_BREAKER_COOLDOWN", env.BreakerCooldown, time.Second),
		},
		ListenAddress: p.address("EXPORTER_LISTEN_ADDRESS", env.ListenAddress),
		WebConfigFile: p.webConfig("EXPORTER_WEB_CONFIG_FILE", env.WebConfigFile),
		MaxStaleness:  p.duration("EXPORTER_MAX_STALENESS", env.MaxStaleness, time.Second),
		StateFile:     p.stateFile("EXPORTER_STATE_FILE", env.StateFile),
		Thresholds:    p.thresholds(env.StalledAfter, env.AbandonedAfter),
		Log:           p.log(env.LogLevel, env.LogFormat),
		Warnings:      slices.Concat(unknownVariables(variables), unheededVariables(variables)),
	}
	c.PrivateAddress = p.privateAddress("EXPORTER_PRIVATE_ADDRESS", env.PrivateAddress, c.WebConfigFile)
	c.BalanceInterval = p.balanceInterval("EXPORTER_BALANCE_INTERVAL", env.BalanceInterval, c.RefreshInterval)
	env.BalanceInterval = c.BalanceInterval.String()
	c.Settings = env.settings()
	p.credentials(c)
	return c, p.err()
}

// Error lists everything that is wrong with the configuration.
type Error struct {
	Problems []string // each begins with the name of its variable
}

func (e *Error) Error() string {
	return "the configuration is wrong:\n  " + strings.Join(e.Problems, "\n  ")
}
