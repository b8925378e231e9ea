package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
)

// environ is an environment for tests.
type environ map[string]string

// withKey is an environment with credentials, and the other variables.
func withKey(others environ) environ {
	env := environ{"YATIVO_API_KEY": "key", "YATIVO_API_SECRET": "secret"}
	maps.Copy(env, others)
	return env
}

func TestConfigDefaults(t *testing.T) {
	// Set but empty counts as unset, for every variable.
	env := environ{}
	for _, v := range config.Variables() {
		env[v.Name] = ""
	}
	env["YATIVO_API_KEY"], env["YATIVO_API_SECRET"] = "key", "secret"
	c, err := config.Read(env)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		c.BaseURL.String(), c.TokenPath, c.PageSize, c.Timeout, c.MaxConcurrency, c.RateLimit, c.RateReserve,
		c.ListenAddress, c.WebConfigFile, c.RefreshInterval, c.BalanceInterval, c.MaxStaleness, c.StateFile,
		c.BreakerFailures, c.BreakerCooldown, c.Log.Level.String(), c.Log.Format,
	}
	want := []any{
		"https://crypto-api.yativo.com/api/v1", "/auth/token", 100, 15 * time.Second, 4, 60, 0.5,
		":10101", "", time.Minute, 5 * time.Minute, 15 * time.Minute, "data/state.db",
		uint32(5), 30 * time.Second, "INFO", "auto",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(onboarding.DefaultThresholds(), c.Thresholds); diff != "" {
		t.Errorf("the defaults of the variables are not the domain's (-domain +variables):\n%s", diff)
	}
}

func TestConfigReadsEachVariable(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("  from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(environ{
		"YATIVO_BASE_URL":            "http://[::1]:8080/api/v1",
		"YATIVO_API_KEY":             "key",
		"YATIVO_API_SECRET_FILE":     secret,
		"EXPORTER_REFRESH_INTERVAL":  "10m",
		"EXPORTER_STATE_FILE":        "none",
		"EXPORTER_STALLED_AFTER":     "kyc_initiated:36h , safe_deploying:5m",
		"EXPORTER_ABANDONED_AFTER":   "safe_deploying:6m",
		"EXPORTER_LOG_LEVEL":         "debug",
		"EXPORTER_BREAKER_FAILURES":  "7",
		"EXPORTER_LISTEN_ADDRESS":    "127.0.0.1:0",
		"YATIVO_RATE_RESERVE":        "0",
		"YATIVO_MAX_CONCURRENCY":     "64",
		"UNRELATED_SERVICE_VARIABLE": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.StateFile != "" || c.RateReserve != 0 || c.MaxConcurrency != 64 || c.BreakerFailures != 7 || c.BaseURL.Host != "[::1]:8080" {
		t.Errorf("not read as written: %+v", c)
	}
	if c.BalanceInterval != 10*time.Minute {
		t.Errorf("balance interval %s, want the longer refresh interval", c.BalanceInterval)
	}
	if got, err := c.APISecret.Reveal(); got != "from-file" || err != nil {
		t.Errorf("secret of the file: %q, %v", got, err)
	}
	want := onboarding.DefaultThresholds()
	want.Stalled[onboarding.KYCInitiated] = 36 * time.Hour
	want.Stalled[onboarding.SafeDeploying] = 5 * time.Minute
	want.Abandoned[onboarding.SafeDeploying] = 6 * time.Minute
	if diff := cmp.Diff(want, c.Thresholds); diff != "" {
		t.Error(diff)
	}
}

// Customers are listed on loopback, or for those who show credentials.
func TestPrivateAddressMayBePublicWithCredentials(t *testing.T) {
	users := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(users, []byte("basic_auth_users: {ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []environ{
		{"EXPORTER_PRIVATE_ADDRESS": "[::1]:1"},
		{"EXPORTER_PRIVATE_ADDRESS": ":1", "EXPORTER_WEB_CONFIG_FILE": "../../deploy/kubernetes-basic-auth/web.yml"},
		{"EXPORTER_PRIVATE_ADDRESS": ":1", "EXPORTER_WEB_CONFIG_FILE": users},
	} {
		if c, err := config.Read(withKey(env)); err != nil || c.PrivateAddress != env["EXPORTER_PRIVATE_ADDRESS"] {
			t.Errorf("%v: %q, %v", env, c.PrivateAddress, err)
		}
	}
}

func TestConfigNeverAsksForBalancesAtZero(t *testing.T) {
	for _, zero := range []string{"0", "0s"} {
		c, err := config.Read(withKey(environ{"EXPORTER_BALANCE_INTERVAL": zero}))
		if err != nil || c.BalanceInterval != 0 {
			t.Errorf("%q: %s, %v", zero, c.BalanceInterval, err)
		}
	}
}

// TestConfigNamesEveryMistake makes a mistake in every variable that can have
// one, each with a marker in its value, and expects all of them at once, by
// name, and no value.
func TestConfigNamesEveryMistake(t *testing.T) {
	const marker = "xMARKERx"
	env := environ{}
	for _, v := range config.Variables() {
		env[v.Name] = marker
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, name := range []string{"YATIVO_API_KEY", "YATIVO_API_SECRET", "YATIVO_ACCESS_TOKEN"} {
		env[name+"_FILE"] = missing
	}
	delete(env, "EXPORTER_STATE_FILE") // any path will do
	_, err := config.Read(env)
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Fatalf("error %v is not a *config.Error", err)
	}
	for name := range env {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	if text := strings.ReplaceAll(err.Error(), "EXPORTER_WEB_CONFIG_FILE: a file cannot be read: open "+marker, ""); strings.Contains(text, marker) {
		t.Errorf("a value is quoted: %v", err)
	}
}

func TestConfigMistakes(t *testing.T) {
	webConfig := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(webConfig, []byte("basic_auth_users: SECRETHASH\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted := filepath.Join(t.TempDir(), "quoted")
	if err := os.WriteFile(quoted, []byte("'SECRETHASH'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		env  environ
		want []string // each in the error
	}{
		"no credentials":           {environ{}, []string{"YATIVO_API_KEY and YATIVO_API_SECRET: must be set"}},
		"a key alone":              {environ{"YATIVO_API_KEY": "k"}, []string{"YATIVO_API_SECRET: must be set together with"}},
		"a secret alone":           {environ{"YATIVO_API_SECRET": "s"}, []string{"YATIVO_API_KEY: must be set together with"}},
		"both ways":                {withKey(environ{"YATIVO_ACCESS_TOKEN": "t"}), []string{"YATIVO_ACCESS_TOKEN: cannot be set together with"}},
		"value and file":           {withKey(environ{"YATIVO_API_KEY_FILE": empty}), []string{"YATIVO_API_KEY: cannot be set together with YATIVO_API_KEY_FILE"}},
		"an empty file":            {environ{"YATIVO_ACCESS_TOKEN_FILE": empty}, []string{"YATIVO_ACCESS_TOKEN_FILE: the secret's file is empty"}},
		"a line break in a secret": {withKey(environ{"YATIVO_API_KEY": "a\nb"}), []string{"YATIVO_API_KEY: the secret holds a line break"}},
		"http to elsewhere":        {withKey(environ{"YATIVO_BASE_URL": "http://example.com"}), []string{"YATIVO_BASE_URL: must begin with https://"}},
		"http to a lookalike":      {withKey(environ{"YATIVO_BASE_URL": "http://localhost.example.com"}), []string{"YATIVO_BASE_URL"}},
		"credentials in the URL":   {withKey(environ{"YATIVO_BASE_URL": "https://user:SECRETHASH@example.com"}), []string{"YATIVO_BASE_URL: must hold no credentials"}},
		"not a URL":                {withKey(environ{"YATIVO_BASE_URL": "https://"}), []string{"YATIVO_BASE_URL"}},
		"a port without a host":    {withKey(environ{"YATIVO_BASE_URL": "https://:443/api"}), []string{"YATIVO_BASE_URL: must be an address"}},
		"an empty query":           {withKey(environ{"YATIVO_BASE_URL": "https://example.com/api?"}), []string{"YATIVO_BASE_URL: must hold no"}},
		"token elsewhere":          {withKey(environ{"YATIVO_TOKEN_PATH": "//evil.example/token"}), []string{"YATIVO_TOKEN_PATH"}},
		"page size 0":              {withKey(environ{"YATIVO_PAGE_SIZE": "0"}), []string{"YATIVO_PAGE_SIZE: must be a whole number from 1 to 100"}},
		"page size 101":            {withKey(environ{"YATIVO_PAGE_SIZE": "101"}), []string{"YATIVO_PAGE_SIZE"}},
		"reserve of all":           {withKey(environ{"YATIVO_RATE_RESERVE": "1"}), []string{"YATIVO_RATE_RESERVE"}},
		"reserve NaN":              {withKey(environ{"YATIVO_RATE_RESERVE": "NaN"}), []string{"YATIVO_RATE_RESERVE"}},
		"too eager":                {withKey(environ{"EXPORTER_REFRESH_INTERVAL": "4.9s"}), []string{"EXPORTER_REFRESH_INTERVAL: must be a duration such as 90s, 5m or 24h, at least 5s"}},
		"too long":                 {withKey(environ{"EXPORTER_MAX_STALENESS": "2562047h"}), []string{"EXPORTER_MAX_STALENESS"}},
		"negative":                 {withKey(environ{"EXPORTER_BALANCE_INTERVAL": "-1m"}), []string{"EXPORTER_BALANCE_INTERVAL"}},
		"no port":                  {withKey(environ{"EXPORTER_LISTEN_ADDRESS": "localhost"}), []string{"EXPORTER_LISTEN_ADDRESS"}},
		"port too large":           {withKey(environ{"EXPORTER_LISTEN_ADDRESS": ":65536"}), []string{"EXPORTER_LISTEN_ADDRESS"}},
		"broken web configuration": {withKey(environ{"EXPORTER_WEB_CONFIG_FILE": webConfig}), []string{"EXPORTER_WEB_CONFIG_FILE: the file is not a valid web configuration"}},
		"private in public":        {withKey(environ{"EXPORTER_PRIVATE_ADDRESS": ":10102"}), []string{"EXPORTER_PRIVATE_ADDRESS: must be a loopback address"}},
		"unknown status":           {withKey(environ{"EXPORTER_STALLED_AFTER": "active:1h"}), []string{"EXPORTER_STALLED_AFTER: entry 1"}},
		"no duration":              {withKey(environ{"EXPORTER_ABANDONED_AFTER": "kyc_initiated"}), []string{"EXPORTER_ABANDONED_AFTER: kyc_initiated"}},
		"stalled after abandoned": {
			withKey(environ{"EXPORTER_STALLED_AFTER": "safe_deploying:72h"}),
			[]string{"EXPORTER_ABANDONED_AFTER: safe_deploying must be longer"},
		},
		"a quoted secret":           {withKey(environ{"YATIVO_API_SECRET": `"SECRETHASH"`}), []string{"YATIVO_API_SECRET: the secret is in quotes"}},
		"a quoted secret in a file": {environ{"YATIVO_ACCESS_TOKEN_FILE": quoted}, []string{"YATIVO_ACCESS_TOKEN_FILE: the secret is in quotes"}},
		"Bearer before the token":   {environ{"YATIVO_ACCESS_TOKEN": "bearer SECRETHASH"}, []string{`YATIVO_ACCESS_TOKEN: begins with "Bearer "`}},
		"None":                      {withKey(environ{"EXPORTER_STATE_FILE": "None"}), []string{"EXPORTER_STATE_FILE: must be none, in small letters"}},
		"a home folder":             {withKey(environ{"EXPORTER_STATE_FILE": "~/state.db"}), []string{"EXPORTER_STATE_FILE: begins with ~"}},
		"a variable of the shell":   {withKey(environ{"EXPORTER_STATE_FILE": "$HOME/state.db"}), []string{"EXPORTER_STATE_FILE: begins with ~ or $"}},
		"a home folder of a secret": {environ{"YATIVO_ACCESS_TOKEN_FILE": "~/token"}, []string{"YATIVO_ACCESS_TOKEN_FILE: begins with ~"}},
		"a carriage return":         {withKey(environ{"EXPORTER_STATE_FILE": "data/state.db\r"}), []string{"EXPORTER_STATE_FILE: holds a carriage return"}},
		"a space behind a path":     {withKey(environ{"EXPORTER_STATE_FILE": "data/state.db "}), []string{"EXPORTER_STATE_FILE: begins or ends with white space"}},
		"a quoted path":             {withKey(environ{"EXPORTER_STATE_FILE": "'data/state.db'"}), []string{"EXPORTER_STATE_FILE: is in quotes"}},
		"a proxy without a host":    {withKey(environ{"HTTPS_PROXY": "http://:3128"}), []string{"HTTPS_PROXY: must be the address of a proxy"}},
		"a proxy's port":            {withKey(environ{"https_proxy": "http://user:SECRETHASH@proxy.example:port"}), []string{"https_proxy: must be the address of a proxy"}},
		"a proxy of another kind":   {withKey(environ{"HTTP_PROXY": "ftp://proxy.example"}), []string{"HTTP_PROXY: must be the address of a proxy"}},
		"two at once": {
			withKey(environ{"YATIVO_TIMEOUT": "soon", "EXPORTER_LOG_FORMAT": "xml"}),
			[]string{"YATIVO_TIMEOUT", "EXPORTER_LOG_FORMAT: must be auto, text or json"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Read(test.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "SECRETHASH") {
				t.Errorf("quotes a secret: %v", err)
			}
		})
	}
}

func TestConfigWarnings(t *testing.T) {
	missing, empty := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("SECRETHASH"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		env  environ
		want []string
	}{
		"nothing": {environ{"PATH": "/bin", "YATIVO_PAGE_SIZE": "50", "EXPORTER_WEBCONFIG_FILE": ""}, nil},
		"misspelt": {environ{"EXPORTER_STALED_AFTER": "kyc_initiated:1h", "YATIVO_BASEURL": "SECRETHASH", "yativo_page_size": "7"}, []string{
			"EXPORTER_STALED_AFTER: is not known and has no effect; the nearest known name is EXPORTER_STALLED_AFTER",
			"YATIVO_BASEURL: is not known and has no effect; the nearest known name is YATIVO_BASE_URL",
			"yativo_page_size: is not known and has no effect; the nearest known name is YATIVO_PAGE_SIZE",
		}},
		"links of a service in Kubernetes": {environ{
			"YATIVO_CARD_EXPORTER_SERVICE_HOST": "10.0.0.1", "YATIVO_CARD_EXPORTER_SERVICE_PORT_METRICS": "10101",
			"YATIVO_CARD_EXPORTER_PORT": "tcp://10.0.0.1:10101", "YATIVO_CARD_EXPORTER_PORT_10101_TCP_ADDR": "10.0.0.1",
		}, nil},
		"another proxy":            {environ{"ALL_PROXY": "socks5://SECRETHASH@proxy.example"}, []string{"ALL_PROXY: has no effect; set HTTPS_PROXY"}},
		"another proxy beside one": {environ{"all_proxy": "socks5://proxy.example", "HTTPS_PROXY": "proxy.example:3128"}, nil},
		"authorities":              {environ{"SSL_CERT_FILE": missing}, []string{"SSL_CERT_FILE: the certificate authorities cannot be read: open " + missing + ": no such file or directory"}},
		"no authorities":           {environ{"SSL_CERT_FILE": empty}, []string{"SSL_CERT_FILE: there is no certificate in the file"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := config.Read(withKey(test.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, c.Warnings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigNeverShowsSecrets(t *testing.T) {
	c, err := config.Read(environ{"YATIVO_API_KEY": "KEYMARKER", "YATIVO_API_SECRET": "SECRETMARKER"})
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"key": c.APIKey, "secret": &c.APISecret})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%s %q %x %d", c.APIKey, c.APIKey, c.APIKey, c.APIKey), string(asJSON),
	} {
		if strings.Contains(text, "MARKER") || strings.Contains(text, "4b45594d41524b4552") {
			t.Errorf("shows a secret: %s", text)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("kyc_initiated:36h,safe_deploying:5m", "http://127.0.0.1:80", "0.25", ":10101")
	f.Add("", "", "", "")
	f.Add(":,:", "://", "1e400", "[::1]:x")
	f.Fuzz(func(t *testing.T, stalled, base, reserve, listen string) {
		c, err := config.Read(withKey(environ{
			"EXPORTER_STALLED_AFTER": stalled, "YATIVO_BASE_URL": base, "YATIVO_RATE_RESERVE": reserve, "EXPORTER_LISTEN_ADDRESS": listen,
		}))
		if err != nil {
			return
		}
		for _, s := range onboarding.WaitingStatuses() {
			if c.Thresholds.Stalled[s] <= 0 || c.Thresholds.Stalled[s] >= c.Thresholds.Abandoned[s] {
				t.Errorf("%s: stalled after %s, abandoned after %s", s, c.Thresholds.Stalled[s], c.Thresholds.Abandoned[s])
			}
		}
		if c.BaseURL.Scheme != "https" && !config.IsLoopback(c.BaseURL.Hostname()) {
			t.Errorf("the token would travel in the clear to %s", c.BaseURL)
		}
		if c.RateReserve < 0 || c.RateReserve >= 1 {
			t.Errorf("reserve %g", c.RateReserve)
		}
	})
}

func TestSettingsTellThatThereIsASecret(t *testing.T) {
	c, err := config.Read(environ{"YATIVO_API_KEY": "planted-key", "YATIVO_API_SECRET": "planted-secret", "YATIVO_PAGE_SIZE": "7"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range c.Settings {
		got[s.Name] = s.Value
	}
	for name, want := range map[string]string{
		"YATIVO_API_KEY": "set", "YATIVO_API_SECRET": "set", "YATIVO_ACCESS_TOKEN": "", "YATIVO_PAGE_SIZE": "7", "YATIVO_TIMEOUT": "15s",
		"EXPORTER_BALANCE_INTERVAL": "5m0s",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}
