package alerts

import (
	"bytes"
	"html"
	"strings"
)

// RunbookHTML returns the runbook as a page of HTML. Each alert's section has
// the alert's name, in lower case, as its id: the anchor that runbook_url names.
// It is an anchor as it is spelled too, since a dashboard knows no lower case.
func RunbookHTML() ([]byte, error) {
	markdown, err := files.ReadFile("runbook.md")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Runbook</title>\n" +
		"<style>body{max-width:50em;margin:2em auto;padding:0 1em;font-family:sans-serif;line-height:1.5}code{background:#eee;overflow-wrap:anywhere}:target{background:#ffd}</style></head><body>\n")
	listed := false
	for line := range strings.Lines(string(markdown)) {
		text := strings.TrimSpace(line)
		number, item, isItem := strings.Cut(text, ". ")
		isItem = isItem && len(number) == 1 && number >= "1" && number <= "9"
		if isItem != listed && text != "" {
			b.WriteString(map[bool]string{true: "<ol>\n", false: "</ol>\n"}[isItem])
			listed = isItem
		}
		switch {
		case text == "":
		case isItem:
			b.WriteString("<li>" + inline(item) + "</li>\n")
		case strings.HasPrefix(text, "# "):
			b.WriteString("<h1>" + inline(text[2:]) + "</h1>\n")
		case strings.HasPrefix(text, "## "):
			b.WriteString("<h2 id=\"" + strings.ToLower(text[3:]) + "\"><a id=\"" + html.EscapeString(text[3:]) + "\"></a>" + inline(text[3:]) + "</h2>\n")
		default:
			b.WriteString("<p>" + inline(text) + "</p>\n")
		}
	}
	b.WriteString("</body></html>\n")
	return b.Bytes(), nil
}

// inline renders what the runbook uses within a line: code, and bold outside
// of it.
func inline(text string) string {
	var b strings.Builder
	for i, code := range strings.Split(html.EscapeString(text), "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + code + "</code>")
			continue
		}
		for j, bold := range strings.Split(code, "**") {
			if j%2 == 1 {
				bold = "<strong>" + bold + "</strong>"
			}
			b.WriteString(bold)
		}
	}
	return b.String()
}
