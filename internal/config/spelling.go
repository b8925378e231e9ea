package config

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// spelling objects to what people write into environment files and what a
// shell would have taken away: quotes, white space, a carriage return, a tilde,
// a variable. What holds a secret is checked with it.
func (p *problems) spelling(variables map[string]string) {
	for _, v := range Variables() {
		value := variables[v.Name]
		switch {
		case slices.Contains(secretVariables(), v.Name):
		case strings.ContainsFunc(value, unicode.IsControl):
			p.add(v.Name, "holds a carriage return or another control character")
		case value != strings.TrimSpace(value):
			p.add(v.Name, "begins or ends with white space")
		case isQuoted(value):
			p.add(v.Name, "is in quotes, which would be part of the value; leave them out")
		case strings.IndexAny(value, "~$") == 0:
			p.add(v.Name, "begins with ~ or $, which only a shell replaces; write the whole path")
		}
	}
}

func isQuoted(value string) bool {
	return len(value) > 1 && value[0] == value[len(value)-1] && strings.ContainsRune("\"'`", rune(value[0]))
}

// unknownVariables warns of variables that have no effect although they are
// named like those that have, each with the name that may be meant.
func unknownVariables(variables map[string]string) (warnings []string) {
	var known []string
	for _, v := range Variables() {
		known = append(known, v.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		upper := strings.ToUpper(name)
		ours := strings.HasPrefix(upper, "YATIVO_") || strings.HasPrefix(upper, "EXPORTER_")
		if !ours || variables[name] == "" || slices.Contains(known, name) || isServiceLink(variables, name) {
			continue
		}
		meant := slices.MinFunc(known, func(a, b string) int { return editDistance(upper, a) - editDistance(upper, b) })
		warnings = append(warnings, name+": is not known and has no effect; the nearest known name is "+meant)
	}
	return warnings
}

// isServiceLink reports whether Kubernetes has set a variable, to tell of a
// service that happens to be named like this program.
func isServiceLink(variables map[string]string, name string) bool {
	for host := range variables {
		service, ok := strings.CutSuffix(host, "_SERVICE_HOST")
		if rest, ours := strings.CutPrefix(name, service); ok && ours && (strings.HasPrefix(rest, "_SERVICE_") || strings.HasPrefix(rest, "_PORT")) {
			return true
		}
	}
	return false
}

// editDistance is how many characters must be added, removed or replaced to
// make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
