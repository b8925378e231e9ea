package cli_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/internal/cli"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/sandbox"
)

// The exit codes, as the documents promise them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 64
	exitConfig = 78
)

// environ is an environment for tests.
type environ map[string]string

// command runs a command line and returns its exit code and what it printed.
func command(t *testing.T, env environ, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), cli.Process{Version: "v1.2.3", Args: args, Environment: env, Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string // on stdout, or on stderr for a failure
	}{
		"version":              {[]string{"--version"}, exitOK, "yativo-card-exporter v1.2.3\n"},
		"help":                 {[]string{"--help"}, exitOK, "YATIVO_RATE_RESERVE"},
		"unknown command":      {[]string{"export"}, exitUsage, `no command "export"`},
		"too many arguments":   {[]string{"check", "now"}, exitUsage, `"now"`},
		"no configuration":     {nil, exitConfig, "YATIVO_API_KEY"},
		"alert rules":          {[]string{"alerts"}, exitOK, "alert: YativoCardKYCStalled"},
		"alert rules nowhere":  {[]string{"alerts", "-safe-stalled-min", "0"}, exitUsage, "-safe-stalled-min"},
		"dashboards":           {[]string{"dashboards", "onboarding"}, exitOK, `"uid": "yativo-card-onboarding"`},
		"dashboards nowhere":   {[]string{"dashboards", "nothing"}, exitUsage, "nothing"},
		"help of a command":    {[]string{"check", "--help"}, exitOK, "YATIVO_RATE_RESERVE"},
		"help for a command":   {[]string{"help", "demo"}, exitOK, "-scenario"},
		"help for check":       {[]string{"help", "check"}, exitOK, "YATIVO_RATE_RESERVE"},
		"help for help":        {[]string{"help", "help"}, exitOK, "YATIVO_RATE_RESERVE"},
		"help for version":     {[]string{"help", "version"}, exitOK, "YATIVO_RATE_RESERVE"},
		"help for stalled":     {[]string{"help", "stalled"}, exitOK, "YATIVO_RATE_RESERVE"},
		"help for nothing":     {[]string{"help", "export"}, exitUsage, `no command "export"`},
		"help of serve":        {[]string{"serve", "-h"}, exitOK, "YATIVO_RATE_RESERVE"},
		"serve unknown flag":   {[]string{"serve", "--web.port=1"}, exitUsage, "-web.port"},
		"unknown flag":         {[]string{"--web.port=1"}, exitUsage, "-web.port"},
		"serve stray argument": {[]string{"serve", "now"}, exitUsage, `"now"`},
		"serve bad flag":       {[]string{"--log.level", "loud"}, exitConfig, "EXPORTER_LOG_LEVEL: must be"},
		"where to look":        {[]string{"check"}, exitConfig, "--help lists the variables; the command demo needs none."},
		"demo help":            {[]string{"demo", "-h"}, exitOK, "-scenario"},
		"demo unknown flag":    {[]string{"demo", "-x"}, exitUsage, "-x"},
		"demo bad scenario":    {[]string{"demo", "-scenario", "flood"}, exitUsage, "kyc-stall"},
		"demo bad size":        {[]string{"demo", "-customers", "-1"}, exitUsage, "-customers"},
		"demo bad speed":       {[]string{"demo", "-speed", "NaN"}, exitUsage, "-speed"},
		"demo stray argument":  {[]string{"demo", "fast"}, exitUsage, `"fast"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, environ{}, test.args...)
			text := stdout
			if test.code != exitOK {
				text = stderr
			}
			if code != test.code || !strings.Contains(text, test.want) {
				t.Errorf("exit code %d, want %d with %q\nstdout: %s\nstderr: %s", code, test.code, test.want, stdout, stderr)
			}
		})
	}
}

// Whoever changes a command or a variable sees here what --help says of it.
func TestHelp(t *testing.T) {
	want, err := os.ReadFile("testdata/help.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, help, _ := command(t, environ{}, "--help")
	if diff := cmp.Diff(string(want), help); diff != "" {
		t.Errorf("--help differs from testdata/help.txt (-file +help):\n%s", diff)
	}
}

func TestHelpListsEveryVariableWithItsDefault(t *testing.T) {
	_, help, _ := command(t, environ{}, "--help")
	for _, v := range config.Variables() {
		if !strings.Contains(help, "  "+v.Name+"\n      "+v.Help+"\n") {
			t.Errorf("%s is not in the help", v.Name)
		}
		if v.Default != "" && !strings.Contains(help, "default: "+v.Default+"\n") {
			t.Errorf("the default of %s is not in the help", v.Name)
		}
	}
}

// serveSandbox serves a sandbox and returns an environment that points at it.
func serveSandbox(t *testing.T, api *sandbox.Sandbox) environ {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return environ{
		"YATIVO_BASE_URL":   server.URL + sandbox.BasePath,
		"YATIVO_API_KEY":    sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET": sandbox.DefaultAPISecret,
	}
}

func TestCheckSaysWhatItFound(t *testing.T) {
	env := serveSandbox(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 250, Quota: 120}))
	code, out, errs := command(t, env, "check")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{
		"250 in the program, 100 of them on page 1", "3 page requests a refresh, every 1m0s",
		"grants 120 requests in its window and has 118 left", "balances       included",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "@") || strings.Contains(out, sandbox.DefaultAPISecret) {
		t.Errorf("personal data or a secret in:\n%s", out)
	}
}

// A program whose walk takes longer than the shortest threshold is told so by
// the check, in numbers.
func TestCheckSaysWhatTheLimitsMean(t *testing.T) {
	tests := map[string]struct {
		customers, quota int
		env              environ
		want             []string
	}{
		"a small program": {250, 120, nil, []string{
			"a walk takes as long as the API takes to answer, at 60 requests a minute; a change is shown after about 1m0s at most",
			"alerts         no threshold",
		}},
		"one page more behind a full one": {300, 120, nil, []string{"cost           4 page requests a refresh"}},
		"a walk of minutes": {24_950, 120, nil, []string{
			"about 4m10s, at 60 requests a minute; a change is shown after about 8m20s at most", "alerts         no threshold",
		}},
		"longer than wallets may take": {99_950, 120, nil, []string{
			"about 16m40s, at 60", "attention      stalls are reported late in safe_deploying:15m0s: a walk",
		}},
		"the reserve decides": {24_950, 60, nil, []string{"about 8m20s, at 30 requests a minute"}},
		"the own limit decides": {24_950, 600, environ{"YATIVO_RATE_LIMIT": "10", "EXPORTER_STALLED_AFTER": "otp_requested:24m"}, []string{
			"about 25m0s, at 10", "reported late in otp_requested:24m0s,safe_deploying:15m0s: a walk",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: test.customers, Quota: test.quota})
			env := serveSandbox(t, api)
			maps.Copy(env, test.env)
			code, out, errs := command(t, env, "check")
			if code != exitOK {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

func TestMisspeltVariablesAreSaid(t *testing.T) {
	const want = "EXPORTER_STALED_AFTER: is not known and has no effect; the nearest known name is EXPORTER_STALLED_AFTER"
	env := serveSandbox(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}))
	maps.Copy(env, environ{"EXPORTER_STALED_AFTER": "kyc_initiated:1h", "EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0", "EXPORTER_STATE_FILE": "none"})
	if _, out, _ := command(t, env, "check"); !strings.Contains(out, "attention      "+want+"\n") {
		t.Errorf("the check does not say so: %s", out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	code := cli.Run(ctx, cli.Process{Environment: env, Stdout: io.Discard, Stderr: &log})
	if code != exitOK || !strings.Contains(log.String(), `"level":"WARN"`) || !strings.Contains(log.String(), want) {
		t.Errorf("exit code %d, and the start does not say so: %s", code, log.String())
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		fault sandbox.Fault
		want  string
	}{
		"key refused":       {sandbox.Status(http.StatusUnauthorized).On(sandbox.TokenEndpoint), "mint an access token: the API answered 401"},
		"permission":        {sandbox.Status(http.StatusForbidden).On(sandbox.CustomersEndpoint), `grant it "read"`},
		"wrong path":        {sandbox.Status(http.StatusNotFound).On(sandbox.CustomersEndpoint), "check YATIVO_BASE_URL"},
		"a page from nginx": {sandbox.HTML().On(sandbox.CustomersEndpoint), "not a JSON object"},
		"redirect":          {sandbox.Redirect(http.StatusFound, "https://example.com/").On(sandbox.TokenEndpoint), "redirect"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
			api.InjectFault(test.fault)
			code, _, errs := command(t, serveSandbox(t, api), "check")
			if code != exitFailed || !strings.Contains(errs, test.want) {
				t.Errorf("exit code %d, want %d with %q in: %s", code, exitFailed, test.want, errs)
			}
		})
	}
}

// newHandler returns the handler of an exporter that has not refreshed yet.
func newHandler(t *testing.T) http.Handler {
	t.Helper()
	env := serveSandbox(t, sandbox.New(sandbox.Options{}))
	env["EXPORTER_STATE_FILE"] = "none"
	c, err := config.Read(env)
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.New(exporter.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e.Handler()
}

func TestHealthcheckAsksTheLocalExporter(t *testing.T) {
	handler := newHandler(t)
	for _, name := range []string{"http", "https"} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if name == "https" {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			env := environ{"EXPORTER_LISTEN_ADDRESS": server.Listener.Addr().String()}
			if name == "https" {
				env["EXPORTER_WEB_CONFIG_FILE"] = "web.yml"
			}
			if code, out, errs := command(t, env, "healthcheck"); code != exitOK || out != "healthy\n" {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
			// Of an address that stands for every one, the loopback is asked.
			_, port, _ := net.SplitHostPort(env["EXPORTER_LISTEN_ADDRESS"])
			env["EXPORTER_LISTEN_ADDRESS"] = ":" + port
			if code, _, errs := command(t, env, "healthcheck"); code != exitOK {
				t.Errorf("exit code %d: %s", code, errs)
			}
			server.Close()
			if code, _, _ := command(t, env, "healthcheck"); code != exitFailed {
				t.Errorf("exit code %d although nothing listens", code)
			}
		})
	}
}

// Where there is no browser, the list is printed.
func TestStalledPrintsTheList(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, ok := map[string]string{"/stalled?format=csv": "everybody", "/stalled?flow_status=kyc_initiated&format=csv": "those in KYC"}[r.URL.String()]
		if !ok {
			http.Error(w, "flow_status must be one of", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, list)
	}))
	defer server.Close()
	env := environ{"EXPORTER_PRIVATE_ADDRESS": server.Listener.Addr().String()}
	for _, c := range []struct {
		env  environ
		args []string
		code int
		want string
	}{
		{env, nil, exitOK, "everybody"},
		{env, []string{"kyc_initiated"}, exitOK, "those in KYC"},
		{env, []string{"nowhere"}, exitFailed, "the exporter answers 400: flow_status must be one of"},
		{env, []string{"a", "b"}, 64, "takes one flow_status or none"},
		{environ{}, nil, 78, "EXPORTER_PRIVATE_ADDRESS: must be set"},
	} {
		if code, out, errs := command(t, c.env, append([]string{"stalled"}, c.args...)...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v exits %d: %s%s; want %d and %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}

func TestServeStopsInOrder(t *testing.T) {
	env := serveSandbox(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}))
	env["EXPORTER_LISTEN_ADDRESS"] = "127.0.0.1:0"
	env["EXPORTER_STATE_FILE"] = t.TempDir() + "/state.db"
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	stopped := make(chan int)
	go func() {
		stopped <- cli.Run(ctx, cli.Process{Environment: env, Stdout: &out, Stderr: &out})
	}()
	cancel()
	if code := <-stopped; code != exitOK {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// Flags override the environment, with and without the command's name.
func TestServeFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--web.listen-address=127.0.0.1:0", "--log.level", "debug", "--log.format=text"},
		{"serve", "-web.listen-address", "127.0.0.1:0", "-log.level=debug", "-log.format", "text"},
	} {
		env := serveSandbox(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}))
		maps.Copy(env, environ{
			"EXPORTER_LISTEN_ADDRESS": "256.0.0.1:1", "EXPORTER_STATE_FILE": "none",
			"EXPORTER_LOG_LEVEL": "error", "EXPORTER_LOG_FORMAT": "json",
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var log bytes.Buffer
		code := cli.Run(ctx, cli.Process{Args: args, Environment: env, Stdout: io.Discard, Stderr: &log})
		if code != exitOK || !strings.Contains(log.String(), "INF starting") || env["EXPORTER_LOG_LEVEL"] != "error" {
			t.Errorf("%q: exit code %d, %s", args, code, log.String())
		}
	}
}

func TestServeSaysWhyItCannotListen(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	env := serveSandbox(t, sandbox.New(sandbox.Options{}))
	env["EXPORTER_LISTEN_ADDRESS"] = taken.Listener.Addr().String()
	env["EXPORTER_STATE_FILE"] = "none"
	code, _, errs := command(t, env, "serve")
	if code != exitFailed || !strings.Contains(errs, "listen on EXPORTER_LISTEN_ADDRESS") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
