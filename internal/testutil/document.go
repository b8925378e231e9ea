package testutil

import (
	"fmt"
	"os"
	"strings"
)

// Section is a part of a document that is written by a program: what stands
// between the markers `<!-- name -->` and `<!-- end of name -->`.
type Section struct {
	Text string

	path, before, after string
}

// ReadSection reads a section of a document.
func ReadSection(path, name string) (Section, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Section{}, err
	}
	head, tail := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, begins := strings.Cut(string(content), head)
	text, after, ends := strings.Cut(rest, tail)
	if !begins || !ends {
		return Section{}, fmt.Errorf("read %s: no part between %q and %q", path, head, tail)
	}
	return Section{Text: text, path: path, before: before + head, after: tail + after}, nil
}

// Replace writes the document with another text in the section.
func (s Section) Replace(text string) error {
	return os.WriteFile(s.path, []byte(s.before+text+s.after), 0o600)
}
