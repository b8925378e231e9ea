package alerts

import (
	"bytes"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// Links are the addresses that the runbook's page leads to. What is empty is not
// linked.
type Links struct {
	Prometheus string // its root; each query is then ready to run
	Grafana    string // its root
	Status     string // the exporter's status page
	Stalled    string // the list of who is stalled
}

// runbookStyle is all of the page's style.
const runbookStyle = `:root{color-scheme:light dark;--line:#d9dde2;--code:#eef0f3;--target:#fff3d6;--link:#0b57b0}
@media(prefers-color-scheme:dark){:root{--line:#343b44;--code:#252b33;--target:#3a2d10;--link:#7db4ff}body{background:#111418;color:#e6e9ed}}
body{max-width:50em;margin:1em auto;padding:0 1em;font:16px/1.5 system-ui,sans-serif}a{color:var(--link)}code{background:var(--code);overflow-wrap:anywhere}
nav{columns:16em;border:1px solid var(--line);padding:.5em 1em}nav a{display:block}h2{border-top:1px solid var(--line);padding-top:1em;overflow-wrap:anywhere}
:target{background:var(--target)}@media print{nav{display:none}h2{break-after:avoid}}`

// RunbookHTML returns the runbook as a page of HTML. Each alert's section has
// the alert's name, in lower case, as its id: the anchor that runbook_url names.
// It is an anchor as it is spelled too, since a dashboard knows no lower case.
func RunbookHTML(links Links) ([]byte, error) {
	markdown, err := files.ReadFile("runbook.md")
	if err != nil {
		return nil, err
	}
	said, err := summaries()
	if err != nil {
		return nil, err
	}
	p := runbookPage{links, regexp.MustCompile(`YativoCard\w+`)}
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><style>" + runbookStyle +
		"</style><meta name=\"viewport\" content=\"width=device-width\"><title>Runbook</title></head><body>\n")
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
			b.WriteString("<li>" + p.inline(item, links.Prometheus) + "</li>\n")
		case strings.HasPrefix(text, "# "):
			b.WriteString("<h1>" + html.EscapeString(text[2:]) + "</h1>\n" + p.contents(string(markdown)))
		case strings.HasPrefix(text, "## "):
			name := html.EscapeString(text[3:])
			b.WriteString("<h2 id=\"" + strings.ToLower(name) + "\"><a id=\"" + name + "\"></a>" + name + "</h2>\n<p>The alert says: <q>" + html.EscapeString(said[text[3:]]) + "</q></p>\n")
		default:
			b.WriteString("<p>" + p.inline(text, "") + "</p>\n")
		}
	}
	b.WriteString("</body></html>\n")
	return b.Bytes(), nil
}

// summaries are the words of each alert, with a gap where a value stands, and
// nothing where a condition does.
func summaries() (map[string]string, error) {
	rules, err := files.ReadFile("rules.yml.tmpl")
	said, gap := map[string]string{}, regexp.MustCompile(`{{.*?}}`)
	condition := regexp.MustCompile(`{{ (?:with|end)\b.*?}}`)
	for _, found := range regexp.MustCompile(`(?s)- alert: (\w+)\n.*?summary: >-\n +([^\n]+)`).FindAllStringSubmatch(string(rules), -1) {
		said[found[1]] = gap.ReplaceAllString(condition.ReplaceAllString(found[2], ""), "…")
	}
	return said, err
}

// runbookPage renders pieces of the runbook.
type runbookPage struct {
	Links

	alertName *regexp.Regexp
}

// contents lists the sections, and what else leads on.
func (p runbookPage) contents(markdown string) string {
	var b strings.Builder
	b.WriteString("<nav>")
	if p.Status != "" {
		b.WriteString(link(p.Status, "Status page"))
	}
	for _, section := range strings.Split(markdown, "\n## ")[1:] {
		name, _, _ := strings.Cut(section, "\n")
		b.WriteString(p.linkAlerts(html.EscapeString(name)))
	}
	if p.Grafana != "" {
		for _, name := range []string{"onboarding", "balances", "exporter"} {
			b.WriteString(link(strings.TrimSuffix(p.Grafana, "/")+"/d/yativo-card-"+name, "Dashboard: "+name))
		}
	}
	return b.String() + "</nav>\n"
}

// inline renders what the runbook uses within a line: code, and outside of it
// bold and the names of alerts. Code is a query where Prometheus is given.
func (p runbookPage) inline(text, prometheus string) string {
	var b strings.Builder
	for i, code := range strings.Split(text, "`") {
		escaped := html.EscapeString(code)
		if i%2 == 0 {
			for j, bold := range strings.Split(p.linkAlerts(escaped), "**") {
				if j%2 == 1 {
					bold = "<strong>" + bold + "</strong>"
				}
				b.WriteString(bold)
			}
			continue
		}
		target := ""
		if query, isList := strings.CutPrefix(code, "/stalled"); isList && p.Stalled != "" {
			target = p.Stalled + strings.TrimSuffix(query, "?flow_status=…")
		} else if prometheus != "" {
			target = strings.TrimSuffix(prometheus, "/") + "/graph?g0.tab=1&g0.expr=" + url.QueryEscape(code)
		}
		b.WriteString(link(target, "<code>"+escaped+"</code>"))
	}
	return b.String()
}

// linkAlerts lets each name of an alert lead to its section.
func (p runbookPage) linkAlerts(escaped string) string {
	return p.alertName.ReplaceAllStringFunc(escaped, func(name string) string {
		return link("#"+strings.ToLower(name), name)
	})
}

func link(target, escaped string) string {
	if target == "" {
		return escaped
	}
	return "<a href=\"" + html.EscapeString(target) + "\">" + escaped + "</a>"
}
