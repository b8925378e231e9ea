//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// result is what a command that ends by itself leaves behind.
type result struct {
	code           int
	stdout, stderr string
}

// runExporter runs the exporter with arguments until it ends.
func runExporter(t *testing.T, env settings, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exporterBinary, args...)
	cmd.Env = env.environ()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("run it with %q: %v, %v", args, err, ctx.Err())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// variables are all that configure the exporter.
func variables() []string {
	return []string{
		"YATIVO_BASE_URL", "YATIVO_TOKEN_PATH", "YATIVO_API_KEY", "YATIVO_API_SECRET", "YATIVO_ACCESS_TOKEN",
		"YATIVO_API_KEY_FILE", "YATIVO_API_SECRET_FILE", "YATIVO_ACCESS_TOKEN_FILE",
		"YATIVO_PAGE_SIZE", "YATIVO_TIMEOUT", "YATIVO_MAX_CONCURRENCY", "YATIVO_RATE_LIMIT", "YATIVO_RATE_RESERVE",
		"EXPORTER_LISTEN_ADDRESS", "EXPORTER_PRIVATE_ADDRESS", "EXPORTER_WEB_CONFIG_FILE", "EXPORTER_REFRESH_INTERVAL", "EXPORTER_BALANCE_INTERVAL",
		"EXPORTER_MAX_STALENESS", "EXPORTER_STATE_FILE", "EXPORTER_STALLED_AFTER", "EXPORTER_ABANDONED_AFTER",
		"EXPORTER_BREAKER_FAILURES", "EXPORTER_BREAKER_COOLDOWN", "EXPORTER_LOG_LEVEL", "EXPORTER_LOG_FORMAT",
	}
}

func TestHelpListsEveryVariable(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"--help", "-h", "help"} {
		help := runExporter(t, nil, arg)
		if help.code != 0 || help.stderr != "" {
			t.Errorf("%s exits %d and complains %q", arg, help.code, help.stderr)
		}
		for _, want := range append(variables(), "serve", "demo", "check", "healthcheck", "stalled", "--version") {
			if !strings.Contains(help.stdout, want) {
				t.Errorf("%s does not mention %s", arg, want)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := runExporter(t, nil, "--version")
	if got.code != 0 || !strings.Contains(got.stdout, version) {
		t.Errorf("--version exits %d and prints %q; want 0 and %s", got.code, got.stdout, version)
	}
}

func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	got := runExporter(t, nil, "sevre")
	if got.code != 64 || !strings.Contains(got.stderr, "sevre") {
		t.Errorf("an unknown command exits %d and says %q; want 64 and its name", got.code, got.stderr)
	}
}

// Every wrong variable is named at once, by whatever command needs them, and
// no secret is shown.
func TestBadConfigurationNamesEveryVariable(t *testing.T) {
	t.Parallel()
	wrong := settings{
		"YATIVO_BASE_URL":           "http://api.example.com/v1",
		"YATIVO_API_SECRET":         "planted-secret",
		"YATIVO_API_SECRET_FILE":    "/nonexistent",
		"YATIVO_ACCESS_TOKEN":       "planted-token",
		"YATIVO_PAGE_SIZE":          "101",
		"YATIVO_TIMEOUT":            "soon",
		"YATIVO_MAX_CONCURRENCY":    "0",
		"YATIVO_RATE_LIMIT":         "-1",
		"YATIVO_RATE_RESERVE":       "1.5",
		"EXPORTER_PRIVATE_ADDRESS":  ":10102",
		"EXPORTER_REFRESH_INTERVAL": "4s",
		"EXPORTER_BALANCE_INTERVAL": "-1m",
		"EXPORTER_MAX_STALENESS":    "x",
		"EXPORTER_STALLED_AFTER":    "kyc_initiated:200h",
		"EXPORTER_ABANDONED_AFTER":  "nowhere:1h",
		"EXPORTER_BREAKER_FAILURES": "0",
		"EXPORTER_BREAKER_COOLDOWN": "0s",
		"EXPORTER_LOG_LEVEL":        "loud",
		"EXPORTER_LOG_FORMAT":       "xml",
	}
	for _, command := range []string{"", "serve", "check"} {
		got := runExporter(t, wrong, strings.Fields(command)...)
		if got.code != 78 {
			t.Errorf("%q exits %d, want 78", command, got.code)
		}
		for name := range wrong {
			if !strings.Contains(got.stderr, name) {
				t.Errorf("%q does not name %s", command, name)
			}
		}
		if strings.Contains(got.stdout+got.stderr, "planted") {
			t.Errorf("%q shows a secret:\n%s%s", command, got.stdout, got.stderr)
		}
	}
}

func TestMissingCredentials(t *testing.T) {
	t.Parallel()
	for _, env := range []settings{{}, {"YATIVO_API_KEY": "", "YATIVO_API_SECRET": ""}, {"YATIVO_API_KEY": "k"}} {
		got := runExporter(t, env)
		if got.code != 78 || !strings.Contains(got.stderr, "YATIVO_API_SECRET") {
			t.Errorf("with %v it exits %d and says %q; want 78 and the variable", env, got.code, got.stderr)
		}
	}
}

func TestCheckSaysWhatItFinds(t *testing.T) {
	t.Parallel()
	env := settingsFor(t, serveSandbox(t, sandbox.New(sandbox.Options{Seed: 7, Customers: 87})))
	got := runExporter(t, env, "check")
	if got.code != 0 || !strings.Contains(got.stdout, "87") {
		t.Errorf("it exits %d and prints %q; want 0 and the number of customers, 87", got.code, got.stdout)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	api := sandbox.New(sandbox.Options{Seed: 7, Customers: 87})
	env := settingsFor(t, serveSandbox(t, api))
	silent := sandbox.New(sandbox.Options{})
	silent.InjectFault(sandbox.Hang())
	for _, c := range []struct {
		name string
		env  settings
		want string
	}{
		{"a black hole", settings{"YATIVO_BASE_URL": serveSandbox(t, silent), "YATIVO_TIMEOUT": "1s"}, "mint an access token: no whole answer within the timeout; check YATIVO_TIMEOUT"},
		{"a wrong secret", settings{"YATIVO_API_SECRET": "planted-secret"}, "YATIVO_API_SECRET"},
		{"a wrong path", settings{"YATIVO_TOKEN_PATH": "/tokens"}, "YATIVO_TOKEN_PATH"},
		{"nobody there", settings{"YATIVO_BASE_URL": "http://" + closedPort(t)}, "refused"},
	} {
		got := runExporter(t, env.with(c.env), "check")
		said := got.stdout + got.stderr
		if got.code != 1 || !strings.Contains(said, c.want) || strings.Contains(said, "planted") {
			t.Errorf("%s: it exits %d and says %q; want 1, %q and no secret", c.name, got.code, said, c.want)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	env := settingsFor(t, serveSandbox(t, sandbox.New(sandbox.Options{Customers: 1})))
	exporter := startExporter(t, env)
	alive := runExporter(t, env.with(settings{"EXPORTER_LISTEN_ADDRESS": exporter.address}), "healthcheck")
	if alive.code != 0 {
		t.Errorf("it exits %d beside a running exporter: %s", alive.code, alive.stderr)
	}
	dead := runExporter(t, env.with(settings{"EXPORTER_LISTEN_ADDRESS": closedPort(t)}), "healthcheck")
	if dead.code != 1 || dead.stderr == "" {
		t.Errorf("it exits %d and says %q where nothing listens; want 1 and a reason", dead.code, dead.stderr)
	}
}

// The check of a container must not depend on whether the listener speaks TLS
// or wants to know who asks.
func TestHealthcheckBehindWebConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeCertificate(t, dir)
	env := settingsFor(t, serveSandbox(t, sandbox.New(sandbox.Options{Customers: 1})))
	for name, config := range map[string]string{
		"a limit":             "rate_limit: {interval: 1h, burst: 1}\n",
		"basic auth":          "basic_auth_users: {prometheus: " + passwordHash + "}\n",
		"TLS":                 "tls_server_config: {cert_file: server.crt, key_file: server.key}\n",
		"TLS and basic auth":  "tls_server_config: {cert_file: server.crt, key_file: server.key}\nbasic_auth_users: {prometheus: " + passwordHash + "}\n",
		"client certificates": "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yml")
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			env := env.with(settings{"EXPORTER_WEB_CONFIG_FILE": file, "EXPORTER_STATE_FILE": "none"})
			exporter := startExporter(t, env)
			for range 2 { // the limit lets one through
				got := runExporter(t, env.with(settings{"EXPORTER_LISTEN_ADDRESS": exporter.address}), "healthcheck")
				if got.code != 0 {
					t.Errorf("it exits %d beside a running exporter: %s", got.code, got.stderr)
				}
			}
		})
	}
}

// passwordHash is bcrypt's of a password that nobody needs to know.
const passwordHash = "$2a$04$71wvjReAUyL5Ht5vqd9xHuME7rcFLGlvcSFEPt.VuWqUnhiME9GrK"

// writeCertificate writes server.crt and server.key, a self-signed certificate
// for 127.0.0.1.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate},
		"server.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever it is doing, the exporter ends at once and in order when asked to.
func TestSignalsEndItCleanly(t *testing.T) {
	t.Parallel()
	hanging := sandbox.New(sandbox.Options{Customers: 5})
	hanging.InjectFault(sandbox.Hang())
	for name, api := range map[string]*sandbox.Sandbox{"at rest": stillPopulation(), "in a walk that hangs": hanging} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(fmt.Sprintf("%s, %v", name, sig), func(t *testing.T) {
				t.Parallel()
				exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)))
				if api != hanging {
					exporter.awaitReady()
				}
				exporter.endCleanly(sig, 10*time.Second)
			})
		}
	}
}

func TestListenAddressInUse(t *testing.T) {
	t.Parallel()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	first := startExporter(t, env)
	second := runExporter(t, env.with(settings{
		"EXPORTER_LISTEN_ADDRESS": first.address, "EXPORTER_STATE_FILE": "none",
	}))
	if second.code != 1 || !strings.Contains(second.stderr, "address already in use") {
		t.Errorf("a second exporter on the address exits %d and says %q; want 1 and why", second.code, second.stderr)
	}
	if code, _ := first.get("/-/healthy"); code != http.StatusOK {
		t.Errorf("the first one answers %d", code)
	}
}

// closedPort is an address on which nothing listens: a port that is bound, but
// not to TCP's listening state, for as long as the test runs.
func closedPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("the socket's address is a %T", name)
	}
	return (&net.TCPAddr{IP: address.Addr[:], Port: address.Port}).String()
}
