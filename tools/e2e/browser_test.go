//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// browser is a real one, steered through a pipe.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	calls   int
}

// startBrowser starts Chromium with an empty page, and skips the test where it
// is not installed.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	read, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{read, write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	_ = write.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		_ = to.Close() // which it takes for the end
		_, _ = io.Copy(io.Discard, b.from)
		_ = cmd.Wait()
		_ = from.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	return b
}

// call runs a command of the browser's and reads what it returns.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.calls++
	message := map[string]any{"id": b.calls, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		text, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(text[:len(text)-1], &answer); err != nil {
			b.t.Fatalf("%s: %v in %s", method, err, text)
		}
		if answer.ID != b.calls {
			continue // something that happened meanwhile
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.t.Fatalf("%s: %v in %s", method, err, answer.Result)
			}
		}
		return
	}
}

// evaluate returns what an expression has for a value in the page.
func (b *browser) evaluate(expression string) any {
	b.t.Helper()
	var answer struct{ Result struct{ Value any } }
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	return answer.Result.Value
}

// await waits until an expression is true in the page.
func (b *browser) await(expression string) {
	b.t.Helper()
	eventually(b.t, time.Minute, expression, func() error {
		if got := b.evaluate(expression); got != true {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.await(fmt.Sprintf("location.href === %q && document.readyState === 'complete'", url))
}

// click clicks into the middle of an element, of its first line if it has more.
func (b *browser) click(selector string) {
	b.t.Helper()
	at := func(expression string) any {
		return b.evaluate(fmt.Sprintf("(() => { const e = document.querySelector(%q); e.scrollIntoView(); const r = e.getClientRects()[0]; return %s })()", selector, expression))
	}
	for _, event := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{
			"type": event, "button": "left", "clickCount": 1, "x": at("r.x + r.width / 2"), "y": at("r.y + r.height / 2"),
		}, nil)
	}
}

// Whoever is paged comes from the runbook's section to the list, and copies an
// id with a click.
func TestWayOfAPage(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, plantedCustomers())).with(settings{
		"YATIVO_API_KEY": planted + "-key", "YATIVO_API_SECRET": planted + "-secret", "EXPORTER_STALLED_AFTER": "kyc_initiated:1s",
	}))
	exporter.awaitReady()
	root := "http://" + exporter.address
	eventually(t, 30*time.Second, "somebody is stalled", func() error {
		if _, list := exporter.get("/stalled?format=csv"); len(list) < 120 {
			return errors.New(list)
		}
		return nil
	})
	b.open(root + "/runbook#yativocardkycstalled")
	b.click(`#yativocardkycstalled ~ p a[href="stalled?flow_status=kyc_initiated"]`)
	b.await("location.pathname === '/stalled' && document.readyState === 'complete'")
	b.click("td code.id")
	if got := b.evaluate("getSelection().toString().trim() === document.querySelector('td code.id').textContent && getSelection().toString().length > 5"); got != true {
		t.Errorf("a click selects %q", b.evaluate("getSelection().toString()"))
	}

	for _, path := range []string{"/", "/stalled", "/runbook"} {
		b.checkFit(root + path)
		backgrounds := map[any]bool{}
		for _, scheme := range []string{"light", "dark"} {
			b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
			backgrounds[b.evaluate("getComputedStyle(document.body).backgroundColor")] = true
		}
		if len(backgrounds) != 2 {
			t.Errorf("%s is the same in light and dark: %v", path, backgrounds)
		}
	}
}

// checkFit checks that nothing of a page is cut off, on a phone, on a desk and on
// paper.
func (b *browser) checkFit(url string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": true}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "screen"}, nil)
	b.open(url)
	if got := b.evaluate("document.documentElement.scrollWidth"); got != 375.0 {
		b.t.Errorf("%s is %v pixels wide on a phone of 375", url, got)
	}
	for _, view := range []struct {
		media string
		width int
	}{{"screen", 375}, {"screen", 870}, {"screen", 1280}, {"print", 718}} { // the last is A4's
		b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": view.width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": view.media}, nil)
		if cut := b.evaluate("[...document.querySelectorAll('section')].filter(s => s.scrollWidth > s.clientWidth).map(s => s.innerText).join()"); cut != "" {
			b.t.Errorf("%s is cut off on a %s of %d pixels: %v", url, view.media, view.width, cut)
		}
	}
}
