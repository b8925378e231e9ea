// Package dashboards holds the Grafana dashboards that the exporter ships:
// onboarding, balances, and the exporter itself.
package dashboards

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"yativo-card-exporter/internal/exitcode"
	"yativo-card-exporter/internal/filepack"
)

//go:generate go run -C ../tools/dashboards . ../../dashboards

//go:embed yativo-card-*.json
var files embed.FS

// The names of the dashboards are their uids without this prefix.
const prefix = "yativo-card-"

// The addresses that the embedded dashboards link to: the exporter on the
// reader's own machine, which says how to get to the list where it must not show
// it there.
const (
	defaultRunbookURL = "http://localhost:10101/runbook"
	defaultStalledURL = "http://localhost:10101/stalled"
)

const usage = `Usage: dashboards [-runbook-url ADDRESS] [-stalled-url ADDRESS] [-o FOLDER] [NAME...]

Writes the Grafana dashboards as JSON, ready to import: to standard output one
by its name, or several as a JSON array; with -o each to a file of the folder.
The names are %s; all are meant if there is none.

`

// Command runs the dashboards command and returns its exit code: 0, 1 if
// nothing could be written, 64 for arguments that cannot be used.
func Command(args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("dashboards", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprintf(stderr, usage, strings.Join(Names(), ", "))
		set.PrintDefaults()
	}
	folder := set.String("o", "", "write to files of this `folder`, which is made if need be, instead of to standard output")
	runbookURL := set.String("runbook-url", defaultRunbookURL, "`address` of the runbook that the dashboards link to; alerts add #name")
	stalledURL := set.String("stalled-url", defaultStalledURL, "`address` of the list of who is stalled that the dashboards link to; statuses add ?flow_status=name")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitcode.OK
	case err != nil:
		return exitcode.Usage
	case !isAddress(*runbookURL):
		fmt.Fprintf(stderr, "dashboards: -runbook-url is %q, must be an http or https address without fragment\n", *runbookURL)
		return exitcode.Usage
	case !isAddress(*stalledURL) || strings.Contains(*stalledURL, "?"):
		fmt.Fprintf(stderr, "dashboards: -stalled-url is %q, must be an http or https address without query or fragment\n", *stalledURL)
		return exitcode.Usage
	}
	names := set.Args()
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			fmt.Fprintf(stderr, "dashboards: there is no dashboard %q, use %s\n", name, strings.Join(Names(), ", "))
			return exitcode.Usage
		}
	}
	if len(names) == 0 {
		names = Names()
	}
	if err := write(names, *folder, map[string]string{defaultRunbookURL: *runbookURL, defaultStalledURL: *stalledURL}, stdout); err != nil {
		fmt.Fprintf(stderr, "dashboards: write the dashboards: %v\n", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

// Names lists the dashboards in the order in which they are read.
func Names() []string { return []string{"onboarding", "balances", "exporter"} }

// JSON returns a dashboard by its name, or an error that lists the names.
func JSON(name string) ([]byte, error) {
	content, err := files.ReadFile(prefix + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("dashboard %q does not exist, use one of %s", name, strings.Join(Names(), ", "))
	}
	return content, nil
}

// write writes dashboards to the files of a folder or, without one, to stdout.
// The addresses are those to link to in the place of the embedded ones.
func write(names []string, folder string, addresses map[string]string, stdout io.Writer) error {
	all := make([][]byte, 0, len(names))
	for _, name := range names {
		content, err := JSON(name)
		if err != nil {
			return err
		}
		for embedded, address := range addresses {
			content = bytes.ReplaceAll(content, startOfText(embedded), startOfText(address))
		}
		all = append(all, content)
	}
	if folder != "" {
		var pack []filepack.File
		for i, name := range names {
			pack = append(pack, filepack.File{Name: prefix + name + ".json", Content: all[i]})
		}
		_, err := filepack.Write(folder, pack)
		return err
	}
	text := all[0]
	if len(all) > 1 {
		text = fmt.Appendf(nil, "[\n%s]\n", bytes.Join(all, []byte(",\n")))
	}
	_, err := stdout.Write(text)
	return err
}

// startOfText is how JSON begins a string that begins with a text.
func startOfText(text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // A text can always be encoded.
	return bytes.TrimSuffix(bytes.TrimSpace(b.Bytes()), []byte(`"`))
}

func isAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.Contains(address, "#")
}
