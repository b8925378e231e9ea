package main_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// screens are how many pixels Grafana 12 leaves for the 24 units of a dashboard:
// of 1600 with the menu open, and of 1024, where the menu does not stay open.
var screens = map[string]float64{"1600 pixels with the menu": 1268, "1024 pixels": 992}

// What Grafana 12 takes of a panel's width, in pixels.
const (
	panelGap    = 8  // between two panels
	panelBorder = 2  // left and right
	padding     = 16 // of a title or of what is below it, left and right
	icon        = 16 // the description's, or that of the panel's links
	menuButton  = 32 // seen under the pointer, but always there
	tilePadding = 24 // of a value, at most, left and right
	cellPadding = 13 // left and right, with the border
	smallest    = 12 // the font size below which a tile's value is no headline
)

func panelWidth(p dashboard.Panel, screen float64) float64 {
	return screen/24*float64(p.GridPos.W) - panelGap - panelBorder
}

// No title is cut.
func TestTitlesFit(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			title := strings.NewReplacer("$status", "safe_deploying", "$currency", "USD").Replace(*p.Title)
			for screen, width := range screens {
				room := panelWidth(p, width) - padding - icon - menuButton
				if len(p.Links) > 0 {
					room -= icon
				}
				if got := textWidth(t, title, 500, 14); got > room {
					t.Errorf("%s: the title %q takes %.0f of %.0f pixels at %s", file, title, got, room, screen)
				}
			}
		}
	}
}

// Grafana shrinks what a tile says until it fits: never to small print.
func TestWordsOfTilesFit(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			if p.Type != "stat" || p.GridPos.Y > 0 {
				continue
			}
			words := []string{*p.FieldConfig.Defaults.NoValue}
			for _, m := range p.FieldConfig.Defaults.Mappings {
				for _, result := range m.ValueMap.Options {
					words = append(words, *result.Text)
				}
			}
			for _, word := range words {
				for screen, width := range screens {
					room := panelWidth(p, width) - padding - tilePadding
					if got := textWidth(t, word, 500, smallest); got > room {
						t.Errorf("%s: %s says %q, which takes %.0f of %.0f pixels at %s", file, *p.Title, word, got, room, screen)
					}
				}
			}
		}
	}
}

// No head and no cell of a table is cut.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			if p.Type != "table" {
				continue
			}
			columns := tableColumns(t, p)
			for screen, width := range screens {
				flexible, room := 0, panelWidth(p, width)
				for _, c := range columns {
					room -= c.width
					if c.width == 0 {
						flexible++
					}
				}
				for _, c := range columns {
					has := c.width
					if has == 0 {
						has = room / float64(flexible)
					}
					takes := map[string]float64{c.name: textWidth(t, c.name, 500, 14)}
					for _, text := range c.samples(t) {
						takes[text] = textWidth(t, text, 400, 14)
					}
					for text, pixels := range takes {
						if got := math.Ceil(pixels) + cellPadding; got > math.Floor(has) {
							t.Errorf("%s: %s: %q takes %.0f of %.0f pixels of the column %s at %s", file, *p.Title, text, got, has, c.name, screen)
						}
					}
				}
			}
		}
	}
}

// tableColumn is a column as the overrides make it.
type tableColumn struct {
	name, unit string
	width      float64 // 0 for its share of what the others leave
	texts      []string
}

// samples are the longest texts that are expected in the column.
func (c tableColumn) samples(t *testing.T) []string {
	t.Helper()
	switch {
	case c.name == "alert":
		return append(alertNames(t), "The shipped rules are not loaded")
	case c.name == "status":
		return []string{"safe_deploying", "kyc_completed"}
	case c.name == "currency":
		return []string{"USD", "unknown"}
	case len(c.texts) > 0:
		return c.texts
	case c.unit == "suffix:h":
		return []string{"2160.0 h", "learning"}
	case c.unit == "s":
		return []string{"59.9 mins", "23.9 hours", "12.8 weeks"}
	case c.unit == "percentunit":
		return []string{"100.0%"}
	case c.name == "ledger" || c.name == "available" || c.name == "pending" || c.name == "day before":
		return []string{"9999999.99"}
	default:
		return []string{"100000", "learning"}
	}
}

// tableColumns are the columns of a table, by the names that its transformation
// gives them.
func tableColumns(t *testing.T, p dashboard.Panel) []tableColumn {
	t.Helper()
	var organized struct{ RenameByName map[string]string }
	for _, transformation := range p.Transformations {
		if transformation.Id == "organize" {
			content, err := json.Marshal(transformation.Options)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(content, &organized); err != nil {
				t.Fatal(err)
			}
		}
	}
	var columns []tableColumn
	for _, name := range organized.RenameByName {
		c := tableColumn{name: name}
		for _, o := range p.FieldConfig.Overrides {
			if o.Matcher.Options != name {
				continue
			}
			for _, property := range o.Properties {
				switch value := property.Value.(type) {
				case float64:
					if property.Id == "custom.width" {
						c.width = value
					}
				case string:
					if property.Id == "unit" {
						c.unit = value
					}
				case []any:
					content, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					for _, found := range regexp.MustCompile(`"text":"([^"]*)"`).FindAllStringSubmatch(string(content), -1) {
						c.texts = append(c.texts, found[1])
					}
				}
			}
		}
		if c.name == "for" {
			c.texts = nil // It replaces 0 alone.
		}
		columns = append(columns, c)
	}
	if len(columns) == 0 {
		t.Fatalf("%s has no columns", *p.Title)
	}
	return columns
}

// alertNames are the names of the shipped alerts.
func alertNames(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(shippedFolder, "..", "alerts", "yativo-card.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^ *- alert: (\w+)$`).FindAllStringSubmatch(string(content), -1) {
		names = append(names, found[1])
	}
	if len(names) < 10 {
		t.Fatalf("the rules have the alerts %v, want many", names)
	}
	return names
}

// The advance widths of Inter, which Grafana writes in, in thousandths of its
// size, from the space to the tilde, by weight; and what Grafana puts between
// two letters.
var interAdvances = map[int][]float64{
	400: {281, 288, 466, 633, 642, 982, 644, 300, 365, 365, 501, 662, 288, 460, 288, 360, 631, 407, 610, 618, 646, 593, 620, 566, 619, 620, 288, 302, 662, 662, 662, 511, 966, 690, 654, 730, 722, 601, 590, 746, 743, 269, 571, 672, 565, 903, 753, 765, 639, 765, 644, 642, 646, 744, 690, 985, 682, 679, 629, 365, 360, 365, 471, 456, 323, 562, 612, 571, 612, 583, 370, 613, 591, 242, 242, 549, 242, 876, 591, 600, 612, 612, 376, 528, 327, 591, 562, 818, 546, 562, 552, 426, 333, 426, 662},
	500: {267, 304, 494, 639, 646, 993, 653, 313, 369, 369, 521, 667, 303, 462, 303, 370, 646, 415, 616, 627, 656, 603, 630, 571, 629, 630, 303, 315, 667, 667, 667, 527, 982, 709, 657, 733, 722, 603, 589, 748, 745, 272, 575, 688, 565, 913, 756, 767, 642, 769, 648, 646, 653, 740, 709, 1003, 701, 696, 641, 369, 370, 369, 477, 463, 337, 568, 618, 577, 618, 587, 379, 620, 602, 252, 252, 559, 252, 888, 602, 604, 618, 618, 387, 539, 340, 602, 575, 829, 557, 575, 559, 440, 346, 440, 667},
}

const letterSpacing = 10.71 // in thousandths too

// textWidth is how many pixels a text takes at a weight and size.
func textWidth(t *testing.T, text string, weight int, size float64) float64 {
	t.Helper()
	total := 0.0
	for _, r := range text {
		switch {
		case r == '–':
			total += 1000
		case r < ' ' || r > '~':
			t.Fatalf("%q has a letter of unknown width", text)
		default:
			total += interAdvances[weight][r-' '] + letterSpacing
		}
	}
	return total * size / 1000
}

func TestTextWidth(t *testing.T) {
	t.Parallel()
	// As a browser measured the title of a panel.
	if got := textWidth(t, "Current?", 500, 14); got < 58 || got > 61 {
		t.Errorf("a title takes %.1f pixels, want about 59.4", got)
	}
}
