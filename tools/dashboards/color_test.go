package main_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The colors: what is written on, and what is drawn as a line or a bar, which
// is all of them but the one that is too bright for it.
var (
	backgrounds = []string{"#127946", "#F5B83D", "#D92B0F", "#66707A"}
	drawn       = []string{"#127946", "#C7860A", "#D92B0F", "#66707A", "#398AF7", "#AF35A4", "#179DC7", "#9434DE", "#7E9660", "#81878C"}
)

// Whatever a threshold, a mapping or an override colors is of one palette.
func TestColorsAreOfThePalette(t *testing.T) {
	t.Parallel()
	palette := append(slices.Concat(backgrounds, drawn), "transparent", "dash")
	color := regexp.MustCompile(`"(?:fixedColor|color|iconColor|fill)": "([^"]+)"`)
	for file := range shipped(t) {
		content, err := os.ReadFile(filepath.Join(shippedFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range color.FindAllStringSubmatch(string(content), -1) {
			if !slices.Contains(palette, found[1]) {
				t.Errorf("%s: the color %s is not of the palette", file, found[1])
			}
		}
	}
}

// Grafana writes on a color in white, or in black where it is bright. Lines and
// bars stand on the panels of the dark or the light theme.
func TestContrast(t *testing.T) {
	t.Parallel()
	const white, black, darkPanel, lightPanel = "#F7F8FA", "#202226", "#181B1F", "#FFFFFF"
	for _, c := range backgrounds {
		text := white
		if brightness(t, c) > 180 {
			text = black
		}
		if got := contrast(t, c, text); got < 4.5 {
			t.Errorf("text on %s has a contrast of %.2f, want 4.5", c, got)
		}
	}
	for _, c := range drawn {
		for _, panel := range []string{darkPanel, lightPanel} {
			if got := contrast(t, c, panel); got < 3 {
				t.Errorf("a line of %s on %s has a contrast of %.2f, want 3", c, panel, got)
			}
		}
	}
	if got := contrast(t, "#000000", "#FFFFFF"); math.Abs(got-21) > 0.01 {
		t.Errorf("black on white has a contrast of %.2f, want 21", got)
	}
}

// Only what is dark enough is a line: graphs have no color but those drawn, and
// no value is written in a color, which would be pale in one of the themes.
func TestColorsAreUsedAsMeasured(t *testing.T) {
	t.Parallel()
	color := regexp.MustCompile(`"(?:fixedColor|color)":"(#[^"]+)"`)
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			content, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			used := map[string]bool{}
			for _, found := range color.FindAllStringSubmatch(string(content), -1) {
				used[found[1]] = true
			}
			allowed := map[string][]string{"timeseries": drawn, "stat": backgrounds, "state-timeline": backgrounds}[p.Type]
			for _, c := range slices.Sorted(maps.Keys(used)) {
				if allowed != nil && !slices.Contains(allowed, c) {
					t.Errorf("%s: %s uses %s, which is not measured for a %s", file, *p.Title, c, p.Type)
				}
			}
			if regexp.MustCompile(`"colorMode":"value"|"type":"color-text"`).Match(content) {
				t.Errorf("%s: %s writes in a color", file, *p.Title)
			}
		}
	}
}

// Colors that stand beside each other are told apart by everybody: the
// judgements, and the statuses in which customers wait.
func TestColorsAreToldApart(t *testing.T) {
	t.Parallel()
	for _, group := range [][]string{
		backgrounds,
		{"#81878C", "#179DC7", "#398AF7", "#AF35A4", "#9434DE"},
	} {
		for i, a := range group {
			for _, b := range group[:i] {
				for kind, distance := range distances(t, a, b) {
					if distance < 0.06 {
						t.Errorf("%s and %s are hard to tell apart with %s vision: %.3f", a, b, kind, distance)
					}
				}
			}
		}
	}
}

// brightness is what Grafana goes by, from 0 to 255.
func brightness(t *testing.T, color string) float64 {
	t.Helper()
	total := 0.0
	for i, weight := range []float64{0.299, 0.587, 0.114} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		total += weight * float64(n)
	}
	return total
}

// contrast is the ratio of the Web Content Accessibility Guidelines, 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		rgb := linear(t, color)
		return 0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2]
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// visions simulate, on linear RGB, the two common kinds of color blindness in
// full (Machado, Oliveira and Fernandes, 2009), beside normal vision.
func visions() map[string][3][3]float64 {
	return map[string][3][3]float64{
		"normal": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanope": {
			{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998},
		},
		"deuteranope": {
			{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881},
		},
	}
}

// distances are how far two colors, as #RRGGBB, are apart in Oklab for each
// kind of vision. Black and white are 1 apart.
func distances(t *testing.T, a, b string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for kind, seen := range visions() {
		p, q := oklab(apply(seen, linear(t, a))), oklab(apply(seen, linear(t, b)))
		all[kind] = math.Sqrt(square(p[0]-q[0]) + square(p[1]-q[1]) + square(p[2]-q[2]))
	}
	return all
}

func square(x float64) float64 { return x * x }

// linear decodes sRGB.
func linear(t *testing.T, color string) (rgb [3]float64) {
	t.Helper()
	for i := range rgb {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			rgb[i] = v / 12.92
		} else {
			rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return rgb
}

func apply(m [3][3]float64, v [3]float64) (out [3]float64) {
	for i, row := range m {
		out[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return out
}

func oklab(rgb [3]float64) [3]float64 {
	lms := apply([3][3]float64{
		{0.4122214708, 0.5363325363, 0.0514459929}, {0.2119034982, 0.6806995451, 0.1073969566}, {0.0883024619, 0.2817188376, 0.6299787005},
	}, rgb)
	for i, v := range lms {
		lms[i] = math.Cbrt(v)
	}
	return apply([3][3]float64{
		{0.2104542553, 0.7936177850, -0.0040720468}, {1.9779984951, -2.4285922050, 0.4505937099}, {0.0259040371, 0.7827717662, -0.8086757660},
	}, lms)
}
