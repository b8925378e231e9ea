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
	"regexp"
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

const usage = `Usage: dashboards [-runbook-url ADDRESS] [-stalled-url ADDRESS] [-time-range SPAN] [-o FOLDER] [NAME...]

Writes the Grafana dashboards as JSON, ready to import. Standard output gets one
dashboard by its name, or several as a JSON array; with -o, the folder gets a file
for each. The names are %s; without a name, all are written.

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
	var o order
	set.StringVar(&o.folder, "o", "", "write a file for each dashboard to this `folder`, which is created if it is missing, instead of standard output")
	set.StringVar(&o.runbookURL, "runbook-url", defaultRunbookURL, "`address` of the runbook that the dashboards link to; alerts add #name")
	set.StringVar(&o.stalledURL, "stalled-url", defaultStalledURL, "`address` of the list of who is stalled that the dashboards link to; statuses add ?flow_status=name")
	set.StringVar(&o.timeRange, "time-range", "", "time `span` that each dashboard opens with, such as 30m, 6h or 7d, instead of its own")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitcode.OK
	case err != nil:
		return exitcode.Usage
	}
	if o.names = set.Args(); len(o.names) == 0 {
		o.names = Names()
	}
	if err := o.check(); err != nil {
		fmt.Fprintf(stderr, "dashboards: %v\n", err)
		return exitcode.Usage
	}
	if err := o.write(stdout); err != nil {
		fmt.Fprintf(stderr, "dashboards: write the dashboards: %v\n", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

// order is what the command is asked to write.
type order struct {
	names                  []string
	folder                 string // none for stdout
	runbookURL, stalledURL string
	timeRange              string // none for each dashboard's own
}

// check returns what is wrong with the order.
func (o order) check() error {
	switch {
	case !isAddress(o.runbookURL):
		return fmt.Errorf("-runbook-url is %q, must be an http or https address without fragment", o.runbookURL)
	case !isAddress(o.stalledURL) || strings.Contains(o.stalledURL, "?"):
		return fmt.Errorf("-stalled-url is %q, must be an http or https address without query or fragment", o.stalledURL)
	case o.timeRange != "" && !regexp.MustCompile(`^[1-9][0-9]*[mhdw]$`).MatchString(o.timeRange):
		return fmt.Errorf("-time-range is %q, must be a number of minutes, hours, days or weeks, such as 30m", o.timeRange)
	}
	for _, name := range o.names {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("there is no dashboard %q, use %s", name, strings.Join(Names(), ", "))
		}
	}
	return nil
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

// write writes the dashboards to the files of the folder or to stdout.
func (o order) write(stdout io.Writer) error {
	all := make([][]byte, 0, len(o.names))
	for _, name := range o.names {
		content, err := JSON(name)
		if err != nil {
			return err
		}
		all = append(all, o.adapt(content))
	}
	if o.folder != "" {
		var pack []filepack.File
		for i, name := range o.names {
			pack = append(pack, filepack.File{Name: prefix + name + ".json", Content: all[i]})
		}
		_, err := filepack.Write(o.folder, pack)
		return err
	}
	text := all[0]
	if len(all) > 1 {
		text = fmt.Appendf(nil, "[\n%s]\n", bytes.Join(all, []byte(",\n")))
	}
	_, err := stdout.Write(text)
	return err
}

// adapt gives a dashboard the addresses and the time range of the order.
func (o order) adapt(content []byte) []byte {
	content = bytes.ReplaceAll(content, startOfText(defaultRunbookURL), startOfText(o.runbookURL))
	content = bytes.ReplaceAll(content, startOfText(defaultStalledURL), startOfText(o.stalledURL))
	if o.timeRange != "" {
		content = regexp.MustCompile(`"from": "now-[^"]*"`).ReplaceAll(content, []byte(`"from": "now-`+o.timeRange+`"`))
	}
	return content
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
