// Command dashboards writes the Grafana dashboards that the exporter ships as
// classic JSON, importable from Grafana 10 on, into the folder that its
// argument names.
//
// They are made in Go because the three share their look, variables, links and
// annotations, which plain JSON would repeat some seventy times, and because
// the SDK's types are Grafana's own schema, so that a misspelt option does not
// compile. The module is of its own, since the product needs none of this.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// write makes every dashboard and writes it into the folder, as UID.json.
func write(folder string) error {
	for _, build := range []func() page{onboarding, balances, exporter} {
		p := build()
		made, err := p.build()
		if err != nil {
			return fmt.Errorf("build %s: %w", p.uid, err)
		}
		content, err := encode(made)
		if err != nil {
			return fmt.Errorf("encode %s: %w", p.uid, err)
		}
		if err := os.WriteFile(filepath.Join(folder, p.uid+".json"), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// encode writes a dashboard as Grafana's own export does, with the id null that
// tells an import to assign one.
func encode(d classic) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // Queries are for people to read.
	encoder.SetIndent("", "  ")
	err := encoder.Encode(struct {
		ID *int64 `json:"id"`
		classic
	}{classic: d})
	return b.Bytes(), err
}
