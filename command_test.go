package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"yativo-card-exporter/internal/sandbox"
)

// command runs a command line and returns its exit code and what it printed.
func command(t *testing.T, env environ, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), process{args: args, lookup: env.lookup, stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string // on stdout, or on stderr for a failure
	}{
		"version":             {[]string{"--version"}, exitOK, "yativo-card-exporter "},
		"help":                {[]string{"--help"}, exitOK, "YATIVO_RATE_RESERVE"},
		"unknown command":     {[]string{"export"}, exitUsage, `no command "export"`},
		"too many arguments":  {[]string{"check", "now"}, exitUsage, `"now"`},
		"no configuration":    {nil, exitUsage, "YATIVO_API_KEY"},
		"alert rules":         {[]string{"alerts"}, exitOK, "alert: YativoCardKYCStalled"},
		"alert rules nowhere": {[]string{"alerts", "-time-scale", "0"}, exitUsage, "-time-scale"},
		"dashboards":          {[]string{"dashboards", "onboarding"}, exitOK, `"uid": "yativo-card-onboarding"`},
		"dashboards nowhere":  {[]string{"dashboards", "nothing"}, exitUsage, "nothing"},
		"help of a command":   {[]string{"check", "--help"}, exitOK, "YATIVO_RATE_RESERVE"},
		"demo help":           {[]string{"demo", "-h"}, exitOK, "-scenario"},
		"demo unknown flag":   {[]string{"demo", "-x"}, exitUsage, "-x"},
		"demo bad scenario":   {[]string{"demo", "-scenario", "flood"}, exitUsage, "kyc-stall"},
		"demo bad size":       {[]string{"demo", "-customers", "-1"}, exitUsage, "-customers"},
		"demo bad speed":      {[]string{"demo", "-speed", "NaN"}, exitUsage, "-speed"},
		"demo stray argument": {[]string{"demo", "fast"}, exitUsage, `"fast"`},
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

func TestHelpListsEveryVariableWithItsDefault(t *testing.T) {
	_, help, _ := command(t, environ{}, "--help")
	for _, v := range variables() {
		if !strings.Contains(help, "  "+v.name+"\n      "+v.help+"\n") {
			t.Errorf("%s is not in the help", v.name)
		}
		if v.defaultValue != "" && !strings.Contains(help, "default: "+v.defaultValue+"\n") {
			t.Errorf("the default of %s is not in the help", v.name)
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

func TestHealthcheckAsksTheLocalExporter(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	for _, name := range []string{"http", "https"} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(e.handler)
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

func TestServeStopsInOrder(t *testing.T) {
	env := serveSandbox(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}))
	env["EXPORTER_LISTEN_ADDRESS"] = "127.0.0.1:0"
	env["EXPORTER_STATE_FILE"] = t.TempDir() + "/state.db"
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	stopped := make(chan int)
	go func() {
		stopped <- run(ctx, process{lookup: env.lookup, stdout: &out, stderr: &out})
	}()
	cancel()
	if code := <-stopped; code != exitOK {
		t.Errorf("exit code %d: %s", code, out.String())
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
