package dashboards_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yativo-card-exporter/dashboards"
)

// shipped is what the tests look at of a dashboard.
type shipped struct {
	UID   string
	Title string
	Links []struct{ Title, URL string }
	Time  struct{ From, To string }
}

func (s shipped) runbook(t *testing.T) string {
	t.Helper()
	for _, link := range s.Links {
		if link.Title == "Runbook" {
			return link.URL
		}
	}
	t.Fatalf("%s has no link to the runbook", s.UID)
	return ""
}

func decode[T any](t *testing.T, content []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = dashboards.Command(args, &out, &err)
	return code, out.String(), err.String()
}

func TestOneNameIsPrintedAsItIsShipped(t *testing.T) {
	t.Parallel()
	for _, name := range dashboards.Names() {
		code, stdout, stderr := run(t, name)
		file, err := os.ReadFile("yativo-card-" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if code != 0 || stderr != "" || stdout != string(file) {
			t.Errorf("dashboards %s: exit %d, stderr %q, and stdout is the file: %t", name, code, stderr, stdout == string(file))
		}
	}
}

func TestSeveralAreAnArray(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"yativo-card-onboarding yativo-card-balances yativo-card-exporter": nil,
		"yativo-card-exporter yativo-card-onboarding":                      {"exporter", "onboarding"},
	} {
		code, stdout, _ := run(t, args...)
		var uids []string
		for _, d := range decode[[]shipped](t, []byte(stdout)) {
			uids = append(uids, d.UID)
		}
		if got := strings.Join(uids, " "); code != 0 || got != want {
			t.Errorf("dashboards %v: exit %d, %s; want %s", args, code, got, want)
		}
	}
}

func TestFolderGetsAFileEach(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if code, stdout, stderr := run(t, "-o", folder, "-runbook-url", "https://wiki.example.org/r?a=1&b=2", "-stalled-url", "http://localhost:10102/stalled"); code != 0 || stdout+stderr != "" {
		t.Fatalf("exit %d, printed %q", code, stdout+stderr)
	}
	for _, name := range dashboards.Names() {
		content, err := os.ReadFile(filepath.Join(folder, "yativo-card-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode[shipped](t, content).runbook(t); got != "https://wiki.example.org/r?a=1&b=2" {
			t.Errorf("%s links to the runbook %s", name, got)
		}
		if strings.Contains(string(content), "localhost:10101") {
			t.Errorf("%s still links to the addresses that were replaced", name)
		}
		if !strings.Contains(string(content), `"https://wiki.example.org/r?a=1&b=2#${__value.raw}"`) {
			t.Errorf("%s does not link each alert to its section of the runbook", name)
		}
		if name == "onboarding" && !strings.Contains(string(content), `"http://localhost:10102/stalled?flow_status=${__value.raw}"`) {
			t.Errorf("%s does not link each status to who is stalled in it", name)
		}
	}
}

func TestTimeRangeIsThatOfEachOrTheOneAskedFor(t *testing.T) {
	t.Parallel()
	for _, name := range dashboards.Names() {
		_, own, _ := run(t, name)
		if got := decode[shipped](t, []byte(own)).Time; got.From == "now-30m" || !strings.HasPrefix(got.From, "now-") || got.To != "now" {
			t.Errorf("%s opens on %v", name, got)
		}
		_, asked, stderr := run(t, "-time-range", "30m", name)
		if got := decode[shipped](t, []byte(asked)).Time; got.From != "now-30m" || got.To != "now" {
			t.Errorf("%s opens on %v, %s; want the last 30m", name, got, stderr)
		}
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`there is no dashboard "onboardin", use onboarding, balances, exporter`: {"onboardin"},
		`-runbook-url is "wiki", must be an http or https address`:              {"-runbook-url", "wiki"},
		"without fragment\n": {"-runbook-url", "https://wiki.example.org/r#s"},
		`-stalled-url is "http://h/stalled?a=b", must be an http or https address without query or fragment`: {"-stalled-url", "http://h/stalled?a=b"},
		`-time-range is "1month", must be a number of minutes`:                                               {"-time-range", "1month"},
		"flag provided but not defined":                                                                      {"-folder", "x"},
	} {
		if code, stdout, stderr := run(t, args...); code != 64 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("dashboards %v: exit %d, stdout %q, stderr %q; want exit 64 and %q", args, code, stdout, stderr, want)
		}
	}
	if code, _, stderr := run(t, "-h"); code != 0 || !strings.Contains(stderr, "onboarding, balances, exporter") {
		t.Errorf("dashboards -h: exit %d, %q", code, stderr)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	if code := dashboards.Command(nil, brokenPipe{}, &stderr); code != 1 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("a broken pipe: exit %d, %q", code, stderr.String())
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, text := run(t, "-o", file); code != 1 || !strings.Contains(text, file) {
		t.Errorf("a file in the folder's place: exit %d, %q", code, text)
	}
}

// The names of the command, the embedded files and the uids that alerts link to
// are the same.
func TestNamesAreTheFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) != len(dashboards.Names()) {
		t.Fatalf("there are the files %v, %v; want one for each of %v", files, err, dashboards.Names())
	}
	for _, name := range dashboards.Names() {
		content, err := dashboards.JSON(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := decode[shipped](t, content); d.UID != "yativo-card-"+name {
			t.Errorf("%s has the uid %s", name, d.UID)
		}
	}
	if _, err := dashboards.JSON("none"); err == nil {
		t.Error("a dashboard that does not exist has JSON")
	}
}
