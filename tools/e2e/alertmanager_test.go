//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

// alertmanager is a running Alertmanager with the shipped configuration, whose
// receivers are the test's.
type alertmanager struct {
	*process
	url      string
	messages *inbox
}

// message is what a receiver got in Slack's format.
type message struct {
	receiver    string
	Attachments []struct{ Title, Text string }
}

// inbox keeps the messages of all receivers, by the order they came in.
type inbox struct {
	mu   sync.Mutex
	kept []message
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := message{receiver: strings.Trim(r.URL.Path, "/")}
	body, err := io.ReadAll(r.Body)
	if err == nil && m.receiver != "watchdog" {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		m.receiver = "unreadable: " + err.Error()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kept = append(i.kept, m)
	_, _ = io.WriteString(w, "ok") // what Slack answers; a failure shows in Alertmanager's log
}

// of returns title and text of each message to a receiver.
func (i *inbox) of(receiver string) (titles, texts []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.kept {
		if m.receiver != receiver {
			continue
		}
		title, text := "", ""
		for _, a := range m.Attachments {
			title, text = title+a.Title, text+a.Text
		}
		titles, texts = append(titles, title), append(texts, text)
	}
	return titles, texts
}

// startAlertmanager runs Alertmanager with the shipped configuration. The
// replacements, old and new in turn, shorten its times.
func startAlertmanager(t *testing.T, replacements ...string) *alertmanager {
	t.Helper()
	messages := &inbox{}
	receiver := httptest.NewServer(messages)
	t.Cleanup(receiver.Close)

	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "templates"), os.DirFS(alertsFolder+"/templates")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page", "ticket", "watchdog"} {
		writeFile(t, folder, "secrets/"+name+"_url", receiver.URL+"/"+name)
	}
	config, err := os.ReadFile(alertsFolder + "/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, folder, "alertmanager.yml", strings.NewReplacer(append(replacements, "/etc/alertmanager/", folder+"/")...).Replace(string(config)))
	a := &alertmanager{messages: messages, process: start(t, exec.CommandContext(t.Context(), tool(t, "alertmanager"),
		"--config.file="+path, "--storage.path="+filepath.Join(folder, "data"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--log.format=json"))}
	a.url = "http://" + listenAddress(t, a.process)
	return a
}

// post reports alerts, given by their labels, as firing.
func (a *alertmanager) post(alerts ...map[string]string) error {
	type alert struct {
		Labels map[string]string `json:"labels"`
	}
	var firing []alert
	for _, labels := range alerts {
		firing = append(firing, alert{labels})
	}
	body, err := json.Marshal(firing)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("post alerts: %s", response.Status)
	}
	return nil
}

// inhibited returns, for each alert that Alertmanager knows, whether it is muted.
func (a *alertmanager) inhibited() (map[string]bool, error) {
	a.t.Helper()
	code, body, _ := testutil.Get(a.t, a.url+"/api/v2/alerts")
	if code != http.StatusOK {
		return nil, fmt.Errorf("list alerts: %d", code)
	}
	var alerts []struct {
		Labels map[string]string
		Status struct{ InhibitedBy []string }
	}
	if err := json.Unmarshal([]byte(body), &alerts); err != nil {
		return nil, err
	}
	muted := make(map[string]bool)
	for _, alert := range alerts {
		muted[alertKey(alert.Labels)] = len(alert.Status.InhibitedBy) > 0
	}
	return muted, nil
}

// alertKey names an alert within a test.
func alertKey(labels map[string]string) string {
	key := strings.TrimPrefix(labels["alertname"], "YativoCard")
	for _, name := range []string{"part", "severity", "job"} {
		if labels[name] != "" {
			key += " " + labels[name]
		}
	}
	return key
}
