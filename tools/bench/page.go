//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
)

// The part of the page that is written from a run.
const (
	pageBegin = "<!-- figures -->\n"
	pageEnd   = "<!-- end of figures -->"
)

// writePage puts the figures in their place on a page.
func writePage(path, figures string) error {
	text, begin, end, err := pagePart(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text[:begin]+figures+text[end:]), 0o644)
}

// pagePart returns a page and where on it the figures stand.
func pagePart(path string) (text string, begin, end int, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", 0, 0, err
	}
	text = string(raw)
	begin, end = strings.Index(text, pageBegin)+len(pageBegin), strings.Index(text, pageEnd)
	if begin < len(pageBegin) || end < begin {
		return "", 0, 0, fmt.Errorf("%s has no part between %q and %q", path, pageBegin, pageEnd)
	}
	return text, begin, end, nil
}
